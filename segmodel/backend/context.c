#include "backend/context.h"

#include "core/call.h"
#include "core/cpu_features.h"
#include "core/sized.h"
#include "core/sync.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sgm_context {
    atomic_int references;
    sgm_context_options options;
    sgm_mutex lock; /* of what follows */
    sgm_backend *backend;
    sgm_backend *left; /* the GPU's, after sgm_context_use_cpu: earlier models compute on it */
    sgm_precision precision;
    const char *device; /* one of the texts: who asked for the first may still read it */
    char texts[2][128];
};

static sgm_status create_backend(const sgm_context_options *options, sgm_backend **out)
{
    switch (options->device) {
    case SGM_DEVICE_AUTO:
        if (sgm_cuda_create(0, out) == SGM_OK) return SGM_OK;
        return sgm_cpu_create(options->threads, out);
    case SGM_DEVICE_CPU:
        return sgm_cpu_create(options->threads, out);
    case SGM_DEVICE_CUDA:
        return sgm_cuda_create(0, out);
    case SGM_DEVICE_REFERENCE:
        return sgm_ref_create(out);
    }
    return sgm_fail(SGM_INVALID_ARGUMENT, "no device of number %d", (int)options->device);
}

/* CUDA devices multiply BF16 by tensor cores, CPUs with AMX; the reference never does. */
static bool multiplies_bf16(const sgm_backend *backend)
{
    if (!strcmp(backend->ops->name, "cuda")) return true;
    return !strcmp(backend->ops->name, "cpu") && sgm_cpu_has_bf16();
}

static sgm_status choose_precision(sgm_context *context)
{
    bool fast = multiplies_bf16(context->backend);
    context->precision = context->options.precision;
    if (context->precision == SGM_PRECISION_AUTO)
        context->precision = fast ? SGM_PRECISION_BF16 : SGM_PRECISION_FP32;
    if (context->precision == SGM_PRECISION_BF16 && !fast)
        return sgm_fail(SGM_DEVICE, "precision bf16 needs a device that multiplies it in hardware "
                                    "(AMX, AVX-512 BF16, tensor cores); use fp32 here");
    return SGM_OK;
}

static void describe(sgm_context *context)
{
    const sgm_backend *b = context->backend;
    char *text = context->texts[context->left != NULL];
    size_t size = sizeof context->texts[0];
    int used = snprintf(text, size, "%s", b->ops->name);
    if (b->threads > 0)
        used += snprintf(text + used, size - (size_t)used, ", %d thread%s", b->threads,
                         b->threads == 1 ? "" : "s");
    bool is_cpu = strcmp(b->ops->name, "cpu") == 0;
    const char *precision = context->precision == SGM_PRECISION_FP32    ? "fp32"
                            : is_cpu && sgm_cpu()->bf16 == SGM_BF16_AMX ? "bf16 (AMX)"
                                                                        : "bf16";
    snprintf(text + used, size - (size_t)used, ", %s", precision);
    context->device = text;
}

sgm_status sgm_context_create(const sgm_context_options *options, sgm_context **out)
{
    if (!out) return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_context_create: out is NULL");
    *out = NULL;
    sgm_context *context = calloc(1, sizeof *context);
    if (!context) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a context");
    atomic_init(&context->references, 1);
    sgm_mutex_create(&context->lock);
    sgm_status status = SGM_OK;
    if (options)
        status = sgm_sized_read("sgm_context_options", options, sizeof *options, &context->options,
                                sizeof *options);
    if (status == SGM_OK) status = create_backend(&context->options, &context->backend);
    if (status == SGM_OK) status = choose_precision(context);
    if (status != SGM_OK) {
        sgm_context_destroy(context);
        return status;
    }
    describe(context);
    *out = context;
    return SGM_OK;
}

sgm_context *sgm_context_retain(sgm_context *context)
{
    atomic_fetch_add(&context->references, 1);
    return context;
}

void sgm_context_destroy(sgm_context *context)
{
    if (!context || atomic_fetch_sub(&context->references, 1) != 1) return;
    if (context->backend) context->backend->ops->destroy(context->backend);
    if (context->left) context->left->ops->destroy(context->left);
    sgm_mutex_destroy(&context->lock);
    free(context);
}

bool sgm_context_may_use_cpu(const sgm_context *context, const sgm_backend *tried)
{
    return context->options.device == SGM_DEVICE_AUTO && strcmp(tried->ops->name, "cpu") != 0;
}

/* Lock held. */
static sgm_status leave_for_cpu(sgm_context *context)
{
    sgm_backend *cpu;
    SGM_TRY(sgm_cpu_create(context->options.threads, &cpu));
    context->left = context->backend;
    context->backend = cpu;
    if (context->precision == SGM_PRECISION_BF16 && !multiplies_bf16(cpu))
        context->precision = SGM_PRECISION_FP32;
    describe(context);
    return SGM_OK;
}

sgm_status sgm_context_use_cpu(sgm_context *context, const sgm_backend *tried)
{
    sgm_mutex_lock(&context->lock);
    sgm_status status = context->backend == tried ? leave_for_cpu(context) : SGM_OK;
    sgm_mutex_unlock(&context->lock);
    return status;
}

void sgm_context_take(sgm_context *context, sgm_backend **backend, sgm_precision *precision)
{
    sgm_mutex_lock(&context->lock);
    *backend = context->backend;
    *precision = context->precision;
    sgm_mutex_unlock(&context->lock);
}

const char *sgm_context_device(const sgm_context *context)
{
    if (!context) return "";
    sgm_context *writable = (sgm_context *)context;
    sgm_mutex_lock(&writable->lock);
    const char *device = context->device;
    sgm_mutex_unlock(&writable->lock);
    return device;
}

sgm_backend *sgm_context_backend(const sgm_context *context)
{
    sgm_backend *backend;
    sgm_precision precision;
    sgm_context_take((sgm_context *)context, &backend, &precision);
    return backend;
}

sgm_precision sgm_context_precision(const sgm_context *context)
{
    sgm_backend *backend;
    sgm_precision precision;
    sgm_context_take((sgm_context *)context, &backend, &precision);
    return precision;
}

size_t sgm_context_memory_limit(const sgm_context *context)
{
    return context->options.memory_limit;
}

void sgm_context_log(const sgm_context *context, const char *format, ...)
{
    if (!context->options.log) return;
    char sentence[512];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    context->options.log(context->options.log_user, sentence);
}

sgm_status sgm_context_cancelled(void *user)
{
    const sgm_context *context = user;
    if (context->options.cancel && context->options.cancel(context->options.cancel_user))
        return sgm_fail(SGM_CANCELLED, "cancelled");
    return sgm_call_cancelled();
}
