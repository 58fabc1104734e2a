/* Copies between host and device that nobody waits for, on any backend. A transfer is the memory
 * one of them passes through (pinned, on a GPU) and is used again and again: `*transfer` is NULL at
 * first, always goes with the same size, and belongs to the caller until sgm_transfer_release.
 * Where a backend works in host memory all of this happens at once. */
#ifndef SEGMODEL_BACKEND_TRANSFER_H
#define SEGMODEL_BACKEND_TRANSFER_H

#include "backend/backend.h"

/* `from` may be changed as soon as this returns. Steps submitted earlier still see what was in `to`
 * before, later ones the new values. The copy runs beside earlier steps. */
sgm_status sgm_upload_async(sgm_backend *backend, void *to, const void *from, size_t size,
                            void **transfer);

/* Reads what `from` holds after everything submitted so far; end waits for that (and for nothing
 * later) and gives the values. One begin, one end. */
sgm_status sgm_download_begin(sgm_backend *backend, const void *from, size_t size, void **transfer);
sgm_status sgm_download_end(sgm_backend *backend, void *transfer, void *to, size_t size);

void sgm_transfer_release(sgm_backend *backend, void *transfer);

#endif
