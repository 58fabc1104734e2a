#include "checkpoint/npy.h"

#include "checkpoint/parse_arena.h"
#include "core/atomic_file.h"
#include "core/status.h"

#include <stdio.h>
#include <string.h>

enum { MAGIC_SIZE = 6, MAX_HEADER = 1 << 16, DATA_ALIGNMENT = 64 };

static const struct {
    char name[4]; /* without the byte order */
    sgm_stored_type type;
} types[] = {
    {"u1", SGM_STORED_U8},  {"i1", SGM_STORED_I8},  {"u2", SGM_STORED_U16}, {"i2", SGM_STORED_I16},
    {"u4", SGM_STORED_U32}, {"i4", SGM_STORED_I32}, {"u8", SGM_STORED_U64}, {"i8", SGM_STORED_I64},
    {"f2", SGM_STORED_F16}, {"f4", SGM_STORED_F32}, {"f8", SGM_STORED_F64}, {"b1", SGM_STORED_BOOL},
};

/* ----------------------------------------------------- the header: a literal of a Python dict */

typedef struct {
    const unsigned char *at, *end;
    sgm_stored_tensor *array;
} cursor;

static bool take(cursor *c, char byte)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n'))
        c->at++;
    if (c->at == c->end || *c->at != (unsigned char)byte) return false;
    c->at++;
    return true;
}

static sgm_status fail_header(void)
{
    return sgm_fail(SGM_UNREADABLE, "the .npy header is damaged");
}

/* A quoted text without escapes. */
static bool take_text(cursor *c, const char **text, size_t *length)
{
    char quote = take(c, '\'') ? '\'' : take(c, '"') ? '"' : 0;
    if (!quote) return false;
    const unsigned char *close = memchr(c->at, quote, (size_t)(c->end - c->at));
    if (!close) return false;
    *text = (const char *)c->at;
    *length = (size_t)(close - c->at);
    c->at = close + 1;
    return true;
}

static bool take_word(cursor *c, const char *word)
{
    size_t n = strlen(word);
    while (c->at < c->end && *c->at == ' ')
        c->at++;
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0) return false;
    c->at += n;
    return true;
}

static sgm_status read_type(cursor *c)
{
    const char *text;
    size_t length;
    char printable[96];
    if (!take_text(c, &text, &length)) /* a list: a structured type */
        return sgm_fail(SGM_UNREADABLE, "the .npy type is not a plain number");
    bool little = length == 3 && (text[0] == '<' || (text[0] == '|' && text[2] == '1'));
    for (size_t i = 0; little && i < sizeof types / sizeof *types; i++) {
        if (memcmp(text + 1, types[i].name, 2) == 0) {
            c->array->type = types[i].type;
            return SGM_OK;
        }
    }
    return sgm_fail(SGM_UNREADABLE,
                    ".npy type '%s' is not supported (little-endian u1-u8, i1-i8, "
                    "f2-f8 and b1 are)",
                    sgm_printable(text, length, printable));
}

static sgm_status read_order(cursor *c)
{
    if (take_word(c, "False")) return SGM_OK;
    if (take_word(c, "True"))
        return sgm_fail(SGM_UNREADABLE, "the .npy array is in Fortran order; write it with "
                                        "numpy.ascontiguousarray");
    return fail_header();
}

static bool take_size(cursor *c, int64_t *out)
{
    (void)take(c, ' ');
    const unsigned char *start = c->at;
    int64_t value = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *c->at - '0', &value))
            return false;
    *out = value;
    return c->at > start;
}

static sgm_status read_shape(cursor *c)
{
    sgm_stored_tensor *t = c->array;
    t->rank = 0;
    if (!take(c, '(')) return fail_header();
    while (!take(c, ')')) {
        if (t->rank == SGM_STORED_MAX_RANK)
            return sgm_fail(SGM_UNREADABLE, "the .npy array has more than %d dimensions",
                            SGM_STORED_MAX_RANK);
        if (!take_size(c, &t->shape[t->rank++])) return fail_header();
        if (take(c, ',')) continue;
        return take(c, ')') ? SGM_OK : fail_header();
    }
    return SGM_OK;
}

enum { SAW_TYPE = 1, SAW_ORDER = 2, SAW_SHAPE = 4, SAW_ALL = 7 };

static sgm_status read_item(cursor *c, int *seen)
{
    const char *key;
    size_t length;
    if (!take_text(c, &key, &length) || !take(c, ':')) return fail_header();
    int bit = length == 5 && memcmp(key, "descr", 5) == 0             ? SAW_TYPE
              : length == 13 && memcmp(key, "fortran_order", 13) == 0 ? SAW_ORDER
              : length == 5 && memcmp(key, "shape", 5) == 0           ? SAW_SHAPE
                                                                      : 0;
    if (bit == 0 || *seen & bit) return fail_header();
    *seen |= bit;
    return bit == SAW_TYPE ? read_type(c) : bit == SAW_ORDER ? read_order(c) : read_shape(c);
}

static sgm_status read_header(cursor *c)
{
    int seen = 0;
    if (!take(c, '{')) return fail_header();
    while (!take(c, '}')) {
        SGM_TRY(read_item(c, &seen));
        if (!take(c, ',')) {
            if (!take(c, '}')) return fail_header();
            break;
        }
    }
    (void)take(c, ' ');
    return seen == SAW_ALL && c->at == c->end ? SGM_OK : fail_header();
}

/* -------------------------------------------------------------------------------------- reading */

/* Where the header's text begins and how long it is. */
static sgm_status find_header(const unsigned char *bytes, size_t size, size_t *start,
                              size_t *length)
{
    if (size < 12 || memcmp(bytes, "\x93NUMPY", MAGIC_SIZE) != 0)
        return sgm_fail(SGM_UNREADABLE, "not a .npy file");
    int version = bytes[6];
    if (version != 1 && version != 2)
        return sgm_fail(SGM_UNREADABLE, ".npy format version %d, wanted 1 or 2", version);
    *start = version == 1 ? 10 : 12;
    *length = bytes[8] | (size_t)bytes[9] << 8;
    if (version == 2) *length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (*length > MAX_HEADER || *length > size - *start)
        return sgm_fail(SGM_UNREADABLE, "a .npy header of %zu bytes in a file of %zu", *length,
                        size);
    return SGM_OK;
}

static sgm_status parse(const unsigned char *bytes, size_t size, sgm_stored_tensor *array)
{
    char shape[96];
    size_t start, length;
    SGM_TRY(find_header(bytes, size, &start, &length));
    cursor c = {bytes + start, bytes + start + length, array};
    SGM_TRY(read_header(&c));
    if (!sgm_stored_tensor_set_sizes(array))
        return sgm_fail(SGM_UNREADABLE, "the .npy shape %s overflows",
                        sgm_stored_tensor_shape_text(array, shape));
    size_t left = size - start - length;
    if (array->byte_size != left)
        return sgm_fail(SGM_UNREADABLE, "%s of shape %s takes %zu bytes, the file has %zu",
                        sgm_stored_type_name(array->type),
                        sgm_stored_tensor_shape_text(array, shape), array->byte_size, left);
    array->data = bytes + start + length;
    return SGM_OK;
}

sgm_status sgm_npy_open_memory(const void *bytes, size_t size, const char *label, sgm_npy *out)
{
    sgm_npy npy = {.array.name = ""};
    *out = npy;
    sgm_status status = parse(bytes, size, &npy.array);
    if (status != SGM_OK) return sgm_fail_in(status, label);
    *out = npy;
    return SGM_OK;
}

sgm_status sgm_npy_open(const char *path, sgm_npy *out)
{
    sgm_mapped_file file;
    SGM_TRY(sgm_mapped_file_open(path, SGM_UNREADABLE, &file));
    sgm_status status = sgm_npy_open_memory(file.bytes, file.size, path, out);
    if (status == SGM_OK)
        out->file = file;
    else
        sgm_mapped_file_close(&file);
    return status;
}

void sgm_npy_close(sgm_npy *npy)
{
    sgm_mapped_file_close(&npy->file);
    *npy = (sgm_npy){0};
}

/* -------------------------------------------------------------------------------------- writing */

static const char *type_name(sgm_stored_type type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type) return types[i].name;
    return NULL;
}

/* Magic, version, length and the dict, padded so that the data begin aligned; returns its size. */
static size_t make_header(const sgm_stored_tensor *t, const char *type, char header[512])
{
    int n = snprintf(header + 10, 400, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                     sgm_stored_type_size(t->type) == 1 ? '|' : '<', type);
    for (int i = 0; i < t->rank; i++)
        n += snprintf(header + 10 + n, 32,
                      t->rank == 1 ? "%lld,"
                      : i          ? ", %lld"
                                   : "%lld",
                      (long long)t->shape[i]);
    n += snprintf(header + 10 + n, 8, "), }");
    while ((10 + n + 1) % DATA_ALIGNMENT != 0)
        header[10 + n++] = ' ';
    header[10 + n++] = '\n';
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)(n & 0xff);
    header[9] = (char)(n >> 8);
    return 10 + (size_t)n;
}

sgm_status sgm_npy_write(const char *path, sgm_stored_type type, int rank, const int64_t *shape,
                         const void *data)
{
    sgm_stored_tensor t = {.type = type, .rank = rank};
    char header[512];
    sgm_atomic_file file;
    for (int i = 0; i < rank && i < SGM_STORED_MAX_RANK; i++)
        t.shape[i] = shape[i];
    if (!type_name(type) || !sgm_stored_tensor_set_sizes(&t))
        return sgm_fail(SGM_INVALID_ARGUMENT, "%s: no .npy for this type or shape", path);
    size_t header_size = make_header(&t, type_name(type), header);
    SGM_TRY(sgm_atomic_file_create(path, &file));
    sgm_status status = sgm_atomic_file_write(&file, header, header_size);
    if (status == SGM_OK) status = sgm_atomic_file_write(&file, data, t.byte_size);
    if (status == SGM_OK) return sgm_atomic_file_commit(&file);
    sgm_atomic_file_abandon(&file);
    return status;
}
