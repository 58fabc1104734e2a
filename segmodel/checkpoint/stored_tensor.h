/* A tensor as a file stores it: a typed, possibly strided view of bytes that somebody else owns
 * (usually a memory mapping). Shared by the checkpoint readers, .npy and the writer. */
#ifndef SEGMODEL_CHECKPOINT_STORED_TENSOR_H
#define SEGMODEL_CHECKPOINT_STORED_TENSOR_H

#include "segmodel/segmodel.h"

#include <stdbool.h>

enum { SGM_STORED_MAX_RANK = 8 };

typedef enum sgm_stored_type {
    SGM_STORED_F32,
    SGM_STORED_F16,
    SGM_STORED_BF16,
    SGM_STORED_F64,
    SGM_STORED_I64,
    SGM_STORED_I32,
    SGM_STORED_I16,
    SGM_STORED_I8,
    SGM_STORED_U64,
    SGM_STORED_U32,
    SGM_STORED_U16,
    SGM_STORED_U8,
    SGM_STORED_BOOL,
    SGM_STORED_TYPE_COUNT
} sgm_stored_type;

/* A file that tensors are read from when their values are asked for: a file that is cut while it is
 * open is then an error, where touching its mapping would be a signal. */
typedef struct sgm_tensor_source {
    const struct sgm_mapped_file *file; /* kept open */
    const char *path;                   /* for messages */
} sgm_tensor_source;

typedef struct sgm_stored_tensor {
    const char *name; /* owned by the file it came from; "" in a .npy */
    sgm_stored_type type;
    int rank; /* 0 is a scalar */
    int64_t shape[SGM_STORED_MAX_RANK];
    int64_t strides[SGM_STORED_MAX_RANK]; /* in elements, >= 0 */
    bool contiguous;                      /* row-major without gaps */
    bool beside;      /* no part of the network that its file is of: a loss's buffer, say */
    const void *data; /* first element; any alignment */
    const sgm_tensor_source *source; /* not NULL: read it there, `data` only says where */
    size_t count;                    /* elements, the product of shape */
    size_t byte_size;                /* count times the element's size */
} sgm_stored_tensor;

/* Bytes of one element. */
size_t sgm_stored_type_size(sgm_stored_type type);

/* The name .safetensors uses: "F32", "BF16", ...; static storage. */
const char *sgm_stored_type_name(sgm_stored_type type);

bool sgm_stored_type_is_float(sgm_stored_type type);

/* Fills count, byte_size and row-major strides from type, rank and shape, and sets contiguous.
 * False if a size is negative, rank is out of range or the product overflows size_t. */
bool sgm_stored_tensor_set_sizes(sgm_stored_tensor *tensor);

/* "(3, 4)" into `text`, for messages; returns `text`. */
const char *sgm_stored_tensor_shape_text(const sgm_stored_tensor *tensor, char text[96]);

/* Reading fails with SGM_BAD_MODEL where the tensor's file has been cut or cannot be read, with
 * SGM_OUT_OF_MEMORY for a view without memory to gather it; never for tensors in memory. */

/* The values in row-major order, converted to float: halves and bfloat16 exactly, doubles and
 * integers rounded to nearest. `out` holds tensor->count floats and must not overlap the data. */
sgm_status sgm_stored_tensor_read_f32(const sgm_stored_tensor *tensor, float *out);

/* The same for the `count` values that begin at row-major index `first`; for streaming. */
sgm_status sgm_stored_tensor_read_f32_range(const sgm_stored_tensor *tensor, size_t first,
                                            size_t count, float *out);

/* The unconverted elements [first, first + count) in row-major order. */
sgm_status sgm_stored_tensor_read_raw(const sgm_stored_tensor *tensor, size_t first, size_t count,
                                      void *out);

/* For whoever reads a tensor in pieces: itself, or for a view of a file, each piece of which would
 * read the whole view again, the view in memory. *memory is the caller's to free, after `out`. */
sgm_status sgm_stored_tensor_gathered(const sgm_stored_tensor *tensor, sgm_stored_tensor *out,
                                      void **memory);

/* The data itself if it is contiguous, aligned F32 in memory, so that nothing needs copying; else
 * NULL. */
const float *sgm_stored_tensor_f32(const sgm_stored_tensor *tensor);

/* IEEE 754 binary16 and bfloat16. To: round to nearest, ties to even; NaN stays NaN, too large
 * becomes infinity. From: exact. */
float sgm_f16_to_f32(uint16_t half);
uint16_t sgm_f32_to_f16(float value);
float sgm_bf16_to_f32(uint16_t bits);
uint16_t sgm_f32_to_bf16(float value);

#endif
