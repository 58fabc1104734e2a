#include <stdlib.h>
#include <string.h>

#include "backend/full.h"
#include "plan/params_internal.h"

struct sgm_params {
    sgm_backend *backend;
    sgm_weights_read_fn read;
    void *read_user;
    sgm_trainable_fn trainable;
    void *trainable_user;
    sgm_parameter **list; /* pointers: entries must not move */
    int count, capacity;
};

sgm_status sgm_params_create(sgm_backend *backend, sgm_weights_read_fn read, void *read_user,
                             sgm_trainable_fn trainable, void *trainable_user, sgm_params **out)
{
    sgm_params *params = calloc(1, sizeof *params);
    if (!params) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for parameters");
    params->backend = backend;
    params->read = read;
    params->read_user = read_user;
    params->trainable = trainable;
    params->trainable_user = trainable_user;
    *out = params;
    return SGM_OK;
}

static void destroy_parameter(sgm_backend *backend, sgm_parameter *p)
{
    if (p->value) backend->ops->free(backend, p->value);
    if (p->grad) backend->ops->free(backend, p->grad);
    if (p->bf16) backend->ops->free(backend, p->bf16);
    free(p->name);
    free(p);
}

void sgm_params_destroy(sgm_params *params)
{
    if (!params) return;
    for (int i = 0; i < params->count; i++)
        destroy_parameter(params->backend, params->list[i]);
    free(params->list);
    free(params);
}

int sgm_params_count(const sgm_params *params)
{
    return params->count;
}

sgm_parameter *sgm_params_get(sgm_params *params, int index)
{
    return params->list[index];
}

sgm_parameter *sgm_params_find(sgm_params *params, const char *name)
{
    for (int i = 0; i < params->count; i++)
        if (!strcmp(params->list[i]->name, name)) return params->list[i];
    return NULL;
}

static sgm_status clear(sgm_backend *backend, float *values, int64_t count)
{
    static const float zeros[4096];
    if (backend->ops->clear)
        return backend->ops->clear(backend, values, (size_t)count * sizeof(float));
    for (int64_t at = 0; at < count; at += 4096) {
        int64_t n = count - at < 4096 ? count - at : 4096;
        SGM_TRY(backend->ops->upload(backend, values + at, zeros, (size_t)n * sizeof(float)));
    }
    return SGM_OK;
}

sgm_status sgm_params_clear_grads(sgm_params *params)
{
    for (int i = 0; i < params->count; i++)
        if (params->list[i]->grad)
            SGM_TRY(clear(params->backend, params->list[i]->grad, params->list[i]->count));
    return SGM_OK;
}

sgm_status sgm_params_refresh_bf16(sgm_params *params)
{
    sgm_backend *backend = params->backend;
    for (int i = 0; i < params->count; i++) {
        const sgm_parameter *p = params->list[i];
        if (p->bf16) SGM_TRY(backend->ops->to_bf16(backend, p->bf16, p->value, p->count));
    }
    return SGM_OK;
}

sgm_status sgm_params_keep_bf16(sgm_params *params, sgm_parameter *p)
{
    sgm_backend *backend = params->backend;
    if (p->bf16) return SGM_OK;
    p->bf16 = backend->ops->alloc(backend, (size_t)p->count * 2);
    if (!p->bf16) return sgm_backend_full(backend, "no memory for parameter %s", p->name);
    return backend->ops->to_bf16(backend, p->bf16, p->value, p->count);
}

static sgm_status fill(sgm_params *params, sgm_parameter *p)
{
    const float *values = NULL;
    bool owned = false;
    bool trainable = !params->trainable || params->trainable(params->trainable_user, p->name);
    size_t bytes = (size_t)p->count * sizeof(float);
    p->value = params->backend->ops->alloc(params->backend, bytes);
    if (trainable) p->grad = params->backend->ops->alloc(params->backend, bytes);
    if (!p->value || (trainable && !p->grad))
        return sgm_backend_full(params->backend, "no memory for parameter %s", p->name);
    SGM_TRY(params->read(params->read_user, p->name, p->shape, &values, &owned));
    sgm_status status = params->backend->ops->upload(params->backend, p->value, values, bytes);
    if (owned) free((void *)values);
    if (status == SGM_OK && p->grad) status = clear(params->backend, p->grad, p->count);
    return status;
}

sgm_status sgm_params_of_node(sgm_params *params, const sgm_node *node, sgm_parameter **out)
{
    *out = sgm_params_find(params, node->name);
    if (*out) return SGM_OK;
    if (params->count == params->capacity) {
        int wanted = params->capacity ? 2 * params->capacity : 256;
        sgm_parameter **grown = realloc(params->list, (size_t)wanted * sizeof *grown);
        if (!grown) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for parameters");
        params->list = grown;
        params->capacity = wanted;
    }
    sgm_parameter *p = calloc(1, sizeof *p);
    if (p) p->name = strdup(node->name);
    if (!p || !p->name) {
        free(p);
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for parameter %s", node->name);
    }
    p->shape = node->shape;
    p->count = sgm_shape_count(node->shape);
    sgm_status status = fill(params, p);
    if (status != SGM_OK) {
        destroy_parameter(params->backend, p);
        return status;
    }
    params->list[params->count++] = *out = p;
    return SGM_OK;
}

sgm_backend *sgm_params_backend(const sgm_params *params)
{
    return params->backend;
}
