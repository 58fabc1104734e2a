/* CUDA on the host, as far as segmodel's kernels use it: the same .cu files compile as plain C++,
 * so that indices, masks, gradients and barriers are checked where there is no GPU. It says nothing
 * about speed, nor about what two warps do to each other between barriers beyond the check below.
 *
 * A kernel launched with SGM_LAUNCH runs thread after thread; one launched with SGM_LAUNCH_TEAM
 * runs a block's threads as fibers that switch at __syncthreads().
 *
 * With the environment variable SGM_EMULATION_CHECK set, every launch runs twice on the same
 * memory, blocks and threads once in ascending and once in descending order. Results that differ
 * in a single bit mean a race, and become the launch's error. Device memory starts as NaN. */
#ifndef SEGMODEL_TESTS_CUDA_EMULATION_H
#define SEGMODEL_TESTS_CUDA_EMULATION_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* --------------------------------------------------------------------------------- the language */

#define __global__
#define __device__ inline
#define __shared__ static /* blocks run one after the other */
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

void __syncthreads(void);

/* Runs `thread` for every thread of the grid; `kernel` is its name for messages. */
class emulated_kernel
{
  public:
    virtual void thread() const = 0;

  protected:
    ~emulated_kernel() {}
};
void emulate_launch(const emulated_kernel &kernel, const char *name, dim3 grid, dim3 block,
                    bool team);

template <typename F> class emulated_lambda final : public emulated_kernel
{
  public:
    explicit emulated_lambda(const F &f) : f_(f) {}
    void thread() const override { f_(); }

  private:
    F f_;
};

/* Arguments are evaluated once and copied, as a launch does. */
template <typename... P, typename... A>
void emulate(void (*kernel)(P...), const char *name, dim3 grid, dim3 block, bool team, A... args)
{
    auto thread = [=] { kernel(args...); };
    emulate_launch(emulated_lambda<decltype(thread)>(thread), name, grid, block, team);
}

#define SGM_LAUNCH(kernel, grid, block, stream, ...)                                               \
    ((void)(stream), emulate(kernel, #kernel, (grid), (block), false, __VA_ARGS__))
#define SGM_LAUNCH_TEAM(kernel, grid, block, stream, ...)                                          \
    ((void)(stream), emulate(kernel, #kernel, (grid), (block), true, __VA_ARGS__))

/* ---------------------------------------------------------------------------------- the runtime */

typedef enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInsufficientDriver = 35,
    cudaErrorDevicesUnavailable = 46,
    cudaErrorInvalidDeviceFunction = 98,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorNoKernelImageForDevice = 209,
    cudaErrorIllegalAddress = 700,
    cudaErrorLaunchFailure = 719,
    cudaErrorSystemDriverMismatch = 803,
    cudaErrorUnknown = 999
} cudaError_t;

typedef struct emulated_stream *cudaStream_t;
enum { cudaStreamNonBlocking = 1 };
enum { cudaDevAttrComputeCapabilityMajor = 75, cudaDevAttrComputeCapabilityMinor = 76 };
typedef enum cudaMemcpyKind {
    cudaMemcpyHostToDevice = 1,
    cudaMemcpyDeviceToHost = 2,
    cudaMemcpyDeviceToDevice = 3
} cudaMemcpyKind;
typedef struct cudaFuncAttributes {
    int numRegs;
} cudaFuncAttributes;

cudaError_t cudaMalloc(void **memory, size_t size);
cudaError_t cudaFree(void *memory);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *to, int value, size_t size, cudaStream_t stream);
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaDeviceGetAttribute(int *value, int attribute, int device);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaGetLastError(void);
const char *cudaGetErrorString(cudaError_t error);
template <typename T> cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, T *)
{
    attributes->numRegs = 0;
    return cudaSuccess;
}

/* --------------------------------------------------------------------------------------- cuBLAS */

typedef struct emulated_blas *cublasHandle_t;
typedef enum cublasStatus_t {
    CUBLAS_STATUS_SUCCESS = 0,
    CUBLAS_STATUS_ALLOC_FAILED = 3,
    CUBLAS_STATUS_INVALID_VALUE = 7
} cublasStatus_t;
typedef enum cublasOperation_t { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 } cublasOperation_t;
typedef enum cudaDataType_t { CUDA_R_32F = 0, CUDA_R_16BF = 14 } cudaDataType_t;
typedef enum cublasComputeType_t { CUBLAS_COMPUTE_32F = 68 } cublasComputeType_t;
typedef enum cublasGemmAlgo_t { CUBLAS_GEMM_DEFAULT = -1 } cublasGemmAlgo_t;
typedef enum cublasMath_t { CUBLAS_DEFAULT_MATH = 0 } cublasMath_t;

cublasStatus_t cublasCreate(cublasHandle_t *handle);
cublasStatus_t cublasDestroy(cublasHandle_t handle);
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream);
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode);
const char *cublasGetStatusString(cublasStatus_t status);
/* Column-major C[m, n] = alpha op(A)[m, k] op(B)[k, n] + beta C, `batch` times. */
cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t opa,
                                          cublasOperation_t opb, int m, int n, int k,
                                          const void *alpha, const void *a, cudaDataType_t a_type,
                                          int lda, long long a_stride, const void *b,
                                          cudaDataType_t b_type, int ldb, long long b_stride,
                                          const void *beta, void *c, cudaDataType_t c_type, int ldc,
                                          long long c_stride, int batch,
                                          cublasComputeType_t compute, cublasGemmAlgo_t algorithm);

#endif
