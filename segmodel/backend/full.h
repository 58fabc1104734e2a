/* What an allocation that failed means. */
#ifndef SEGMODEL_BACKEND_FULL_H
#define SEGMODEL_BACKEND_FULL_H

#include "backend/backend.h"

/* To be returned where ops->alloc gave NULL: a lost device has no memory either, then SGM_DEVICE
 * with the device's own message (a smaller batch would not help), else SGM_OUT_OF_MEMORY with this
 * one. */
sgm_status sgm_backend_full(sgm_backend *backend, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
