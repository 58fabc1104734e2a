#include "train/run_identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/mapped_file.h"
#include "core/hash.h"
#include "train/network_names.h"
#include "train/train_weights.h"

/* Settings that say what is learnt, from what, and by which rule. */
static const char *const MEANING[] = {
    "loss",   "prompts",    "objects", "window", "draw",  "target", "optimizer", "norms",
    "freeze", "train_only", "bank",    "rounds", "walks", "prior",  "held_out",  "limit"};

/* Lines of which a state without them says something all the same: "none", which is all that
 * versions did that wrote none. */
#define EMPTY_LINE "pictures without an object"
#define LATER_LINE "not trained, and made at random by a later rule"
static const char *const NONE_UNTIL_SAID[] = {EMPTY_LINE, LATER_LINE};

static void add_line(sgm_run_identity *id, const char *key, const char *value)
{
    size_t used = strlen(id->settings);
    snprintf(id->settings + used, sizeof id->settings - used, "%s = %s\n", key, value);
}

static void add_hash(sgm_run_identity *id, const char *key, bool given, uint64_t hash)
{
    char text[24] = "none";
    if (given) snprintf(text, sizeof text, "%016" PRIx64, hash);
    add_line(id, key, text);
}

static sgm_status add_pack(sgm_run_identity *id, sgm_pack *pack)
{
    sgm_pack_content content = {0};
    if (pack) SGM_TRY(sgm_pack_content_of(pack, &content));
    add_hash(id, "content of the pack's pictures", pack != NULL, content.pictures);
    add_hash(id, "content of the pack's labels", pack != NULL, content.labels);
    return SGM_OK;
}

/* Tensors that are not trained come from there whenever the run goes on. */
static sgm_status hash_tensor(const sgm_stored_tensor *t, float *block, size_t room, uint64_t *hash)
{
    *hash = sgm_hash_text(*hash, t->name);
    *hash = sgm_hash_join(*hash, sgm_hash(t->shape, (size_t)t->rank * sizeof *t->shape));
    for (size_t first = 0; first < t->count; first += room) {
        size_t count = t->count - first < room ? t->count - first : room;
        SGM_TRY(sgm_stored_tensor_read_f32_range(t, first, count, block));
        *hash = sgm_hash_join(*hash, sgm_hash(block, count * sizeof *block));
    }
    return SGM_OK;
}

static sgm_status add_init(sgm_run_identity *id, const sgm_checkpoint *init)
{
    enum { ROOM = 1 << 18 };
    uint64_t hash = 0;
    float *block = init ? malloc(ROOM * sizeof *block) : NULL;
    if (init && !block)
        return sgm_fail(SGM_OUT_OF_MEMORY, "%s: no memory", sgm_checkpoint_path(init));
    sgm_status status = SGM_OK;
    for (size_t i = 0; init && status == SGM_OK && i < sgm_checkpoint_count(init); i++)
        status = hash_tensor(sgm_checkpoint_tensor(init, i), block, ROOM, &hash);
    free(block);
    if (status == SGM_OK) add_hash(id, "content of init", init != NULL, hash);
    return status;
}

static sgm_status add_given(sgm_run_identity *id, const char *path)
{
    sgm_mapped_file file = {0};
    if (path[0]) SGM_TRY(sgm_mapped_file_open(path, SGM_UNREADABLE, &file));
    add_hash(id, "content of given", path[0], sgm_hash(file.bytes, file.size));
    sgm_mapped_file_close(&file);
    return SGM_OK;
}

/* What is neither trained nor in `init`: a run that goes on makes it anew. */
typedef struct made_tensors {
    const sgm_train_config *config;
    sgm_first_values first;
    uint64_t hash;
    char later[SGM_SCOPE_SIZE + 64]; /* the first one of which versions differ */
} made_tensors;

/* sgm_param_check_fn */
static sgm_status look_at_made(void *user, const char *name, sgm_shape shape)
{
    made_tensors *m = user;
    const sgm_checkpoint *init = m->first.checkpoint;
    const float *values;
    bool owned;
    if (sgm_is_trainable((void *)m->config, name)) return SGM_OK;
    if (init && sgm_checkpoint_find(init, name) && !sgm_name_matches(m->first.family->remade, name))
        return SGM_OK;
    int loaded = m->first.loaded, random = m->first.made;
    SGM_TRY(sgm_first_values_read(&m->first, name, shape, &values, &owned));
    if (m->first.loaded == loaded) {
        m->hash = sgm_hash_text(m->hash, name);
        m->hash = sgm_hash_join(m->hash,
                                sgm_hash(values, (size_t)sgm_shape_count(shape) * sizeof *values));
    }
    if (m->first.made > random && !m->later[0] && sgm_first_rule_changed(name, shape))
        snprintf(m->later, sizeof m->later, "%s", name);
    if (owned) free((float *)values);
    return SGM_OK;
}

static sgm_status add_made(sgm_run_identity *id, const sgm_train_config *config,
                           const sgm_checkpoint *init)
{
    made_tensors m = {
        config, {.checkpoint = init, .family = config->model.family, .seed = config->seed}, 0, ""};
    SGM_TRY(sgm_network_visit(&config->model, look_at_made, &m));
    add_hash(id, "content of what is not trained and made at the start", true, m.hash);
    add_line(id, LATER_LINE, m.later[0] ? m.later : "none");
    return SGM_OK;
}

static void say_network(const sgm_train_config *config, sgm_pack *pack,
                        const sgm_protocol *protocol, char text[640])
{
    char architecture[512];
    sgm_model_config model = config->model;
    model.protocol = protocol;
    sgm_config_text(&model, architecture);
    snprintf(text, 640, "%s seed=%" PRIu64 " batch=%dx%d pack=%016" PRIx64, architecture,
             config->seed, config->batch, config->accumulate, pack ? sgm_pack_hash(pack) : 0);
}

sgm_status sgm_run_identity_make(const sgm_train_config *config, sgm_pack *pack,
                                 const sgm_sampler *sampler, const sgm_checkpoint *init,
                                 sgm_run_identity *out)
{
    char value[SGM_CONFIG_TEXT];
    memset(out, 0, sizeof *out);
    say_network(config, pack, config->model.protocol, out->network);
    const sgm_protocol *clipping = sgm_protocol_clipping(config->model.protocol, true);
    if (!config->clip_levels) say_network(config, pack, clipping, out->clipped);
    for (size_t i = 0; i < sizeof MEANING / sizeof *MEANING; i++)
        if (sgm_train_config_value(config, MEANING[i], value, sizeof value))
            add_line(out, MEANING[i], value);
    add_line(out, "clip_levels", config->clip_levels ? "1" : "0"); /* 1 was the default */
    add_line(out, "averages of the weights (ema)", config->ema > 0 ? "kept" : "none");
    add_line(out, EMPTY_LINE, sgm_sampler_holds_empty(sampler) ? "drawn" : "none");
    SGM_TRY(add_init(out, init));
    SGM_TRY(add_given(out, config->given));
    SGM_TRY(add_pack(out, pack));
    return add_made(out, config, init);
}

/* The line of `text` that begins with the key of `line`, its length in *size; NULL: none. */
static const char *same_key(const char *text, const char *line, size_t *size)
{
    const char *equals = strstr(line, " = ");
    size_t key = equals ? (size_t)(equals - line) + 3 : strlen(line);
    for (; *text; text += *size + (text[*size] == '\n')) {
        *size = strcspn(text, "\n");
        if (!strncmp(text, line, key)) return text;
    }
    return NULL;
}

/* Whether a line says something that a version which wrote no such line never did. */
static bool is_news(const char *line, size_t size)
{
    for (size_t i = 0; i < sizeof NONE_UNTIL_SAID / sizeof *NONE_UNTIL_SAID; i++) {
        char none[96];
        int key = snprintf(none, sizeof none, "%s = none", NONE_UNTIL_SAID[i]) - 4;
        if (!strncmp(line, none, (size_t)key))
            return size != strlen(none) || strncmp(line, none, size) != 0;
    }
    return false;
}

/* Any other key that one of them does not know says nothing: it is of another version. */
static sgm_status compare_settings(const char *wanted, const char *found, const char *path)
{
    size_t size, other;
    for (const char *line = wanted; *line; line += size + (line[size] == '\n')) {
        size = strcspn(line, "\n");
        const char *same = same_key(found, line, &other);
        if (!same && is_news(line, size))
            return sgm_fail(SGM_BAD_MODEL,
                            "%s: the state is of an earlier version, which would go on otherwise: "
                            "wanted \"%.*s\", found no such line",
                            path, (int)size, line);
        if (same && (size != other || strncmp(same, line, size) != 0))
            return sgm_fail(SGM_BAD_MODEL,
                            "%s: the state is of another run: wanted \"%.*s\", found \"%.*s\"",
                            path, (int)size, line, (int)other, same);
    }
    return SGM_OK;
}

sgm_status sgm_run_identity_check(const sgm_run_identity *wanted, const char *path,
                                  const char *network, const char *settings)
{
    bool same = network && (!strcmp(network, wanted->network) ||
                            (wanted->clipped[0] && !strcmp(network, wanted->clipped)));
    if (!same)
        return sgm_fail(SGM_BAD_MODEL,
                        "%s: the state is of another run: wanted \"%s\", found \"%s\"", path,
                        wanted->network, network ? network : "nothing");
    return compare_settings(wanted->settings, settings ? settings : "", path);
}
