#include "train/feature_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/context.h"
#include "checkpoint/checkpoint.h"
#include "core/atomic_file.h"
#include "core/files.h"
#include "core/hash.h"
#include "models/models.h"
#include "train/whole.h"

struct sgm_feature_store {
    const sgm_model_config *config;
    const sgm_pack *pack;
    sgm_checkpoint *file;
};

static void name_item(const sgm_pack *pack, int item, char name[128])
{
    const sgm_pack_item *i = sgm_pack_item_at(pack, item);
    snprintf(name, 128, "%s/%s", sgm_pack_set_at(pack, i->set)->name, i->id);
}

static bool holds_something(const sgm_pack_item *item)
{
    size_t bytes = (size_t)item->width * (size_t)item->height * (size_t)item->label_bytes;
    for (size_t i = 0; i < bytes; i++)
        if (item->label[i]) return true;
    return false;
}

/* ------------------------------------------------------------------------------------ its origin
 * "encoder=HASH pictures=HASH" in the file's metadata; "elsewhere" where somebody else has made it.
 */

#define ORIGIN_KEY "made_from"
#define ORIGIN_ELSEWHERE "elsewhere"
enum { ORIGIN_SIZE = 80, ENCODER_SIZE = 8 + 16 }; /* of "encoder=HASH" */

typedef struct encoder_hash {
    sgm_first_values first; /* a copy: it counts what is read */
    uint64_t hash;
} encoder_hash;

/* sgm_param_check_fn */
static sgm_status hash_weight(void *user, const char *name, sgm_shape wanted)
{
    encoder_hash *e = user;
    const float *values;
    bool owned;
    SGM_TRY(sgm_first_values_read(&e->first, name, wanted, &values, &owned));
    e->hash = sgm_hash_text(e->hash, name);
    e->hash =
        sgm_hash_join(e->hash, sgm_hash(wanted.dim, (size_t)wanted.ndim * sizeof *wanted.dim));
    e->hash =
        sgm_hash_join(e->hash, sgm_hash(values, (size_t)sgm_shape_count(wanted) * sizeof *values));
    if (owned) free((float *)values);
    return SGM_OK;
}

/* Numbers of the network and how it is shown a picture; not what only a decoder knows. */
static uint64_t hash_network(const sgm_model_config *config)
{
    static const char *const DECODERS[] = {"decoder_", "mask_tokens=", "classes=", "tokens="};
    char text[512];
    uint64_t hash = sgm_hash(config->protocol->clip, sizeof config->protocol->clip);
    sgm_config_text(config, text);
    for (char *word = text, *next; word; word = next) {
        bool decoder = false;
        next = strchr(word, ' ');
        if (next) *next++ = 0;
        for (size_t i = 0; i < sizeof DECODERS / sizeof *DECODERS; i++)
            decoder |= !strncmp(word, DECODERS[i], strlen(DECODERS[i]));
        if (!decoder) hash = sgm_hash_text(hash, word);
    }
    return hash;
}

static sgm_status find_origin(const sgm_model_config *config, sgm_pack *pack,
                              const sgm_first_values *first, char origin[ORIGIN_SIZE])
{
    encoder_hash e = {*first, hash_network(config)};
    sgm_pack_content content;
    int64_t size = config->image_size;
    SGM_TRY(sgm_pack_content_of(pack, &content));
    sgm_net net = {.graph = sgm_graph_create(hash_weight, &e)};
    if (!net.graph) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a graph");
    sgm_encode(&net, config, sgm_input(net.graph, "image", SGM_F32, SGM_SHAPE(1, size, size, 3)));
    sgm_status status = sgm_graph_status(net.graph);
    sgm_graph_destroy(net.graph);
    snprintf(origin, ORIGIN_SIZE, "encoder=%016" PRIx64 " pictures=%016" PRIx64, e.hash,
             content.pictures);
    return status;
}

static sgm_status check_origin(const sgm_checkpoint *file, const char *wanted)
{
    const char *found = sgm_checkpoint_metadata(file, ORIGIN_KEY);
    if (!found)
        return sgm_fail(
            SGM_BAD_MODEL,
            "%s does not say which encoder and pictures its features are of (an earlier "
            "version wrote it): remove it, and it is made anew",
            sgm_checkpoint_path(file));
    if (!strcmp(found, wanted) || !strcmp(found, ORIGIN_ELSEWHERE)) return SGM_OK;
    bool encoder = strncmp(found, wanted, ENCODER_SIZE) != 0;
    return sgm_fail(SGM_BAD_MODEL,
                    "%s has features of %s (wanted \"%s\", found \"%s\"): name another file, or "
                    "remove it, and it is made anew",
                    sgm_checkpoint_path(file), encoder ? "another encoder" : "other pictures",
                    wanted, found);
}

/* ------------------------------------------------------------------------------------- making it
 */

typedef struct encoder_run {
    const sgm_model_config *config;
    const sgm_pack *pack;
    sgm_graph *graph;
    sgm_node *image, *features;
    sgm_train_plan *plan;
    float *input, *output, *turned;
    int64_t places, dim;
} encoder_run;

static sgm_status begin(encoder_run *r, sgm_params *params)
{
    int64_t size = r->config->image_size;
    sgm_net net = {.graph = r->graph = sgm_graph_create(NULL, NULL)};
    if (!r->graph) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a graph");
    r->image = sgm_input(r->graph, "image", SGM_F32, SGM_SHAPE(1, size, size, 3));
    r->features = sgm_encode(&net, r->config, r->image).node[0];
    SGM_TRY(sgm_graph_status(r->graph));
    SGM_TRY(sgm_train_plan_create(r->graph, params, NULL, 1, &r->features, false, &r->plan));
    r->dim = r->config->decoder.dim;
    r->places = (int64_t)r->config->grid * r->config->grid;
    size_t floats = (size_t)(r->places * r->dim);
    r->input = malloc((size_t)(size * size * 3) * sizeof *r->input);
    r->output = malloc(floats * sizeof *r->output);
    r->turned = malloc(floats * sizeof *r->turned);
    if (r->input && r->output && r->turned) return SGM_OK;
    return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to encode pictures");
}

static void end(encoder_run *r)
{
    sgm_train_plan_destroy(r->plan);
    sgm_graph_destroy(r->graph);
    free(r->input);
    free(r->output);
    free(r->turned);
}

/* Channels first, as embeddings are everywhere outside. */
static sgm_status encode(encoder_run *r, int item)
{
    static const sgm_look_change none = {0};
    sgm_frame frame;
    SGM_TRY(sgm_whole_picture(r->config, sgm_pack_item_at(r->pack, item), &none, r->input, &frame));
    SGM_TRY(sgm_train_plan_set(r->plan, r->image, r->input));
    SGM_TRY(sgm_train_plan_forward(r->plan));
    SGM_TRY(sgm_train_plan_get(r->plan, r->features, r->output));
    for (int64_t i = 0; i < r->places; i++)
        for (int64_t c = 0; c < r->dim; c++)
            r->turned[c * r->places + i] = r->output[i * r->dim + c];
    return SGM_OK;
}

/* A header's length is known before the first picture is encoded, so the file is streamed. The
 * names come from a pack, whose text holds anything: what JSON would have to escape is refused. */
static sgm_status write_header(encoder_run *r, const char *origin, sgm_atomic_file *file)
{
    size_t room = 65536, bytes = (size_t)(r->places * r->dim) * sizeof(float), at = 0;
    int items = sgm_pack_item_count(r->pack);
    char *text = malloc(room += (size_t)items * 320), name[128];
    if (!text) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a file of features");
    size_t used =
        (size_t)snprintf(text, room, "{\"__metadata__\":{\"" ORIGIN_KEY "\":\"%s\"}", origin);
    for (int i = 0; i < items; i++) {
        if (!holds_something(sgm_pack_item_at(r->pack, i))) continue;
        name_item(r->pack, i, name);
        for (const char *c = name; *c; c++)
            if ((unsigned char)*c < 32 || *c == '"' || *c == '\\') {
                free(text);
                return sgm_fail(SGM_UNREADABLE, "the pack's item %d has no usable name", i);
            }
        used += (size_t)snprintf(
            text + used, room - used,
            ",\"%s\":{\"dtype\":\"F32\",\"shape\":[1,%d,%d,%d],\"data_offsets\":[%zu,%zu]}", name,
            (int)r->dim, r->config->grid, r->config->grid, at, at + bytes);
        at += bytes;
    }
    used += (size_t)snprintf(text + used, room - used, "}");
    while (used % 8)
        text[used++] = ' ';
    uint64_t length = used;
    uint8_t little[8];
    for (int i = 0; i < 8; i++)
        little[i] = (uint8_t)(length >> (8 * i));
    sgm_status status = sgm_atomic_file_write(file, little, sizeof little);
    if (status == SGM_OK) status = sgm_atomic_file_write(file, text, used);
    free(text);
    return status;
}

static sgm_status write_all(encoder_run *r, const char *origin, sgm_context *context,
                            sgm_atomic_file *file)
{
    size_t bytes = (size_t)(r->places * r->dim) * sizeof *r->turned;
    SGM_TRY(write_header(r, origin, file));
    for (int i = 0; i < sgm_pack_item_count(r->pack); i++) {
        if (!holds_something(sgm_pack_item_at(r->pack, i))) continue;
        SGM_TRY(sgm_context_cancelled(context));
        SGM_TRY(encode(r, i));
        SGM_TRY(sgm_atomic_file_write(file, r->turned, bytes));
    }
    return SGM_OK;
}

static sgm_status make(const sgm_train_config *config, const sgm_pack *pack, const char *origin,
                       sgm_params *params, sgm_context *context)
{
    encoder_run r = {.config = &config->model, .pack = pack};
    sgm_atomic_file file;
    sgm_atomic_file_sweep_beside(config->features);
    SGM_TRY(sgm_atomic_file_create(config->features, &file));
    sgm_status status = begin(&r, params);
    if (status == SGM_OK) status = write_all(&r, origin, context, &file);
    end(&r);
    if (status == SGM_OK) return sgm_atomic_file_commit(&file);
    sgm_atomic_file_abandon(&file);
    return status;
}

/* -------------------------------------------------------------------------------------- reading */

sgm_status sgm_feature_store_open(const sgm_train_config *config, sgm_pack *pack,
                                  const sgm_first_values *first, sgm_params *params,
                                  sgm_context *context, sgm_feature_store **out)
{
    *out = NULL;
    sgm_file_info there;
    char origin[ORIGIN_SIZE];
    SGM_TRY(find_origin(&config->model, pack, first, origin));
    if (!sgm_path_info(config->features, &there))
        SGM_TRY(make(config, pack, origin, params, context));
    sgm_feature_store *store = calloc(1, sizeof *store);
    if (!store) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for features");
    store->config = &config->model;
    store->pack = pack;
    sgm_status status = sgm_checkpoint_open(config->features, &store->file);
    if (status == SGM_OK) status = check_origin(store->file, origin);
    if (status != SGM_OK)
        sgm_feature_store_close(store);
    else
        *out = store;
    return status;
}

void sgm_feature_store_close(sgm_feature_store *store)
{
    if (!store) return;
    sgm_checkpoint_close(store->file);
    free(store);
}

sgm_status sgm_feature_store_read(const sgm_feature_store *store, int item, float *features)
{
    char name[128];
    int64_t dim = store->config->decoder.dim, grid = store->config->grid, places = grid * grid;
    name_item(store->pack, item, name);
    const sgm_stored_tensor *t = sgm_checkpoint_find(store->file, name);
    if (!t)
        return sgm_fail(SGM_UNREADABLE, "%s has no features of %s: they are of another pack",
                        sgm_checkpoint_path(store->file), name);
    if (t->rank != 4 || t->shape[1] != dim || t->shape[2] != grid || t->shape[3] != grid ||
        t->shape[0] != 1)
        return sgm_fail(SGM_BAD_MODEL, "%s: %s must be [1, %d, %d, %d]",
                        sgm_checkpoint_path(store->file), name, (int)dim, (int)grid, (int)grid);
    float *stored = malloc(t->count * sizeof *stored);
    if (!stored) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for features");
    sgm_status status = sgm_stored_tensor_read_f32(t, stored);
    for (int64_t i = 0; i < places; i++)
        for (int64_t c = 0; c < dim; c++)
            features[i * dim + c] = stored[c * places + i];
    free(stored);
    return status;
}

static void add_cell(const float *cell, int64_t dim, double weight, float *sum)
{
    for (int64_t c = 0; c < dim; c++)
        sum[c] += (float)(weight * cell[c]);
}

static int count_cells(const float *cells, int64_t places, int label)
{
    int count = 0;
    for (int64_t i = 0; i < places; i++)
        count += cells[i] == (float)label;
    return count;
}

/* The first of an object's pixels, where no cell's centre lies on it. */
static int64_t cell_of_first_pixel(const sgm_feature_store *store, const sgm_pack_item *item,
                                   int label)
{
    sgm_frame frame;
    int grid = store->config->grid, size = store->config->image_size;
    if (sgm_frame_make(store->config, item->width, item->height, &frame) != SGM_OK) return 0;
    for (int y = 0; y < item->height; y++)
        for (int x = 0; x < item->width; x++) {
            if (sgm_pack_label(item, x, y) != label) continue;
            int u = (int)((x + 0.5) * frame.resized.width / item->width * grid / size);
            int v = (int)((y + 0.5) * frame.resized.height / item->height * grid / size);
            return (int64_t)(v < grid ? v : grid - 1) * grid + (u < grid ? u : grid - 1);
        }
    return 0;
}

static sgm_status mean_of_object(const sgm_feature_store *store, int item, int label,
                                 const float *features, float *embedding)
{
    static const sgm_look_change none = {0};
    int grid = store->config->grid;
    int64_t dim = store->config->decoder.dim, places = (int64_t)grid * grid;
    const sgm_pack_item *at = sgm_pack_item_at(store->pack, item);
    float *cells = malloc((size_t)places * sizeof *cells);
    if (!cells) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for features");
    sgm_whole_cells(store->config, at, &none, NULL, NULL, (sgm_target_grid){grid, grid, false},
                    cells);
    int count = count_cells(cells, places, label);
    memset(embedding, 0, (size_t)dim * sizeof *embedding);
    for (int64_t i = 0; i < places; i++)
        if (count && cells[i] == (float)label)
            add_cell(features + i * dim, dim, 1.0 / count, embedding);
    if (!count) add_cell(features + cell_of_first_pixel(store, at, label) * dim, dim, 1, embedding);
    free(cells);
    return SGM_OK;
}

sgm_status sgm_feature_store_class(const sgm_feature_store *store, int item, int label,
                                   const float *features, float *embedding)
{
    char name[128], key[160];
    name_item(store->pack, item, name);
    snprintf(key, sizeof key, "%s/%d", name, label);
    const sgm_stored_tensor *t = sgm_checkpoint_find(store->file, key);
    if (!t) return mean_of_object(store, item, label, features, embedding);
    if (t->count != (size_t)store->config->decoder.dim)
        return sgm_fail(SGM_BAD_MODEL, "%s: %s must have %d values",
                        sgm_checkpoint_path(store->file), key, store->config->decoder.dim);
    return sgm_stored_tensor_read_f32(t, embedding);
}
