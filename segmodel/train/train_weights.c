#include "train/train_weights.h"

#include "models/warm_start.h"

#include <stdio.h>
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
           strstr(name, "class_embeddings") || strstr(name, "pn_cls_embeddings") ||
           strstr(name, "gaussian_matrix");
}

/* Layers that families add to SAM and leave as PyTorch makes them, uniform within 1 / sqrt(fan-in):
 * adapters (SAMUS, Medical-SAM-Adapter), the first factor of low-rank additions (SAMed), the
 * prototypes' prompts (SurgicalSAM). */
static bool is_usual(const char *name)
{
    return strstr(name, "Adapter.") || strstr(name, ".linear_a_") || !strncmp(name, "w_a_", 4) ||
           strstr(name, "prompt_encoder.dense_fc_") || strstr(name, "prompt_encoder.sparse_fc_");
}

static bool is_down_projection(const char *name)
{
    return ends_with(name, "_down_projection");
}

/* Those whose deviation came from their fan-in alone until they got their authors' own. */
bool sgm_first_rule_changed(const char *name, sgm_shape shape)
{
    return shape.ndim > 1 &&
           (is_usual(name) || is_down_projection(name) || strstr(name, "class_embeddings") ||
            strstr(name, "pn_cls_embeddings"));
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
    /* SAMIHS's adapters change nothing at the start, in its code too. */
    if (ends_with(name, "adapter_rescale")) return (first_rule){0, 0};
    if (strstr(name, "attention_biases") || strstr(name, "rel_pos")) return (first_rule){0, 0};
    if (ends_with(name, "pos_embed")) return (first_rule){0, 0.02};
    /* The first convolution: its bias is what brightness is measured against, and keeps black
     * background from being exactly zero, where a norm's gradient is 1 / sqrt(epsilon). */
    if (ends_with(name, "patch_embed.seq.0.c.bias")) return (first_rule){0, 0.5};
    if (shape.ndim <= 1) return (first_rule){ends_with(name, "weight") ? 1 : 0, 0};
    if (is_usual(name)) return (first_rule){0, sqrt(1 / (3 * fan_in(name, shape)))};
    if (is_down_projection(name)) /* SAMIHS's: Glorot 2010 */
        return (first_rule){0, sqrt(2.0 / (double)(shape.dim[0] + shape.dim[1]))};
    double gain = shape.ndim == 4 ? 2 : 1;
    /* Beside a shortcut, without a norm: small, or the sum grows from block to block. */
    if (strstr(name, "local_conv.c.") || strstr(name, ".refine.") ||
        (strstr(name, ".blocks.") && strstr(name, ".conv3.c.")))
        gain = 0.25;
    return (first_rule){0, sqrt(gain / fan_in(name, shape))};
}

/* What a transformer block of TinyViT adds to its shortcuts. In a network that is deeper than the
 * file it begins from, the blocks that the file lacks begin as nothing: the deeper network answers
 * as the file does until it has learnt more. MobileSAM's have no shortcut around the convolution.
 */
static bool ends_new_branch(const sgm_checkpoint *file, const char *name)
{
    if (!file || !strstr(name, ".layers.") || !strstr(name, ".blocks.")) return false;
    if (ends_with(name, ".local_conv.c.weight"))
        return !sgm_checkpoint_find(file,
                                    "image_encoder.layers.1.blocks.0.local_conv.bn.running_mean");
    return ends_with(name, ".attn.proj.weight") || ends_with(name, ".mlp.fc2.weight");
}

static void note_made(sgm_first_values *first, const char *name)
{
    size_t used = strlen(first->made_names), room = sizeof first->made_names - used;
    if (strlen(name) + 3 < room)
        snprintf(first->made_names + used, room, "%s%s", used ? ", " : "", name);
    first->made++;
}

static void note_origin(sgm_first_values *first, sgm_origin origin)
{
    first->loaded += origin == SGM_ORIGIN_LOADED || origin == SGM_ORIGIN_RESIZED;
    first->resized += origin == SGM_ORIGIN_RESIZED;
    first->zero += origin == SGM_ORIGIN_ZERO;
}

void sgm_first_values_tell(const sgm_first_values *first, char text[640])
{
    size_t held = first->checkpoint ? sgm_checkpoint_count(first->checkpoint) : 0;
    size_t unused = held > (size_t)first->loaded ? held - (size_t)first->loaded : 0;
    int used = snprintf(text, 640, "warm start: %d tensors loaded", first->loaded);
    if (first->resized)
        used += snprintf(text + used, 640 - (size_t)used, " (%d of them resized)", first->resized);
    if (first->zero)
        used += snprintf(text + used, 640 - (size_t)used, ", %d zero at the start", first->zero);
    if (first->made)
        used += snprintf(text + used, 640 - (size_t)used, ", %d made at random (%s)", first->made,
                         first->made_names);
    if (unused)
        snprintf(text + used, 640 - (size_t)used, ", %zu of the file not part of the network",
                 unused);
}

sgm_status sgm_first_values_read(void *user, const char *name, sgm_shape shape,
                                 const float **values, bool *owned)
{
    sgm_first_values *first = user;
    int64_t count = sgm_shape_count(shape);
    float *made = malloc((size_t)count * sizeof *made);
    if (!made) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %s", name);
    sgm_origin origin = SGM_ORIGIN_MADE;
    sgm_status status =
        sgm_warm_start(first->checkpoint, first->family, name, shape, made, &origin);
    if (origin == SGM_ORIGIN_MADE && ends_new_branch(first->checkpoint, name)) {
        memset(made, 0, (size_t)count * sizeof *made);
        origin = SGM_ORIGIN_ZERO;
    }
    if (status == SGM_OK) note_origin(first, origin);
    if (status == SGM_OK && origin == SGM_ORIGIN_MADE) {
        first_rule rule = rule_of(name, shape);
        sgm_rng rng = sgm_rng_at(first->seed, name_hash(name));
        for (int64_t i = 0; i < count; i++)
            made[i] = rule.mean +
                      (rule.deviation > 0 ? (float)(rule.deviation * sgm_rng_normal(&rng)) : 0);
        note_made(first, name);
    }
    if (status != SGM_OK) {
        free(made);
        return status;
    }
    *values = made;
    *owned = true;
    return SGM_OK;
}

/* "family" stands for what the authors of the network's family train. */
static bool is_chosen(const sgm_train_config *config, const char *name)
{
    const char *only = config->train_only;
    if (!strcmp(only, "family")) {
        const sgm_protocol *protocol = config->model.protocol;
        only = protocol && protocol->trained ? protocol->trained : config->model.family->trained;
    }
    return !only || !*only || sgm_name_matches(only, name);
}

/* Embeddings of prompts that never come: the official code gives them no gradient at all, so that
 * not even weight decay moves them. */
static bool is_asked_for(const sgm_sampler_options *o, const char *name)
{
    const char *at = strstr(name, "prompt_encoder.");
    if (o->asked == SGM_ASKED_MIXED || !at) return true;
    bool either = o->asked == SGM_ASKED_EITHER;
    bool points = o->given ? sgm_given_has_points(o->given) : o->asked == SGM_ASKED_POINT || either;
    bool boxes = o->given ? sgm_given_has_boxes(o->given) : o->asked == SGM_ASKED_BOX || either;
    if (o->rounds > 1) points = true; /* corrections */
    if (strstr(at, "point_embeddings.0.") || strstr(at, "point_embeddings.1.") ||
        strstr(at, "not_a_point_embed."))
        return points;
    if (strstr(at, "point_embeddings.2.") || strstr(at, "point_embeddings.3.")) return boxes;
    return true;
}

bool sgm_is_trainable(void *user, const char *name)
{
    const sgm_train_config *config = user;
    return !ends_with(name, "running_mean") && !ends_with(name, "running_var") &&
           !ends_with(name, "gaussian_matrix") && !sgm_name_matches(config->freeze, name) &&
           is_chosen(config, name) && is_asked_for(&config->sampler, name);
}

float sgm_layer_rate(const sgm_train_config *config, const char *name)
{
    static const char block[] = "image_encoder.blocks.";
    const int depth = config->model.vit.depth;
    int layer = depth + 1;
    if (config->layer_decay == 1) return 1;
    if (!strncmp(name, block, sizeof block - 1))
        layer = atoi(name + sizeof block - 1) + 1;
    else if (!strcmp(name, "image_encoder.pos_embed") ||
             !strncmp(name, "image_encoder.patch_embed.", 26))
        layer = 0;
    return (float)pow(config->layer_decay, depth + 1 - layer);
}

int64_t sgm_muon_rows(const char *name, sgm_shape shape)
{
    const int64_t least = 16;
    int64_t rows = shape.ndim > 1 ? shape.dim[0] : 0;
    bool depthwise = shape.ndim == 4 && shape.dim[1] == 1;
    bool table = is_embedding(name) || strstr(name, "attention_biases") ||
                 strstr(name, "rel_pos") || ends_with(name, "pos_embed");
    if (rows < least || sgm_shape_count(shape) / rows < least || depthwise || table) return 0;
    return rows;
}

/* ---------------------------------------------------------------------------------- the master */

/* Floats of a tensor's share of a block: as aligned as memory of its own. */
static int64_t room_of(int64_t count)
{
    return (count + 63) / 64 * 64;
}

static int64_t rows_for_muon(const sgm_train_config *config, const sgm_parameter *p)
{
    bool muon = config && config->optim.kind == SGM_OPTIMIZER_MUON;
    return muon ? sgm_muon_rows(p->name, p->shape) : 0;
}

static void place(sgm_trained *t, const sgm_parameter *p, bool average,
                  const sgm_train_config *config, float **at)
{
    *t = (sgm_trained){.name = p->name,
                       .count = p->count,
                       .matrix = p->shape.ndim > 1,
                       .value = p->value,
                       .gradient = p->grad,
                       .bf16 = p->bf16,
                       .rate = config ? sgm_layer_rate(config, p->name) : 1,
                       .rows = rows_for_muon(config, p)};
    float **const parts[] = {&t->first, t->rows ? NULL : &t->second, average ? &t->average : NULL};
    for (int i = 0; i < 3; i++) {
        if (!parts[i]) continue;
        *parts[i] = *at;
        *at += room_of(p->count);
    }
}

static sgm_status zero(sgm_backend *backend, void *memory, size_t size)
{
    if (backend->ops->clear) return backend->ops->clear(backend, memory, size);
    memset(memory, 0, size); /* host memory */
    return SGM_OK;
}

static sgm_status reserve(sgm_master *m, bool with_average, const sgm_train_config *config)
{
    int count = sgm_params_count(m->params);
    size_t floats = 64;
    for (int i = 0; i < count; i++) {
        const sgm_parameter *p = sgm_params_get(m->params, i);
        if (!p->grad || !p->used) continue;
        int parts = 1 + !rows_for_muon(config, p) + with_average;
        floats += (size_t)room_of(p->count) * (size_t)parts;
    }
    m->trained = calloc((size_t)count + 1, sizeof *m->trained);
    m->parameters = calloc((size_t)count + 1, sizeof *m->parameters);
    m->memory = m->backend->ops->alloc(m->backend, floats * sizeof(float));
    m->norm = m->backend->ops->alloc(m->backend, sizeof *m->norm);
    if (!m->trained || !m->parameters || !m->memory || !m->norm)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the optimiser (%zu MiB)",
                        floats * sizeof(float) >> 20);
    return zero(m->backend, m->memory, floats * sizeof(float));
}

static sgm_status start_averages(sgm_master *m)
{
    const sgm_backend_ops *ops = m->backend->ops;
    for (int i = 0; i < m->trained_count; i++) {
        const sgm_trained *t = &m->trained[i];
        size_t bytes = (size_t)t->count * sizeof(float);
        float *values = malloc(bytes);
        if (!values) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the optimiser");
        sgm_status status = ops->download(m->backend, values, t->value, bytes);
        if (status == SGM_OK) status = ops->upload(m->backend, t->average, values, bytes);
        free(values);
        if (status != SGM_OK) return status;
    }
    return SGM_OK;
}

static sgm_status set_up(sgm_master *m, bool with_average, const sgm_train_config *config)
{
    SGM_TRY(reserve(m, with_average, config));
    float *at = m->memory;
    for (int i = 0; i < sgm_params_count(m->params); i++) {
        sgm_parameter *p = sgm_params_get(m->params, i);
        if (!p->grad || !p->used) continue;
        place(&m->trained[m->trained_count], p, with_average, config, &at);
        m->parameters[m->trained_count++] = p;
    }
    if (with_average) SGM_TRY(start_averages(m));
    if (!m->backend->ops->optim_bind) return SGM_OK;
    return m->backend->ops->optim_bind(m->backend, m->trained, m->trained_count, &m->table);
}

sgm_status sgm_master_create(sgm_backend *backend, sgm_params *params, bool with_average,
                             const sgm_train_config *config, sgm_master *out)
{
    *out = (sgm_master){.backend = backend, .params = params};
    sgm_status status = set_up(out, with_average, config);
    if (status != SGM_OK) sgm_master_clear(out);
    return status;
}

static void point_to(sgm_master *master, bool averages)
{
    for (int i = 0; i < master->trained_count; i++) {
        const sgm_trained *t = &master->trained[i];
        master->parameters[i]->value = averages && t->average ? t->average : t->value;
    }
}

void sgm_master_clear(sgm_master *master)
{
    sgm_backend *backend = master->backend;
    if (!backend) return;
    point_to(master, false);
    if (master->table) backend->ops->optim_release(backend, master->table);
    if (master->memory) backend->ops->free(backend, master->memory);
    if (master->norm) backend->ops->free(backend, master->norm);
    free(master->trained);
    free(master->parameters);
    memset(master, 0, sizeof *master);
}

sgm_status sgm_master_clear_gradients(sgm_master *master)
{
    if (!master->table) return sgm_params_clear_grads(master->params);
    return master->backend->ops->optim_clear(master->backend, master->table);
}

sgm_status sgm_master_update(sgm_master *master, const sgm_optim_numbers *numbers)
{
    if (master->table)
        return master->backend->ops->optim_update(master->backend, master->table, numbers,
                                                  master->norm);
    return sgm_optim_update(master->backend, numbers, master->trained, master->trained_count,
                            master->norm);
}

sgm_status sgm_master_show(sgm_master *master, bool averages)
{
    if (!master->trained_count || !master->trained[0].average) return SGM_OK;
    point_to(master, averages);
    return sgm_params_refresh_bf16(master->params);
}

/* ---------------------------------------------------------------------------- the host's copies */

enum { PARTS = 5 };

static float **part_of(sgm_trained *t, int part)
{
    float **const parts[PARTS] = {&t->gradient, &t->value, &t->first, &t->second, &t->average};
    return parts[part];
}

sgm_status sgm_master_read(const sgm_master *master, sgm_host_master *out)
{
    int count = master->trained_count;
    size_t floats = 1;
    memset(out, 0, sizeof *out);
    for (int i = 0; i < count; i++)
        floats += (size_t)master->trained[i].count * PARTS;
    out->trained = calloc((size_t)count + 1, sizeof *out->trained);
    if (!out->trained) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a copy of the weights");
    memcpy(out->trained, master->trained, (size_t)count * sizeof *out->trained);
    if (master->backend->ops->host_memory) return SGM_OK;
    float *at = out->memory = malloc(floats * sizeof *at);
    if (!at) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a copy of the weights");
    for (int i = 0; i < count; i++)
        for (int part = 0; part < PARTS; part++) {
            float **values = part_of(&out->trained[i], part);
            size_t bytes = (size_t)out->trained[i].count * sizeof *at;
            if (!*values) continue;
            SGM_TRY(master->backend->ops->download(master->backend, at, *values, bytes));
            *values = at;
            at += out->trained[i].count;
        }
    return SGM_OK;
}

sgm_status sgm_master_write(sgm_master *master, const sgm_host_master *host)
{
    for (int i = 0; host->memory && i < master->trained_count; i++)
        for (int part = 1; part < PARTS; part++) {
            float *to = *part_of(&master->trained[i], part);
            const float *from = *part_of(&host->trained[i], part);
            size_t bytes = (size_t)master->trained[i].count * sizeof *to;
            if (to) SGM_TRY(master->backend->ops->upload(master->backend, to, from, bytes));
        }
    return sgm_params_refresh_bf16(master->params);
}

void sgm_host_master_clear(sgm_host_master *host)
{
    free(host->trained);
    free(host->memory);
    memset(host, 0, sizeof *host);
}
