/* A file that appears under its name only when it is complete: written beside it, flushed to the
 * disk, then renamed. The library's only way to write files. */
#ifndef SEGMODEL_CORE_ATOMIC_FILE_H
#define SEGMODEL_CORE_ATOMIC_FILE_H

#include <stdbool.h>
#include <stdio.h>

#include "core/files.h"
#include "segmodel/segmodel.h"

typedef struct sgm_atomic_file {
    FILE *stream;             /* write here, or through sgm_atomic_file_write */
    char *path, *temporary;   /* owned; the file that is replaced, links followed */
    char *buffer;             /* owned */
    const sgm_folder *folder; /* of an entry of a cache; NULL: `path` says where */
} sgm_atomic_file;

/* Begins a file. One that exists must be a regular file that may be written; its mode is kept, and
 * a symbolic link goes on naming the new content. Every failure is SGM_UNWRITABLE (or
 * SGM_OUT_OF_MEMORY) with the path; *out is zeroed then. */
sgm_status sgm_atomic_file_create(const char *path, sgm_atomic_file *out);
/* The same for an entry of a cache, in an open folder (files.h; borrowed): it may get lost, so it
 * is not flushed to the disk; only its owner may read it, and it takes the place of whatever has
 * its name. Written beside it as "<name>.<process>-<number>.tmp"; a name without room for that is
 * stood for by its hash. */
sgm_status sgm_atomic_file_create_entry(const sgm_folder *folder, const char *name,
                                        sgm_atomic_file *out);
sgm_status sgm_atomic_file_write(sgm_atomic_file *file, const void *bytes, size_t size);

/* Commit renames the file into place; on failure, a failed write of `stream` before included, the
 * old file is untouched and nothing is left. */
sgm_status sgm_atomic_file_commit(sgm_atomic_file *file);
/* Removes what was written and keeps the thread's message; fine after a commit and on a zeroed
 * struct. */
void sgm_atomic_file_abandon(sgm_atomic_file *file);

/* -------------------------------------------------------------------------------- what is left
 * where a process is killed while it writes. */

/* True: `entry` is what a file `name` (without its folder) is written as; *process says by whom. */
bool sgm_atomic_file_is_half(const char *entry, const char *name, long *process);

/* Removes what processes that are gone have left of the `count` files `names` in a folder. Another
 * machine that writes there may have processes that are not seen from here: what was changed within
 * the last minute stays. What cannot be removed or listed stays too. */
void sgm_atomic_file_sweep(const char *folder, const char *const *names, int count);
/* The same of one file, beside it. */
void sgm_atomic_file_sweep_beside(const char *path);

#endif
