/* Ordinary copies between host and device, through two pinned pieces in turns: while one is on its
 * way the other is filled or emptied. Weights come from a mapped file this way without a page of it
 * being locked. Without pinned memory the driver's own, slower way is taken.
 *
 * Copies wait with `copying` held and `lock` free: the pieces belong to one copy at a time, and
 * other threads submit their work meanwhile. A thread that records a plan has `lock` and must not
 * copy. */
#include "cuda_internal.h"

#include <stdlib.h>

static const size_t STAGE = (size_t)4 << 20; /* bytes */

struct sgm_cuda_staging {
    char *piece[2];
    cudaEvent_t free[2]; /* the last copy that used it is done */
    int next;
};

void sgm_cuda_staging_destroy(sgm_cuda *cuda)
{
    struct sgm_cuda_staging *s = cuda->staging;
    for (int i = 0; s && i < 2; i++) {
        if (s->piece[i]) cudaFreeHost(s->piece[i]);
        if (s->free[i]) cudaEventDestroy(s->free[i]);
    }
    free(s);
    cuda->staging = NULL;
}

static bool make_staging(sgm_cuda *cuda)
{
    cuda->staging = (struct sgm_cuda_staging *)calloc(1, sizeof *cuda->staging);
    cudaError_t error = cuda->staging ? cudaSuccess : cudaErrorMemoryAllocation;
    for (int i = 0; i < 2 && error == cudaSuccess; i++) {
        error = cudaMallocHost((void **)&cuda->staging->piece[i], STAGE);
        if (error == cudaSuccess)
            error = cudaEventCreateWithFlags(&cuda->staging->free[i], cudaEventDisableTiming);
    }
    if (error == cudaSuccess) return true;
    (void)cudaGetLastError();
    sgm_cuda_staging_destroy(cuda);
    return false;
}

/* Made at the first copy. */
static bool have_staging(sgm_cuda *cuda)
{
    sgm_cuda_enter(cuda);
    bool have = cuda->staging || make_staging(cuda);
    sgm_cuda_leave(cuda);
    return have;
}

static cudaError_t plain_copy(sgm_cuda *cuda, void *to, const void *from, size_t size,
                              cudaMemcpyKind kind)
{
    sgm_cuda_enter(cuda);
    cudaError_t error = cudaMemcpyAsync(to, from, size, kind, cuda->stream);
    if (error == cudaSuccess) error = cudaStreamSynchronize(cuda->stream);
    sgm_cuda_leave(cuda);
    return error;
}

/* Sends a piece on its way, and its event behind it. */
static cudaError_t submit_piece(sgm_cuda *cuda, int piece, void *to, const void *from, size_t size,
                                cudaMemcpyKind kind)
{
    sgm_cuda_enter(cuda);
    cudaError_t error = cudaMemcpyAsync(to, from, size, kind, cuda->stream);
    if (error == cudaSuccess) error = cudaEventRecord(cuda->staging->free[piece], cuda->stream);
    sgm_cuda_leave(cuda);
    return error;
}

static cudaError_t upload(sgm_cuda *cuda, void *to, const void *from, size_t size)
{
    if (!have_staging(cuda)) return plain_copy(cuda, to, from, size, cudaMemcpyHostToDevice);
    struct sgm_cuda_staging *s = cuda->staging;
    cudaError_t error = cudaSuccess;
    for (size_t at = 0; at < size && error == cudaSuccess; at += STAGE) {
        size_t part = size - at < STAGE ? size - at : STAGE;
        int i = s->next;
        s->next = !i;
        error = cudaEventSynchronize(s->free[i]);
        if (error != cudaSuccess) break;
        memcpy(s->piece[i], (const char *)from + at, part);
        error = submit_piece(cuda, i, (char *)to + at, s->piece[i], part, cudaMemcpyHostToDevice);
    }
    return error;
}

/* Piece n is asked for before piece n - 1 is read. */
static cudaError_t download(sgm_cuda *cuda, void *to, const void *from, size_t size)
{
    if (!have_staging(cuda)) return plain_copy(cuda, to, from, size, cudaMemcpyDeviceToHost);
    struct sgm_cuda_staging *s = cuda->staging;
    cudaError_t error = cudaSuccess;
    size_t part[2] = {0, 0};
    for (size_t at = 0; error == cudaSuccess; at += STAGE) {
        int i = (int)(at / STAGE % 2);
        part[i] = at >= size ? 0 : size - at < STAGE ? size - at : STAGE;
        if (part[i]) {
            error = at < 2 * STAGE ? cudaEventSynchronize(s->free[i]) : cudaSuccess;
            if (error == cudaSuccess)
                error = submit_piece(cuda, i, s->piece[i], (const char *)from + at, part[i],
                                     cudaMemcpyDeviceToHost);
        }
        if (error == cudaSuccess && at) { /* the piece before */
            error = cudaEventSynchronize(s->free[!i]);
            if (error == cudaSuccess) memcpy((char *)to + at - STAGE, s->piece[!i], part[!i]);
        }
        if (!part[i]) break;
    }
    return error;
}

cudaError_t sgm_cuda_stage_upload(sgm_cuda *cuda, void *to, const void *from, size_t size)
{
    pthread_mutex_lock(&cuda->copying);
    cudaError_t error = upload(cuda, to, from, size);
    pthread_mutex_unlock(&cuda->copying);
    return error;
}

cudaError_t sgm_cuda_stage_download(sgm_cuda *cuda, void *to, const void *from, size_t size)
{
    pthread_mutex_lock(&cuda->copying);
    cudaError_t error = download(cuda, to, from, size);
    pthread_mutex_unlock(&cuda->copying);
    return error;
}

/* A system may let a process pin less than it has: that is no want of the GPU's memory. */
sgm_status sgm_cuda_take_host_memory(sgm_cuda *cuda, size_t size, cuda_host_memory *out)
{
    cudaError_t error = cudaMallocHost(&out->data, size);
    out->pinned = error == cudaSuccess;
    if (out->pinned) return SGM_OK;
    out->data = NULL;
    (void)cudaGetLastError();
    if (error != cudaErrorMemoryAllocation) return sgm_cuda_check(cuda, error, "pinning memory");
    out->data = malloc(size);
    if (out->data) return SGM_OK;
    return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY, "CUDA: no host memory for copies (%zu MiB)",
                         size >> 20);
}

void sgm_cuda_free_host_memory(cuda_host_memory *memory)
{
    if (memory->data && memory->pinned) cudaFreeHost(memory->data);
    if (!memory->pinned) free(memory->data);
    memory->data = NULL;
}
