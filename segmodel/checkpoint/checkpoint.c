#include "checkpoint/checkpoint.h"

#include "checkpoint/checkpoint_build.h"
#include "checkpoint/foreign_file.h"
#include "core/status.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------ opening */

static bool begins_with(const sgm_checkpoint *c, const char *magic, size_t length)
{
    return c->size >= length && memcmp(c->bytes, magic, length) == 0;
}

static sgm_status parse(sgm_checkpoint *c)
{
    if (begins_with(c, "PK", 2)) {
        SGM_TRY(sgm_torch_file_parse(c));
    } else if (sgm_torch_stream_begins(c->bytes, c->size)) {
        SGM_TRY(sgm_torch_stream_parse(c));
    } else if (c->size > 8 && c->bytes[8] == '{') {
        SGM_TRY(sgm_safetensors_parse(c));
    } else {
        return sgm_fail_foreign_file(c->bytes, c->size);
    }
    return sgm_checkpoint_build_index(c);
}

static sgm_status open_parts(sgm_checkpoint *c, const char *label)
{
    c->path = sgm_parse_arena_text(&c->arena, label, strlen(label));
    if (!c->path) return sgm_fail(SGM_OUT_OF_MEMORY, "%s: out of memory", label);
    c->prefix = c->wrapper = c->format = "";
    sgm_status status = parse(c);
    return status == SGM_OK ? SGM_OK : sgm_fail_in(status, label);
}

sgm_status sgm_checkpoint_open_memory(const void *bytes, size_t size, const char *label,
                                      sgm_checkpoint **out)
{
    if (!out || !label || (!bytes && size > 0))
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_checkpoint_open_memory: NULL argument");
    *out = NULL;
    sgm_checkpoint *c = calloc(1, sizeof *c);
    if (!c) return sgm_fail(SGM_OUT_OF_MEMORY, "%s: out of memory", label);
    c->bytes = bytes;
    c->size = size;
    sgm_status status = open_parts(c, label);
    if (status == SGM_OK)
        *out = c;
    else
        sgm_checkpoint_close(c);
    return status;
}

/* The mapping has served to parse the directory; values are read from the file. */
static void read_from_file(sgm_checkpoint *c, sgm_mapped_file file)
{
    c->file = file;
    c->source = (sgm_tensor_source){.file = &c->file, .path = c->path};
    for (size_t i = 0; i < c->count; i++)
        c->tensors[i].source = &c->source;
}

sgm_status sgm_checkpoint_open(const char *path, sgm_checkpoint **out)
{
    if (!out || !path) return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_checkpoint_open: NULL argument");
    *out = NULL;
    sgm_mapped_file file;
    SGM_TRY(sgm_mapped_file_open_kept(path, SGM_BAD_MODEL, &file));
    sgm_status status = sgm_checkpoint_open_memory(file.bytes, file.size, path, out);
    if (status == SGM_OK)
        read_from_file(*out, file);
    else
        sgm_mapped_file_close(&file);
    return status;
}

void sgm_checkpoint_close(sgm_checkpoint *c)
{
    if (!c) return;
    free(c->tensors);
    free(c->metadata);
    free(c->by_name);
    sgm_parse_arena_free(&c->arena);
    sgm_mapped_file_close(&c->file);
    for (int i = 0; i < 2; i++)
        sgm_checkpoint_close(c->layers[i]);
    free(c);
}

/* ----------------------------------------------------------------------------------- building */

sgm_status sgm_checkpoint_check_name(const char *name)
{
    char text[96];
    size_t length = strlen(name);
    if (length == 0) return sgm_fail(SGM_BAD_MODEL, "a tensor has an empty name");
    if (length > SGM_CHECKPOINT_MAX_NAME)
        return sgm_fail(SGM_BAD_MODEL, "tensor name '%s' has %zu bytes, at most %d are accepted",
                        sgm_printable(name, length, text), length, SGM_CHECKPOINT_MAX_NAME);
    for (const char *s = name; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return sgm_fail(SGM_BAD_MODEL, "tensor name '%s' holds a control character",
                            sgm_printable(name, length, text));
    return SGM_OK;
}

sgm_status sgm_checkpoint_add_tensor(sgm_checkpoint *c, const sgm_stored_tensor *tensor)
{
    SGM_TRY(sgm_checkpoint_check_name(tensor->name));
    if (c->count == SGM_CHECKPOINT_MAX_TENSORS)
        return sgm_fail(SGM_BAD_MODEL, "more than %d tensors", SGM_CHECKPOINT_MAX_TENSORS);
    if (!sgm_array_grow(&c->tensors, c->count + 1, &c->capacity, sizeof *c->tensors))
        return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory for %zu tensors", c->count + 1);
    c->tensors[c->count++] = *tensor;
    return SGM_OK;
}

sgm_status sgm_checkpoint_add_metadata(sgm_checkpoint *c, sgm_metadata_entry entry)
{
    if (c->metadata_count == SGM_CHECKPOINT_MAX_METADATA)
        return sgm_fail(SGM_BAD_MODEL, "more than %d entries of metadata",
                        SGM_CHECKPOINT_MAX_METADATA);
    if (!sgm_array_grow(&c->metadata, c->metadata_count + 1, &c->metadata_capacity,
                        sizeof *c->metadata))
        return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory for metadata");
    c->metadata[c->metadata_count++] = entry;
    return SGM_OK;
}

/* ------------------------------------------------------------------------------------- index */

static int compare_names(const void *a, const void *b)
{
    const sgm_stored_tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int compare_keys(const void *a, const void *b)
{
    const sgm_metadata_entry *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static sgm_status sort_names(sgm_checkpoint *c)
{
    if (!c->by_name) c->by_name = malloc((c->count + 1) * sizeof *c->by_name);
    if (!c->by_name) return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory for %zu names", c->count);
    for (size_t i = 0; i < c->count; i++)
        c->by_name[i] = &c->tensors[i];
    qsort(c->by_name, c->count, sizeof *c->by_name, compare_names);
    return SGM_OK;
}

static const char *first_duplicate(const sgm_checkpoint *c)
{
    for (size_t i = 1; i < c->count; i++)
        if (strcmp(c->by_name[i - 1]->name, c->by_name[i]->name) == 0) return c->by_name[i]->name;
    return NULL;
}

sgm_status sgm_checkpoint_build_index(sgm_checkpoint *c)
{
    char text[96];
    SGM_TRY(sort_names(c));
    const char *twice = first_duplicate(c);
    if (twice)
        return sgm_fail(SGM_BAD_MODEL, "tensor '%s' occurs twice",
                        sgm_printable(twice, strlen(twice), text));
    if (c->metadata_count > 0)
        qsort(c->metadata, c->metadata_count, sizeof *c->metadata, compare_keys);
    for (size_t i = 1; i < c->metadata_count; i++) {
        const char *key = c->metadata[i].key;
        if (strcmp(key, c->metadata[i - 1].key) == 0)
            return sgm_fail(SGM_BAD_MODEL, "metadata key '%s' occurs twice",
                            sgm_printable(key, strlen(key), text));
    }
    return SGM_OK;
}

/* ------------------------------------------------------------------------------------- look-up */

size_t sgm_checkpoint_count(const sgm_checkpoint *c)
{
    return c->count;
}

const sgm_stored_tensor *sgm_checkpoint_tensor(const sgm_checkpoint *c, size_t index)
{
    return index < c->count ? &c->tensors[index] : NULL;
}

const sgm_stored_tensor *sgm_checkpoint_find(const sgm_checkpoint *c, const char *name)
{
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, c->by_name[middle]->name);
        if (order == 0) return c->by_name[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const char *sgm_checkpoint_metadata(const sgm_checkpoint *c, const char *key)
{
    sgm_metadata_entry wanted = {key, NULL}, *found;
    if (c->metadata_count == 0) return NULL;
    found = bsearch(&wanted, c->metadata, c->metadata_count, sizeof wanted, compare_keys);
    return found ? found->value : NULL;
}

size_t sgm_checkpoint_metadata_count(const sgm_checkpoint *c)
{
    return c->metadata_count;
}

sgm_metadata_entry sgm_checkpoint_metadata_at(const sgm_checkpoint *c, size_t index)
{
    return index < c->metadata_count ? c->metadata[index] : (sgm_metadata_entry){NULL, NULL};
}

const char *sgm_checkpoint_path(const sgm_checkpoint *c)
{
    return c->path;
}

const char *sgm_checkpoint_format(const sgm_checkpoint *c)
{
    return c->format;
}

const char *sgm_checkpoint_prefix(const sgm_checkpoint *c)
{
    return c->prefix;
}

const char *sgm_checkpoint_wrapper(const sgm_checkpoint *c)
{
    return c->wrapper;
}
