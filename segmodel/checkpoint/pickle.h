/* Reads the subset of Python's pickle language (protocols 2 to 5) that PyTorch state dicts use.
 *
 * It is a reader, not an interpreter: the closed list of opcodes builds plain values, the only
 * callables are the few names of an allow-list, and each of those is a rule of ours. Anything else
 * is refused with its position. Every value costs at least one byte of input and a fixed amount of
 * memory; nothing recurses.
 *
 * Opcodes: CPython Lib/pickletools.py. Persistent ids and rebuild functions: PyTorch
 * torch/serialization.py and torch/_utils.py. */
#ifndef SEGMODEL_CHECKPOINT_PICKLE_H
#define SEGMODEL_CHECKPOINT_PICKLE_H

#include "checkpoint/stored_tensor.h"

typedef enum sgm_pickle_kind {
    SGM_PICKLE_NONE,
    SGM_PICKLE_BOOL,
    SGM_PICKLE_INT,
    SGM_PICKLE_FLOAT,
    SGM_PICKLE_STRING,
    SGM_PICKLE_BYTES,
    SGM_PICKLE_TUPLE,
    SGM_PICKLE_LIST, /* sets too */
    SGM_PICKLE_DICT, /* items alternate key, value; ordered dicts too */
    SGM_PICKLE_GLOBAL,
    SGM_PICKLE_STORAGE,
    SGM_PICKLE_TENSOR,
    SGM_PICKLE_OPAQUE /* known to be harmless, of no interest */
} sgm_pickle_kind;

/* What is referred to by number: values 0 .. value_count - 1, and 0 is None. */
typedef uint32_t sgm_pickle_ref;

typedef struct sgm_pickle_value {
    sgm_pickle_kind kind;
    union {
        int64_t integer; /* INT, BOOL */
        double real;
        struct {
            const char *bytes; /* into the pickle, not terminated */
            size_t length;
        } text; /* STRING, BYTES */
        struct {
            uint32_t first, last, count; /* cells; 0 is none */
        } items;                         /* TUPLE, LIST, DICT */
        int global;                      /* into the allow-list */
        struct {
            sgm_stored_type type;
            sgm_pickle_ref key;
            int64_t count;
        } storage;
        uint32_t tensor; /* into tensors */
    };
} sgm_pickle_value;

typedef struct sgm_pickle_cell {
    sgm_pickle_ref value;
    uint32_t next; /* 0 at the end */
} sgm_pickle_cell;

/* A view: `offset` and strides in elements of the storage; sizes and strides are >= 0, but not yet
 * checked against the storage. */
typedef struct sgm_pickle_tensor {
    sgm_pickle_ref storage;
    int64_t offset;
    int rank;
    int64_t shape[SGM_STORED_MAX_RANK], strides[SGM_STORED_MAX_RANK];
} sgm_pickle_tensor;

typedef struct sgm_pickle {
    sgm_pickle_value *values;
    sgm_pickle_cell *cells;
    sgm_pickle_tensor *tensors;
    size_t value_count, cell_count, tensor_count;
    sgm_pickle_ref root;
} sgm_pickle;

/* Parses one pickle; `bytes` must stay as long as the result, because texts point into it.
 * SGM_BAD_MODEL with the position otherwise, and nothing needs freeing. */
sgm_status sgm_pickle_parse(const void *bytes, size_t size, sgm_pickle *out);
void sgm_pickle_free(sgm_pickle *pickle);

#endif
