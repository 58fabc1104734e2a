/* Files and folders, the same on POSIX and Windows (files_posix.c, files_windows.c). Paths are
 * UTF-8 everywhere. What fails sets errno; strerror has its words. */
#ifndef SEGMODEL_CORE_FILES_H
#define SEGMODEL_CORE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct sgm_file_info {
    bool regular, folder;
    bool writable;       /* by this process; not of an open file */
    uint64_t size;       /* bytes */
    int64_t changed;     /* seconds since 1970 */
    int64_t nanoseconds; /* beyond `changed` */
    unsigned mode;       /* as chmod takes it; 0 where there is none */
} sgm_file_info;

/* As fopen. */
FILE *sgm_fopen(const char *path, const char *mode);

/* False: there is no such file. Links are followed. */
bool sgm_path_info(const char *path, sgm_file_info *info);

/* True: the folder is there now. A new one is for its owner alone if `private`. */
bool sgm_make_folder(const char *path, bool private_to_owner);

/* Where the name begins behind its folder. */
const char *sgm_file_name(const char *path);

/* The whole name that a file has without links, the same however it is reached; malloc'ed. NULL:
 * not there, or no memory. */
char *sgm_real_path(const char *path);

/* True: removed. */
bool sgm_remove_file(const char *path);

/* Puts a file in the place of another, at once for all who look. On Windows another process that
 * has the old one open may stand in the way: EACCES, and both files are as they were. */
bool sgm_replace_file(const char *from, const char *to);

/* ------------------------------------------------------------------------------- open files
 * Descriptors are not inherited by programs that are started. -1: errno says why. */

/* A new file to write; fails with EEXIST if there is one. `mode` as chmod takes it; 0: as usual. */
int sgm_open_new(const char *path, unsigned mode);
/* To read; a pipe does not wait for its writer. */
int sgm_open_read(const char *path);
void sgm_close(int descriptor);
bool sgm_descriptor_info(int descriptor, sgm_file_info *info);
FILE *sgm_descriptor_stream(int descriptor); /* to write; NULL: no memory */
/* All of it, or false. */
bool sgm_read_all(int descriptor, void *bytes, size_t size);
/* False: it ends before, or errno says why it cannot be read. */
bool sgm_read_at(int descriptor, uint64_t offset, void *bytes, size_t size);
/* A second descriptor of an open file, never 0. */
int sgm_duplicate(int descriptor);
/* Sets the time of change to now. */
void sgm_touch(int descriptor);
/* Hands what was written to the disk; a file system that cannot is no error. */
bool sgm_flush_to_disk(FILE *stream);
/* Makes a rename in the folder of `path` durable, where that can be asked for. */
void sgm_flush_folder(const char *path);

/* The whole file as read-only bytes; NULL: errno says why. `size` above 0. */
const void *sgm_map_file(int descriptor, size_t size);
void sgm_unmap_file(const void *bytes, size_t size);

/* --------------------------------------------------------------------------------- a folder
 * that stays open: names in it are looked up there whatever happens to its path. On Windows it is
 * its path. */

typedef struct sgm_folder sgm_folder;

/* NULL: errno says why. */
sgm_folder *sgm_folder_open(const char *path);
void sgm_folder_close(sgm_folder *folder);
bool sgm_folder_writable(const sgm_folder *folder);
/* A file of this name to read (no link), or a new one for its owner alone. -1: errno says why. */
int sgm_folder_read(const sgm_folder *folder, const char *name);
int sgm_folder_create(const sgm_folder *folder, const char *name);
bool sgm_folder_remove(const sgm_folder *folder, const char *name);
bool sgm_folder_rename(const sgm_folder *folder, const char *from, const char *to);
/* Shows every regular file until `see` returns false. False: cannot be listed, or `see` did. */
bool sgm_folder_list(const sgm_folder *folder,
                     bool (*see)(void *user, const char *name, const sgm_file_info *info),
                     void *user);

#endif
