/* What a device must be able to do. plan/plan.c turns a graph into steps with resolved memory;
 * a backend executes single steps, forward and backward.
 *
 * The same steps run on `ref` (plain loops, double accumulation: the oracle every other backend is
 * compared with), `cpu` and `cuda`. */
#ifndef SEGMODEL_BACKEND_BACKEND_H
#define SEGMODEL_BACKEND_BACKEND_H

#include "graph/graph.h"

typedef struct sgm_tensor {
    void *data; /* device memory of the backend; NULL: absent */
    sgm_dtype dtype;
    sgm_shape shape;
} sgm_tensor;

/* One op with its memory. Fusion: `act` and `residual` belong to LINEAR, CONV2D, CONV_TRANSPOSE,
 * LAYERNORM and MATMUL: out = act(op(in)) + residual. */
typedef struct sgm_step {
    const sgm_node *node; /* op and its numbers (node->u) */
    sgm_tensor in[SGM_MAX_INPUTS];
    int input_count;
    sgm_tensor out;
    sgm_act act;
    sgm_tensor residual;
    /* Training, where keeps_slope and scales_gradient say so; data NULL: none. Forward: receives
     * act'(op(in)), FP32, laid out as out; an ACT step may have it in the memory of its input.
     * Backward of that ACT: what it kept, instead of its input. Backward of a layer: grad_in[0] is
     * multiplied by it, and so is the gradient of what in[0]'s activation was applied to. */
    sgm_tensor slope;
    bool bf16;     /* multiply in BF16 (sums stay F32) */
    void *packed;  /* what `prepare` made of the constant weight, or NULL */
    void *scratch; /* scratch_size bytes, aligned as device memory is */
    size_t scratch_size;
    /* Backward only. grad_in[i].data is NULL where nothing is asked for; `accumulate[i]` says
     * whether to add to what is there or to overwrite it. Gradients are always F32. */
    sgm_tensor grad_out;
    sgm_tensor grad_in[SGM_MAX_INPUTS];
    bool accumulate[SGM_MAX_INPUTS];
} sgm_step;

typedef struct sgm_backend sgm_backend;
struct sgm_trained; /* backend/update.h */
struct sgm_optim_numbers;
struct sgm_picture_ops; /* backend/picture.h */

typedef struct sgm_backend_ops {
    const char *name; /* "ref", "cpu", "cuda" */
    bool host_memory; /* tensors may point into ordinary memory, e.g. a mapped checkpoint */

    /* Device memory, aligned to 64 bytes, a GPU's to 256. NULL: none left, or a lost device. */
    void *(*alloc)(sgm_backend *backend, size_t size);
    void (*free)(sgm_backend *backend, void *memory);
    sgm_status (*upload)(sgm_backend *backend, void *to, const void *from, size_t size);
    sgm_status (*download)(sgm_backend *backend, void *to, const void *from, size_t size);

    /* May values of this node be stored as BF16 / may input `index` be read as BF16? */
    bool (*stores_bf16)(sgm_backend *backend, const sgm_node *node);
    bool (*reads_bf16)(sgm_backend *backend, const sgm_node *node, int index);

    /* May this node's output take a fused activation / residual? */
    bool (*fuses)(sgm_backend *backend, const sgm_node *node, sgm_act act, bool residual);

    /* Training: may a step of `node` (`act` fused, or an ACT node of it) store the activation's
     * slope / may the backward step of `node` multiply grad_in[0] by a slope? NULL: none may, and
     * nothing is fused then. */
    bool (*keeps_slope)(sgm_backend *backend, const sgm_node *node, sgm_act act);
    bool (*scales_gradient)(sgm_backend *backend, const sgm_node *node);

    /* Bytes of scratch a step wants, forward or backward. Shapes and dtypes are set, data is not.
     */
    size_t (*scratch)(sgm_backend *backend, const sgm_step *step, bool backward);

    /* Makes the packed form of a constant weight (in[1].data is valid and F32); NULL when the step
     * needs none. `size` receives its bytes for the memory account. */
    sgm_status (*prepare)(sgm_backend *backend, const sgm_step *step, bool bf16, void **packed,
                          size_t *size);
    void (*release)(sgm_backend *backend, void *packed);

    sgm_status (*forward)(sgm_backend *backend, const sgm_step *step);
    sgm_status (*backward)(sgm_backend *backend, const sgm_step *step);

    /* Waits for everything submitted; errors of asynchronous work surface here. */
    sgm_status (*synchronize)(sgm_backend *backend);
    void (*destroy)(sgm_backend *backend);

    /* The optimiser Muon in host memory: a matrix[rows, columns] becomes nearly orthogonal, its
     * singular values about 1 (.68 to 1.13; those near nothing less). NULL: none here. */
    sgm_status (*orthogonalize)(sgm_backend *backend, float *matrix, int64_t rows, int64_t columns);

    /* The rest is NULL where values lie in host memory and nothing runs beside the caller:
     * backend/transfer.h and backend/update.h do the same there. */

    /* Zeros, in order with steps. */
    sgm_status (*clear)(sgm_backend *backend, void *to, size_t size);
    /* Transfers that nobody waits for: backend/transfer.h. */
    sgm_status (*upload_async)(sgm_backend *backend, void *to, const void *from, size_t size,
                               void **transfer);
    sgm_status (*download_begin)(sgm_backend *backend, const void *from, size_t size,
                                 void **transfer);
    sgm_status (*download_end)(sgm_backend *backend, void *transfer, void *to, size_t size);
    void (*release_transfer)(sgm_backend *backend, void *transfer);

    /* Training keeps a BF16 copy of a parameter where steps that multiply in BF16 read input
     * `index` of `node` so; to_bf16 makes it. */
    bool (*keeps_bf16)(sgm_backend *backend, const sgm_node *node, int index);
    sgm_status (*to_bf16)(sgm_backend *backend, void *to, const float *from, int64_t count);

    /* The optimiser on the device (backend/update.h), all tensors at once: bind makes the table of
     * their memory, which must not move; update is sgm_optim_update with *norm in device memory
     * and BF16 copies renewed. */
    sgm_status (*optim_bind)(sgm_backend *backend, const struct sgm_trained *params, int count,
                             void **table);
    void (*optim_release)(sgm_backend *backend, void *table);
    sgm_status (*optim_clear)(sgm_backend *backend, void *table); /* gradients */
    sgm_status (*optim_update)(sgm_backend *backend, void *table,
                               const struct sgm_optim_numbers *numbers, double *norm);

    /* Copies within device memory, in order with steps. */
    sgm_status (*copy)(sgm_backend *backend, void *to, const void *from, size_t size);

    /* Recording steps to run them again by one call. After a begin that succeeds, the calling
     * thread's steps are recorded instead of run (and nothing else of the backend may be called)
     * until end, which always follows. Replaying reads and writes the memory the steps did.
     * A recording that fails does no harm: the steps can still be run one by one. */
    sgm_status (*capture_begin)(sgm_backend *backend);
    sgm_status (*capture_end)(sgm_backend *backend, void **recording);
    sgm_status (*replay)(sgm_backend *backend, void *recording);
    void (*capture_free)(sgm_backend *backend, void *recording);

    /* Preparing pictures and finishing masks on the device: backend/picture.h. */
    const struct sgm_picture_ops *pictures;
} sgm_backend_ops;

struct sgm_backend {
    const sgm_backend_ops *ops;
    int threads;
};

/* threads <= 0: one per available core. */
sgm_status sgm_ref_create(sgm_backend **out);
sgm_status sgm_cpu_create(int threads, sgm_backend **out);
/* SGM_DEVICE with the reason when this build or machine has no CUDA. */
sgm_status sgm_cuda_create(int index, sgm_backend **out);

/* True when the CPU multiplies BF16 in hardware (AMX), the condition for the fast mode. */
bool sgm_cpu_has_bf16(void);

#endif
