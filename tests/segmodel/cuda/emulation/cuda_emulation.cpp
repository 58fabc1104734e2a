#include "cuda_emulation.h"

#include <setjmp.h>
#include <stdio.h>
#include <ucontext.h>

dim3 threadIdx, blockIdx, blockDim, gridDim;

static cudaError_t last_error = cudaSuccess;
static char last_message[256];

/* -------------------------------------------------------------------------------- device memory */

static const int MOST_BLOCKS = 1 << 16;
static struct memory_block {
    char *data, *before, *after;
    size_t size;
} blocks[MOST_BLOCKS];
static int block_count;

static bool checking(void)
{
    static int on = -1;
    if (on < 0) on = getenv("SGM_EMULATION_CHECK") != NULL;
    return on == 1;
}

cudaError_t cudaMalloc(void **memory, size_t size)
{
    size_t room = (size + 255) / 256 * 256;
    char *data = block_count < MOST_BLOCKS ? (char *)aligned_alloc(256, room ? room : 256) : NULL;
    if (!data) return last_error = cudaErrorMemoryAllocation;
    memset(data, 0xFF, room); /* NaN in both formats: reading what nobody wrote shows */
    blocks[block_count++] = {data, NULL, NULL, size};
    *memory = data;
    return cudaSuccess;
}

cudaError_t cudaFree(void *memory)
{
    if (!memory) return cudaSuccess;
    for (int i = 0; i < block_count; i++)
        if (blocks[i].data == memory) {
            free(memory);
            blocks[i] = blocks[--block_count];
            return cudaSuccess;
        }
    return last_error = cudaErrorInvalidValue;
}

/* [memory, memory + size) lies in one allocation. */
static bool is_device(const void *memory, size_t size)
{
    const char *at = (const char *)memory;
    for (int i = 0; i < block_count; i++)
        if (at >= blocks[i].data && at + size <= blocks[i].data + blocks[i].size) return true;
    return false;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, cudaMemcpyKind kind,
                            cudaStream_t)
{
    if (size && ((kind != cudaMemcpyDeviceToHost && !is_device(to, size)) ||
                 (kind != cudaMemcpyHostToDevice && !is_device(from, size))))
        return last_error = cudaErrorInvalidValue;
    memmove(to, from, size);
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t size, cudaStream_t)
{
    if (size && !is_device(to, size)) return last_error = cudaErrorInvalidValue;
    memset(to, value, size);
    return cudaSuccess;
}

/* -------------------------------------------------------------------------- the team's fibers */

static const int MOST_THREADS = 1024;
static const size_t STACK = 64 << 10;

typedef enum fiber_state { FIBER_NEW, FIBER_WAITING, FIBER_DONE } fiber_state;

static struct fiber {
    char *stack;
    ucontext_t start;
    jmp_buf place;
    fiber_state state;
    dim3 index;
} fibers[MOST_THREADS];
static fiber *running;
static jmp_buf scheduler;
static const emulated_kernel *running_kernel;

/* Lives on: making a context costs system calls, jumping to it does not. */
static void fiber_main(void)
{
    for (;;) {
        running_kernel->thread();
        running->state = FIBER_DONE;
        if (!_setjmp(running->place)) _longjmp(scheduler, 1);
    }
}

void __syncthreads(void)
{
    if (!running) {
        snprintf(last_message, sizeof last_message,
                 "a kernel with a barrier was launched without SGM_LAUNCH_TEAM");
        last_error = cudaErrorLaunchFailure;
        return;
    }
    running->state = FIBER_WAITING;
    if (!_setjmp(running->place)) _longjmp(scheduler, 1);
    threadIdx = running->index;
}

static void resume(fiber *f)
{
    running = f;
    threadIdx = f->index;
    if (!_setjmp(scheduler)) {
        if (f->stack) _longjmp(f->place, 1);
        getcontext(&f->start);
        f->stack = (char *)malloc(STACK);
        f->start.uc_stack.ss_sp = f->stack;
        f->start.uc_stack.ss_size = STACK;
        f->start.uc_link = NULL;
        makecontext(&f->start, fiber_main, 0);
        setcontext(&f->start);
    }
    running = NULL;
}

static dim3 index_of(unsigned i, dim3 size)
{
    return dim3(i % size.x, i / size.x % size.y, i / size.x / size.y);
}

/* All threads of a block from barrier to barrier; every thread must meet every barrier. */
static void run_team(dim3 block, bool descending, const char *name)
{
    int count = (int)(block.x * block.y * block.z), done = 0;
    for (int i = 0; i < count; i++) {
        fibers[i].state = FIBER_NEW;
        fibers[i].index = index_of((unsigned)i, block);
    }
    while (!done) {
        int finished = 0;
        for (int i = 0; i < count; i++) {
            fiber *f = &fibers[descending ? count - 1 - i : i];
            resume(f);
            finished += f->state == FIBER_DONE;
        }
        done = finished;
        if (finished && finished != count) {
            snprintf(last_message, sizeof last_message,
                     "%s: %d of %d threads of a block missed a barrier", name, finished, count);
            last_error = cudaErrorLaunchFailure;
            return;
        }
    }
}

static void run_grid(const emulated_kernel &kernel, const char *name, dim3 grid, dim3 block,
                     bool team, bool descending)
{
    unsigned count = grid.x * grid.y * grid.z, threads = block.x * block.y * block.z;
    running_kernel = &kernel;
    gridDim = grid;
    blockDim = block;
    for (unsigned i = 0; i < count; i++) {
        blockIdx = index_of(descending ? count - 1 - i : i, grid);
        if (team) {
            run_team(block, descending, name);
            continue;
        }
        for (unsigned t = 0; t < threads; t++) {
            threadIdx = index_of(descending ? threads - 1 - t : t, block);
            kernel.thread();
        }
    }
}

/* ------------------------------------------------------------------------------------- launches */

static void keep(char *memory_block::*copy)
{
    for (int i = 0; i < block_count; i++) {
        blocks[i].*copy = (char *)realloc(blocks[i].*copy, blocks[i].size + 1);
        memcpy(blocks[i].*copy, blocks[i].data, blocks[i].size);
    }
}

static void compare(const char *name)
{
    for (int i = 0; i < block_count; i++)
        if (memcmp(blocks[i].after, blocks[i].data, blocks[i].size)) {
            snprintf(last_message, sizeof last_message,
                     "%s: the result depends on the order of threads", name);
            last_error = cudaErrorLaunchFailure;
        }
}

static void forget(void)
{
    for (int i = 0; i < block_count; i++) {
        free(blocks[i].before);
        free(blocks[i].after);
        blocks[i].before = blocks[i].after = NULL;
    }
}

void emulate_launch(const emulated_kernel &kernel, const char *name, dim3 grid, dim3 block,
                    bool team)
{
    if (!grid.x || !grid.y || !grid.z || grid.x > 2147483647u || grid.y > 65535 || grid.z > 65535 ||
        block.x * block.y * block.z > (unsigned)MOST_THREADS) {
        snprintf(last_message, sizeof last_message, "%s: a grid of %u x %u x %u blocks of %u", name,
                 grid.x, grid.y, grid.z, block.x * block.y * block.z);
        last_error = cudaErrorInvalidValue;
        return;
    }
    if (checking()) {
        keep(&memory_block::before);
        run_grid(kernel, name, grid, block, team, true);
        keep(&memory_block::after);
        for (int i = 0; i < block_count; i++)
            memcpy(blocks[i].data, blocks[i].before, blocks[i].size);
    }
    run_grid(kernel, name, grid, block, team, false);
    if (checking()) {
        compare(name);
        forget();
    }
}

/* ---------------------------------------------------------------------------------- other calls */

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = 1;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    return device ? last_error = cudaErrorInvalidDevice : cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, int attribute, int)
{
    *value = attribute == cudaDevAttrComputeCapabilityMajor ? 8 : 0;
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    *stream = NULL;
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t)
{
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t)
{
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
    cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

const char *cudaGetErrorString(cudaError_t error)
{
    if (error == cudaErrorLaunchFailure) return last_message;
    return error == cudaErrorMemoryAllocation ? "out of memory" : "emulated error";
}

/* --------------------------------------------------------------------------------------- cuBLAS */

cublasStatus_t cublasCreate(cublasHandle_t *handle)
{
    *handle = NULL;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy(cublasHandle_t)
{
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream(cublasHandle_t, cudaStream_t)
{
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t)
{
    return CUBLAS_STATUS_SUCCESS;
}

const char *cublasGetStatusString(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_INVALID_VALUE ? "invalid value" : "emulated status";
}

static float read_value(const void *data, cudaDataType_t type, size_t i)
{
    if (type == CUDA_R_32F) return ((const float *)data)[i];
    uint32_t bits = (uint32_t)((const uint16_t *)data)[i] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void write_value(void *data, cudaDataType_t type, size_t i, float value)
{
    if (type == CUDA_R_32F) {
        ((float *)data)[i] = value;
        return;
    }
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value == value) bits += 0x7FFF + (bits >> 16 & 1);
    ((uint16_t *)data)[i] = (uint16_t)(bits >> 16);
}

static size_t bytes_of(cudaDataType_t type)
{
    return type == CUDA_R_32F ? sizeof(float) : sizeof(uint16_t);
}

/* A rows x columns column-major operand, `batch` times, lies in device memory. */
static bool fits(const void *data, cudaDataType_t type, int rows, int columns, int ld,
                 long long stride, int batch)
{
    size_t count = (size_t)(stride * (batch - 1) + (long long)ld * (columns - 1) + rows);
    return ld >= rows && is_device(data, count * bytes_of(type));
}

/* op(X)[rows, columns] as a dense row-major array of doubles. */
static double *dense(const void *data, cudaDataType_t type, size_t offset, cublasOperation_t op,
                     int rows, int columns, int ld)
{
    double *out = (double *)malloc((size_t)rows * (size_t)columns * sizeof *out);
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) {
            size_t at = op == CUBLAS_OP_N ? (size_t)r + (size_t)c * (size_t)ld
                                          : (size_t)c + (size_t)r * (size_t)ld;
            out[(size_t)r * (size_t)columns + (size_t)c] = read_value(data, type, offset + at);
        }
    return out;
}

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t, cublasOperation_t opa,
                                          cublasOperation_t opb, int m, int n, int k,
                                          const void *alpha, const void *a, cudaDataType_t a_type,
                                          int lda, long long a_stride, const void *b,
                                          cudaDataType_t b_type, int ldb, long long b_stride,
                                          const void *beta, void *c, cudaDataType_t c_type, int ldc,
                                          long long c_stride, int batch,
                                          cublasComputeType_t compute, cublasGemmAlgo_t)
{
    bool plain_a = opa == CUBLAS_OP_N, plain_b = opb == CUBLAS_OP_N;
    if (m < 1 || n < 1 || k < 1 || batch < 1 || compute != CUBLAS_COMPUTE_32F || a_type != b_type ||
        (a_type == CUDA_R_32F && c_type != CUDA_R_32F) ||
        !fits(a, a_type, plain_a ? m : k, plain_a ? k : m, lda, a_stride, batch) ||
        !fits(b, b_type, plain_b ? k : n, plain_b ? n : k, ldb, b_stride, batch) ||
        !fits(c, c_type, m, n, ldc, c_stride, batch))
        return CUBLAS_STATUS_INVALID_VALUE;
    float scale = *(const float *)alpha, keep_old = *(const float *)beta;
    double *row = (double *)malloc((size_t)m * sizeof *row);
    for (int i = 0; i < batch; i++) {
        /* transposed: row l of the left factor is contiguous over m */
        double *x = dense(a, a_type, (size_t)(i * a_stride), plain_a ? CUBLAS_OP_T : CUBLAS_OP_N, k,
                          m, lda);
        double *y = dense(b, b_type, (size_t)(i * b_stride), opb, k, n, ldb);
        for (int column = 0; column < n; column++) {
            for (int r = 0; r < m; r++)
                row[r] = 0;
            for (int l = 0; l < k; l++) {
                double factor = y[(size_t)l * (size_t)n + (size_t)column];
                for (int r = 0; r < m; r++)
                    row[r] += x[(size_t)l * (size_t)m + (size_t)r] * factor;
            }
            for (int r = 0; r < m; r++) {
                size_t at = (size_t)(i * c_stride) + (size_t)r + (size_t)column * (size_t)ldc;
                double old = keep_old != 0 ? keep_old * read_value(c, c_type, at) : 0;
                write_value(c, c_type, at, (float)(scale * row[r] + old));
            }
        }
        free(x);
        free(y);
    }
    free(row);
    return CUBLAS_STATUS_SUCCESS;
}
