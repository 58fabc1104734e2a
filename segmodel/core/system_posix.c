#define _GNU_SOURCE
#include "core/system.h"

#include "core/cgroup.h"
#include "core/clock.h"
#include "core/files.h"
#include "core/sync.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#ifdef __APPLE__
#include <sys/sysctl.h>
#include <xlocale.h>
#endif

#ifdef __GLIBC__
#include <malloc.h>
#endif

#if defined(__linux__)
#include <sys/auxv.h>
#include <sys/syscall.h>
#endif

#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFEATURE_TILEDATA 18
#define HWCAP2_BF16_OF_ARM64 (1ul << 14)

void *sgm_aligned_alloc(size_t alignment, size_t size)
{
    void *memory = NULL;
    return posix_memalign(&memory, alignment, size) == 0 ? memory : NULL;
}

void sgm_aligned_free(void *memory)
{
    free(memory);
}

void sgm_give_back_memory(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

#ifdef __linux__
/* Processors that the scheduler may put this process on; 0: unknown. The kernel refuses a set with
 * less room than it has processors, present or not. */
static int scheduled_cores(void)
{
    int cores = 0;
    for (int room = CPU_SETSIZE; cores == 0 && room <= 1 << 20; room *= 2) {
        cpu_set_t *set = CPU_ALLOC(room);
        size_t size = CPU_ALLOC_SIZE(room);
        if (!set) return 0;
        bool refused = sched_getaffinity(0, size, set) != 0;
        bool small = refused && errno == EINVAL;
        if (!refused) cores = CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (!small) break;
    }
    return cores;
}
#endif

int sgm_available_cores(void)
{
    long cores = 0;
#ifdef __linux__
    cores = scheduled_cores();
#endif
    if (cores <= 0) cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (cores <= 0) cores = 1;
#ifdef __linux__
    int quota = sgm_cgroup_processors("");
    if (quota > 0 && quota < cores) cores = quota;
#endif
    return (int)cores;
}

long sgm_level2_cache(void)
{
#ifdef _SC_LEVEL2_CACHE_SIZE
    long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
    return bytes > 0 ? bytes : 0;
#else
    return 0;
#endif
}

bool sgm_allow_amx(void)
{
#if defined(__linux__) && defined(__x86_64__)
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_TILEDATA) == 0;
#else
    return false;
#endif
}

bool sgm_has_bfmmla(void)
{
#if defined(__linux__) && defined(__aarch64__)
    return getauxval(AT_HWCAP2) & HWCAP2_BF16_OF_ARM64;
#elif defined(__APPLE__)
    int there = 0;
    size_t size = sizeof there;
    return sysctlbyname("hw.optional.arm.FEAT_BF16", &there, &size, NULL, 0) == 0 && there;
#else
    return false;
#endif
}

double sgm_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static locale_t plain;

static void make_locale(void)
{
    plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
}

double sgm_plain_strtod(const char *text, char **end)
{
    static sgm_once made;
    sgm_once_run(&made, make_locale);
    return plain ? strtod_l(text, end, plain) : strtod(text, end);
}

long sgm_process_id(void)
{
    return (long)getpid();
}

bool sgm_process_exists(long id)
{
    if (id <= 0 || id > INT_MAX) return false; /* others are groups of processes, or none */
    return kill((pid_t)id, 0) == 0 || errno == EPERM;
}

bool sgm_stderr_is_terminal(void)
{
    return isatty(STDERR_FILENO);
}

double sgm_peak_memory(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
#ifdef __APPLE__
    return (double)usage.ru_maxrss;
#else
    return 1024.0 * (double)usage.ru_maxrss;
#endif
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

double sgm_processor_time(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
    return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

void *sgm_module_open(const char *path, const char **reason)
{
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    *reason = NULL;
    if (!module) *reason = dlerror();
    if (!module && !*reason) *reason = "no reason given";
    return module;
}

void *sgm_module_symbol(void *module, const char *name)
{
    return dlsym(module, name);
}

#ifdef __linux__
/* The file that is mapped at `inside`, by the kernel's own account; "": unknown. */
static void mapped_file(const void *inside, char *path, size_t size)
{
    char line[4 * PATH_MAX + 128]; /* a newline in a path is written as four characters */
    const unsigned long long address = (unsigned long long)(uintptr_t)inside;
    FILE *maps = sgm_fopen("/proc/self/maps", "r");
    path[0] = 0;
    while (maps && fgets(line, sizeof line, maps)) { /* from-to rights offset device inode path */
        unsigned long long from, to;
        const size_t length = strcspn(line, "\n");
        const char *name = strchr(line, '/');
        if (sscanf(line, "%llx-%llx", &from, &to) != 2 || address < from || address >= to) continue;
        line[length] = 0;
        if (name && strlen(name) < size) memcpy(path, name, strlen(name) + 1);
        break;
    }
    if (maps) fclose(maps);
}
#else
static void mapped_file(const void *inside, char *path, size_t size)
{
    (void)inside, (void)size;
    path[0] = 0;
}
#endif

/* The loader's name of a file may be relative, to a folder that was the current one when the
 * program began (its argument 0) or the library was loaded. What lies there now may be anybody's.
 */
void sgm_module_folder(const void *inside, char *folder, size_t size)
{
    Dl_info info;
    folder[0] = 0;
    if (dladdr(inside, &info) && info.dli_fname[0] == '/') {
        if (strlen(info.dli_fname) < size)
            memcpy(folder, info.dli_fname, strlen(info.dli_fname) + 1);
    } else {
        mapped_file(inside, folder, size);
    }
    size_t length = strlen(folder);
    while (length > 0 && folder[length - 1] != '/')
        length--;
    folder[length] = 0;
}
