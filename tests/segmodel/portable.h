/* What tests ask of the system beside standard C, by POSIX's names. Windows has most of it under
 * others; what it does not have, modes and links, POSIX_FILES says. */
#ifndef SEGMODEL_TESTS_PORTABLE_H
#define SEGMODEL_TESTS_PORTABLE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef _WIN32

#include <direct.h>
#include <sys/utime.h>

enum { POSIX_FILES = 0 };

#define mkdir(path, mode) _mkdir(path)

static inline int symlink(const char *target, const char *path)
{
    (void)target;
    (void)path;
    return -1;
}

static inline int set_file_time(const char *path, long long seconds)
{
    struct __utimbuf64 times = {seconds, seconds};
    return _utime64(path, &times);
}

#else

#include <fcntl.h>

enum { POSIX_FILES = 1 };

static inline int set_file_time(const char *path, long long seconds)
{
    struct timespec times[2] = {{.tv_sec = (time_t)seconds}, {.tv_sec = (time_t)seconds}};
    return utimensat(AT_FDCWD, path, times, 0);
}

#endif

/* A folder without folders in it; nothing where there is none. True: it is gone. */
static inline int remove_folder(const char *path)
{
    DIR *list = opendir(path);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        char file[1024];
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) remove(file);
    }
    if (list) closedir(list);
    return rmdir(path) == 0;
}

#endif
