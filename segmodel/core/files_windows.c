#include "core/files.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <windows.h>

#include "core/wide.h"

enum { LONG_PATH = 240 }; /* Windows takes 247 letters of a folder, 259 of a file */

struct sgm_folder {
    char path[1]; /* and as many more as it needs */
};

/* ------------------------------------------------------------------------------ names and errors
 */

/* The whole path in the form that has no limit of length: \\?\C:\..., \\?\UNC\server\share\...
 * NULL: short enough without, in such a form already, or no memory. What counts is the whole path:
 * a short one in a deep folder is long too. */
static wchar_t *long_form(const wchar_t *path)
{
    DWORD room = GetFullPathNameW(path, 0, NULL, NULL);
    if (room < LONG_PATH) return NULL;
    wchar_t *full = malloc(room * sizeof *full), *form = NULL;
    DWORD length = full ? GetFullPathNameW(path, room, full, NULL) : 0;
    bool shared = length > 2 && full[0] == L'\\' && full[1] == L'\\';
    if (length > 0 && length < room && !(shared && (full[2] == L'?' || full[2] == L'.'))) {
        form = malloc((room + 8) * sizeof *form);
        if (form) wcscpy(form, shared ? L"\\\\?\\UNC" : L"\\\\?\\");
        if (form) wcscat(form, shared ? full + 1 : full);
    }
    free(full);
    return form;
}

wchar_t *sgm_wide(const char *path)
{
    int room = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, NULL, 0);
    if (room <= 0) {
        errno = EILSEQ;
        return NULL;
    }
    wchar_t *wide = malloc((size_t)room * sizeof *wide);
    if (!wide) return NULL;
    MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, room);
    wchar_t *form = long_form(wide);
    if (!form) return wide;
    free(wide);
    return form;
}

char **sgm_utf8_arguments(int count, wchar_t **wide)
{
    char **arguments = calloc((size_t)count + 1, sizeof *arguments);
    for (int i = 0; arguments && i < count; i++) {
        int room = WideCharToMultiByte(CP_UTF8, 0, wide[i], -1, NULL, 0, NULL, NULL);
        arguments[i] = malloc((size_t)room + 1);
        if (!arguments[i]) return NULL;
        WideCharToMultiByte(CP_UTF8, 0, wide[i], -1, arguments[i], room, NULL, NULL);
    }
    return arguments;
}

static int error_of_system(void)
{
    switch (GetLastError()) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_NAME:
        return ENOENT;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
    case ERROR_WRITE_PROTECT:
    case ERROR_USER_MAPPED_FILE:
        return EACCES;
    case ERROR_ALREADY_EXISTS:
    case ERROR_FILE_EXISTS:
        return EEXIST;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
        return ENOSPC;
    case ERROR_DIRECTORY:
        return ENOTDIR;
    case ERROR_FILENAME_EXCED_RANGE:
        return ENAMETOOLONG;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
        return ENOMEM;
    default:
        return EIO;
    }
}

static bool succeeded(BOOL done)
{
    if (!done) errno = error_of_system();
    return done;
}

/* ---------------------------------------------------------------------------------------- by name
 */

static int64_t seconds_of(FILETIME time, int64_t *nanoseconds)
{
    uint64_t ticks = (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime; /* of 100 ns */
    *nanoseconds = (int64_t)(ticks % 10000000) * 100;
    return (int64_t)(ticks / 10000000) - 11644473600; /* from 1601 */
}

static void describe(DWORD attributes, uint64_t size, FILETIME changed, sgm_file_info *info)
{
    *info = (sgm_file_info){.folder = attributes & FILE_ATTRIBUTE_DIRECTORY,
                            .writable = !(attributes & FILE_ATTRIBUTE_READONLY),
                            .size = size};
    info->regular = !(attributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_DEVICE));
    info->changed = seconds_of(changed, &info->nanoseconds);
}

FILE *sgm_fopen(const char *path, const char *mode)
{
    wchar_t *wide = sgm_wide(path), wide_mode[8] = L"";
    for (size_t i = 0; i < 7 && mode[i]; i++)
        wide_mode[i] = (wchar_t)mode[i];
    FILE *stream = wide ? _wfopen(wide, wide_mode) : NULL;
    free(wide);
    return stream;
}

bool sgm_path_info(const char *path, sgm_file_info *info)
{
    WIN32_FILE_ATTRIBUTE_DATA data;
    wchar_t *wide = sgm_wide(path);
    bool found = wide && succeeded(GetFileAttributesExW(wide, GetFileExInfoStandard, &data));
    free(wide);
    if (found)
        describe(data.dwFileAttributes, (uint64_t)data.nFileSizeHigh << 32 | data.nFileSizeLow,
                 data.ftLastWriteTime, info);
    return found;
}

bool sgm_make_folder(const char *path, bool private_to_owner)
{
    sgm_file_info info;
    wchar_t *wide = sgm_wide(path);
    (void)private_to_owner; /* as its parent's list of rights has it */
    bool made = wide && succeeded(CreateDirectoryW(wide, NULL));
    free(wide);
    if (made || errno != EEXIST) return made;
    bool there = sgm_path_info(path, &info) && info.folder;
    if (!there) errno = ENOTDIR;
    return there;
}

const char *sgm_file_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *other = strrchr(path, '\\');
    if (!slash || (other && other > slash)) slash = other;
    return slash ? slash + 1 : path;
}

/* Of \\?\C:\a C:\a, of \\?\UNC\server\share \\server\share, as people write them. */
static const wchar_t *plain_form(wchar_t *path)
{
    if (wcsncmp(path, L"\\\\?\\UNC\\", 8) == 0) {
        path[6] = L'\\';
        return path + 6;
    }
    return wcsncmp(path, L"\\\\?\\", 4) == 0 ? path + 4 : path;
}

static char *utf8_of(const wchar_t *wide)
{
    int room = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *text = room > 0 ? malloc((size_t)room) : NULL;
    if (text) WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, room, NULL, NULL);
    return text;
}

/* Some file systems (RAM disks) have no final names: the whole path stands for it there. */
static wchar_t *final_path(HANDLE file, const wchar_t *path)
{
    DWORD room = GetFinalPathNameByHandleW(file, NULL, 0, 0), all = 0;
    if (room == 0) all = GetFullPathNameW(path, 0, NULL, NULL);
    DWORD size = (room ? room : all) + 1;
    wchar_t *found = malloc(size * sizeof *found);
    if (!found) return NULL;
    DWORD length = room ? GetFinalPathNameByHandleW(file, found, size, 0)
                        : GetFullPathNameW(path, size, found, NULL);
    if (length > 0 && length < size) return found;
    free(found);
    return NULL;
}

char *sgm_real_path(const char *path)
{
    wchar_t *wide = sgm_wide(path);
    HANDLE file = wide
                      ? CreateFileW(wide, 0, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                    NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL)
                      : INVALID_HANDLE_VALUE;
    bool there = wide && succeeded(file != INVALID_HANDLE_VALUE);
    wchar_t *found = there ? final_path(file, wide) : NULL;
    char *text = found ? utf8_of(plain_form(found)) : NULL;
    if (there) CloseHandle(file);
    free(found);
    free(wide);
    return text;
}

bool sgm_remove_file(const char *path)
{
    wchar_t *wide = sgm_wide(path);
    bool removed = wide && succeeded(DeleteFileW(wide));
    free(wide);
    return removed;
}

bool sgm_replace_file(const char *from, const char *to)
{
    wchar_t *wide_from = sgm_wide(from), *wide_to = sgm_wide(to);
    bool moved = wide_from && wide_to &&
                 succeeded(MoveFileExW(wide_from, wide_to,
                                       MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH));
    free(wide_from);
    free(wide_to);
    return moved;
}

/* ------------------------------------------------------------------------------------- open files
 */

static int open_wide(const char *path, int flags)
{
    wchar_t *wide = sgm_wide(path);
    int descriptor =
        wide ? _wopen(wide, flags | _O_BINARY | _O_NOINHERIT, _S_IREAD | _S_IWRITE) : -1;
    free(wide);
    return descriptor;
}

int sgm_open_new(const char *path, unsigned mode)
{
    (void)mode;
    return open_wide(path, _O_WRONLY | _O_CREAT | _O_EXCL);
}

/* As POSIX has it: others may remove or rename the file meanwhile. */
int sgm_open_read(const char *path)
{
    wchar_t *wide = sgm_wide(path);
    HANDLE file = INVALID_HANDLE_VALUE;
    if (wide)
        file = CreateFileW(wide, GENERIC_READ | FILE_WRITE_ATTRIBUTES,
                           FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                           OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    if (wide && file == INVALID_HANDLE_VALUE) /* its time must not be changed */
        file =
            CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                        NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    if (wide && file == INVALID_HANDLE_VALUE) errno = error_of_system();
    free(wide);
    if (file == INVALID_HANDLE_VALUE) return -1;
    int descriptor = _open_osfhandle((intptr_t)file, _O_RDONLY | _O_BINARY | _O_NOINHERIT);
    if (descriptor < 0) CloseHandle(file);
    return descriptor;
}

void sgm_close(int descriptor)
{
    _close(descriptor);
}

bool sgm_descriptor_info(int descriptor, sgm_file_info *info)
{
    BY_HANDLE_FILE_INFORMATION data;
    HANDLE file = (HANDLE)_get_osfhandle(descriptor);
    if (!succeeded(GetFileInformationByHandle(file, &data))) return false;
    describe(data.dwFileAttributes, (uint64_t)data.nFileSizeHigh << 32 | data.nFileSizeLow,
             data.ftLastWriteTime, info);
    info->regular = info->regular && GetFileType(file) == FILE_TYPE_DISK;
    return true;
}

FILE *sgm_descriptor_stream(int descriptor)
{
    return _fdopen(descriptor, "wb");
}

enum { PART = 1 << 30 }; /* what one call may be asked for */

bool sgm_read_all(int descriptor, void *bytes, size_t size)
{
    char *to = bytes;
    while (size) {
        int got = _read(descriptor, to, size > PART ? PART : (unsigned)size);
        if (got <= 0) return false;
        to += got;
        size -= (size_t)got;
    }
    return true;
}

bool sgm_read_at(int descriptor, uint64_t offset, void *bytes, size_t size)
{
    HANDLE file = (HANDLE)_get_osfhandle(descriptor);
    char *to = bytes;
    errno = 0;
    while (size > 0) {
        OVERLAPPED at = {.Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32)};
        DWORD got = 0;
        if (!ReadFile(file, to, size > PART ? PART : (DWORD)size, &got, &at) || got == 0) {
            if (GetLastError() != ERROR_HANDLE_EOF) errno = error_of_system();
            return false;
        }
        to += got;
        offset += got;
        size -= got;
    }
    return true;
}

int sgm_duplicate(int descriptor)
{
    int other = _dup(descriptor);
    if (other != 0) return other;
    other = _dup(descriptor);
    _close(0);
    return other;
}

void sgm_touch(int descriptor)
{
    FILETIME now;
    GetSystemTimeAsFileTime(&now);
    SetFileTime((HANDLE)_get_osfhandle(descriptor), NULL, NULL, &now);
}

bool sgm_flush_to_disk(FILE *stream)
{
    return _commit(_fileno(stream)) == 0 || errno == EINVAL;
}

void sgm_flush_folder(const char *path)
{
    (void)path; /* MOVEFILE_WRITE_THROUGH has done it */
}

const void *sgm_map_file(int descriptor, size_t size)
{
    HANDLE mapping =
        CreateFileMappingW((HANDLE)_get_osfhandle(descriptor), NULL, PAGE_READONLY, 0, 0, NULL);
    const void *bytes = mapping ? MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, size) : NULL;
    if (!bytes) errno = error_of_system();
    if (mapping) CloseHandle(mapping); /* the view keeps it */
    return bytes;
}

void sgm_unmap_file(const void *bytes, size_t size)
{
    (void)size;
    UnmapViewOfFile(bytes);
}

/* ---------------------------------------------------------------------------------------- folders
 */

sgm_folder *sgm_folder_open(const char *path)
{
    sgm_file_info info;
    if (!sgm_path_info(path, &info)) return NULL;
    if (!info.folder) {
        errno = ENOTDIR;
        return NULL;
    }
    sgm_folder *folder = malloc(sizeof *folder + strlen(path));
    if (folder) strcpy(folder->path, path);
    return folder;
}

void sgm_folder_close(sgm_folder *folder)
{
    free(folder);
}

/* Rights are lists that only a try can tell. */
bool sgm_folder_writable(const sgm_folder *folder)
{
    char name[64];
    snprintf(name, sizeof name, ".sgm-%lu.tmp", GetCurrentProcessId());
    int descriptor = sgm_folder_create(folder, name);
    if (descriptor < 0) return errno == EEXIST;
    sgm_close(descriptor);
    sgm_folder_remove(folder, name);
    return true;
}

/* A file's path; malloc'ed. */
static char *path_in(const sgm_folder *folder, const char *name)
{
    size_t size = strlen(folder->path) + strlen(name) + 2;
    char *path = malloc(size);
    if (path) snprintf(path, size, "%s/%s", folder->path, name);
    return path;
}

int sgm_folder_read(const sgm_folder *folder, const char *name)
{
    char *path = path_in(folder, name);
    int descriptor = path ? sgm_open_read(path) : -1;
    free(path);
    return descriptor;
}

int sgm_folder_create(const sgm_folder *folder, const char *name)
{
    char *path = path_in(folder, name);
    int descriptor = path ? sgm_open_new(path, 0) : -1;
    free(path);
    return descriptor;
}

bool sgm_folder_remove(const sgm_folder *folder, const char *name)
{
    char *path = path_in(folder, name);
    bool removed = path && sgm_remove_file(path);
    free(path);
    return removed;
}

bool sgm_folder_rename(const sgm_folder *folder, const char *from, const char *to)
{
    char *old = path_in(folder, from), *new = path_in(folder, to);
    bool moved = old && new &&sgm_replace_file(old, new);
    free(old);
    free(new);
    return moved;
}

static bool show(const WIN32_FIND_DATAW *found,
                 bool (*see)(void *user, const char *name, const sgm_file_info *info), void *user)
{
    char name[4 * MAX_PATH];
    sgm_file_info info;
    describe(found->dwFileAttributes, (uint64_t)found->nFileSizeHigh << 32 | found->nFileSizeLow,
             found->ftLastWriteTime, &info);
    if (!info.regular || (found->dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT)) return true;
    if (!WideCharToMultiByte(CP_UTF8, 0, found->cFileName, -1, name, sizeof name, NULL, NULL))
        return true;
    return see(user, name, &info);
}

bool sgm_folder_list(const sgm_folder *folder,
                     bool (*see)(void *user, const char *name, const sgm_file_info *info),
                     void *user)
{
    WIN32_FIND_DATAW found;
    char *pattern = path_in(folder, "*");
    wchar_t *wide = pattern ? sgm_wide(pattern) : NULL;
    HANDLE search = wide ? FindFirstFileW(wide, &found) : INVALID_HANDLE_VALUE;
    free(pattern);
    free(wide);
    if (search == INVALID_HANDLE_VALUE) return false;
    bool go_on = true;
    do
        go_on = show(&found, see, user);
    while (go_on && FindNextFileW(search, &found));
    FindClose(search);
    return go_on;
}
