#include "predict/session/model.h"

#include "core/names.h"
#include "core/sync.h"
#include "models/registry.h"
#include "plan/weights.h"
#include "predict/session/prompt_tokens.h"
#include "segmodel/classes.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_PROGRAMS = 16 };

struct sgm_model {
    atomic_int references;
    sgm_context *context;
    sgm_checkpoint *checkpoint;
    sgm_model_config config;
    char assumption[512];
    bool *used; /* which tensors the network asked for, by their place in the file */
    int64_t parameters;
    sgm_precision precision; /* FP32 or BF16 */
    sgm_weights *weights;
    sgm_mutex lock; /* of what follows */
    sgm_program *programs[KEPT_PROGRAMS];
    uint64_t clock;
    uint64_t hash; /* 0: not computed yet */
};

static bool shape_is(const sgm_stored_tensor *tensor, sgm_shape wanted)
{
    if (tensor->rank != wanted.ndim) return false;
    for (int i = 0; i < wanted.ndim; i++)
        if (tensor->shape[i] != wanted.dim[i]) return false;
    return true;
}

/* "(256, 64, 2, 2)", as sgm_stored_tensor_shape_text writes what was found. */
static const char *wanted_text(sgm_shape shape, char text[96])
{
    size_t used = (size_t)snprintf(text, 96, "(");
    for (int i = 0; i < shape.ndim; i++)
        used += (size_t)snprintf(text + used, 96 - used, "%s%lld", i ? ", " : "",
                                 (long long)shape.dim[i]);
    snprintf(text + used, 96 - used, ")");
    return text;
}

sgm_status sgm_checkpoint_check(void *user, const char *name, sgm_shape wanted)
{
    const sgm_checkpoint *checkpoint = user;
    const sgm_stored_tensor *tensor = sgm_checkpoint_find(checkpoint, name);
    char want[96], found[96];
    if (!tensor)
        return sgm_fail(SGM_BAD_MODEL, "%s: tensor %s of shape %s is missing%s",
                        sgm_checkpoint_path(checkpoint), name, wanted_text(wanted, want),
                        sgm_registry_missing_hint(checkpoint));
    if (tensor->count == 0)
        return sgm_fail(SGM_BAD_MODEL,
                        "%s: tensor %s holds no values, as where DeepSpeed's ZeRO-3 keeps them in "
                        "other files: python zero_to_fp32.py, in their folder, joins them",
                        sgm_checkpoint_path(checkpoint), name);
    if (!shape_is(tensor, wanted))
        return sgm_fail(SGM_BAD_MODEL, "%s: tensor %s should be %s, it is %s",
                        sgm_checkpoint_path(checkpoint), name, wanted_text(wanted, want),
                        sgm_stored_tensor_shape_text(tensor, found));
    if (!sgm_stored_type_is_float(tensor->type))
        return sgm_fail(SGM_BAD_MODEL, "%s: tensor %s should hold floating-point numbers, not %s",
                        sgm_checkpoint_path(checkpoint), name, sgm_stored_type_name(tensor->type));
    return SGM_OK;
}

sgm_status sgm_checkpoint_read(void *user, const char *name, sgm_shape wanted, const float **values,
                               bool *owned)
{
    SGM_TRY(sgm_checkpoint_check(user, name, wanted));
    const sgm_stored_tensor *tensor = sgm_checkpoint_find(user, name);
    *owned = false;
    *values = sgm_stored_tensor_f32(tensor);
    if (*values) return SGM_OK;
    float *converted = malloc(tensor->count ? tensor->count * sizeof *converted : 1);
    if (!converted)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for tensor %s (%zu values)", name,
                        tensor->count);
    sgm_status status = sgm_stored_tensor_read_f32(tensor, converted);
    if (status != SGM_OK) {
        free(converted);
        return status;
    }
    *values = converted;
    *owned = true;
    return SGM_OK;
}

static sgm_status check_and_mark(void *user, const char *name, sgm_shape wanted)
{
    sgm_model *model = user;
    SGM_TRY(sgm_checkpoint_check(model->checkpoint, name, wanted));
    const sgm_stored_tensor *found = sgm_checkpoint_find(model->checkpoint, name);
    for (size_t i = 0; i < sgm_checkpoint_count(model->checkpoint); i++)
        if (sgm_checkpoint_tensor(model->checkpoint, i) == found) model->used[i] = true;
    return SGM_OK;
}

bool sgm_model_leaves_out(const sgm_model *model, size_t index)
{
    return !model->used[index] && sgm_checkpoint_tensor(model->checkpoint, index)->beside;
}

/* Tensors that the network does not use carry meaning it would lose: the file is of another network
 * than it is taken for. All but what the family's official files are known to carry unused, and
 * what stood beside the network in the program that trained it. */
static sgm_status refuse_leftovers(const sgm_model *model)
{
    enum { NAMED = 3 };
    char names[512] = "";
    size_t count = 0, length = 0;
    for (size_t i = 0; i < sgm_checkpoint_count(model->checkpoint); i++) {
        const char *name = sgm_checkpoint_tensor(model->checkpoint, i)->name;
        if (model->used[i] || sgm_model_leaves_out(model, i) ||
            sgm_name_matches(model->config.family->unused, name))
            continue;
        if (count++ < NAMED && length < sizeof names)
            length += (size_t)snprintf(names + length, sizeof names - length, "%s%.120s",
                                       length ? ", " : "", name);
    }
    if (!count) return SGM_OK;
    return sgm_fail(SGM_BAD_MODEL,
                    "%s: %zu of its tensors have no place in %s: %s%s; it is a file of another "
                    "network (--variant; segmodel info lists those that are known)",
                    sgm_checkpoint_path(model->checkpoint), count, model->config.variant, names,
                    count > NAMED ? ", ..." : "");
}

/* Emits all stages of the network, so that a missing or misshapen tensor is found when the file is
 * loaded and not at the first prediction. */
static sgm_status emit_network(sgm_model *model)
{
    const bool classes = model->config.classes > 0, listens = sgm_config_listens(&model->config);
    const sgm_program_key keys[] = {
        {.stage = SGM_STAGE_ENCODE, .batch = 1},
        {.stage = SGM_STAGE_DECODE,
         .batch = 1,
         .tokens = listens ? 2 : 0,
         .mask = listens,
         .classes = classes},
        {.stage = SGM_STAGE_DECODE, .batch = 1, .tokens = listens ? 2 : 0, .classes = classes}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        sgm_program *program;
        SGM_TRY(sgm_program_build(&model->config, keys[i], check_and_mark, model, NULL, &program));
        sgm_program_destroy(program);
    }
    return SGM_OK;
}

static sgm_status check_network(sgm_model *model)
{
    model->used = calloc(sgm_checkpoint_count(model->checkpoint) + 1, sizeof *model->used);
    if (!model->used) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a model");
    SGM_TRY(emit_network(model));
    return refuse_leftovers(model);
}

static int64_t count_parameters(const sgm_model *model)
{
    int64_t count = 0;
    for (size_t i = 0; i < sgm_checkpoint_count(model->checkpoint); i++) {
        const sgm_stored_tensor *tensor = sgm_checkpoint_tensor(model->checkpoint, i);
        if (sgm_stored_type_is_float(tensor->type) && !sgm_model_leaves_out(model, i))
            count += (int64_t)tensor->count;
    }
    return count;
}

static sgm_status use_backend(sgm_model *model, sgm_backend **backend)
{
    sgm_context_take(model->context, backend, &model->precision);
    return sgm_weights_create(*backend, sgm_checkpoint_read, model->checkpoint, &model->weights);
}

/* Does the device hold the weights of the encoder and the memory to run it? */
static sgm_status try_device(sgm_model *model)
{
    sgm_program *program;
    sgm_workspace *workspace;
    SGM_TRY(sgm_model_program(model, (sgm_program_key){.batch = 1}, &program));
    sgm_status status = sgm_workspace_create(program->plan, &workspace);
    if (status == SGM_OK) sgm_workspace_destroy(workspace);
    sgm_model_release(model, program);
    return status;
}

static void drop_programs(sgm_model *model)
{
    for (int i = 0; i < KEPT_PROGRAMS; i++) {
        sgm_program_destroy(model->programs[i]);
        model->programs[i] = NULL;
    }
}

/* Where the user left the choice to us, a GPU that is too small or fails is found out here, before
 * anything is computed on it, and the CPU taken. */
static sgm_status choose_device(sgm_model *model)
{
    sgm_backend *backend;
    SGM_TRY(use_backend(model, &backend));
    if (!sgm_context_may_use_cpu(model->context, backend)) return SGM_OK;
    sgm_status status = try_device(model);
    if (status != SGM_OUT_OF_MEMORY && status != SGM_DEVICE) return status;
    sgm_context_log(model->context, "The CPU is used instead of the GPU: %s.", sgm_last_message());
    drop_programs(model);
    sgm_weights_destroy(model->weights);
    model->weights = NULL;
    SGM_TRY(sgm_context_use_cpu(model->context, backend));
    return use_backend(model, &backend);
}

static sgm_status open_model(sgm_model *model, const char *base, const char *path,
                             const char *variant)
{
    SGM_TRY(sgm_registry_open(path, base, &model->checkpoint));
    SGM_TRY(sgm_registry_detect(model->checkpoint, variant, &model->config, model->assumption));
    SGM_TRY(check_network(model));
    model->parameters = count_parameters(model);
    if (model->assumption[0]) sgm_context_log(model->context, "%s", model->assumption);
    return choose_device(model);
}

sgm_status sgm_model_load(sgm_context *context, const char *path, const char *variant,
                          sgm_model **out)
{
    return sgm_model_load_on(context, NULL, path, variant, out);
}

sgm_status sgm_model_load_on(sgm_context *context, const char *base, const char *path,
                             const char *variant, sgm_model **out)
{
    if (!context || !path || !out)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_model_load: context, path or out is NULL");
    *out = NULL;
    sgm_model *model = calloc(1, sizeof *model);
    if (!model) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a model");
    atomic_init(&model->references, 1);
    model->context = sgm_context_retain(context);
    sgm_mutex_create(&model->lock);
    sgm_status status = open_model(model, base, path, variant);
    if (status != SGM_OK) {
        sgm_model_destroy(model);
        return status;
    }
    *out = model;
    return SGM_OK;
}

sgm_model *sgm_model_retain(sgm_model *model)
{
    atomic_fetch_add(&model->references, 1);
    return model;
}

void sgm_model_destroy(sgm_model *model)
{
    if (!model || atomic_fetch_sub(&model->references, 1) != 1) return;
    drop_programs(model);
    sgm_weights_destroy(model->weights);
    free(model->used);
    sgm_checkpoint_close(model->checkpoint);
    sgm_mutex_destroy(&model->lock);
    sgm_context_destroy(model->context);
    free(model);
}

/* Its place in a comma-separated list, from 1; 0 if it is not there. */
static int place_in_list(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (int place = 1; list && *list; place++) {
        size_t size = strcspn(list, ",");
        if (size == length && !strncmp(list, name, size)) return place;
        list += size + (list[size] == ',');
    }
    return 0;
}

sgm_status sgm_model_class(const sgm_model *model, const char *text, int *class_index)
{
    const char *names = sgm_checkpoint_metadata(model->checkpoint, SGM_METADATA_CLASSES);
    char *end;
    long number = strtol(text, &end, 10);
    bool is_number = end != text && !*end && number > 0 && number <= model->config.classes;
    *class_index = is_number ? (int)number : place_in_list(names, text);
    if (*class_index && *class_index <= model->config.classes) return SGM_OK;
    if (!model->config.classes) return sgm_prompt_check_class(&model->config, 1);
    return sgm_fail(
        SGM_BAD_PROMPT, "there is no class '%.60s' in %s; its classes are 1 to %d%s%.300s", text,
        model->config.variant, model->config.classes, names ? ": " : "", names ? names : "");
}

void sgm_model_class_name(const sgm_model *model, int class_index, char *name, size_t room)
{
    const char *list = sgm_checkpoint_metadata(model->checkpoint, SGM_METADATA_CLASSES);
    size_t size = 0;
    if (!room) return;
    for (int place = 1; list && *list && place <= class_index; place++) {
        size = strcspn(list, ",");
        if (place == class_index) break;
        list += size + (list[size] == ',');
        size = 0;
    }
    if (class_index < 1 || class_index > model->config.classes) size = 0;
    if (size >= room) size = room - 1;
    if (size) memcpy(name, list, size);
    name[size] = 0;
}

int sgm_model_wants_places(const sgm_model *model)
{
    return sgm_config_listens(&model->config);
}

sgm_context *sgm_model_context(const sgm_model *model)
{
    return model->context;
}

const sgm_model_config *sgm_model_get_config(const sgm_model *model)
{
    return &model->config;
}

const sgm_checkpoint *sgm_model_checkpoint(const sgm_model *model)
{
    return model->checkpoint;
}

sgm_weights *sgm_model_weights(const sgm_model *model)
{
    return model->weights;
}

sgm_plan_options sgm_model_plan_options(const sgm_model *model)
{
    return (sgm_plan_options){.bf16 = model->precision == SGM_PRECISION_BF16,
                              .memory_limit = sgm_context_memory_limit(model->context),
                              .cancelled = sgm_context_cancelled,
                              .cancel_user = model->context};
}

static bool same_key(sgm_program_key a, sgm_program_key b)
{
    return a.stage == b.stage && a.batch == b.batch && a.tokens == b.tokens && a.mask == b.mask &&
           a.classes == b.classes;
}

/* The place for a new program: an empty one, else that of the least recently used program which
 * nobody holds; NULL if all are held. */
static sgm_program **free_place(sgm_model *model)
{
    sgm_program **oldest = NULL;
    for (int i = 0; i < KEPT_PROGRAMS; i++) {
        sgm_program *p = model->programs[i];
        if (!p) return &model->programs[i];
        if (p->references == 0 && (!oldest || p->last_used < (*oldest)->last_used))
            oldest = &model->programs[i];
    }
    return oldest;
}

/* With the lock held. A program that finds no place belongs to its holder alone. */
static sgm_status make_program(sgm_model *model, sgm_program_key key, sgm_program **out)
{
    sgm_plan_options options = sgm_model_plan_options(model);
    bool host = sgm_weights_backend(model->weights)->ops->host_memory;
    options.inputs_once = host && key.stage == SGM_STAGE_ENCODE;
    /* A GPU's products are cheap, each launch is not. */
    sgm_net net = {.few_tokens = host};
    SGM_TRY(
        sgm_program_build(&model->config, key, sgm_checkpoint_check, model->checkpoint, &net, out));
    sgm_status status = sgm_program_plan(*out, model->weights, &options);
    if (status != SGM_OK) {
        sgm_program_destroy(*out);
        *out = NULL;
        return status;
    }
    sgm_program **place = free_place(model);
    if (!place) return SGM_OK;
    sgm_program_destroy(*place);
    *place = *out;
    return SGM_OK;
}

static sgm_program *find_program(sgm_model *model, sgm_program_key key)
{
    for (int i = 0; i < KEPT_PROGRAMS; i++)
        if (model->programs[i] && same_key(model->programs[i]->key, key)) return model->programs[i];
    return NULL;
}

sgm_status sgm_model_program(sgm_model *model, sgm_program_key key, sgm_program **out)
{
    sgm_status status = SGM_OK;
    sgm_mutex_lock(&model->lock);
    *out = find_program(model, key);
    if (!*out) status = make_program(model, key, out);
    if (status == SGM_OK) {
        (*out)->references++;
        (*out)->last_used = ++model->clock;
    }
    sgm_mutex_unlock(&model->lock);
    return status;
}

void sgm_model_release(sgm_model *model, sgm_program *program)
{
    if (!program) return;
    sgm_mutex_lock(&model->lock);
    bool kept = false;
    for (int i = 0; i < KEPT_PROGRAMS; i++)
        kept |= model->programs[i] == program;
    bool last = --program->references == 0;
    sgm_mutex_unlock(&model->lock);
    if (last && !kept) sgm_program_destroy(program);
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ p[i]) * UINT64_C(0x100000001B3);
    return hash;
}

/* Name, type, shape, and the values: all of a small tensor, 32 runs of 16 values spread evenly over
 * a large one. Training moves every value of a tensor, so this tells any two trained models apart
 * at the cost of touching a few pages per tensor; it does not notice an edit of single values. */
static uint64_t mix_tensor(uint64_t hash, const sgm_stored_tensor *stored)
{
    enum { RUN = 16, RUNS = 32 };
    float values[RUN];
    sgm_stored_tensor gathered;
    void *memory;
    bool cut = sgm_stored_tensor_gathered(stored, &gathered, &memory) != SGM_OK;
    const sgm_stored_tensor *t = cut ? stored : &gathered;
    hash = mix(hash, t->name, strlen(t->name) + 1);
    hash = mix(hash, &t->type, sizeof t->type);
    hash = mix(hash, t->shape, (size_t)t->rank * sizeof *t->shape);
    size_t step = t->count > RUN * RUNS ? (t->count - RUN) / (RUNS - 1) : RUN;
    for (size_t first = 0; first < t->count; first += step) {
        size_t count = t->count - first < RUN ? t->count - first : RUN;
        if (cut || sgm_stored_tensor_read_f32_range(t, first, count, values) != SGM_OK)
            memset(values, 0, sizeof values); /* a file that was cut has another hash */
        hash = mix(hash, values, count * sizeof *values);
    }
    free(memory);
    return hash;
}

static uint64_t hash_weights(const sgm_model *model)
{
    sgm_feature features[SGM_MAX_FEATURES]; /* how stored embeddings are laid out */
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    hash = mix(hash, model->config.variant, strlen(model->config.variant));
    hash = mix(hash, &model->config.image_size, sizeof model->config.image_size);
    hash = mix(hash, model->config.protocol->name, strlen(model->config.protocol->name));
    for (int i = sgm_config_features(&model->config, features); i-- > 0;)
        hash = mix(hash, features[i].name, strlen(features[i].name));
    for (size_t i = 0; i < sgm_checkpoint_count(model->checkpoint); i++)
        if (!sgm_model_leaves_out(model, i))
            hash = mix_tensor(hash, sgm_checkpoint_tensor(model->checkpoint, i));
    return hash ? hash : 1;
}

/* The hash is computed when somebody first asks: loading stays a matter of milliseconds. */
static uint64_t model_hash(const sgm_model *model)
{
    sgm_model *writable = (sgm_model *)model;
    sgm_mutex_lock(&writable->lock);
    if (!writable->hash) writable->hash = hash_weights(model);
    uint64_t hash = writable->hash;
    sgm_mutex_unlock(&writable->lock);
    return hash;
}

void sgm_model_get_info(const sgm_model *model, sgm_model_info *info)
{
    const sgm_model_config *config = &model->config;
    sgm_feature features[SGM_MAX_FEATURES];
    sgm_config_features(config, features);
    *info = (sgm_model_info){.variant = config->variant,
                             .assumption = model->assumption,
                             .image_size = config->image_size,
                             .embedding_shape = {(int)features[0].channels, (int)features[0].rows,
                                                 (int)features[0].columns},
                             .embedding_count = sgm_config_embedding_count(config),
                             .mask_tokens = config->decoder.mask_tokens,
                             .classes = config->classes,
                             .low_res_shape = {4 * config->grid, 4 * config->grid},
                             .parameters = model->parameters,
                             .hash = model_hash(model),
                             .precision = model->precision};
}
