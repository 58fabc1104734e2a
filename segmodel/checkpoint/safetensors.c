/* The .safetensors format: an 8-byte little-endian header length, a JSON object, then the data.
 * As strict as the reference implementation: the tensors tile the data exactly. */
#include "checkpoint/checkpoint_build.h"
#include "checkpoint/json_cursor.h"
#include "core/status.h"

#include <stdlib.h>
#include <string.h>

enum { LENGTH_SIZE = 8, MAX_HEADER = 25 * 1000 * 1000 };

typedef struct {
    sgm_checkpoint *checkpoint;
    sgm_json_cursor json;
    const unsigned char *data; /* after the header */
    size_t data_size;
} reader;

/* ------------------------------------------------------------------------------ one tensor */

enum { SAW_TYPE = 1, SAW_SHAPE = 2, SAW_OFFSETS = 4, SAW_ALL = 7 };

static sgm_status read_type(reader *r, sgm_stored_tensor *t)
{
    const char *name;
    char text[96];
    SGM_TRY(sgm_json_string(&r->json, &name));
    for (int type = 0; type < SGM_STORED_TYPE_COUNT; type++) {
        if (strcmp(name, sgm_stored_type_name((sgm_stored_type)type)) == 0) {
            t->type = (sgm_stored_type)type;
            return SGM_OK;
        }
    }
    return sgm_fail(SGM_BAD_MODEL, "tensor '%s': dtype '%s' is not supported", t->name,
                    sgm_printable(name, strlen(name), text));
}

static sgm_status read_shape(reader *r, sgm_stored_tensor *t)
{
    SGM_TRY(sgm_json_expect(&r->json, '['));
    t->rank = 0;
    if (sgm_json_take(&r->json, ']')) return SGM_OK;
    do {
        if (t->rank == SGM_STORED_MAX_RANK)
            return sgm_fail(SGM_BAD_MODEL, "tensor '%s' has more than %d dimensions", t->name,
                            SGM_STORED_MAX_RANK);
        SGM_TRY(sgm_json_integer(&r->json, &t->shape[t->rank++]));
    } while (sgm_json_take(&r->json, ','));
    return sgm_json_expect(&r->json, ']');
}

static sgm_status read_offsets(reader *r, int64_t offsets[2])
{
    SGM_TRY(sgm_json_expect(&r->json, '['));
    SGM_TRY(sgm_json_integer(&r->json, &offsets[0]));
    SGM_TRY(sgm_json_expect(&r->json, ','));
    SGM_TRY(sgm_json_integer(&r->json, &offsets[1]));
    return sgm_json_expect(&r->json, ']');
}

static sgm_status read_field(reader *r, sgm_stored_tensor *t, int64_t offsets[2], int *seen)
{
    const char *key;
    char text[96];
    SGM_TRY(sgm_json_string(&r->json, &key));
    SGM_TRY(sgm_json_expect(&r->json, ':'));
    int bit = strcmp(key, "dtype") == 0          ? SAW_TYPE
              : strcmp(key, "shape") == 0        ? SAW_SHAPE
              : strcmp(key, "data_offsets") == 0 ? SAW_OFFSETS
                                                 : 0;
    if (bit == 0 || *seen & bit)
        return sgm_fail(SGM_BAD_MODEL, "tensor '%s': %s key '%s'", t->name,
                        bit ? "repeated" : "unknown", sgm_printable(key, strlen(key), text));
    *seen |= bit;
    if (bit == SAW_TYPE) return read_type(r, t);
    if (bit == SAW_SHAPE) return read_shape(r, t);
    return read_offsets(r, offsets);
}

/* What can be used in place must lie aligned in the data. Counters and statistics of 8 bytes are
 * always copied, and writers that do not sort by size put them after floats. */
static size_t required_alignment(sgm_stored_type type)
{
    size_t size = sgm_stored_type_size(type);
    return size < 4 ? size : 4;
}

static sgm_status check_extent(const reader *r, sgm_stored_tensor *t, const int64_t offsets[2])
{
    char shape[96];
    uint64_t begin = (uint64_t)offsets[0], end = (uint64_t)offsets[1];
    if (begin > end || end > r->data_size)
        return sgm_fail(SGM_BAD_MODEL,
                        "tensor '%s': bytes %llu to %llu, but the file holds %zu bytes of data%s",
                        t->name, (unsigned long long)begin, (unsigned long long)end, r->data_size,
                        begin > end ? "" : " (cut off?)");
    if (!sgm_stored_tensor_set_sizes(t))
        return sgm_fail(SGM_BAD_MODEL, "tensor '%s': shape %s overflows", t->name,
                        sgm_stored_tensor_shape_text(t, shape));
    if (t->byte_size != end - begin)
        return sgm_fail(SGM_BAD_MODEL, "tensor '%s': %s %s takes %zu bytes, the file gives it %llu",
                        t->name, sgm_stored_type_name(t->type),
                        sgm_stored_tensor_shape_text(t, shape), t->byte_size,
                        (unsigned long long)(end - begin));
    if (begin % required_alignment(t->type) != 0)
        return sgm_fail(SGM_BAD_MODEL, "tensor '%s': misaligned, %s data at byte %llu", t->name,
                        sgm_stored_type_name(t->type), (unsigned long long)begin);
    t->data = r->data + begin;
    return SGM_OK;
}

static sgm_status read_tensor(reader *r, const char *name)
{
    sgm_stored_tensor t = {.name = name};
    int64_t offsets[2] = {0, 0};
    int seen = 0;
    SGM_TRY(sgm_checkpoint_check_name(name));
    SGM_TRY(sgm_json_expect(&r->json, '{'));
    do
        SGM_TRY(read_field(r, &t, offsets, &seen));
    while (sgm_json_take(&r->json, ','));
    SGM_TRY(sgm_json_expect(&r->json, '}'));
    if (seen != SAW_ALL)
        return sgm_fail(SGM_BAD_MODEL, "tensor '%s' lacks its %s", name,
                        !(seen & SAW_TYPE)    ? "dtype"
                        : !(seen & SAW_SHAPE) ? "shape"
                                              : "data_offsets");
    SGM_TRY(check_extent(r, &t, offsets));
    return sgm_checkpoint_add_tensor(r->checkpoint, &t);
}

/* --------------------------------------------------------------------------------- the header */

static sgm_status read_metadata(reader *r)
{
    SGM_TRY(sgm_json_expect(&r->json, '{'));
    if (sgm_json_take(&r->json, '}')) return SGM_OK;
    do {
        sgm_metadata_entry entry;
        SGM_TRY(sgm_json_string(&r->json, &entry.key));
        SGM_TRY(sgm_json_expect(&r->json, ':'));
        SGM_TRY(sgm_json_string(&r->json, &entry.value));
        SGM_TRY(sgm_checkpoint_add_metadata(r->checkpoint, entry));
    } while (sgm_json_take(&r->json, ','));
    return sgm_json_expect(&r->json, '}');
}

static sgm_status read_entry(reader *r, bool *saw_metadata)
{
    const char *name;
    SGM_TRY(sgm_json_string(&r->json, &name));
    SGM_TRY(sgm_json_expect(&r->json, ':'));
    if (strcmp(name, "__metadata__") != 0) return read_tensor(r, name);
    if (*saw_metadata) return sgm_fail(SGM_BAD_MODEL, "__metadata__ occurs twice");
    *saw_metadata = true;
    return read_metadata(r);
}

static sgm_status read_header(reader *r)
{
    bool saw_metadata = false;
    SGM_TRY(sgm_json_expect(&r->json, '{'));
    if (!sgm_json_take(&r->json, '}')) {
        do
            SGM_TRY(read_entry(r, &saw_metadata));
        while (sgm_json_take(&r->json, ','));
        SGM_TRY(sgm_json_expect(&r->json, '}'));
    }
    return sgm_json_end(&r->json);
}

static int compare_places(const void *a, const void *b)
{
    const sgm_stored_tensor *x = *(const sgm_stored_tensor *const *)a;
    const sgm_stored_tensor *y = *(const sgm_stored_tensor *const *)b;
    const char *p = x->data, *q = y->data;
    if (p != q) return p < q ? -1 : 1;
    return (x->byte_size > y->byte_size) - (x->byte_size < y->byte_size);
}

static sgm_status check_tiling(const reader *r, const sgm_stored_tensor **sorted)
{
    const unsigned char *expected = r->data;
    for (size_t i = 0; i < r->checkpoint->count; i++) {
        const sgm_stored_tensor *t = sorted[i];
        if ((const unsigned char *)t->data != expected)
            return sgm_fail(SGM_BAD_MODEL, "tensor '%s' %s", t->name,
                            (const unsigned char *)t->data < expected
                                ? "overlaps another tensor"
                                : "does not begin where the one before it ends");
        expected += t->byte_size;
    }
    size_t left = (size_t)(r->data + r->data_size - expected);
    if (left != 0) return sgm_fail(SGM_BAD_MODEL, "%zu bytes at the end belong to no tensor", left);
    return SGM_OK;
}

/* Sorting borrows the array that later holds the names' order. */
static sgm_status check_places(reader *r)
{
    sgm_checkpoint *c = r->checkpoint;
    c->by_name = malloc((c->count + 1) * sizeof *c->by_name);
    if (!c->by_name) return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory for %zu tensors", c->count);
    for (size_t i = 0; i < c->count; i++)
        c->by_name[i] = &c->tensors[i];
    qsort(c->by_name, c->count, sizeof *c->by_name, compare_places);
    return check_tiling(r, c->by_name);
}

static uint64_t little_endian64(const unsigned char *bytes)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

sgm_status sgm_safetensors_parse(sgm_checkpoint *c)
{
    if (c->size < LENGTH_SIZE + 2)
        return sgm_fail(SGM_BAD_MODEL, "%zu bytes are too few for a .safetensors", c->size);
    uint64_t length = little_endian64(c->bytes);
    if (length > MAX_HEADER || length > c->size - LENGTH_SIZE)
        return sgm_fail(SGM_BAD_MODEL,
                        "a header of %llu bytes is announced, the file has %zu more (and at most "
                        "%d are accepted)",
                        (unsigned long long)length, c->size - LENGTH_SIZE, MAX_HEADER);
    const unsigned char *header = c->bytes + LENGTH_SIZE;
    reader r = {c,
                {header, header, header + length, &c->arena},
                header + length,
                c->size - LENGTH_SIZE - (size_t)length};
    c->format = "safetensors";
    SGM_TRY(read_header(&r));
    return check_places(&r);
}
