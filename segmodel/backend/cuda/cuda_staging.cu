/* Ordinary copies between host and device, through two pinned pieces in turns: while one is on its
 * way the other is filled or emptied. Weights come from a mapped file this way without a page of it
 * being locked. Without pinned memory the driver's own, slower way is taken. */
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

/* Made at the first copy. */
static bool have_staging(sgm_cuda *cuda)
{
    if (cuda->staging) return true;
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

static cudaError_t plain_copy(sgm_cuda *cuda, void *to, const void *from, size_t size,
                              cudaMemcpyKind kind)
{
    cudaError_t error = cudaMemcpyAsync(to, from, size, kind, cuda->stream);
    return error == cudaSuccess ? cudaStreamSynchronize(cuda->stream) : error;
}

/* The next piece, when its last copy is done. */
static cudaError_t next_piece(struct sgm_cuda_staging *s, int *which)
{
    *which = s->next;
    s->next = !s->next;
    return cudaEventSynchronize(s->free[*which]);
}

cudaError_t sgm_cuda_stage_upload(sgm_cuda *cuda, void *to, const void *from, size_t size)
{
    if (!have_staging(cuda)) return plain_copy(cuda, to, from, size, cudaMemcpyHostToDevice);
    struct sgm_cuda_staging *s = cuda->staging;
    cudaError_t error = cudaSuccess;
    for (size_t at = 0; at < size && error == cudaSuccess; at += STAGE) {
        size_t part = size - at < STAGE ? size - at : STAGE;
        int i;
        error = next_piece(s, &i);
        if (error != cudaSuccess) break;
        memcpy(s->piece[i], (const char *)from + at, part);
        error = cudaMemcpyAsync((char *)to + at, s->piece[i], part, cudaMemcpyHostToDevice,
                                cuda->stream);
        if (error == cudaSuccess) error = cudaEventRecord(s->free[i], cuda->stream);
    }
    return error;
}

/* Piece n is asked for before piece n - 1 is read. */
cudaError_t sgm_cuda_stage_download(sgm_cuda *cuda, void *to, const void *from, size_t size)
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
                error = cudaMemcpyAsync(s->piece[i], (const char *)from + at, part[i],
                                        cudaMemcpyDeviceToHost, cuda->stream);
            if (error == cudaSuccess) error = cudaEventRecord(s->free[i], cuda->stream);
        }
        if (error == cudaSuccess && at) { /* the piece before */
            error = cudaEventSynchronize(s->free[!i]);
            if (error == cudaSuccess) memcpy((char *)to + at - STAGE, s->piece[!i], part[!i]);
        }
        if (!part[i]) break;
    }
    return error;
}
