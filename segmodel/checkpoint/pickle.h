/* Reads the subset of Python's pickle language (protocols 2 to 5) that PyTorch's files use.
 *
 * It is a reader, not an interpreter: the closed list of opcodes builds plain values, the only
 * callables with a meaning are the few names of a list, and each of those is a rule of ours. Any
 * other name, and whatever a call of it would make, is an opaque value: training programs put numpy
 * scalars, paths and arguments beside the weights. Opcodes beyond the list are refused with their
 * position. Every value costs at least one byte of input and a fixed amount of memory; nothing
 * recurses with the input.
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
    SGM_PICKLE_OPAQUE /* not read: of a name outside the list, or an integer beyond 64 bits */
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
        int global;                      /* into the list of names with a meaning */
        struct {
            sgm_stored_type type; /* SGM_STORED_TYPE_COUNT: of a class that is not read */
            uint16_t element;     /* bytes of one element; 0: not known */
            bool is_view;         /* a part of the storage of that key (before PyTorch 0.4) */
            sgm_pickle_ref key;
            int64_t count;
            uint32_t name; /* into names, of a class that is not read */
        } storage;
        uint32_t tensor; /* into tensors */
        struct {
            uint32_t name;  /* into names; 0: it has none */
            bool of_tensor; /* made of a storage or a tensor */
        } opaque;
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
    sgm_stored_type type; /* of its elements; the storage's, or one of a storage of bytes */
    int64_t offset;
    int rank;
    int64_t shape[SGM_STORED_MAX_RANK], strides[SGM_STORED_MAX_RANK];
} sgm_pickle_tensor;

/* Of a class or function that is not read. */
typedef struct sgm_pickle_name {
    const char *module, *name; /* not terminated */
    size_t module_length, name_length;
} sgm_pickle_name;

typedef struct sgm_pickle {
    sgm_pickle_value *values;
    sgm_pickle_cell *cells;
    sgm_pickle_tensor *tensors;
    sgm_pickle_name *names; /* 0 is unused */
    size_t value_count, cell_count, tensor_count, name_count;
    sgm_pickle_ref root;
    size_t size; /* bytes that it took: more may follow */
} sgm_pickle;

/* Parses the pickle that `bytes` begin with; they must stay as long as the result, because texts
 * point into them. SGM_BAD_MODEL with the position otherwise, and nothing needs freeing. */
sgm_status sgm_pickle_parse(const void *bytes, size_t size, sgm_pickle *out);

/* "torch.nn.modules.linear.Linear" of a number in names, "" of 0; fit for messages. Returns `out`.
 */
const char *sgm_pickle_name_text(const sgm_pickle *pickle, uint32_t name, char out[200]);
void sgm_pickle_free(sgm_pickle *pickle);

#endif
