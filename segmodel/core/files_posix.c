#define _GNU_SOURCE
#include "core/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __APPLE__
#define CHANGED(state) ((state)->st_mtimespec)
#else
#define CHANGED(state) ((state)->st_mtim)
#endif

struct sgm_folder {
    int descriptor;
};

static void describe(const struct stat *state, sgm_file_info *info)
{
    *info = (sgm_file_info){.regular = S_ISREG(state->st_mode),
                            .folder = S_ISDIR(state->st_mode),
                            .size = (uint64_t)state->st_size,
                            .changed = CHANGED(state).tv_sec,
                            .nanoseconds = CHANGED(state).tv_nsec,
                            .mode = state->st_mode & 07777};
}

FILE *sgm_fopen(const char *path, const char *mode)
{
    return fopen(path, mode);
}

bool sgm_path_info(const char *path, sgm_file_info *info)
{
    struct stat state;
    if (stat(path, &state) != 0) return false;
    describe(&state, info);
    info->writable = access(path, W_OK) == 0;
    return true;
}

bool sgm_make_folder(const char *path, bool private_to_owner)
{
    sgm_file_info info;
    if (mkdir(path, private_to_owner ? 0700 : 0777) == 0) return true;
    if (errno != EEXIST) return false;
    bool there = sgm_path_info(path, &info) && info.folder;
    if (!there) errno = ENOTDIR;
    return there;
}

const char *sgm_file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *sgm_real_path(const char *path)
{
    return realpath(path, NULL);
}

bool sgm_remove_file(const char *path)
{
    return unlink(path) == 0;
}

bool sgm_replace_file(const char *from, const char *to)
{
    return rename(from, to) == 0;
}

int sgm_open_new(const char *path, unsigned mode)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    /* A file system without modes is no error. */
    if (descriptor >= 0 && mode) (void)fchmod(descriptor, (mode_t)mode);
    return descriptor;
}

int sgm_open_read(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

void sgm_close(int descriptor)
{
    close(descriptor);
}

bool sgm_descriptor_info(int descriptor, sgm_file_info *info)
{
    struct stat state;
    if (fstat(descriptor, &state) != 0) return false;
    describe(&state, info);
    return true;
}

FILE *sgm_descriptor_stream(int descriptor)
{
    return fdopen(descriptor, "wb");
}

bool sgm_read_all(int descriptor, void *bytes, size_t size)
{
    char *to = bytes;
    while (size) {
        ssize_t got = read(descriptor, to, size);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        to += got;
        size -= (size_t)got;
    }
    return true;
}

bool sgm_read_at(int descriptor, uint64_t offset, void *bytes, size_t size)
{
    char *to = bytes;
    errno = 0;
    while (size > 0) {
        ssize_t got = pread(descriptor, to, size, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        to += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return true;
}

int sgm_duplicate(int descriptor)
{
    return fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
}

void sgm_touch(int descriptor)
{
    futimens(descriptor, NULL);
}

bool sgm_flush_to_disk(FILE *stream)
{
    return fsync(fileno(stream)) == 0 || errno == EINVAL || errno == EROFS;
}

void sgm_flush_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[4096] = ".";
    if (slash) snprintf(folder, sizeof folder, "%.*s", (int)(slash - path) + 1, path);
    int descriptor = open(folder, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return;
    (void)fsync(descriptor);
    close(descriptor);
}

const void *sgm_map_file(int descriptor, size_t size)
{
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    return bytes == MAP_FAILED ? NULL : bytes;
}

void sgm_unmap_file(const void *bytes, size_t size)
{
    munmap((void *)(uintptr_t)bytes, size);
}

sgm_folder *sgm_folder_open(const char *path)
{
    sgm_folder *folder = malloc(sizeof *folder);
    if (!folder) return NULL;
    folder->descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->descriptor >= 0) return folder;
    int why = errno;
    free(folder);
    errno = why;
    return NULL;
}

void sgm_folder_close(sgm_folder *folder)
{
    if (!folder) return;
    close(folder->descriptor);
    free(folder);
}

bool sgm_folder_writable(const sgm_folder *folder)
{
    return faccessat(folder->descriptor, ".", W_OK | X_OK, 0) == 0;
}

int sgm_folder_read(const sgm_folder *folder, const char *name)
{
    return openat(folder->descriptor, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

int sgm_folder_create(const sgm_folder *folder, const char *name)
{
    return openat(folder->descriptor, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

bool sgm_folder_remove(const sgm_folder *folder, const char *name)
{
    return unlinkat(folder->descriptor, name, 0) == 0;
}

bool sgm_folder_rename(const sgm_folder *folder, const char *from, const char *to)
{
    return renameat(folder->descriptor, from, folder->descriptor, to) == 0;
}

bool sgm_folder_list(const sgm_folder *folder,
                     bool (*see)(void *user, const char *name, const sgm_file_info *info),
                     void *user)
{
    int copy = openat(folder->descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory) {
        if (copy >= 0) close(copy);
        return false;
    }
    bool go_on = true;
    for (struct dirent *e; go_on && (e = readdir(directory));) {
        struct stat state;
        sgm_file_info info;
        if (fstatat(folder->descriptor, e->d_name, &state, AT_SYMLINK_NOFOLLOW) != 0) continue;
        describe(&state, &info);
        if (info.regular) go_on = see(user, e->d_name, &info);
    }
    closedir(directory);
    return go_on;
}
