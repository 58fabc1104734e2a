#include "core/system.h"

#include "core/clock.h"
#include "core/sync.h"

#include <io.h>
#include <locale.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include <psapi.h>

#include "core/wide.h"

void *sgm_aligned_alloc(size_t alignment, size_t size)
{
    return _aligned_malloc(size, alignment);
}

void sgm_aligned_free(void *memory)
{
    _aligned_free(memory);
}

void sgm_give_back_memory(void)
{
    _heapmin();
}

int sgm_available_cores(void)
{
    DWORD_PTR own = 0, all = 0;
    if (GetProcessAffinityMask(GetCurrentProcess(), &own, &all) && own)
        return __builtin_popcountll((unsigned long long)own);
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwNumberOfProcessors > 0 ? (int)info.dwNumberOfProcessors : 1;
}

long sgm_level2_cache(void)
{
    DWORD size = 0;
    long found = 0;
    GetLogicalProcessorInformation(NULL, &size);
    SYSTEM_LOGICAL_PROCESSOR_INFORMATION *list = malloc(size ? size : 1);
    if (list && size && GetLogicalProcessorInformation(list, &size))
        for (DWORD i = 0; i < size / sizeof *list && !found; i++)
            if (list[i].Relationship == RelationCache && list[i].Cache.Level == 2)
                found = (long)list[i].Cache.Size;
    free(list);
    return found;
}

bool sgm_allow_amx(void)
{
    return false;
}

bool sgm_has_bfmmla(void)
{
    return false;
}

double sgm_clock(void)
{
    LARGE_INTEGER now, per_second;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&per_second);
    return (double)now.QuadPart / (double)per_second.QuadPart;
}

static _locale_t plain;

static void make_locale(void)
{
    plain = _create_locale(LC_NUMERIC, "C");
}

double sgm_plain_strtod(const char *text, char **end)
{
    static sgm_once made;
    sgm_once_run(&made, make_locale);
    return plain ? _strtod_l(text, end, plain) : strtod(text, end);
}

long sgm_process_id(void)
{
    return (long)GetCurrentProcessId();
}

bool sgm_process_exists(long id)
{
    HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, (DWORD)id);
    if (!process)
        return GetLastError() != ERROR_INVALID_PARAMETER; /* one that is not ours to open */
    bool ended = WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
    CloseHandle(process);
    return !ended;
}

bool sgm_stderr_is_terminal(void)
{
    return _isatty(2);
}

double sgm_peak_memory(void)
{
    PROCESS_MEMORY_COUNTERS counters = {.cb = sizeof counters};
    if (!GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof counters)) return 0;
    return (double)counters.PeakWorkingSetSize;
}

static double seconds_of(FILETIME t) /* units of 100 ns */
{
    return 1e-7 * ((double)t.dwHighDateTime * 4294967296.0 + (double)t.dwLowDateTime);
}

double sgm_processor_time(void)
{
    FILETIME begun, ended, kernel, user;
    if (!GetProcessTimes(GetCurrentProcess(), &begun, &ended, &kernel, &user)) return 0;
    return seconds_of(kernel) + seconds_of(user);
}

void *sgm_module_open(const char *path, const char **reason)
{
    static _Thread_local char said[512];
    wchar_t *wide = sgm_wide(path);
    HMODULE module = wide ? LoadLibraryW(wide) : NULL;
    free(wide);
    snprintf(said, sizeof said, "%s: error %lu", path, module ? 0 : GetLastError());
    *reason = module ? NULL : said;
    return module;
}

void *sgm_module_symbol(void *module, const char *name)
{
    FARPROC found = GetProcAddress(module, name);
    void *symbol;
    memcpy(&symbol, &found, sizeof symbol);
    return symbol;
}

void sgm_module_folder(const void *inside, char *folder, size_t size)
{
    HMODULE module = NULL;
    wchar_t wide[4096];
    folder[0] = 0;
    GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS |
                           GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                       (const wchar_t *)inside, &module);
    DWORD length = GetModuleFileNameW(module, wide, 4096);
    if (length == 0 || length == 4096) return;
    while (length > 0 && wide[length - 1] != L'\\' && wide[length - 1] != L'/')
        length--;
    wide[length] = 0;
    if (!WideCharToMultiByte(CP_UTF8, 0, wide, -1, folder, (int)size, NULL, NULL)) folder[0] = 0;
}
