#include "train/train_weights.h"

#include <stdlib.h>
#include <string.h>

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static uint64_t name_hash(const char *name)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 0x100000001B3u;
    return hash;
}

typedef struct first_rule {
    float mean;
    double deviation;
} first_rule;

static bool is_embedding(const char *name)
{
    return strstr(name, "iou_token") || strstr(name, "mask_tokens") ||
           strstr(name, "_embed.weight") || strstr(name, "point_embeddings") ||
           strstr(name, "gaussian_matrix");
}

/* Values a weight's outputs sum over. */
static double fan_in(const char *name, sgm_shape shape)
{
    if (shape.ndim == 4 && strstr(name, "output_upscaling")) return (double)shape.dim[0];
    double fan = 1;
    for (int i = 1; i < shape.ndim; i++)
        fan *= (double)shape.dim[i];
    return fan;
}

/* Weights: variance 1 / fan-in (LeCun 1998), twice that before a convolution's activation (He
 * 2015); tables, biases 0; norms 1; embeddings normal, as in SAM. */
static first_rule rule_of(const char *name, sgm_shape shape)
{
    if (ends_with(name, "running_var")) return (first_rule){1, 0};
    if (is_embedding(name)) return (first_rule){0, 1};
    if (strstr(name, "attention_biases") || strstr(name, "rel_pos")) return (first_rule){0, 0};
    if (ends_with(name, "pos_embed")) return (first_rule){0, 0.02};
    /* The first convolution: its bias is what brightness is measured against, and keeps black
     * background from being exactly zero, where a norm's gradient is 1 / sqrt(epsilon). */
    if (ends_with(name, "patch_embed.seq.0.c.bias")) return (first_rule){0, 0.5};
    if (shape.ndim <= 1) return (first_rule){ends_with(name, "weight") ? 1 : 0, 0};
    double gain = shape.ndim == 4 ? 2 : 1;
    /* Beside a shortcut, without a norm: small, or the sum grows from block to block. */
    if (strstr(name, "local_conv.c.") || strstr(name, ".refine.") ||
        (strstr(name, ".blocks.") && strstr(name, ".conv3.c.")))
        gain = 0.25;
    return (first_rule){0, sqrt(gain / fan_in(name, shape))};
}

static sgm_status from_checkpoint(const sgm_stored_tensor *tensor, const char *name,
                                  sgm_shape shape, float *values)
{
    bool fits = tensor->rank == shape.ndim;
    for (int i = 0; fits && i < shape.ndim; i++)
        fits = tensor->shape[i] == shape.dim[i];
    char wanted[64], found[96];
    if (!fits)
        return sgm_fail(SGM_BAD_MODEL, "%s: wanted %s, found %s", name,
                        sgm_shape_text(shape, wanted), sgm_stored_tensor_shape_text(tensor, found));
    sgm_stored_tensor_read_f32(tensor, values);
    return SGM_OK;
}

sgm_status sgm_first_values_read(void *user, const char *name, sgm_shape shape,
                                 const float **values, bool *owned)
{
    sgm_first_values *first = user;
    int64_t count = sgm_shape_count(shape);
    float *made = malloc((size_t)count * sizeof *made);
    if (!made) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %s", name);
    const sgm_stored_tensor *tensor =
        first->checkpoint ? sgm_checkpoint_find(first->checkpoint, name) : NULL;
    sgm_status status = SGM_OK;
    if (tensor) {
        status = from_checkpoint(tensor, name, shape, made);
        first->loaded++;
    } else {
        first_rule rule = rule_of(name, shape);
        sgm_rng rng = sgm_rng_at(first->seed, name_hash(name));
        for (int64_t i = 0; i < count; i++)
            made[i] = rule.mean +
                      (rule.deviation > 0 ? (float)(rule.deviation * sgm_rng_normal(&rng)) : 0);
        first->made++;
    }
    if (status != SGM_OK) {
        free(made);
        return status;
    }
    *values = made;
    *owned = true;
    return SGM_OK;
}

bool sgm_is_trainable(void *user, const char *name)
{
    const sgm_train_config *config = user;
    return !ends_with(name, "running_mean") && !ends_with(name, "running_var") &&
           !ends_with(name, "gaussian_matrix") && !sgm_name_matches(config->freeze, name);
}

static void place(sgm_trained *t, const sgm_parameter *p, bool average, float **at)
{
    *t = (sgm_trained){.name = p->name, .count = p->count, .matrix = p->shape.ndim > 1};
    float **const parts[] = {&t->value, &t->gradient, &t->first, &t->second, &t->average};
    for (int i = 0; i < (average ? 5 : 4); i++) {
        *parts[i] = *at;
        *at += p->count;
    }
}

sgm_status sgm_master_create(sgm_backend *backend, sgm_params *params, bool with_average,
                             sgm_master *out)
{
    memset(out, 0, sizeof *out);
    int count = sgm_params_count(params);
    int64_t floats = 0;
    for (int i = 0; i < count; i++) {
        const sgm_parameter *p = sgm_params_get(params, i);
        if (p->grad && p->used) floats += p->count * (with_average ? 5 : 4);
    }
    out->params = params;
    out->trained = calloc((size_t)count + 1, sizeof *out->trained);
    out->parameters = calloc((size_t)count + 1, sizeof *out->parameters);
    out->memory = calloc((size_t)floats + 1, sizeof *out->memory);
    if (!out->trained || !out->parameters || !out->memory) {
        sgm_master_clear(out);
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the optimiser");
    }
    float *at = out->memory;
    for (int i = 0; i < count; i++) {
        sgm_parameter *p = sgm_params_get(params, i);
        if (!p->grad || !p->used) continue;
        sgm_trained *t = &out->trained[out->trained_count];
        out->parameters[out->trained_count++] = p;
        place(t, p, with_average, &at);
        size_t bytes = (size_t)p->count * sizeof(float);
        sgm_status status = backend->ops->download(backend, t->value, p->value, bytes);
        if (status != SGM_OK) {
            sgm_master_clear(out);
            return status;
        }
        if (with_average) memcpy(t->average, t->value, bytes);
    }
    return SGM_OK;
}

void sgm_master_clear(sgm_master *master)
{
    free(master->trained);
    free(master->parameters);
    free(master->memory);
    memset(master, 0, sizeof *master);
}

sgm_status sgm_master_fetch_gradients(sgm_backend *backend, sgm_master *master)
{
    for (int i = 0; i < master->trained_count; i++)
        SGM_TRY(backend->ops->download(backend, master->trained[i].gradient,
                                       master->parameters[i]->grad,
                                       (size_t)master->trained[i].count * sizeof(float)));
    return SGM_OK;
}

sgm_status sgm_master_send(sgm_backend *backend, sgm_master *master, bool averages)
{
    for (int i = 0; i < master->trained_count; i++) {
        const sgm_trained *t = &master->trained[i];
        SGM_TRY(backend->ops->upload(backend, master->parameters[i]->value,
                                     averages && t->average ? t->average : t->value,
                                     (size_t)t->count * sizeof(float)));
    }
    return SGM_OK;
}
