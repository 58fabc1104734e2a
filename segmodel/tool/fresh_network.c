#include "fresh_network.h"

#include "checkpoint/checkpoint_write.h"
#include "models/registry.h"
#include "predict/session/program.h"
#include "train/train_weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* sgm_param_check_fn that takes down what the network asks for. */
static sgm_status note(void *user, const char *name, sgm_shape wanted)
{
    fresh_network *fresh = user;
    for (size_t i = 0; i < fresh->count; i++)
        if (!strcmp(fresh->tensors[i].name, name)) return SGM_OK;
    if (fresh->count == fresh->room) {
        size_t room = fresh->room ? 2 * fresh->room : 256;
        fresh_tensor *grown = realloc(fresh->tensors, room * sizeof *grown);
        if (!grown) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a network");
        fresh->tensors = grown;
        fresh->room = room;
    }
    fresh_tensor t = {.name = strdup(name),
                      .shape = wanted,
                      .values = malloc((size_t)sgm_shape_count(wanted) * sizeof(float))};
    if (!t.name || !t.values) {
        free(t.name);
        free(t.values);
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for tensor %s", name);
    }
    fresh->tensors[fresh->count++] = t;
    return SGM_OK;
}

/* All stages in all their forms. */
static sgm_status collect(fresh_network *fresh)
{
    bool classes = fresh->config.classes > 0, listens = sgm_config_listens(&fresh->config);
    const sgm_program_key keys[] = {
        {.stage = SGM_STAGE_ENCODE, .batch = 1},
        {.stage = SGM_STAGE_DECODE, .batch = 1, .tokens = listens ? 2 : 0, .classes = classes},
        {.stage = SGM_STAGE_DECODE,
         .batch = 1,
         .tokens = listens ? 2 : 0,
         .mask = listens,
         .classes = classes}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        sgm_program *program;
        SGM_TRY(sgm_program_build(&fresh->config, keys[i], note, fresh, NULL, &program));
        sgm_program_destroy(program);
    }
    return SGM_OK;
}

static sgm_status make_at_random(fresh_tensor *t)
{
    sgm_first_values first = {.seed = 1};
    const float *values;
    bool owned;
    SGM_TRY(sgm_first_values_read(&first, t->name, t->shape, &values, &owned));
    memcpy(t->values, values, (size_t)sgm_shape_count(t->shape) * sizeof *values);
    if (owned) free((void *)values);
    return SGM_OK;
}

static sgm_status fill(fresh_network *fresh, const sgm_checkpoint *file)
{
    for (size_t i = 0; i < fresh->count; i++) {
        fresh_tensor *t = &fresh->tensors[i];
        SGM_TRY(
            sgm_warm_start(file, fresh->config.family, t->name, t->shape, t->values, &t->origin));
        if (t->origin == SGM_ORIGIN_MADE) SGM_TRY(make_at_random(t));
    }
    return SGM_OK;
}

sgm_status fresh_network_make(const char *from, const char *base, const char *variant,
                              fresh_network *out)
{
    sgm_checkpoint *file;
    *out = (fresh_network){0};
    SGM_TRY(sgm_registry_open(from, base, &file));
    sgm_status status = sgm_registry_fresh(file, variant, &out->config);
    if (status == SGM_OK) status = collect(out);
    if (status == SGM_OK) status = fill(out, file);
    sgm_checkpoint_close(file);
    if (status != SGM_OK) fresh_network_clear(out);
    return status;
}

void fresh_network_clear(fresh_network *fresh)
{
    for (size_t i = 0; i < fresh->count; i++) {
        free(fresh->tensors[i].name);
        free(fresh->tensors[i].values);
    }
    free(fresh->tensors);
    *fresh = (fresh_network){0};
}

sgm_status fresh_network_save(const fresh_network *fresh, const char *to, sgm_stored_type type,
                              const sgm_metadata_entry *extra, size_t extra_count)
{
    sgm_checkpoint_writer *writer;
    char text[512];
    sgm_config_text(&fresh->config, text);
    SGM_TRY(sgm_checkpoint_writer_create(&writer));
    sgm_status status = SGM_OK;
    for (size_t i = 0; i < fresh->count && status == SGM_OK; i++) {
        const fresh_tensor *t = &fresh->tensors[i];
        status = sgm_checkpoint_writer_add_f32(writer, t->name, t->shape.ndim, t->shape.dim,
                                               t->values, type);
    }
    if (status == SGM_OK)
        status =
            sgm_checkpoint_writer_metadata(writer, SGM_METADATA_VARIANT, fresh->config.variant);
    if (status == SGM_OK)
        status = sgm_checkpoint_writer_metadata(writer, SGM_METADATA_ARCHITECTURE, text);
    for (size_t i = 0; i < extra_count && status == SGM_OK; i++)
        status = sgm_checkpoint_writer_metadata(writer, extra[i].key, extra[i].value);
    if (status == SGM_OK) status = sgm_checkpoint_writer_save(writer, to);
    sgm_checkpoint_writer_destroy(writer);
    return status;
}

void fresh_network_print(const fresh_network *fresh, const char *to)
{
    static const char *const what[] = {"loaded", "resized", "new, zero", "new, at random"};
    printf("%s: %s, %zu tensors\n", to, fresh->config.variant, fresh->count);
    for (int origin = 0; origin < 4; origin++) {
        size_t count = 0;
        for (size_t i = 0; i < fresh->count; i++)
            count += (int)fresh->tensors[i].origin == origin;
        printf("%zu %s\n", count, what[origin]);
        for (size_t i = 0; i < fresh->count && origin != SGM_ORIGIN_LOADED; i++)
            if ((int)fresh->tensors[i].origin == origin) printf("  %s\n", fresh->tensors[i].name);
    }
}
