/* NumPy's .npy files (format versions 1 and 2, numpy.lib.format): images, masks, embeddings,
 * volumes. Little-endian, C order; Fortran order, structured and object arrays are refused. */
#ifndef SEGMODEL_CHECKPOINT_NPY_H
#define SEGMODEL_CHECKPOINT_NPY_H

#include "checkpoint/mapped_file.h"
#include "checkpoint/stored_tensor.h"

typedef struct sgm_npy {
    sgm_stored_tensor array; /* contiguous; name is ""; data is at least 16-byte aligned in files
                                that NumPy or sgm_npy_write wrote */
    sgm_mapped_file file;
} sgm_npy;

/* Maps a file; the data are read when they are touched, so a volume larger than memory will do.
 * On failure SGM_UNREADABLE (or SGM_OUT_OF_MEMORY), a message with the path, and nothing needs
 * closing. */
sgm_status sgm_npy_open(const char *path, sgm_npy *out);

/* The same from memory that stays until the end of use; `label` stands for the path. */
sgm_status sgm_npy_open_memory(const void *bytes, size_t size, const char *label, sgm_npy *out);

void sgm_npy_close(sgm_npy *npy);

/* Writes row-major data as version 1, beside `path` and renamed. BF16 has no .npy type:
 * SGM_INVALID_ARGUMENT. */
sgm_status sgm_npy_write(const char *path, sgm_stored_type type, int rank, const int64_t *shape,
                         const void *data);

#endif
