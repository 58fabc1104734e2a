/* realpath belongs to X/Open. */
#define _GNU_SOURCE

#include "output_target.h"

#include "io_status.h"
#include "volume_formats.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_LINKS = 40, ANY_WRITE = S_IWUSR | S_IWGRP | S_IWOTH };

static sgio_status cannot_write(const char *path, const char *reason)
{
    return sgio_fail(SGIO_UNWRITABLE, "cannot write %s: %s", path, reason);
}

char *sgio_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return strdup(".");
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

void sgio_sync_folder_of(const char *path)
{
    char *folder = sgio_folder_of(path);
    int descriptor = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    free(folder);
    if (descriptor < 0) return;
    fsync(descriptor);
    close(descriptor);
}

/* What a link that leads to no file yet points at; a path that is no link comes back as it is. */
static sgio_status follow_dangling(const char *path, char **end)
{
    char link[PATH_MAX];
    *end = strdup(path);
    for (int hop = 0; *end && hop < MOST_LINKS; hop++) {
        ssize_t n = readlink(*end, link, sizeof link - 1);
        if (n < 0) return SGIO_OK;
        link[n] = '\0';
        char *next = sgio_path_beside(*end, link);
        free(*end);
        *end = next;
    }
    return *end ? cannot_write(path, strerror(ELOOP)) : sgio_fail_memory(PATH_MAX, "a file name");
}

static sgio_status check_existing(const char *path, const struct stat *info)
{
    if (S_ISDIR(info->st_mode))
        return cannot_write(path, "it is a folder, wanted the name of a file");
    if (!S_ISREG(info->st_mode)) return cannot_write(path, "it is not a regular file");
    if (!(info->st_mode & ANY_WRITE))
        return cannot_write(path, "it is write-protected; remove it, allow writing (chmod u+w) or "
                                  "choose another name");
    if (access(path, W_OK) != 0) return cannot_write(path, strerror(errno));
    return SGIO_OK;
}

static sgio_status check_new(const char *path, const char *target)
{
    struct stat info;
    size_t length = strlen(target);
    if (length == 0) return cannot_write("an output", "its name is empty");
    if (target[length - 1] == '/') return cannot_write(path, "it names a folder, wanted a file");
    char *folder = sgio_folder_of(target);
    if (!folder) return sgio_fail_memory(length, "a file name");
    sgio_status status = SGIO_OK;
    if (stat(folder, &info) != 0)
        status = errno == ENOENT ? sgio_fail(SGIO_UNWRITABLE,
                                             "cannot write %s: there is no folder %s", path, folder)
                                 : cannot_write(path, strerror(errno));
    else if (!S_ISDIR(info.st_mode))
        status = sgio_fail(SGIO_UNWRITABLE, "cannot write %s: %s is not a folder", path, folder);
    free(folder);
    return status;
}

sgio_status sgio_target_find(const char *path, sgio_target *target)
{
    memset(target, 0, sizeof *target);
    sgio_status status = SGIO_OK;
    if (stat(path, &target->info) == 0) {
        status = check_existing(path, &target->info);
        if (status != SGIO_OK) return status;
        target->exists = 1;
        target->path = realpath(path, NULL);
        return target->path ? SGIO_OK : cannot_write(path, strerror(errno));
    }
    if (errno != ENOENT) return cannot_write(path, strerror(errno));
    status = follow_dangling(path, &target->path);
    if (status == SGIO_OK) status = check_new(path, target->path);
    if (status == SGIO_OK) return SGIO_OK;
    free(target->path);
    target->path = NULL;
    return status;
}
