#include "train/train_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/checkpoint_write.h"
#include "core/names.h"
#include "core/number.h"
#include "models/registry.h"
#include "predict/look/session_predictor.h"
#include "predict/session/postprocess.h"
#include "predict/session/prompt_prior.h"
#include "train/network_names.h"

static const char *const PARTS[] = {"value", "first", "second", "average"};
enum { PART_COUNT = 4 };

static float *part_of(const sgm_trained *t, int part)
{
    float *const parts[PART_COUNT] = {t->value, t->first, t->second, t->average};
    return parts[part];
}

static void progress_text(const sgm_train_progress_state *s, char text[160])
{
    char seconds[SGM_NUMBER_TEXT], best[SGM_NUMBER_TEXT];
    snprintf(text, 160, "%" PRId64 " %s %s %" PRId64 " %d %" PRId64, s->step,
             sgm_number_text(seconds, "%.17g", s->seconds), sgm_number_text(best, "%.17g", s->best),
             s->best_step, s->without_progress, s->validated);
}

/* What progress_text wrote, or that of an earlier version, which ends before `validated`. */
static int read_progress(const char *text, sgm_train_progress_state *s)
{
    int used = 0;
    if (sscanf(text, "%" SCNd64 "%n", &s->step, &used) != 1) return 0;
    text += used;
    s->validated = -1;
    return sgm_take_number(&text, &s->seconds) && sgm_take_number(&text, &s->best) &&
           sscanf(text, "%" SCNd64 " %d %" SCNd64, &s->best_step, &s->without_progress,
                  &s->validated) >= 2;
}

static sgm_status add_parts(sgm_checkpoint_writer *writer, const sgm_trained *trained, int count)
{
    char name[320];
    for (int i = 0; i < count; i++) {
        const sgm_trained *t = &trained[i];
        for (int part = 0; part < PART_COUNT; part++) {
            if (!part_of(t, part)) continue;
            snprintf(name, sizeof name, "%s/%s", PARTS[part], t->name);
            SGM_TRY(sgm_checkpoint_writer_add_f32(writer, name, 1, &t->count, part_of(t, part),
                                                  SGM_STORED_F32));
        }
    }
    return SGM_OK;
}

/* What batch norms gather while training, which no gradient changes: statistics whose names begin
 * with "gathered/" in a state. */
static bool is_gathered(const sgm_train_config *config, const char *name)
{
    return config->norms == SGM_NORMS_BATCH &&
           sgm_name_matches("*.running_mean,*.running_var", name);
}

static sgm_status add_gathered(sgm_checkpoint_writer *writer, const sgm_train_config *config,
                               const sgm_master *master, float *values)
{
    for (int i = 0; i < sgm_params_count(master->params); i++) {
        const sgm_parameter *p = sgm_params_get(master->params, i);
        char name[320];
        if (!is_gathered(config, p->name)) continue;
        snprintf(name, sizeof name, "gathered/%s", p->name);
        SGM_TRY(master->backend->ops->download(master->backend, values, p->value,
                                               (size_t)p->count * sizeof *values));
        SGM_TRY(sgm_checkpoint_writer_add_f32(writer, name, 1, &p->count, values, SGM_STORED_F32));
        values += p->count;
    }
    return SGM_OK;
}

static sgm_status load_gathered(const sgm_checkpoint *file, const char *path,
                                const sgm_train_config *config, const sgm_master *master)
{
    for (int i = 0; i < sgm_params_count(master->params); i++) {
        const sgm_parameter *p = sgm_params_get(master->params, i);
        char name[320];
        if (!is_gathered(config, p->name)) continue;
        snprintf(name, sizeof name, "gathered/%s", p->name);
        const sgm_stored_tensor *t = sgm_checkpoint_find(file, name);
        if (!t || t->type != SGM_STORED_F32 || t->count != (size_t)p->count)
            return sgm_fail(SGM_BAD_MODEL, "%s: %s is missing or of another size", path, name);
        float *values = malloc(t->count * sizeof *values);
        if (!values) return sgm_fail(SGM_OUT_OF_MEMORY, "%s: no memory", path);
        sgm_status status = sgm_stored_tensor_read_f32(t, values);
        if (status == SGM_OK)
            status = master->backend->ops->upload(master->backend, p->value, values,
                                                  t->count * sizeof *values);
        free(values);
        if (status != SGM_OK) return status;
    }
    return SGM_OK;
}

/* Floats of all gathered statistics, at least one. */
static size_t gathered_floats(const sgm_train_config *config, const sgm_master *master)
{
    size_t floats = 1;
    for (int i = 0; i < sgm_params_count(master->params); i++) {
        const sgm_parameter *p = sgm_params_get(master->params, i);
        if (is_gathered(config, p->name)) floats += (size_t)p->count;
    }
    return floats;
}

static sgm_status add_bank(sgm_checkpoint_writer *writer, const sgm_bank *bank)
{
    char *text = sgm_bank_text(bank);
    if (!text) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the image bank");
    sgm_status status = sgm_checkpoint_writer_metadata(writer, "training_bank", text);
    free(text);
    return status;
}

sgm_status sgm_train_state_save(const char *path, const sgm_train_config *config,
                                const sgm_run_identity *identity, const sgm_master *master,
                                const sgm_train_progress_state *state)
{
    sgm_checkpoint_writer *writer;
    sgm_host_master host;
    char progress[160];
    progress_text(state, progress);
    float *gathered = malloc(gathered_floats(config, master) * sizeof *gathered);
    if (!gathered) return sgm_fail(SGM_OUT_OF_MEMORY, "%s: no memory", path);
    sgm_status status = sgm_checkpoint_writer_create(&writer);
    if (status != SGM_OK) {
        free(gathered);
        return status;
    }
    status = sgm_checkpoint_writer_metadata(writer, "training_run", identity->network);
    if (status == SGM_OK)
        status = sgm_checkpoint_writer_metadata(writer, "training_settings", identity->settings);
    if (status == SGM_OK)
        status = sgm_checkpoint_writer_metadata(writer, "training_progress", progress);
    if (status == SGM_OK && state->bank) status = add_bank(writer, state->bank);
    if (status == SGM_OK) {
        status = sgm_master_read(master, &host);
        if (status == SGM_OK) status = add_parts(writer, host.trained, master->trained_count);
        if (status == SGM_OK) status = add_gathered(writer, config, master, gathered);
        if (status == SGM_OK) status = sgm_checkpoint_writer_save(writer, path);
        sgm_host_master_clear(&host);
    }
    sgm_checkpoint_writer_destroy(writer);
    free(gathered);
    return status;
}

static sgm_status load_part(const sgm_checkpoint *file, const char *path, const sgm_trained *t,
                            int part)
{
    char name[320];
    snprintf(name, sizeof name, "%s/%s", PARTS[part], t->name);
    const sgm_stored_tensor *tensor = sgm_checkpoint_find(file, name);
    if (!tensor || tensor->type != SGM_STORED_F32 || tensor->count != (size_t)t->count)
        return sgm_fail(SGM_BAD_MODEL, "%s: wanted %s with %" PRId64 " values, found %s", path,
                        name, t->count, tensor ? "another size or type" : "none");
    return sgm_stored_tensor_read_f32(tensor, part_of(t, part));
}

static sgm_status load_parts(const sgm_checkpoint *file, const char *path,
                             const sgm_trained *trained, int count)
{
    for (int i = 0; i < count; i++)
        for (int part = 0; part < PART_COUNT; part++)
            if (part_of(&trained[i], part)) SGM_TRY(load_part(file, path, &trained[i], part));
    return SGM_OK;
}

/* A state of a run that trained more, or of a version that did by the same settings: what it has
 * learnt of that would be lost. */
static sgm_status check_all_trained(const sgm_checkpoint *file, const char *path,
                                    const sgm_trained *trained, int count)
{
    const size_t prefix = strlen("value/");
    for (size_t i = 0; i < sgm_checkpoint_count(file); i++) {
        const char *name = sgm_checkpoint_tensor(file, i)->name;
        bool found = strncmp(name, "value/", prefix) != 0;
        for (int k = 0; !found && k < count; k++)
            found = !strcmp(trained[k].name, name + prefix);
        if (!found)
            return sgm_fail(SGM_BAD_MODEL,
                            "%s: the state is of another run: it has learnt %s, which this version "
                            "does not train by these settings (freeze, train_only)",
                            path, name + prefix);
    }
    return SGM_OK;
}

static sgm_status load_all(const sgm_checkpoint *file, const char *path,
                           const sgm_run_identity *identity, sgm_master *master,
                           sgm_train_progress_state *state)
{
    const char *progress = sgm_checkpoint_metadata(file, "training_progress");
    SGM_TRY(sgm_run_identity_check(identity, path, sgm_checkpoint_metadata(file, "training_run"),
                                   sgm_checkpoint_metadata(file, "training_settings")));
    if (!progress || !read_progress(progress, state))
        return sgm_fail(SGM_BAD_MODEL, "%s: training_progress is missing or damaged", path);
    if (state->bank)
        SGM_TRY(sgm_bank_read(state->bank, sgm_checkpoint_metadata(file, "training_bank")));
    SGM_TRY(check_all_trained(file, path, master->trained, master->trained_count));
    sgm_host_master host;
    sgm_status status = sgm_master_read(master, &host);
    if (status == SGM_OK) status = load_parts(file, path, host.trained, master->trained_count);
    if (status == SGM_OK) status = sgm_master_write(master, &host);
    sgm_host_master_clear(&host);
    return status;
}

sgm_status sgm_train_state_load(const char *path, const sgm_train_config *config,
                                const sgm_run_identity *identity, sgm_master *master,
                                sgm_train_progress_state *state)
{
    sgm_checkpoint *file;
    SGM_TRY(sgm_checkpoint_open(path, &file));
    sgm_status status = load_all(file, path, identity, master, state);
    if (status == SGM_OK) status = load_gathered(file, path, config, master);
    sgm_checkpoint_close(file);
    return status;
}

/* Values of every parameter, read into `values`. */
static sgm_status add_model(sgm_checkpoint_writer *writer, const sgm_master *master, float *values)
{
    sgm_backend *backend = master->backend;
    int next = 0;
    for (int i = 0; i < sgm_params_count(master->params); i++) {
        const sgm_parameter *p = sgm_params_get(master->params, i);
        const float *from = p->value;
        if (next < master->trained_count && master->parameters[next] == p) {
            const sgm_trained *t = &master->trained[next++];
            if (t->average) from = t->average;
        }
        SGM_TRY(backend->ops->download(backend, values, from, (size_t)p->count * sizeof(float)));
        SGM_TRY(sgm_checkpoint_writer_add_f32(writer, p->name, p->shape.ndim, p->shape.dim, values,
                                              SGM_STORED_F32));
        values += p->count;
    }
    return SGM_OK;
}

#define NO_MASK "prompt_encoder.no_mask_embed.weight"

/* What no step of the training has read, but the network has: the layers of a mask prompt where
 * only points were asked with. It is written as it began, so that the file is a whole network. */
typedef struct rest_of_network {
    sgm_checkpoint_writer *writer;
    const sgm_master *master;
    sgm_first_values first;
    struct rest_tensor {
        char name[SGM_SCOPE_SIZE + 64];
        float *values;
    } * tensors;
    int count;
} rest_of_network;

static bool is_written(const rest_of_network *rest, const char *name)
{
    for (int i = 0; i < rest->count; i++)
        if (!strcmp(rest->tensors[i].name, name)) return true;
    return sgm_params_find(rest->master->params, name) != NULL;
}

/* Rounds with a prior never use the embedding for "no mask": one that is not loaded is zero. */
static bool begins_as_zero(const rest_of_network *rest, const char *name)
{
    const sgm_checkpoint *init = rest->first.checkpoint;
    return !strcmp(name, NO_MASK) && !(init && sgm_checkpoint_find(init, name));
}

/* sgm_param_check_fn */
static sgm_status add_if_missing(void *user, const char *name, sgm_shape wanted)
{
    rest_of_network *rest = user;
    const float *values;
    bool owned;
    if (is_written(rest, name)) return SGM_OK;
    struct rest_tensor *grown =
        realloc(rest->tensors, ((size_t)rest->count + 1) * sizeof *rest->tensors);
    if (!grown) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for tensor %s", name);
    rest->tensors = grown;
    SGM_TRY(sgm_first_values_read(&rest->first, name, wanted, &values, &owned));
    struct rest_tensor *t = &rest->tensors[rest->count++];
    snprintf(t->name, sizeof t->name, "%s", name);
    t->values = (float *)values;
    if (begins_as_zero(rest, name))
        memset(t->values, 0, (size_t)sgm_shape_count(wanted) * sizeof *values);
    return sgm_checkpoint_writer_add_f32(rest->writer, name, wanted.ndim, wanted.dim, values,
                                         SGM_STORED_F32);
}

/* What the official files of the family carry and the network does not use, as the warm start's
 * file has it. Whatever else that holds is of another network, and this one has no place for it. */
static sgm_status add_unused(const rest_of_network *rest, const sgm_model_config *model)
{
    const sgm_checkpoint *init = rest->first.checkpoint;
    for (size_t i = 0; init && i < sgm_checkpoint_count(init); i++) {
        const sgm_stored_tensor *tensor = sgm_checkpoint_tensor(init, i);
        if (!is_written(rest, tensor->name) && model->family->unused &&
            sgm_name_matches(model->family->unused, tensor->name))
            SGM_TRY(sgm_checkpoint_writer_add(rest->writer, tensor, SGM_STORED_F32));
    }
    return SGM_OK;
}

static void clear_rest(rest_of_network *rest)
{
    for (int i = 0; i < rest->count; i++)
        free(rest->tensors[i].values);
    free(rest->tensors);
}

/* The settings' names of classes, or those that the warm start's file has of as many. */
static sgm_status add_classes(sgm_checkpoint_writer *writer, const sgm_train_config *config,
                              const sgm_checkpoint *init)
{
    const char *names = config->classes;
    if (!names[0] && init) {
        names = sgm_checkpoint_metadata(init, SGM_METADATA_CLASSES);
        if (names && sgm_count_class_names(names) != config->model.classes) names = NULL;
    }
    if (!config->model.classes || !names || !names[0]) return SGM_OK;
    return sgm_checkpoint_writer_metadata(writer, SGM_METADATA_CLASSES, names);
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What it began as: names of files, without their folders. Nothing where it began at random. */
static sgm_status add_base(sgm_checkpoint_writer *writer, const sgm_train_config *config)
{
    char text[2 * SGM_CONFIG_TEXT + 4];
    if (!config->init[0]) return SGM_OK;
    snprintf(text, sizeof text, "%s%s%s", config->base[0] ? name_of(config->base) : "",
             config->base[0] ? " + " : "", name_of(config->init));
    return sgm_checkpoint_writer_metadata(writer, SGM_METADATA_BASE, text);
}

/* Numbers that were chosen for the weights of the warm start: the best that is known of those that
 * were trained on from them. */
static sgm_status add_learnt(sgm_checkpoint_writer *writer, const sgm_train_config *config,
                             const sgm_checkpoint *init)
{
    static const char *const keys[] = {SGM_METADATA_MASK_THRESHOLD, SGM_METADATA_STOP_RATING,
                                       SGM_METADATA_FAR_RATING,     SGM_METADATA_WALK_LOWERING,
                                       SGM_METADATA_WALK_LIKENESS,  SGM_METADATA_POINT_RATING,
                                       SGM_METADATA_LOOSE_BOX};
    for (size_t i = 0; init && i < sizeof keys / sizeof *keys; i++) {
        const char *text = sgm_checkpoint_metadata(init, keys[i]);
        bool is_set =
            !strcmp(keys[i], SGM_METADATA_MASK_THRESHOLD) && !isnan(config->mask_threshold);
        if (text && !is_set) SGM_TRY(sgm_checkpoint_writer_metadata(writer, keys[i], text));
    }
    if (!config->sampler.sim.walks) return SGM_OK;
    return sgm_checkpoint_writer_metadata(writer, SGM_METADATA_LOOSE_BOX, "1");
}

static sgm_status add_metadata(sgm_checkpoint_writer *writer, const sgm_train_config *config,
                               const sgm_checkpoint *init, const char *note)
{
    char architecture[512];
    SGM_TRY(add_classes(writer, config, init));
    SGM_TRY(add_base(writer, config));
    sgm_config_text(&config->model, architecture);
    SGM_TRY(sgm_checkpoint_writer_metadata(writer, SGM_METADATA_ARCHITECTURE, architecture));
    SGM_TRY(sgm_checkpoint_writer_metadata(writer, SGM_METADATA_VARIANT, config->variant));
    if (config->sampler.sim.prior)
        SGM_TRY(sgm_checkpoint_writer_metadata(writer, SGM_METADATA_PROMPT_PRIOR, "1"));
    SGM_TRY(add_learnt(writer, config, init));
    if (!isnan(config->mask_threshold) && config->mask_threshold != 0) {
        char threshold[SGM_NUMBER_TEXT];
        sgm_number_text(threshold, "%g", config->mask_threshold);
        SGM_TRY(sgm_checkpoint_writer_metadata(writer, SGM_METADATA_MASK_THRESHOLD, threshold));
    }
    return sgm_checkpoint_writer_metadata(writer, "training", note);
}

sgm_status sgm_train_export(const char *path, const sgm_train_config *config,
                            const sgm_master *master, const sgm_checkpoint *init, const char *note)
{
    int64_t floats = 1;
    for (int i = 0; i < sgm_params_count(master->params); i++)
        floats += sgm_params_get(master->params, i)->count;
    float *values = malloc((size_t)floats * sizeof *values);
    sgm_checkpoint_writer *writer = NULL;
    sgm_status status = values ? sgm_checkpoint_writer_create(&writer)
                               : sgm_fail(SGM_OUT_OF_MEMORY, "%s: no memory", path);
    if (status == SGM_OK) status = add_metadata(writer, config, init, note);
    if (status == SGM_OK) status = add_model(writer, master, values);
    rest_of_network rest = {
        .writer = writer,
        .master = master,
        .first = {.checkpoint = init, .family = config->model.family, .seed = config->seed}};
    if (status == SGM_OK) status = sgm_network_visit(&config->model, add_if_missing, &rest);
    if (status == SGM_OK) status = add_unused(&rest, &config->model);
    if (status == SGM_OK) status = sgm_checkpoint_writer_save(writer, path);
    clear_rest(&rest);
    sgm_checkpoint_writer_destroy(writer);
    free(values);
    return status;
}
