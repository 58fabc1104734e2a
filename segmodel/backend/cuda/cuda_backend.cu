/* The CUDA backend: device, memory, and which op is computed by what. */
#include "cuda_attention_mma.h"
#include "cuda_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* --------------------------------------------------------------------------------------- errors */

sgm_status sgm_cuda_fail(const sgm_cuda *cuda, sgm_status code, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    cuda->host->set_message(message);
    return code;
}

/* What a user can do about an error, after the driver's own words. */
static const char *advice(cudaError_t error)
{
    switch (error) {
    case cudaErrorInsufficientDriver:
    case cudaErrorSystemDriverMismatch:
        return "; install a newer NVIDIA driver or use the CPU (--device cpu)";
    case cudaErrorDevicesUnavailable:
        return "; another program has the GPU for itself: wait for it or use the CPU "
               "(--device cpu)";
    case cudaErrorNoDevice:
    case cudaErrorInvalidDevice:
        return "; use the CPU (--device cpu)";
    default:
        return "; the GPU cannot be used further by this process: start again, or use the CPU "
               "(--device cpu)";
    }
}

sgm_status sgm_cuda_check(const sgm_cuda *cuda, cudaError_t error, const char *what)
{
    if (error == cudaSuccess) return SGM_OK;
    if (error == cudaErrorMemoryAllocation)
        return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY,
                             "CUDA: no GPU memory left (%s); use a smaller batch or the CPU "
                             "(--device cpu)",
                             what);
    return sgm_cuda_fail(cuda, SGM_DEVICE, "CUDA: %s: %s%s", what, cudaGetErrorString(error),
                         advice(error));
}

sgm_status sgm_cuda_launched(const sgm_cuda *cuda, const char *what)
{
    return sgm_cuda_check(cuda, cudaGetLastError(), what);
}

/* --------------------------------------------------------------------------------------- memory */

static sgm_cuda *cuda_of(sgm_backend *backend)
{
    return (sgm_cuda *)backend;
}

static void *device_alloc(sgm_backend *backend, size_t size)
{
    sgm_cuda *cuda = cuda_of(backend);
    void *memory = NULL;
    sgm_cuda_enter(cuda);
    if (cudaMalloc(&memory, size ? size : 64) != cudaSuccess) {
        memory = NULL;
        (void)cudaGetLastError(); /* an allocation that fails harms nothing else */
    }
    sgm_cuda_leave(cuda);
    return memory;
}

/* Waits first: work that uses the memory may still be under way. */
static void device_free(sgm_backend *backend, void *memory)
{
    sgm_cuda *cuda = cuda_of(backend);
    if (!memory) return;
    sgm_cuda_enter(cuda);
    cudaStreamSynchronize(cuda->stream);
    cudaFree(memory);
    sgm_cuda_leave(cuda);
}

static sgm_status device_upload(sgm_backend *backend, void *to, const void *from, size_t size)
{
    sgm_cuda *cuda = cuda_of(backend);
    return sgm_cuda_check(cuda, sgm_cuda_stage_upload(cuda, to, from, size), "copying to the GPU");
}

static sgm_status download(sgm_cuda *cuda, void *to, const void *from, size_t size,
                           const char *what)
{
    return sgm_cuda_check(cuda, sgm_cuda_stage_download(cuda, to, from, size), what);
}

static sgm_status device_download(sgm_backend *backend, void *to, const void *from, size_t size)
{
    return download(cuda_of(backend), to, from, size, "copying from the GPU");
}

static sgm_status device_copy(sgm_backend *backend, void *to, const void *from, size_t size)
{
    sgm_cuda *cuda = cuda_of(backend);
    if (!size) return SGM_OK;
    sgm_cuda_enter(cuda);
    cudaError_t error = cudaMemcpyAsync(to, from, size, cudaMemcpyDeviceToDevice, cuda->stream);
    sgm_cuda_leave(cuda);
    return sgm_cuda_check(cuda, error, "copying on the GPU");
}

/* ------------------------------------------------------------------------------------------ ops */

typedef struct rule {
    sgm_cuda_fn forward, backward;
    sgm_cuda_scratch_fn scratch;
} rule;

static rule rule_of(sgm_op op)
{
    switch (op) {
    case SGM_OP_LINEAR:
        return {sgm_cuda_linear, sgm_cuda_linear_backward, sgm_cuda_linear_scratch};
    case SGM_OP_CONV2D:
        return {sgm_cuda_conv2d, sgm_cuda_conv2d_backward, sgm_cuda_conv2d_scratch};
    case SGM_OP_CONV_TRANSPOSE:
        return {sgm_cuda_conv_transpose, sgm_cuda_conv_transpose_backward,
                sgm_cuda_conv_transpose_scratch};
    case SGM_OP_LAYERNORM:
        return {sgm_cuda_layernorm, sgm_cuda_layernorm_backward, sgm_cuda_layernorm_scratch};
    case SGM_OP_ATTENTION:
    case SGM_OP_ATTENTION_GRID:
        return {sgm_cuda_attention, sgm_cuda_attention_backward, sgm_cuda_attention_scratch};
    case SGM_OP_MATMUL:
        return {sgm_cuda_matmul, sgm_cuda_matmul_backward, NULL};
    case SGM_OP_ADD:
        return {sgm_cuda_add, sgm_cuda_add_backward, sgm_cuda_binary_scratch};
    case SGM_OP_MUL:
        return {sgm_cuda_mul, sgm_cuda_mul_backward, sgm_cuda_binary_scratch};
    case SGM_OP_AFFINE:
        return {sgm_cuda_affine, sgm_cuda_affine_backward, NULL};
    case SGM_OP_ACT:
        return {sgm_cuda_act, sgm_cuda_act_backward, NULL};
    case SGM_OP_CONCAT:
        return {sgm_cuda_concat, sgm_cuda_concat_backward, NULL};
    case SGM_OP_SLICE:
        return {sgm_cuda_slice, sgm_cuda_slice_backward, NULL};
    case SGM_OP_PERMUTE:
        return {sgm_cuda_permute, sgm_cuda_permute_backward, NULL};
    case SGM_OP_GATHER:
        return {sgm_cuda_gather, sgm_cuda_gather_backward, NULL};
    case SGM_OP_RESIZE:
        return {sgm_cuda_resize, sgm_cuda_resize_backward, NULL};
    case SGM_OP_MAXPOOL:
        return {sgm_cuda_maxpool, sgm_cuda_maxpool_backward, NULL};
    case SGM_OP_FOURIER:
        return {sgm_cuda_fourier, NULL, NULL};
    case SGM_OP_SOFTMAX:
        return {sgm_cuda_softmax, sgm_cuda_softmax_backward, NULL};
    case SGM_OP_SUM:
        return {sgm_cuda_sum, sgm_cuda_sum_backward, NULL};
    case SGM_OP_LOSS:
        return {sgm_cuda_loss, sgm_cuda_loss_backward, sgm_cuda_loss_scratch};
    default:
        return {NULL, NULL, NULL};
    }
}

static bool device_stores_bf16(sgm_backend *backend, const sgm_node *node)
{
    if (!cuda_of(backend)->fast) return false;
    switch (node->op) {
    case SGM_OP_LINEAR:
    case SGM_OP_CONV2D:
    case SGM_OP_CONV_TRANSPOSE:
    case SGM_OP_LAYERNORM:
    case SGM_OP_ATTENTION:
    case SGM_OP_ATTENTION_GRID:
    case SGM_OP_ACT:
    case SGM_OP_RESIZE:
    case SGM_OP_MAXPOOL:
        return true;
    default:
        return false; /* sums carry the residual stream: F32 */
    }
}

static bool device_reads_bf16(sgm_backend *backend, const sgm_node *node, int index)
{
    (void)backend;
    switch (node->op) {
    case SGM_OP_ATTENTION:
        return true;
    case SGM_OP_LINEAR:
    case SGM_OP_CONV2D:
    case SGM_OP_CONV_TRANSPOSE:
    case SGM_OP_ATTENTION_GRID:
    case SGM_OP_ACT:
    case SGM_OP_RESIZE:
    case SGM_OP_MAXPOOL:
        return index == 0;
    default:
        return false;
    }
}

static bool device_fuses(sgm_backend *backend, const sgm_node *node, sgm_act act, bool residual)
{
    (void)backend, (void)act;
    if (node->op == SGM_OP_LINEAR || node->op == SGM_OP_CONV2D) return true;
    return (node->op == SGM_OP_LAYERNORM || node->op == SGM_OP_CONV_TRANSPOSE) && !residual;
}

static size_t device_scratch(sgm_backend *backend, const sgm_step *step, bool backward)
{
    sgm_cursor cursor = {NULL, 0};
    rule r = rule_of(step->node->op);
    sgm_cuda_enter(cuda_of(backend)); /* products ask cuBLASLt */
    if (r.scratch) r.scratch(cuda_of(backend), step, backward, &cursor);
    sgm_cuda_leave(cuda_of(backend));
    return cursor.used;
}

/* -------------------------------------------------------------------------------------- weights */

static sgm_status device_prepare(sgm_backend *backend, const sgm_step *step, bool bf16,
                                 void **packed, size_t *size)
{
    sgm_cuda *cuda = cuda_of(backend);
    sgm_dtype type = bf16 && cuda->fast ? SGM_BF16 : SGM_F32;
    *packed = NULL;
    *size = sgm_cuda_pack_bytes(step, type);
    if (!*size) return SGM_OK;
    void *memory = device_alloc(backend, *size);
    if (!memory)
        return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY, "CUDA: no GPU memory for weights (%zu MiB)",
                             *size >> 20);
    sgm_cuda_enter(cuda);
    sgm_cuda_pack(cuda, step, type, memory);
    sgm_status status = sgm_cuda_launched(cuda, "packing weights");
    sgm_cuda_leave(cuda);
    if (status == SGM_OK)
        *packed = memory;
    else
        device_free(backend, memory);
    return status;
}

/* -------------------------------------------------------------------------------------- running */

/* Kernels count elements in int. */
static sgm_status check_size(const sgm_cuda *cuda, const sgm_step *step)
{
    for (int i = -1; i < step->input_count; i++) {
        const sgm_shape *shape = i < 0 ? &step->out.shape : &step->in[i].shape;
        int64_t count = 1;
        for (int a = 0; a < shape->ndim; a++) {
            if (shape->dim[a] > 0 && count > INT32_MAX / shape->dim[a])
                return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY,
                                     "CUDA: %s: a tensor of more than 2^31 - 1 values; use a "
                                     "smaller batch",
                                     cuda->host->op_name(step->node->op));
            count *= shape->dim[a];
        }
    }
    return SGM_OK;
}

static sgm_status run(sgm_backend *backend, const sgm_step *step, bool backward)
{
    sgm_cuda *cuda = cuda_of(backend);
    const char *name = cuda->host->op_name(step->node->op);
    rule r = rule_of(step->node->op);
    sgm_cuda_fn fn = backward ? r.backward : r.forward;
    if (!fn)
        return sgm_cuda_fail(cuda, SGM_INTERNAL, "CUDA: no %s rule for %s",
                             backward ? "gradient" : "forward", name);
    SGM_TRY(check_size(cuda, step));
    sgm_cuda_enter(cuda);
    sgm_status status = fn(cuda, step);
    if (status == SGM_OK) status = sgm_cuda_launched(cuda, name);
    sgm_cuda_leave(cuda);
    return status;
}

static sgm_status device_forward(sgm_backend *backend, const sgm_step *step)
{
    return run(backend, step, false);
}

static sgm_status device_backward(sgm_backend *backend, const sgm_step *step)
{
    return run(backend, step, true);
}

/* Errors of kernels, and bad indices that a gather met, show here. */
static sgm_status device_synchronize(sgm_backend *backend)
{
    sgm_cuda *cuda = cuda_of(backend);
    int fault = 0;
    SGM_TRY(download(cuda, &fault, cuda->fault, sizeof fault, "waiting for the GPU"));
    if (!fault) return SGM_OK;
    SGM_TRY(sgm_cuda_clear(backend, cuda->fault, sizeof fault));
    return sgm_cuda_fail(cuda, SGM_INTERNAL, "gather: an index outside its table");
}

/* ------------------------------------------------------------------------------- life and death */

static void device_destroy(sgm_backend *backend)
{
    sgm_cuda *cuda = cuda_of(backend);
    if (!cuda) return;
    cudaSetDevice(cuda->device);
    if (cuda->stream) cudaStreamSynchronize(cuda->stream);
    if (cuda->fault) cudaFree(cuda->fault);
    if (cuda->blas) cublasDestroy(cuda->blas);
    if (cuda->blas_workspace) cudaFree(cuda->blas_workspace);
    sgm_cuda_staging_destroy(cuda);
    sgm_cuda_algorithms_destroy(cuda);
    if (cuda->stream) cudaStreamDestroy(cuda->stream);
    if (cuda->uploads) cudaStreamDestroy(cuda->uploads);
    if (cuda->downloads) cudaStreamDestroy(cuda->downloads);
    pthread_mutex_destroy(&cuda->lock);
    pthread_mutex_destroy(&cuda->copying);
    free(cuda);
}

static const sgm_backend_ops *operations(void)
{
    static sgm_backend_ops ops;
    ops.name = "cuda";
    ops.host_memory = false;
    ops.alloc = device_alloc;
    ops.free = device_free;
    ops.upload = device_upload;
    ops.download = device_download;
    ops.stores_bf16 = device_stores_bf16;
    ops.reads_bf16 = device_reads_bf16;
    ops.fuses = device_fuses;
    ops.scratch = device_scratch;
    ops.prepare = device_prepare;
    ops.release = device_free;
    ops.forward = device_forward;
    ops.backward = device_backward;
    ops.synchronize = device_synchronize;
    ops.destroy = device_destroy;
    ops.clear = sgm_cuda_clear;
    ops.upload_async = sgm_cuda_upload_async;
    ops.download_begin = sgm_cuda_download_begin;
    ops.download_end = sgm_cuda_download_end;
    ops.release_transfer = sgm_cuda_release_transfer;
    ops.keeps_bf16 = sgm_cuda_keeps_bf16;
    ops.to_bf16 = sgm_cuda_round_bf16;
    ops.optim_bind = sgm_cuda_optim_bind;
    ops.optim_release = sgm_cuda_optim_release;
    ops.optim_clear = sgm_cuda_optim_clear;
    ops.optim_update = sgm_cuda_optim_update;
    ops.copy = device_copy;
    ops.capture_begin = sgm_cuda_capture_begin;
    ops.capture_end = sgm_cuda_capture_end;
    ops.replay = sgm_cuda_replay;
    ops.capture_free = sgm_cuda_capture_free;
    ops.pictures = sgm_cuda_pictures();
    return &ops;
}

static __global__ void probe_kernel(int *fault)
{
    *fault = 0;
}

/* The first NVIDIA driver that serves a CUDA release, by its notes; later minor releases of the
 * same CUDA need no newer one. */
static int least_driver(int cuda_version)
{
    int major = cuda_version / 1000;
    return major >= 13 ? 580 : major == 12 ? 525 : 450;
}

/* Which driver is wanted and which CUDA the one that is there can serve: 12040 is 12.4. */
static sgm_status driver_too_old(const sgm_cuda *cuda)
{
    int wanted = 0, found = 0;
    char serves[64] = "the one here is older";
    (void)cudaGetLastError();
    if (cudaRuntimeGetVersion(&wanted) != cudaSuccess)
        return sgm_cuda_check(cuda, cudaErrorInsufficientDriver, "looking for a GPU");
    if (cudaDriverGetVersion(&found) == cudaSuccess && found)
        snprintf(serves, sizeof serves, "the driver here serves CUDA %d.%d at most", found / 1000,
                 found % 1000 / 10);
    return sgm_cuda_fail(cuda, SGM_DEVICE,
                         "CUDA: this build is for CUDA %d.%d and wants NVIDIA driver %d or later; "
                         "%s: install a newer one, a build for an older CUDA, or use the CPU "
                         "(--device cpu)",
                         wanted / 1000, wanted % 1000 / 10, least_driver(wanted), serves);
}

/* Is there a GPU of this number, new enough, and with code for it in this module? */
static sgm_status find_device(sgm_cuda *cuda)
{
    int count = 0, major = 0, minor = 0;
    cudaError_t looked = cudaGetDeviceCount(&count);
    if (looked == cudaErrorInsufficientDriver) return driver_too_old(cuda);
    SGM_TRY(sgm_cuda_check(cuda, looked, "looking for a GPU"));
    if (cuda->device < 0 || cuda->device >= count)
        return sgm_cuda_fail(cuda, SGM_DEVICE,
                             "CUDA: there is no GPU number %d (%d found); use the CPU "
                             "(--device cpu)",
                             cuda->device, count);
    SGM_TRY(sgm_cuda_check(cuda, cudaSetDevice(cuda->device), "choosing the GPU"));
    SGM_TRY(sgm_cuda_check(
        cuda, cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, cuda->device),
        "asking the GPU"));
    SGM_TRY(sgm_cuda_check(
        cuda, cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, cuda->device),
        "asking the GPU"));
    cudaFuncAttributes attributes;
    if (cudaFuncGetAttributes(&attributes, probe_kernel) != cudaSuccess) {
        (void)cudaGetLastError();
        return sgm_cuda_fail(cuda, SGM_DEVICE,
                             "CUDA: the GPU has compute capability %d.%d, for which this build has "
                             "no code (7.5 and later can be built); use the CPU (--device cpu)",
                             major, minor);
    }
    cuda->fast = major >= 8;
    return SGM_OK;
}

/* cuBLAS on the backend's stream with a workspace of its own: the one it would allocate at need
 * cannot be recorded. cublasSetStream takes the workspace away again, so it comes first. */
static sgm_status open_blas(sgm_cuda *cuda)
{
    const size_t size = (size_t)32 << 20; /* what cuBLAS wants on Hopper; fewer do elsewhere */
    SGM_TRY(sgm_cuda_check(cuda, cudaMalloc(&cuda->blas_workspace, size), "opening the GPU"));
    cublasStatus_t blas = cublasCreate(&cuda->blas);
    if (blas == CUBLAS_STATUS_SUCCESS) blas = cublasSetStream(cuda->blas, cuda->stream);
    if (blas == CUBLAS_STATUS_SUCCESS)
        blas = cublasSetWorkspace(cuda->blas, cuda->blas_workspace, size);
    if (blas == CUBLAS_STATUS_SUCCESS) blas = cublasSetMathMode(cuda->blas, CUBLAS_DEFAULT_MATH);
    if (blas == CUBLAS_STATUS_SUCCESS) return SGM_OK;
    return sgm_cuda_fail(cuda, SGM_DEVICE,
                         "CUDA: cuBLAS cannot start (%s); use the CPU (--device cpu)",
                         cublasGetStatusString(blas));
}

static sgm_status open_device(sgm_cuda *cuda)
{
    SGM_TRY(find_device(cuda));
    SGM_TRY(sgm_cuda_check(cuda, cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking),
                           "opening a stream"));
    SGM_TRY(sgm_cuda_check(cuda, cudaMalloc((void **)&cuda->fault, sizeof *cuda->fault),
                           "opening the GPU"));
    SGM_LAUNCH(probe_kernel, 1, 1, cuda->stream, cuda->fault);
    SGM_TRY(sgm_cuda_launched(cuda, "opening the GPU"));
    SGM_TRY(sgm_cuda_check(cuda, cudaStreamSynchronize(cuda->stream), "opening the GPU"));
    sgm_flash_open(cuda);
    SGM_TRY(open_blas(cuda));
    return sgm_cuda_algorithms_create(cuda);
}

/* Recursive: a thread that records a plan keeps the lock and runs steps, which take it again. */
static void make_locks(sgm_cuda *cuda)
{
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&cuda->lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
    pthread_mutex_init(&cuda->copying, NULL);
}

extern "C" __attribute__((visibility("default"))) sgm_status
sgm_cuda_module_create(const sgm_cuda_host *host, int index, sgm_backend **out)
{
    if (host->version != SGM_CUDA_MODULE_VERSION || host->step_size != sizeof(sgm_step)) {
        host->set_message("CUDA is not available: the CUDA module belongs to another version of "
                          "segmodel; install both together or use the CPU (--device cpu)");
        return SGM_DEVICE;
    }
    sgm_cuda *cuda = (sgm_cuda *)calloc(1, sizeof *cuda);
    if (!cuda) {
        host->set_message("no memory for the CUDA backend");
        return SGM_OUT_OF_MEMORY;
    }
    cuda->host = host;
    cuda->device = index;
    cuda->base.ops = operations();
    make_locks(cuda);
    sgm_status status = open_device(cuda);
    if (status != SGM_OK) {
        device_destroy(&cuda->base);
        return status;
    }
    *out = &cuda->base;
    return SGM_OK;
}
