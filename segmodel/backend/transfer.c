#include "backend/transfer.h"

#include <stdlib.h>
#include <string.h>

sgm_status sgm_upload_async(sgm_backend *backend, void *to, const void *from, size_t size,
                            void **transfer)
{
    if (backend->ops->upload_async)
        return backend->ops->upload_async(backend, to, from, size, transfer);
    return backend->ops->upload(backend, to, from, size);
}

sgm_status sgm_download_begin(sgm_backend *backend, const void *from, size_t size, void **transfer)
{
    if (backend->ops->download_begin)
        return backend->ops->download_begin(backend, from, size, transfer);
    if (!*transfer) *transfer = malloc(size ? size : 1);
    if (!*transfer) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to read %zu bytes", size);
    return backend->ops->download(backend, *transfer, from, size);
}

sgm_status sgm_download_end(sgm_backend *backend, void *transfer, void *to, size_t size)
{
    if (backend->ops->download_end) return backend->ops->download_end(backend, transfer, to, size);
    memcpy(to, transfer, size);
    return SGM_OK;
}

void sgm_transfer_release(sgm_backend *backend, void *transfer)
{
    if (!transfer) return;
    if (backend->ops->release_transfer)
        backend->ops->release_transfer(backend, transfer);
    else
        free(transfer);
}
