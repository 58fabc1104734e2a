/* Reads the directory of a ZIP archive whose entries are stored uncompressed, as PyTorch writes
 * them, so that an entry is simply a piece of the mapping. ZIP64 included; split archives are
 * refused, compressed or encrypted entries when they are asked for. Follows PKWARE's APPNOTE 6.3.
 * Checksums are not verified: that would read every weight at the open, and PyTorch can be told not
 * to compute them. */
#ifndef SEGMODEL_CHECKPOINT_ZIP_DIRECTORY_H
#define SEGMODEL_CHECKPOINT_ZIP_DIRECTORY_H

#include "segmodel/segmodel.h"

#include <stdbool.h>

typedef struct sgm_zip_entry {
    const char *name; /* points into the archive, not terminated */
    size_t name_length;
    size_t size;
    size_t local_offset; /* of the local header */
    bool stored, encrypted;
} sgm_zip_entry;

typedef struct sgm_zip {
    const unsigned char *bytes;
    size_t size;
    size_t data_end;        /* where the central directory begins */
    sgm_zip_entry *entries; /* sorted by name */
    size_t count;
} sgm_zip;

/* Messages do not name the file, the caller does. On failure nothing needs closing. */
sgm_status sgm_zip_open(const void *bytes, size_t size, sgm_zip *out);
void sgm_zip_close(sgm_zip *zip);

/* NULL if there is none; O(log n). */
const sgm_zip_entry *sgm_zip_find(const sgm_zip *zip, const char *name, size_t name_length);

/* Checks that the entry is stored plainly and its local header; gives its bytes, entry->size of
 * them. */
sgm_status sgm_zip_data(const sgm_zip *zip, const sgm_zip_entry *entry, const unsigned char **data);

#endif
