/* A whole file as read-only bytes. */
#ifndef SEGMODEL_CHECKPOINT_MAPPED_FILE_H
#define SEGMODEL_CHECKPOINT_MAPPED_FILE_H

#include "segmodel/segmodel.h"

#include <stdbool.h>

typedef struct sgm_mapped_file {
    const unsigned char *bytes; /* NULL if the file is empty */
    size_t size;
    int descriptor; /* of sgm_mapped_file_open_kept; 0: closed */
} sgm_mapped_file;

/* Maps a regular file; pages are read when they are touched. Fails with `code` and a message that
 * names the path. A file that another program cuts while it is mapped raises SIGBUS on access, as
 * with any mapping: replace such files by renaming, never in place. */
sgm_status sgm_mapped_file_open(const char *path, sgm_status code, sgm_mapped_file *out);

/* The same, and the file stays open, so that it can be read without touching pages. */
sgm_status sgm_mapped_file_open_kept(const char *path, sgm_status code, sgm_mapped_file *out);

/* Reads `size` bytes at `offset` of a file that was kept open. False: it has become shorter, or
 * errno says why it cannot be read. */
bool sgm_mapped_file_read(const sgm_mapped_file *file, size_t offset, size_t size, void *out);

void sgm_mapped_file_close(sgm_mapped_file *file);

#endif
