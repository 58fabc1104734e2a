/* A whole file as read-only bytes. */
#ifndef SEGMODEL_CHECKPOINT_MAPPED_FILE_H
#define SEGMODEL_CHECKPOINT_MAPPED_FILE_H

#include "segmodel/segmodel.h"

typedef struct sgm_mapped_file {
    const unsigned char *bytes; /* NULL if the file is empty */
    size_t size;
} sgm_mapped_file;

/* Maps a regular file; pages are read when they are touched. Fails with `code` and a message that
 * names the path. A file that another program cuts while it is mapped raises SIGBUS on access, as
 * with any mapping: replace such files by renaming, never in place. */
sgm_status sgm_mapped_file_open(const char *path, sgm_status code, sgm_mapped_file *out);

void sgm_mapped_file_close(sgm_mapped_file *file);

#endif
