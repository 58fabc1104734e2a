#include "checkpoint/stack.h"

#include "checkpoint/checkpoint_build.h"
#include "checkpoint/rename.h"
#include "core/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sgm_status add_overlay(sgm_checkpoint *c, const sgm_checkpoint *overlay, const char *names)
{
    for (size_t i = 0; i < overlay->count; i++) {
        sgm_stored_tensor t = overlay->tensors[i];
        t.name = sgm_checkpoint_changed_name(c, names, t.name);
        if (!t.name) return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory for names");
        SGM_TRY(sgm_checkpoint_add_tensor(c, &t));
    }
    for (size_t i = 0; i < overlay->metadata_count; i++)
        SGM_TRY(sgm_checkpoint_add_metadata(c, overlay->metadata[i]));
    return sgm_checkpoint_build_index(c);
}

/* What the overlay does not have. The index is the overlay's while it is asked. */
static sgm_status add_base(sgm_checkpoint *c, const sgm_checkpoint *base)
{
    size_t own = c->count;
    bool *hidden = calloc(base->count + 1, sizeof *hidden);
    if (!hidden) return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory for %zu names", base->count);
    for (size_t i = 0; i < base->count; i++)
        hidden[i] = sgm_checkpoint_find(c, base->tensors[i].name) != NULL;
    sgm_status status = SGM_OK;
    for (size_t i = 0; i < base->count && status == SGM_OK; i++)
        if (!hidden[i]) status = sgm_checkpoint_add_tensor(c, &base->tensors[i]);
    free(hidden);
    if (status != SGM_OK || c->count == own) return status;
    free(c->by_name);
    c->by_name = NULL; /* the index is made anew for all */
    return sgm_checkpoint_build_index(c);
}

static sgm_status name_stack(sgm_checkpoint *c)
{
    const char *over = c->layers[0]->path, *under = c->layers[1]->path;
    size_t size = strlen(over) + strlen(under) + sizeof " on ";
    char *path = sgm_parse_arena_alloc(&c->arena, size);
    if (!path) return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory for a path");
    snprintf(path, size, "%s on %s", over, under);
    c->path = path;
    c->format = c->layers[0]->format;
    c->prefix = c->layers[0]->prefix;
    c->wrapper = c->layers[0]->wrapper;
    return SGM_OK;
}

sgm_status sgm_checkpoint_stack(sgm_checkpoint *base, sgm_checkpoint *overlay, const char *names,
                                sgm_checkpoint **out)
{
    *out = NULL;
    sgm_checkpoint *c = calloc(1, sizeof *c);
    if (!c) {
        sgm_checkpoint_close(base);
        sgm_checkpoint_close(overlay);
        return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory for a checkpoint");
    }
    c->layers[0] = overlay;
    c->layers[1] = base;
    sgm_status status = name_stack(c);
    if (status == SGM_OK) status = add_overlay(c, overlay, names);
    if (status == SGM_OK) status = add_base(c, base);
    if (status == SGM_OK)
        *out = c;
    else
        sgm_checkpoint_close(c);
    return status;
}

bool sgm_checkpoint_is_stack(const sgm_checkpoint *c)
{
    return c->layers[0] != NULL;
}
