/* What the files of the CUDA backend share.
 *
 * Rules that keep kernels right: steps run on one stream, so kernels see each other's results in
 * order (pictures are resized on another, joined by events: cuda_image.cu); every output element
 * has exactly one thread that writes it (no atomics), so the same run gives the same bits; element
 * indices are int (a step with more than 2^31 - 1 elements in a tensor is refused before anything
 * starts); a block's threads exchange values only through shared memory between two __syncthreads()
 * that every thread of the block reaches. */
#ifndef SEGMODEL_BACKEND_CUDA_CUDA_INTERNAL_H
#define SEGMODEL_BACKEND_CUDA_CUDA_INTERNAL_H

#include <pthread.h>

#include "cuda_api.h"

extern "C" {
#include "backend/cuda/cuda_module.h"
#include "graph/loss.h"
}

/* Before loops whose bounds the compiler knows and whose arrays are to stay in registers. */
#if defined(SGM_CUDA_EMULATION)
#define SGM_UNROLL
#else
#define SGM_UNROLL _Pragma("unroll")
#endif
/* Loops with loads that need not wait for each other. */
#if defined(SGM_CUDA_EMULATION)
#define SGM_UNROLL_BY(n)
#else
#define SGM_UNROLL_TEXT(text) _Pragma(#text)
#define SGM_UNROLL_BY(n) SGM_UNROLL_TEXT(unroll n)
#endif

struct sgm_cuda_algorithms;

typedef struct sgm_cuda {
    sgm_backend base; /* first: the library sees this */
    const sgm_cuda_host *host;
    pthread_mutex_t lock; /* cuBLAS handles are for one thread at a time */
    pthread_mutex_t
        copying; /* of cuda_staging.cu: one ordinary copy at a time; taken before lock */
    int device;
    bool fast; /* multiplies BF16 (compute capability 8.0 and later) */
    int shared_of_block, shared_of_multiprocessor; /* bytes of shared memory, at most */
    unsigned flash_kernels;                        /* bits: those of cuda_attention_mma.cu */
    unsigned warpgroup_kernels;                    /* those of cuda_attention_wgmma.cu */
    cudaStream_t stream;
    cudaStream_t downloads; /* of masks (cuda_mask.cu); made when first needed */
    cudaStream_t uploads;   /* copies and resizing beside the work (cuda_transfer.cu); the same */
    cublasHandle_t blas;
    void *blas_workspace;             /* own, so that products can be recorded (cuda_graph.cu) */
    struct sgm_cuda_staging *staging; /* cuda_staging.cu; made when first needed */
    struct sgm_cuda_algorithms *algorithms; /* of fused products, by shape */
    int *fault; /* device: 1 when a gather met an index outside its table */
} sgm_cuda;

/* --------------------------------------------------------------------------------------- errors */

/* Stores the calling thread's message and returns `code`. */
sgm_status sgm_cuda_fail(const sgm_cuda *cuda, sgm_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));
/* SGM_OK, or the runtime's error as status and sentence; `what` was being done. */
sgm_status sgm_cuda_check(const sgm_cuda *cuda, cudaError_t error, const char *what);
/* The same for the launches so far. */
sgm_status sgm_cuda_launched(const sgm_cuda *cuda, const char *what);

/* Around everything a thread does on the device; the runtime's current device belongs to it.
 * Whoever waits for an event of its own waits outside, so that other threads can submit meanwhile.
 */
static inline void sgm_cuda_enter(sgm_cuda *cuda)
{
    pthread_mutex_lock(&cuda->lock);
    cudaSetDevice(cuda->device);
}

static inline void sgm_cuda_leave(sgm_cuda *cuda)
{
    pthread_mutex_unlock(&cuda->lock);
}

/* -------------------------------------------------------------------------------------- scratch */

/* Cuts a step's scratch into pieces; with base NULL it only counts. Sizing and running use the same
 * code, so they cannot disagree. */
typedef struct sgm_cursor {
    char *base;
    size_t used;
} sgm_cursor;

static inline void *sgm_take(sgm_cursor *cursor, size_t bytes)
{
    void *piece = cursor->base ? cursor->base + cursor->used : NULL;
    cursor->used += (bytes + 255) / 256 * 256;
    return piece;
}

/* --------------------------------------------------------------------------------------- shapes */

static inline int sgm_count_of(sgm_shape shape)
{
    int64_t count = 1;
    for (int i = 0; i < shape.ndim; i++)
        count *= shape.dim[i];
    return (int)count;
}

static inline int sgm_last_of(sgm_shape shape)
{
    return shape.ndim ? (int)shape.dim[shape.ndim - 1] : 1;
}

static inline int sgm_rows_of(sgm_shape shape)
{
    return sgm_count_of(shape) / sgm_last_of(shape);
}

static inline size_t sgm_bytes_of(sgm_dtype type)
{
    return type == SGM_BF16 ? 2 : 4;
}

/* -------------------------------------------------------------------------------- on the device */

enum { SGM_THREADS = 256, SGM_TEAM = 128 };

/* Blocks for one thread per element. */
static inline unsigned sgm_blocks(int64_t count)
{
    return (unsigned)((count + SGM_THREADS - 1) / SGM_THREADS);
}

/* This thread's element, or return. */
#define SGM_ELEMENT(i, count)                                                                      \
    int64_t i##_wide = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;                             \
    if (i##_wide >= (count)) return;                                                               \
    int i = (int)i##_wide

/* Floats stored as F32 or BF16. */
typedef struct sgm_floats {
    void *data;
    int bf16;
} sgm_floats;

static inline sgm_floats sgm_floats_of(const sgm_tensor *tensor)
{
    sgm_floats floats = {tensor->data, tensor->dtype == SGM_BF16};
    return floats;
}

static __device__ float sgm_from_bits(unsigned bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static __device__ unsigned sgm_to_bits(float value)
{
    unsigned bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Round to nearest, ties to even; NaN stays NaN. */
static __device__ unsigned short sgm_to_bf16(float value)
{
    unsigned bits = sgm_to_bits(value);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return 0x7FC0;
    return (unsigned short)((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

static __device__ float sgm_load(sgm_floats x, int64_t i)
{
    if (x.bf16) return sgm_from_bits((unsigned)((const unsigned short *)x.data)[i] << 16);
    return ((const float *)x.data)[i];
}

static __device__ void sgm_store(sgm_floats x, int64_t i, float value)
{
    if (x.bf16)
        ((unsigned short *)x.data)[i] = sgm_to_bf16(value);
    else
        ((float *)x.data)[i] = value;
}

static __device__ void sgm_give(float *to, float value, bool accumulate)
{
    *to = accumulate ? *to + value : value;
}

static __device__ float sgm_act_of(int act, float x)
{
    switch (act) {
    case SGM_ACT_RELU:
        return x <= 0 ? 0 : x; /* NaN stays NaN, and passes its gradient on */
    case SGM_ACT_GELU:
        return 0.5f * x * (1 + erff(x * 0.70710678f));
    case SGM_ACT_SIGMOID:
        return 1 / (1 + expf(-x));
    case SGM_ACT_TANH:
        return tanhf(x);
    case SGM_ACT_LEAKY_RELU:
        return x > 0 ? x : 0.01f * x;
    case SGM_ACT_EXP:
        return expf(x);
    case SGM_ACT_LOG:
        return logf(x);
    case SGM_ACT_RSQRT:
        return 1 / sqrtf(x);
    default:
        return x;
    }
}

/* Sum over the SGM_TEAM threads of a block, the same in all of them and the same in every run.
 * `board` is shared memory of SGM_TEAM + 32 values. Every thread must call it. */
template <typename T> static __device__ T sgm_team_sum(T value, T *board)
{
    int me = (int)threadIdx.x;
    board[me] = value;
    __syncthreads();
    if (me < 32) {
        T sum = 0;
        for (int k = me; k < SGM_TEAM; k += 32)
            sum += board[k];
        board[SGM_TEAM + me] = sum;
    }
    __syncthreads();
    T total = 0;
    for (int k = 0; k < 32; k++)
        total += board[SGM_TEAM + k];
    __syncthreads(); /* the board may be used again */
    return total;
}

/* Largest value over the team; NaN anywhere need not win (its exp shows it again). */
static __device__ float sgm_team_max(float value, float *board)
{
    int me = (int)threadIdx.x;
    board[me] = value;
    __syncthreads();
    if (me < 32) {
        float top = board[me];
        for (int k = me; k < SGM_TEAM; k += 32)
            top = fmaxf(top, board[k]);
        board[SGM_TEAM + me] = top;
    }
    __syncthreads();
    float top = board[SGM_TEAM];
    for (int k = 1; k < 32; k++)
        top = fmaxf(top, board[SGM_TEAM + k]);
    __syncthreads();
    return top;
}

/* ------------------------------------------------------------------------------------- products */

/* Row-major C[m, n] = alpha op(A)[m, k] op(B)[k, n] + beta C, `batch` times (steps in elements, 0
 * for an operand that repeats). A and B have the same type; with BF16 factors sums are F32. F32 is
 * true F32, never TF32. */
typedef struct sgm_product {
    int m, n, k;
    bool transpose_a, transpose_b;
    const void *a, *b;
    sgm_dtype type;
    int lda, ldb;
    void *c;
    sgm_dtype c_type;
    int ldc;
    float alpha, beta;
    int batch;
    long long a_step, b_step, c_step;
    /* Of fused products only. */
    bool biased;
    const void *bias; /* [n], of c_type */
    sgm_act act;      /* none, ReLU, or GELU by its tanh formula: cuBLASLt's own */
    const void *add;  /* in place of C behind beta, laid out like C; NULL: C */
    void *workspace;
    size_t workspace_size;
} sgm_product;

sgm_status sgm_cuda_product(sgm_cuda *cuda, const sgm_product *product);

/* C = act(op(A) op(B) + beta add + bias) by cuBLASLt: batch and alpha are 1. What it has an
 * algorithm for (`fuses`) depends on everything but the addresses, which may still be NULL; tensors
 * must start at multiples of 64 bytes. Algorithms are kept, so that a question is asked once. */
bool sgm_cuda_product_fuses(const sgm_cuda *cuda, const sgm_product *product);
sgm_status sgm_cuda_product_fused(sgm_cuda *cuda, const sgm_product *product);
size_t sgm_cuda_workspace_bytes(int m, int n);
sgm_status sgm_cuda_algorithms_create(sgm_cuda *cuda);
void sgm_cuda_algorithms_destroy(sgm_cuda *cuda);

/* The type a step multiplies in. */
static inline sgm_dtype sgm_factor_type(const sgm_cuda *cuda, const sgm_step *step)
{
    return step->bf16 && cuda->fast ? SGM_BF16 : SGM_F32;
}

/* x as `wanted`: itself, or a converted copy in scratch. Launches nothing while only counting. */
const void *sgm_cuda_as(sgm_cuda *cuda, sgm_cursor *cursor, const void *x, sgm_dtype type,
                        sgm_dtype wanted, int64_t count);

/* out = act(x + bias) + residual, all rows of `columns` values. bias and residual may be NULL. */
typedef struct sgm_epilogue_args {
    sgm_floats x, out, residual;
    const float *bias;
    int act, count, columns;
} sgm_epilogue_args;
void sgm_cuda_epilogue(sgm_cuda *cuda, const sgm_epilogue_args *args);

/* out[rows, N] = act(x[rows, K] w[N, K]^T + bias) + residual, the end of linear layers and dense
 * convolutions, in pieces of `at_once` rows. cuBLASLt does as much of it as it can, a kernel the
 * rest (`ends`). */
typedef struct sgm_layer {
    int rows, at_once;
    sgm_product product; /* but for the addresses of A, C and what is added */
    bool fused;
    sgm_epilogue_args rest; /* the kernel's part, but for addresses and count */
    bool ends, adds;        /* is there such a part; is the residual in it */
    float *sums;            /* F32 sums of at_once rows, where they do not fit into the output */
} sgm_layer;
/* `most`: rows at once that the caller can provide. The weight is [N, K] of `type`. */
void sgm_cuda_layer_take(sgm_cuda *cuda, const sgm_step *step, int rows, int K, int most,
                         const void *weight, sgm_dtype type, sgm_cursor *cursor, sgm_layer *layer);
/* Rows [row, row + count) from their factors x[count, K]. */
sgm_status sgm_cuda_layer_rows(sgm_cuda *cuda, const sgm_step *step, const sgm_layer *layer,
                               const void *x, int row, int count);

/* to[j] (+)= sum of x over rows; `scratch` has sgm_cuda_column_bytes(rows, columns) bytes. */
size_t sgm_cuda_column_bytes(int rows, int columns);
void sgm_cuda_column_sum(sgm_cuda *cuda, const float *x, int rows, int columns, float *to,
                         bool accumulate, void *scratch);
/* The same of x times `factor`, which lies as x does. */
void sgm_cuda_column_products(sgm_cuda *cuda, const float *x, sgm_floats factor, int rows,
                              int columns, float *to, bool accumulate, void *scratch);
/* to[j] (+)= sum of partial[chunk][j] over chunks. */
void sgm_cuda_fold(sgm_cuda *cuda, const float *partial, int chunks, int columns, float *to,
                   bool accumulate);
/* Zeros in grad_in[input] unless it is to be added to. */
sgm_status sgm_cuda_clear_grad(sgm_cuda *cuda, const sgm_step *step, int input);

/* ------------------------------------------------------------------------------------------ ops */

typedef sgm_status (*sgm_cuda_fn)(sgm_cuda *cuda, const sgm_step *step);
/* Takes what forward or backward will take. */
typedef void (*sgm_cuda_scratch_fn)(sgm_cuda *cuda, const sgm_step *step, bool backward,
                                    sgm_cursor *cursor);

sgm_status sgm_cuda_linear(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_linear_backward(sgm_cuda *cuda, const sgm_step *step);
void sgm_cuda_linear_scratch(sgm_cuda *cuda, const sgm_step *step, bool backward,
                             sgm_cursor *cursor);
sgm_status sgm_cuda_conv2d(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_conv2d_backward(sgm_cuda *cuda, const sgm_step *step);
void sgm_cuda_conv2d_scratch(sgm_cuda *cuda, const sgm_step *step, bool backward,
                             sgm_cursor *cursor);
sgm_status sgm_cuda_conv_transpose(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_conv_transpose_backward(sgm_cuda *cuda, const sgm_step *step);
void sgm_cuda_conv_transpose_scratch(sgm_cuda *cuda, const sgm_step *step, bool backward,
                                     sgm_cursor *cursor);
sgm_status sgm_cuda_layernorm(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_layernorm_backward(sgm_cuda *cuda, const sgm_step *step);
void sgm_cuda_layernorm_scratch(sgm_cuda *cuda, const sgm_step *step, bool backward,
                                sgm_cursor *cursor);
sgm_status sgm_cuda_softmax(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_softmax_backward(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_attention(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_attention_backward(sgm_cuda *cuda, const sgm_step *step);
void sgm_cuda_attention_scratch(sgm_cuda *cuda, const sgm_step *step, bool backward,
                                sgm_cursor *cursor);
sgm_status sgm_cuda_matmul(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_matmul_backward(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_add(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_add_backward(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_mul(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_mul_backward(sgm_cuda *cuda, const sgm_step *step);
void sgm_cuda_binary_scratch(sgm_cuda *cuda, const sgm_step *step, bool backward,
                             sgm_cursor *cursor);
sgm_status sgm_cuda_affine(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_affine_backward(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_act(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_act_backward(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_sum(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_sum_backward(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_concat(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_concat_backward(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_slice(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_slice_backward(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_permute(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_permute_backward(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_gather(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_gather_backward(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_resize(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_resize_backward(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_maxpool(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_maxpool_backward(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_fourier(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_loss(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_loss_backward(sgm_cuda *cuda, const sgm_step *step);
void sgm_cuda_loss_scratch(sgm_cuda *cuda, const sgm_step *step, bool backward, sgm_cursor *cursor);
/* The kinds of cuda_loss_classes.cu. */
sgm_status sgm_cuda_class_loss(sgm_cuda *cuda, const sgm_step *step);
sgm_status sgm_cuda_class_loss_backward(sgm_cuda *cuda, const sgm_step *step);
void sgm_cuda_class_loss_scratch(const sgm_step *step, sgm_cursor *cursor);
void sgm_cuda_range_loss(sgm_cuda *cuda, const sgm_step *step);
void sgm_cuda_range_loss_backward(sgm_cuda *cuda, const sgm_step *step);
void sgm_cuda_range_loss_scratch(const sgm_step *step, sgm_cursor *cursor);

/* Copies on the working stream, outside enter and leave: an upload returns when `from` has been
 * read, a download when `to` is there. */
cudaError_t sgm_cuda_stage_upload(sgm_cuda *cuda, void *to, const void *from, size_t size);
cudaError_t sgm_cuda_stage_download(sgm_cuda *cuda, void *to, const void *from, size_t size);
void sgm_cuda_staging_destroy(sgm_cuda *cuda);

/* Host memory that copies pass through: pinned, or plain where no more may be pinned, with which
 * they are slower. */
typedef struct cuda_host_memory {
    void *data;
    bool pinned;
} cuda_host_memory;
sgm_status sgm_cuda_take_host_memory(sgm_cuda *cuda, size_t size, cuda_host_memory *out);
void sgm_cuda_free_host_memory(cuda_host_memory *memory);

/* Optional entries of the backend's table: cuda_graph.cu, cuda_image.cu, cuda_mask.cu. */
sgm_status sgm_cuda_capture_begin(sgm_backend *backend);
sgm_status sgm_cuda_capture_end(sgm_backend *backend, void **recording);
sgm_status sgm_cuda_replay(sgm_backend *backend, void *recording);
void sgm_cuda_capture_free(sgm_backend *backend, void *recording);
const struct sgm_picture_ops *sgm_cuda_pictures(void);

/* Optional entries of the backend's table: cuda_transfer.cu and cuda_optim.cu. */
sgm_status sgm_cuda_clear(sgm_backend *backend, void *to, size_t size);
sgm_status sgm_cuda_upload_async(sgm_backend *backend, void *to, const void *from, size_t size,
                                 void **transfer);
/* The same, but on the stream of uploads alone: for what is read there. */
sgm_status sgm_cuda_upload_beside(sgm_backend *backend, void *to, const void *from, size_t size,
                                  void **transfer);
cudaError_t sgm_cuda_make_uploads(sgm_cuda *cuda); /* inside enter and leave */
sgm_status sgm_cuda_download_begin(sgm_backend *backend, const void *from, size_t size,
                                   void **transfer);
sgm_status sgm_cuda_download_end(sgm_backend *backend, void *transfer, void *to, size_t size);
void sgm_cuda_release_transfer(sgm_backend *backend, void *transfer);
bool sgm_cuda_keeps_bf16(sgm_backend *backend, const sgm_node *node, int index);
sgm_status sgm_cuda_round_bf16(sgm_backend *backend, void *to, const float *from, int64_t count);
sgm_status sgm_cuda_optim_bind(sgm_backend *backend, const struct sgm_trained *params, int count,
                               void **table);
void sgm_cuda_optim_release(sgm_backend *backend, void *table);
sgm_status sgm_cuda_optim_clear(sgm_backend *backend, void *table);
sgm_status sgm_cuda_optim_update(sgm_backend *backend, void *table,
                                 const struct sgm_optim_numbers *numbers, double *norm);

/* The packed form of a constant weight, and behind it the bias in BF16 if the weight is; 0 bytes:
 * the step uses its weight as it is. */
size_t sgm_cuda_pack_bytes(const sgm_step *step, sgm_dtype type);
void sgm_cuda_pack(sgm_cuda *cuda, const sgm_step *step, sgm_dtype type, void *packed);
/* Of a convolution's weight: taps and inputs innermost; sizes in cuda_conv.cu. */
size_t sgm_cuda_conv_pack_bytes(const sgm_step *step, sgm_dtype type);
void sgm_cuda_conv_pack(sgm_cuda *cuda, const sgm_step *step, sgm_dtype type, void *packed);

#endif
