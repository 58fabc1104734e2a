/* The context behind segmodel.h: device, precision, callbacks. Counted, so that models and sessions
 * keep it alive. */
#ifndef SEGMODEL_BACKEND_CONTEXT_H
#define SEGMODEL_BACKEND_CONTEXT_H

#include "backend/backend.h"
#include "core/status.h"

sgm_context *sgm_context_retain(sgm_context *context);
/* sgm_context_destroy gives a reference back. */

sgm_backend *sgm_context_backend(const sgm_context *context);
/* FP32 or BF16. */
sgm_precision sgm_context_precision(const sgm_context *context);
size_t sgm_context_memory_limit(const sgm_context *context);

/* Hands a sentence to the log callback, if there is one. */
void sgm_context_log(const sgm_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* SGM_CANCELLED with a message when the cancel callback, or that of the call the thread is in
 * (core/call.h), says so, else SGM_OK. The signature is that
 * of sgm_plan_options.cancelled, with the context as its argument. */
sgm_status sgm_context_cancelled(void *context);

/* Both at once, for what is made of the context now: another thread may change them. */
void sgm_context_take(sgm_context *context, sgm_backend **backend, sgm_precision *precision);

/* Whether the user left the choice of the device to us and `tried` is not the CPU. */
bool sgm_context_may_use_cpu(const sgm_context *context, const sgm_backend *tried);
/* Takes the CPU instead of `tried` for everything that is made of the context from now on, if
 * another thread has not done so; what was made before keeps its device. */
sgm_status sgm_context_use_cpu(sgm_context *context, const sgm_backend *tried);

#endif
