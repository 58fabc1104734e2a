/* Copies that nobody waits for (backend/transfer.h).
 *
 * An upload passes through pinned memory and a place on the device, of both there are two: a second
 * stream brings batch k + 1 to its place while the work on batch k still reads `to`; then the
 * working stream, in its turn, copies from there to `to`. Events say when a place has been filled,
 * and when it has been emptied and may be filled again. */
#include "cuda_internal.h"

#include <stdlib.h>

typedef enum transfer_kind {
    TRANSFER_UPLOAD,  /* through a place on the device, in the working stream's turn */
    TRANSFER_BESIDE,  /* straight to where it belongs, on the stream of uploads */
    TRANSFER_DOWNLOAD /* into pinned memory, one at a time */
} transfer_kind;

typedef struct cuda_transfer {
    cuda_host_memory host[2];
    void *device[2];
    cudaEvent_t filled[2], emptied[2];
    int next;
} cuda_transfer;

cudaError_t sgm_cuda_make_uploads(sgm_cuda *cuda)
{
    if (cuda->uploads) return cudaSuccess;
    return cudaStreamCreateWithFlags(&cuda->uploads, cudaStreamNonBlocking);
}

static sgm_status transfer_make(sgm_cuda *cuda, size_t size, transfer_kind kind, cuda_transfer *t)
{
    const char *what = "making room for copies";
    /* whoever waits for a result waits for a step: not in a busy loop, loaders need the cores */
    unsigned flags = cudaEventDisableTiming;
    if (kind == TRANSFER_DOWNLOAD) flags |= cudaEventBlockingSync;
    for (int i = 0; i < (kind == TRANSFER_DOWNLOAD ? 1 : 2); i++) {
        SGM_TRY(sgm_cuda_take_host_memory(cuda, size, &t->host[i]));
        SGM_TRY(sgm_cuda_check(cuda, cudaEventCreateWithFlags(&t->emptied[i], flags), what));
        if (kind != TRANSFER_UPLOAD) continue;
        SGM_TRY(sgm_cuda_check(cuda, cudaMalloc(&t->device[i], size), what));
        SGM_TRY(sgm_cuda_check(
            cuda, cudaEventCreateWithFlags(&t->filled[i], cudaEventDisableTiming), what));
    }
    if (kind == TRANSFER_DOWNLOAD) return SGM_OK;
    return sgm_cuda_check(cuda, sgm_cuda_make_uploads(cuda), what);
}

static void transfer_free(sgm_cuda *cuda, cuda_transfer *t)
{
    if (cuda->uploads) cudaStreamSynchronize(cuda->uploads);
    cudaStreamSynchronize(cuda->stream);
    for (int i = 0; i < 2; i++) {
        sgm_cuda_free_host_memory(&t->host[i]);
        if (t->device[i]) cudaFree(t->device[i]);
        if (t->filled[i]) cudaEventDestroy(t->filled[i]);
        if (t->emptied[i]) cudaEventDestroy(t->emptied[i]);
    }
    free(t);
}

static sgm_status transfer_of(sgm_cuda *cuda, size_t size, transfer_kind kind, void **transfer)
{
    if (*transfer) return SGM_OK;
    cuda_transfer *t = (cuda_transfer *)calloc(1, sizeof *t);
    if (!t) return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY, "no memory for a copy");
    sgm_status status = transfer_make(cuda, size, kind, t);
    if (status != SGM_OK) {
        (void)cudaGetLastError();
        transfer_free(cuda, t);
        return status;
    }
    *transfer = t;
    return SGM_OK;
}

/* Fills the next place in pinned memory when its last copy is done, which may be far in the stream:
 * outside the lock. */
static cudaError_t fill_place(cuda_transfer *t, const void *from, size_t size, int *place)
{
    int i = *place = t->next;
    t->next = !i;
    cudaError_t error = cudaEventSynchronize(t->emptied[i]);
    if (error == cudaSuccess) memcpy(t->host[i].data, from, size);
    return error;
}

/* The first error of a chain of calls. */
static cudaError_t submit_upload(sgm_cuda *cuda, cuda_transfer *t, int i, void *to, size_t size)
{
    cudaError_t error =
        cudaMemcpyAsync(t->device[i], t->host[i].data, size, cudaMemcpyHostToDevice, cuda->uploads);
    if (error == cudaSuccess) error = cudaEventRecord(t->filled[i], cuda->uploads);
    if (error == cudaSuccess) error = cudaStreamWaitEvent(cuda->stream, t->filled[i], 0);
    if (error == cudaSuccess)
        error = cudaMemcpyAsync(to, t->device[i], size, cudaMemcpyDeviceToDevice, cuda->stream);
    if (error == cudaSuccess) error = cudaEventRecord(t->emptied[i], cuda->stream);
    return error;
}

static cudaError_t submit_beside(sgm_cuda *cuda, cuda_transfer *t, int i, void *to, size_t size)
{
    cudaError_t error =
        cudaMemcpyAsync(to, t->host[i].data, size, cudaMemcpyHostToDevice, cuda->uploads);
    return error == cudaSuccess ? cudaEventRecord(t->emptied[i], cuda->uploads) : error;
}

static sgm_status upload_as(sgm_cuda *cuda, transfer_kind kind, void *to, const void *from,
                            size_t size, void **transfer)
{
    int place = 0;
    if (!size) return SGM_OK;
    sgm_cuda_enter(cuda);
    sgm_status status = transfer_of(cuda, size, kind, transfer);
    sgm_cuda_leave(cuda);
    if (status != SGM_OK) return status;
    cuda_transfer *t = (cuda_transfer *)*transfer;
    cudaError_t error = fill_place(t, from, size, &place);
    sgm_cuda_enter(cuda);
    if (error == cudaSuccess)
        error = kind == TRANSFER_UPLOAD ? submit_upload(cuda, t, place, to, size)
                                        : submit_beside(cuda, t, place, to, size);
    sgm_cuda_leave(cuda);
    return sgm_cuda_check(cuda, error, "copying to the GPU");
}

sgm_status sgm_cuda_upload_async(sgm_backend *backend, void *to, const void *from, size_t size,
                                 void **transfer)
{
    return upload_as((sgm_cuda *)backend, TRANSFER_UPLOAD, to, from, size, transfer);
}

sgm_status sgm_cuda_upload_beside(sgm_backend *backend, void *to, const void *from, size_t size,
                                  void **transfer)
{
    return upload_as((sgm_cuda *)backend, TRANSFER_BESIDE, to, from, size, transfer);
}

sgm_status sgm_cuda_download_begin(sgm_backend *backend, const void *from, size_t size,
                                   void **transfer)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    sgm_cuda_enter(cuda);
    sgm_status status = transfer_of(cuda, size, TRANSFER_DOWNLOAD, transfer);
    if (status == SGM_OK) {
        cuda_transfer *t = (cuda_transfer *)*transfer;
        cudaError_t error =
            cudaMemcpyAsync(t->host[0].data, from, size, cudaMemcpyDeviceToHost, cuda->stream);
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
    cudaError_t error = cudaEventSynchronize(t->emptied[0]);
    SGM_TRY(sgm_cuda_check(cuda, error, "copying from the GPU"));
    memcpy(to, t->host[0].data, size);
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
