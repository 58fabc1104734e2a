/* A file that appears under its name only when it is complete: written beside it, flushed to the
 * disk, then renamed. */
#ifndef SEGMODEL_CHECKPOINT_ATOMIC_FILE_H
#define SEGMODEL_CHECKPOINT_ATOMIC_FILE_H

#include "segmodel/segmodel.h"

typedef struct sgm_atomic_file {
    int fd;
    char *path, *temporary; /* owned */
    char *buffer;           /* owned */
    size_t buffered;
} sgm_atomic_file;

/* Every failure is SGM_UNWRITABLE (or SGM_OUT_OF_MEMORY) with the path. */
sgm_status sgm_atomic_file_create(const char *path, sgm_atomic_file *out);
sgm_status sgm_atomic_file_write(sgm_atomic_file *file, const void *bytes, size_t size);

/* Exactly one of the two ends the file: commit renames it into place (and on failure removes it),
 * abandon removes it and keeps the thread's message. */
sgm_status sgm_atomic_file_commit(sgm_atomic_file *file);
void sgm_atomic_file_abandon(sgm_atomic_file *file);

#endif
