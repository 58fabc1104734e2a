/* Copies that nobody waits for (backend/transfer.h).
 *
 * An upload passes through pinned memory and a place on the device, of both there are two: a second
 * stream brings batch k + 1 to its place while the work on batch k still reads `to`; then the
 * working stream, in its turn, copies from there to `to`. Events say when a place has been filled,
 * and when it has been emptied and may be filled again. */
#include "cuda_internal.h"

#include <stdlib.h>

typedef struct cuda_transfer {
    void *host[2], *device[2];
    cudaEvent_t filled[2], emptied[2];
    int next;
} cuda_transfer;

static sgm_status transfer_make(sgm_cuda *cuda, size_t size, bool upload, cuda_transfer *t)
{
    const char *what = "making room for copies";
    /* whoever waits for a result waits for a step: not in a busy loop, loaders need the cores */
    unsigned flags = cudaEventDisableTiming;
    if (!upload) flags |= cudaEventBlockingSync;
    for (int i = 0; i < (upload ? 2 : 1); i++) {
        SGM_TRY(sgm_cuda_check(cuda, cudaMallocHost(&t->host[i], size), what));
        SGM_TRY(sgm_cuda_check(cuda, cudaEventCreateWithFlags(&t->emptied[i], flags), what));
        if (!upload) continue;
        SGM_TRY(sgm_cuda_check(cuda, cudaMalloc(&t->device[i], size), what));
        SGM_TRY(sgm_cuda_check(
            cuda, cudaEventCreateWithFlags(&t->filled[i], cudaEventDisableTiming), what));
    }
    if (upload && !cuda->uploads)
        return sgm_cuda_check(
            cuda, cudaStreamCreateWithFlags(&cuda->uploads, cudaStreamNonBlocking), what);
    return SGM_OK;
}

static void transfer_free(sgm_cuda *cuda, cuda_transfer *t)
{
    if (cuda->uploads) cudaStreamSynchronize(cuda->uploads);
    cudaStreamSynchronize(cuda->stream);
    for (int i = 0; i < 2; i++) {
        if (t->host[i]) cudaFreeHost(t->host[i]);
        if (t->device[i]) cudaFree(t->device[i]);
        if (t->filled[i]) cudaEventDestroy(t->filled[i]);
        if (t->emptied[i]) cudaEventDestroy(t->emptied[i]);
    }
    free(t);
}

static sgm_status transfer_of(sgm_cuda *cuda, size_t size, bool upload, void **transfer)
{
    if (*transfer) return SGM_OK;
    cuda_transfer *t = (cuda_transfer *)calloc(1, sizeof *t);
    if (!t) return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY, "no memory for a copy");
    sgm_status status = transfer_make(cuda, size, upload, t);
    if (status != SGM_OK) {
        (void)cudaGetLastError();
        transfer_free(cuda, t);
        return status;
    }
    *transfer = t;
    return SGM_OK;
}

/* The first error of a chain of calls. */
static cudaError_t submit_upload(sgm_cuda *cuda, cuda_transfer *t, void *to, const void *from,
                                 size_t size)
{
    int i = t->next;
    t->next = !i;
    cudaError_t error = cudaEventSynchronize(t->emptied[i]);
    if (error != cudaSuccess) return error;
    memcpy(t->host[i], from, size);
    error = cudaMemcpyAsync(t->device[i], t->host[i], size, cudaMemcpyHostToDevice, cuda->uploads);
    if (error == cudaSuccess) error = cudaEventRecord(t->filled[i], cuda->uploads);
    if (error == cudaSuccess) error = cudaStreamWaitEvent(cuda->stream, t->filled[i], 0);
    if (error == cudaSuccess)
        error = cudaMemcpyAsync(to, t->device[i], size, cudaMemcpyDeviceToDevice, cuda->stream);
    if (error == cudaSuccess) error = cudaEventRecord(t->emptied[i], cuda->stream);
    return error;
}

sgm_status sgm_cuda_upload_async(sgm_backend *backend, void *to, const void *from, size_t size,
                                 void **transfer)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    if (!size) return SGM_OK;
    sgm_cuda_enter(cuda);
    sgm_status status = transfer_of(cuda, size, true, transfer);
    if (status == SGM_OK)
        status =
            sgm_cuda_check(cuda, submit_upload(cuda, (cuda_transfer *)*transfer, to, from, size),
                           "copying to the GPU");
    sgm_cuda_leave(cuda);
    return status;
}

sgm_status sgm_cuda_download_begin(sgm_backend *backend, const void *from, size_t size,
                                   void **transfer)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    sgm_cuda_enter(cuda);
    sgm_status status = transfer_of(cuda, size, false, transfer);
    if (status == SGM_OK) {
        cuda_transfer *t = (cuda_transfer *)*transfer;
        cudaError_t error =
            cudaMemcpyAsync(t->host[0], from, size, cudaMemcpyDeviceToHost, cuda->stream);
        if (error == cudaSuccess) error = cudaEventRecord(t->emptied[0], cuda->stream);
        status = sgm_cuda_check(cuda, error, "copying from the GPU");
    }
    sgm_cuda_leave(cuda);
    return status;
}

sgm_status sgm_cuda_download_end(sgm_backend *backend, void *transfer, void *to, size_t size)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    const cuda_transfer *t = (const cuda_transfer *)transfer;
    sgm_cuda_enter(cuda);
    cudaError_t error = cudaEventSynchronize(t->emptied[0]);
    sgm_cuda_leave(cuda);
    SGM_TRY(sgm_cuda_check(cuda, error, "copying from the GPU"));
    memcpy(to, t->host[0], size);
    return SGM_OK;
}

void sgm_cuda_release_transfer(sgm_backend *backend, void *transfer)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    if (!transfer) return;
    sgm_cuda_enter(cuda);
    transfer_free(cuda, (cuda_transfer *)transfer);
    sgm_cuda_leave(cuda);
}

/* --------------------------------------------------------------------------- in working order */

sgm_status sgm_cuda_clear(sgm_backend *backend, void *to, size_t size)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    sgm_cuda_enter(cuda);
    cudaError_t error = size ? cudaMemsetAsync(to, 0, size, cuda->stream) : cudaSuccess;
    sgm_cuda_leave(cuda);
    return sgm_cuda_check(cuda, error, "clearing GPU memory");
}

/* A linear layer's weight has the layout its products want; convolutions repack theirs anyway. */
bool sgm_cuda_keeps_bf16(sgm_backend *backend, const sgm_node *node, int index)
{
    return ((sgm_cuda *)backend)->fast && node->op == SGM_OP_LINEAR && index == 1;
}

sgm_status sgm_cuda_round_bf16(sgm_backend *backend, void *to, const float *from, int64_t count)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    sgm_cursor cursor = {(char *)to, 0};
    sgm_cuda_enter(cuda);
    sgm_cuda_as(cuda, &cursor, from, SGM_F32, SGM_BF16, count);
    sgm_status status = sgm_cuda_launched(cuda, "rounding to BF16");
    sgm_cuda_leave(cuda);
    return status;
}
