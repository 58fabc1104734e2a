#define _POSIX_C_SOURCE 200809L

#include "checkpoint/checkpoint_write.h"

#include "checkpoint/checkpoint_build.h"
#include "core/atomic_file.h"
#include "core/status.h"
#include "core/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DATA_ALIGNMENT = 64, CHUNK = 1 << 16 }; /* elements converted at a time */

typedef struct {
    sgm_stored_tensor from; /* .data NULL if there is a source */
    sgm_checkpoint_source source;
    void *user;
    sgm_stored_type type; /* as stored */
} entry;

struct sgm_checkpoint_writer {
    sgm_parse_arena arena;
    entry *entries;
    size_t count, capacity;
    sgm_metadata_entry *metadata;
    size_t metadata_count, metadata_capacity;
};

static sgm_status fail_memory(void)
{
    return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory while preparing a checkpoint");
}

sgm_status sgm_checkpoint_writer_create(sgm_checkpoint_writer **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? SGM_OK : fail_memory();
}

void sgm_checkpoint_writer_destroy(sgm_checkpoint_writer *w)
{
    if (!w) return;
    sgm_parse_arena_free(&w->arena);
    free(w->entries);
    free(w->metadata);
    free(w);
}

/* --------------------------------------------------------------------------------------- adding */

sgm_status sgm_checkpoint_writer_metadata(sgm_checkpoint_writer *w, const char *key,
                                          const char *value)
{
    sgm_metadata_entry e = {sgm_parse_arena_text(&w->arena, key, strlen(key)),
                            sgm_parse_arena_text(&w->arena, value, strlen(value))};
    if (!e.key || !e.value) return fail_memory();
    for (size_t i = 0; i < w->metadata_count; i++) {
        if (strcmp(w->metadata[i].key, key) == 0) {
            w->metadata[i] = e;
            return SGM_OK;
        }
    }
    if (!sgm_array_grow(&w->metadata, w->metadata_count + 1, &w->metadata_capacity,
                        sizeof *w->metadata))
        return fail_memory();
    w->metadata[w->metadata_count++] = e;
    return SGM_OK;
}

static bool is_storable(sgm_stored_type from, sgm_stored_type to)
{
    if (!sgm_stored_type_is_float(from)) return from == to;
    return to == SGM_STORED_F32 || to == SGM_STORED_F16 || to == SGM_STORED_BF16 || to == from;
}

static sgm_status add_entry(sgm_checkpoint_writer *w, entry e)
{
    const char *name = e.from.name;
    if (!name || strcmp(name, "__metadata__") == 0 || sgm_checkpoint_check_name(name) != SGM_OK)
        return sgm_fail(SGM_INVALID_ARGUMENT, "a tensor to write has no name, or not a legal one");
    if (!is_storable(e.from.type, e.type))
        return sgm_fail(SGM_INVALID_ARGUMENT, "tensor '%s': %s cannot be stored as %s", name,
                        sgm_stored_type_name(e.from.type), sgm_stored_type_name(e.type));
    e.from.name = sgm_parse_arena_text(&w->arena, name, strlen(name));
    if (!e.from.name ||
        !sgm_array_grow(&w->entries, w->count + 1, &w->capacity, sizeof *w->entries))
        return fail_memory();
    w->entries[w->count++] = e;
    return SGM_OK;
}

sgm_status sgm_checkpoint_writer_add(sgm_checkpoint_writer *w, const sgm_stored_tensor *tensor,
                                     sgm_stored_type type)
{
    bool keep = !sgm_stored_type_is_float(tensor->type);
    return add_entry(w, (entry){.from = *tensor, .type = keep ? tensor->type : type});
}

static sgm_status describe(const char *name, sgm_stored_type type, int rank, const int64_t *shape,
                           const void *values, sgm_stored_tensor *out)
{
    *out = (sgm_stored_tensor){.name = name, .type = type, .rank = rank, .data = values};
    for (int i = 0; i < rank && i < SGM_STORED_MAX_RANK; i++)
        out->shape[i] = shape[i];
    if (sgm_stored_tensor_set_sizes(out)) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT, "tensor '%s': bad shape", name ? name : "");
}

sgm_status sgm_checkpoint_writer_add_f32(sgm_checkpoint_writer *w, const char *name, int rank,
                                         const int64_t *shape, const float *values,
                                         sgm_stored_type type)
{
    entry e = {.type = type};
    SGM_TRY(describe(name, SGM_STORED_F32, rank, shape, values, &e.from));
    return add_entry(w, e);
}

sgm_status sgm_checkpoint_writer_add_raw(sgm_checkpoint_writer *w, const char *name,
                                         sgm_stored_type type, int rank, const int64_t *shape,
                                         const void *values)
{
    entry e = {.type = type};
    SGM_TRY(describe(name, type, rank, shape, values, &e.from));
    return add_entry(w, e);
}

sgm_status sgm_checkpoint_writer_add_source(sgm_checkpoint_writer *w, const char *name, int rank,
                                            const int64_t *shape, sgm_checkpoint_source source,
                                            void *user, sgm_stored_type type)
{
    entry e = {.source = source, .user = user, .type = type};
    SGM_TRY(describe(name, SGM_STORED_F32, rank, shape, NULL, &e.from));
    return add_entry(w, e);
}

sgm_status sgm_checkpoint_writer_add_all(sgm_checkpoint_writer *w, const sgm_checkpoint *c,
                                         sgm_stored_type type)
{
    for (size_t i = 0; i < sgm_checkpoint_metadata_count(c); i++) {
        sgm_metadata_entry e = sgm_checkpoint_metadata_at(c, i);
        SGM_TRY(sgm_checkpoint_writer_metadata(w, e.key, e.value));
    }
    for (size_t i = 0; i < sgm_checkpoint_count(c); i++)
        SGM_TRY(sgm_checkpoint_writer_add(w, sgm_checkpoint_tensor(c, i), type));
    return SGM_OK;
}

/* --------------------------------------------------------------------------------------- header */

static int compare_entries(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    size_t p = sgm_stored_type_size(x->type), q = sgm_stored_type_size(y->type);
    if (p != q) return p > q ? -1 : 1;
    return strcmp(x->from.name, y->from.name);
}

static int compare_names(const void *a, const void *b)
{
    const entry *const *x = a, *const *y = b;
    return strcmp((*x)->from.name, (*y)->from.name);
}

static int compare_keys(const void *a, const void *b)
{
    const sgm_metadata_entry *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static sgm_status check_unique(const sgm_checkpoint_writer *w)
{
    const char *twice = NULL;
    const entry **sorted = malloc((w->count + 1) * sizeof *sorted);
    if (!sorted) return fail_memory();
    for (size_t i = 0; i < w->count; i++)
        sorted[i] = &w->entries[i];
    qsort(sorted, w->count, sizeof *sorted, compare_names);
    for (size_t i = 1; i < w->count; i++)
        if (compare_names(&sorted[i - 1], &sorted[i]) == 0) twice = sorted[i]->from.name;
    free(sorted);
    return twice ? sgm_fail(SGM_INVALID_ARGUMENT, "tensor '%s' was added twice", twice) : SGM_OK;
}

static void put_json_text(sgm_text *out, const char *text)
{
    sgm_text_char(out, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            sgm_text_print(out, "\\%c", c);
        else if (c < 0x20)
            sgm_text_print(out, "\\u%04x", c);
        else
            sgm_text_char(out, *text);
    }
    sgm_text_char(out, '"');
}

static void put_metadata(sgm_text *out, const sgm_checkpoint_writer *w)
{
    sgm_text_print(out, "\"__metadata__\":{");
    for (size_t i = 0; i < w->metadata_count; i++) {
        if (i > 0) sgm_text_char(out, ',');
        put_json_text(out, w->metadata[i].key);
        sgm_text_char(out, ':');
        put_json_text(out, w->metadata[i].value);
    }
    sgm_text_char(out, '}');
}

static void put_tensor(sgm_text *out, const entry *e, size_t *offset)
{
    size_t end = *offset + e->from.count * sgm_stored_type_size(e->type);
    put_json_text(out, e->from.name);
    sgm_text_print(out, ":{\"dtype\":\"%s\",\"shape\":[", sgm_stored_type_name(e->type));
    for (int i = 0; i < e->from.rank; i++)
        sgm_text_print(out, "%s%lld", i ? "," : "", (long long)e->from.shape[i]);
    sgm_text_print(out, "],\"data_offsets\":[%zu,%zu]}", *offset, end);
    *offset = end;
}

static void put_header(sgm_text *out, const sgm_checkpoint_writer *w)
{
    size_t offset = 0;
    sgm_text_char(out, '{');
    if (w->metadata_count > 0) put_metadata(out, w);
    for (size_t i = 0; i < w->count; i++) {
        if (i > 0 || w->metadata_count > 0) sgm_text_char(out, ',');
        put_tensor(out, &w->entries[i], &offset);
    }
    sgm_text_char(out, '}');
}

/* The JSON text, padded with blanks so that the data begin aligned. The caller frees it. */
static sgm_status make_header(const sgm_checkpoint_writer *w, char **text, size_t *size)
{
    sgm_text out = {0};
    put_header(&out, w);
    while ((8 + out.size) % DATA_ALIGNMENT != 0 && !out.failed)
        sgm_text_char(&out, ' ');
    *text = out.bytes;
    *size = out.size;
    if (!out.failed) return SGM_OK;
    free(*text);
    *text = NULL;
    return fail_memory();
}

/* ----------------------------------------------------------------------------------------- data */

/* One chunk before and after conversion. */
typedef struct {
    float values[CHUNK];
    uint16_t halves[CHUNK];
    unsigned char raw[CHUNK * 8];
} workspace;

static sgm_status read_chunk(const entry *e, size_t first, size_t n, float *out)
{
    if (e->source) return e->source(e->user, first, n, out);
    return sgm_stored_tensor_read_f32_range(&e->from, first, n, out);
}

static sgm_status to_halves(const entry *e, const float *values, size_t n, uint16_t *out)
{
    if (e->type == SGM_STORED_BF16) {
        for (size_t i = 0; i < n; i++)
            out[i] = sgm_f32_to_bf16(values[i]);
        return SGM_OK;
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = sgm_f32_to_f16(values[i]);
        if ((out[i] & 0x7fff) == 0x7c00 && isfinite(values[i]))
            return sgm_fail(SGM_INVALID_ARGUMENT,
                            "tensor '%s': %g does not fit F16 (at most 65504); BF16 would hold it",
                            e->from.name, (double)values[i]);
    }
    return SGM_OK;
}

static sgm_status write_chunk(sgm_atomic_file *file, const entry *e, size_t first, size_t n,
                              workspace *work)
{
    if (e->type == e->from.type && !e->source) {
        SGM_TRY(sgm_stored_tensor_read_raw(&e->from, first, n, work->raw));
        return sgm_atomic_file_write(file, work->raw, n * sgm_stored_type_size(e->type));
    }
    SGM_TRY(read_chunk(e, first, n, work->values));
    if (e->type == SGM_STORED_F32)
        return sgm_atomic_file_write(file, work->values, n * sizeof(float));
    SGM_TRY(to_halves(e, work->values, n, work->halves));
    return sgm_atomic_file_write(file, work->halves, n * sizeof(uint16_t));
}

static sgm_status write_chunks(sgm_atomic_file *file, const entry *e, workspace *work)
{
    for (size_t first = 0; first < e->from.count; first += CHUNK) {
        size_t left = e->from.count - first;
        SGM_TRY(write_chunk(file, e, first, left < CHUNK ? left : CHUNK, work));
    }
    return SGM_OK;
}

static sgm_status write_tensor(sgm_atomic_file *file, const entry *e, workspace *work)
{
    if (e->type == e->from.type && !e->source && !e->from.source && e->from.contiguous)
        return sgm_atomic_file_write(file, e->from.data, e->from.byte_size);
    entry gathered = *e;
    void *memory;
    SGM_TRY(sgm_stored_tensor_gathered(&e->from, &gathered.from, &memory));
    sgm_status status = write_chunks(file, &gathered, work);
    free(memory);
    return status;
}

static sgm_status write_header(const sgm_checkpoint_writer *w, sgm_atomic_file *file)
{
    char *text = NULL;
    size_t size = 0;
    unsigned char length[8];
    SGM_TRY(make_header(w, &text, &size));
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)((uint64_t)size >> 8 * i);
    sgm_status status = sgm_atomic_file_write(file, length, sizeof length);
    if (status == SGM_OK) status = sgm_atomic_file_write(file, text, size);
    free(text);
    return status;
}

static sgm_status write_all(const sgm_checkpoint_writer *w, sgm_atomic_file *file)
{
    workspace *work = malloc(sizeof *work);
    if (!work) return fail_memory();
    sgm_status status = write_header(w, file);
    for (size_t i = 0; i < w->count && status == SGM_OK; i++)
        status = write_tensor(file, &w->entries[i], work);
    free(work);
    return status;
}

sgm_status sgm_checkpoint_writer_save(sgm_checkpoint_writer *w, const char *path)
{
    sgm_atomic_file file;
    SGM_TRY(check_unique(w));
    if (w->count > 0) qsort(w->entries, w->count, sizeof *w->entries, compare_entries);
    if (w->metadata_count > 0)
        qsort(w->metadata, w->metadata_count, sizeof *w->metadata, compare_keys);
    sgm_atomic_file_sweep_beside(path); /* these are large */
    SGM_TRY(sgm_atomic_file_create(path, &file));
    sgm_status status = write_all(w, &file);
    if (status == SGM_OK) return sgm_atomic_file_commit(&file);
    sgm_atomic_file_abandon(&file);
    return status;
}
