/* PyTorch's files before 1.6, and since then those of torch.save with
 * _use_new_zipfile_serialization=False: pickles in a row (a magic number, the version of the
 * format, the sizes of the machine's numbers, the object, the keys of its storages), then the
 * storages in the order of the keys: the number of elements, their bytes. Follows PyTorch,
 * torch/serialization.py, _legacy_save. */
#include "checkpoint/pickle_machine.h"
#include "checkpoint/torch_dict.h"
#include "core/status.h"

#include <stdlib.h>
#include <string.h>

enum { VERSION = 1001, COUNT_SIZE = 8 };

/* A storage of the object; one key may be in many tensors. */
typedef struct {
    const sgm_pickle_value *key, *storage;
    const unsigned char *data; /* NULL: the file does not hold it */
} stored;

typedef struct {
    const unsigned char *bytes;
    size_t size, at;
    sgm_pickle object, keys;
    stored *storages; /* sorted by key, each once */
    size_t count;
} stream;

bool sgm_torch_stream_begins(const unsigned char *bytes, size_t size)
{
    /* 0x1950a86a20f9469cfc6c as a pickle has it; protocols from 4 on may put a frame before it. */
    static const char magic[] = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    const size_t length = sizeof magic - 1, farthest = 2 + 9;
    if (size < 2 || bytes[0] != 0x80) return false;
    for (size_t at = 2; at <= farthest && at + length <= size; at++)
        if (memcmp(bytes + at, magic, length) == 0) return true;
    return false;
}

/* ------------------------------------------------------------------------------------- pickles */

static sgm_status next_pickle(stream *s, const char *what, sgm_pickle *out)
{
    size_t left = s->size - s->at;
    if (left > SGM_PICKLE_MAX_BYTES) left = SGM_PICKLE_MAX_BYTES;
    sgm_status status = sgm_pickle_parse(s->bytes + s->at, left, out);
    if (status != SGM_OK) return sgm_fail_in(status, what);
    s->at += out->size;
    return SGM_OK;
}

static sgm_status check_version(const sgm_pickle *p)
{
    const sgm_pickle_value *v = &p->values[p->root];
    if (v->kind == SGM_PICKLE_INT && v->integer == VERSION) return SGM_OK;
    return sgm_fail(SGM_BAD_MODEL, "not version %d of PyTorch's format before 1.6", VERSION);
}

/* {"little_endian": True, ...} */
static sgm_status check_byte_order(const sgm_pickle *p)
{
    const sgm_pickle_value *dict = &p->values[p->root];
    uint32_t cell = dict->kind == SGM_PICKLE_DICT ? dict->items.first : 0;
    for (; cell; cell = p->cells[p->cells[cell].next].next) {
        const sgm_pickle_value *key = &p->values[p->cells[cell].value];
        const sgm_pickle_value *value = &p->values[p->cells[p->cells[cell].next].value];
        if (key->kind == SGM_PICKLE_STRING && key->text.length == 13 &&
            memcmp(key->text.bytes, "little_endian", 13) == 0 && value->kind == SGM_PICKLE_BOOL &&
            value->integer)
            return SGM_OK;
    }
    return sgm_fail(SGM_BAD_MODEL, "byte order is not 'little'; save it again on a little-endian "
                                   "machine");
}

/* The three pickles before the object say nothing but what the format is. */
static sgm_status read_head(stream *s)
{
    static sgm_status (*const checks[])(const sgm_pickle *) = {NULL, check_version,
                                                               check_byte_order};
    for (int i = 0; i < 3; i++) {
        sgm_pickle p;
        SGM_TRY(next_pickle(s, "the file's head", &p));
        sgm_status status = checks[i] ? checks[i](&p) : SGM_OK;
        sgm_pickle_free(&p);
        SGM_TRY(status);
    }
    return SGM_OK;
}

/* ------------------------------------------------------------------------------------- storages */

static int compare_text(const sgm_pickle_value *a, const sgm_pickle_value *b)
{
    size_t p = a->text.length, q = b->text.length;
    int order = p && q ? memcmp(a->text.bytes, b->text.bytes, p < q ? p : q) : 0;
    return order ? order : (p > q) - (p < q);
}

static int compare_stored(const void *a, const void *b)
{
    const stored *x = a, *y = b;
    return compare_text(x->key, y->key);
}

static stored *find_stored(const stream *s, const sgm_pickle_value *key)
{
    stored wanted = {.key = key};
    if (s->count == 0) return NULL;
    return bsearch(&wanted, s->storages, s->count, sizeof wanted, compare_stored);
}

static sgm_status check_same(const stored *a, const stored *b)
{
    char text[96];
    if (a->storage->storage.type == b->storage->storage.type &&
        a->storage->storage.element == b->storage->storage.element &&
        a->storage->storage.count == b->storage->storage.count)
        return SGM_OK;
    return sgm_fail(SGM_BAD_MODEL, "storage '%s' is said to be of two sizes",
                    sgm_printable(a->key->text.bytes, a->key->text.length, text));
}

/* What the object's pickle names, sorted. */
static sgm_status list_storages(stream *s)
{
    const sgm_pickle *p = &s->object;
    size_t count = 0;
    for (size_t i = 0; i < p->value_count; i++)
        count += p->values[i].kind == SGM_PICKLE_STORAGE;
    s->storages = malloc((count + 1) * sizeof *s->storages);
    if (!s->storages) return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory for %zu storages", count);
    count = 0;
    for (size_t i = 0; i < p->value_count; i++)
        if (p->values[i].kind == SGM_PICKLE_STORAGE)
            s->storages[count++] =
                (stored){.key = &p->values[p->values[i].storage.key], .storage = &p->values[i]};
    if (count > 0) qsort(s->storages, count, sizeof *s->storages, compare_stored);
    for (size_t i = 0; i < count; i++) {
        stored *last = s->count > 0 ? &s->storages[s->count - 1] : NULL;
        bool same = last && compare_stored(last, &s->storages[i]) == 0;
        if (same) SGM_TRY(check_same(last, &s->storages[i]));
        if (!same) s->storages[s->count++] = s->storages[i];
    }
    return SGM_OK;
}

static uint64_t read_count(const unsigned char *bytes)
{
    uint64_t count = 0;
    for (int i = COUNT_SIZE; i-- > 0;)
        count = count << 8 | bytes[i];
    return count;
}

/* The next storage of the file is that of `key`. */
static sgm_status place_storage(stream *s, const sgm_pickle_value *key)
{
    char text[96], name[200];
    if (key->kind != SGM_PICKLE_STRING) return sgm_fail(SGM_BAD_MODEL, "a key that is no text");
    stored *found = find_stored(s, key);
    sgm_printable(key->text.bytes, key->text.length, text);
    if (!found || found->data)
        return sgm_fail(SGM_BAD_MODEL, "storage '%s' is %s", text,
                        found ? "listed twice" : "in no tensor");
    const sgm_pickle_value *v = found->storage;
    uint64_t element = v->storage.element, wanted = (uint64_t)v->storage.count;
    if (element == 0)
        return sgm_fail(SGM_BAD_MODEL,
                        "storage '%s' is a %s, whose size is not known; " SGM_TORCH_SAVE_AGAIN,
                        text, sgm_pickle_name_text(&s->object, v->storage.name, name));
    if (s->size - s->at < COUNT_SIZE)
        return sgm_fail(SGM_BAD_MODEL, "cut off at storage '%s'", text);
    uint64_t count = read_count(s->bytes + s->at), left = s->size - s->at - COUNT_SIZE;
    if (count != wanted)
        return sgm_fail(SGM_BAD_MODEL, "storage '%s' should hold %llu elements, it holds %llu",
                        text, (unsigned long long)wanted, (unsigned long long)count);
    if (count > left / element)
        return sgm_fail(SGM_BAD_MODEL,
                        "cut off: storage '%s' should have %llu elements of %llu bytes, %llu bytes "
                        "are left",
                        text, (unsigned long long)count, (unsigned long long)element,
                        (unsigned long long)left);
    found->data = s->bytes + s->at + COUNT_SIZE;
    s->at += COUNT_SIZE + (size_t)(count * element);
    return SGM_OK;
}

static sgm_status place_storages(stream *s)
{
    const sgm_pickle *p = &s->keys;
    const sgm_pickle_value *list = &p->values[p->root];
    if (list->kind != SGM_PICKLE_LIST)
        return sgm_fail(SGM_BAD_MODEL, "there is no list of its storages");
    for (uint32_t cell = list->items.first; cell; cell = p->cells[cell].next)
        SGM_TRY(place_storage(s, &p->values[p->cells[cell].value]));
    return SGM_OK;
}

static sgm_status find_storage(const void *file, const sgm_pickle *pickle,
                               const sgm_pickle_value *storage, const char *tensor,
                               const unsigned char **data, int64_t *count)
{
    char text[96];
    const sgm_pickle_value *key = &pickle->values[storage->storage.key];
    const stored *found = find_stored(file, key);
    if (!found || !found->data)
        return sgm_fail(SGM_BAD_MODEL, "tensor '%s': its storage '%s' is not in the file", tensor,
                        sgm_printable(key->text.bytes, key->text.length, text));
    *data = found->data;
    *count = storage->storage.count;
    return SGM_OK;
}

static sgm_status parse(stream *s, sgm_checkpoint *checkpoint)
{
    SGM_TRY(read_head(s));
    SGM_TRY(next_pickle(s, "the object", &s->object));
    SGM_TRY(next_pickle(s, "the storages' keys", &s->keys));
    SGM_TRY(list_storages(s));
    SGM_TRY(place_storages(s));
    return sgm_torch_add_weights(checkpoint, &s->object,
                                 &(sgm_torch_storages){.file = s, .find = find_storage});
}

sgm_status sgm_torch_stream_parse(sgm_checkpoint *checkpoint)
{
    stream s = {.bytes = checkpoint->bytes, .size = checkpoint->size};
    checkpoint->format = "PyTorch before 1.6";
    sgm_status status = parse(&s, checkpoint);
    free(s.storages);
    sgm_pickle_free(&s.object);
    sgm_pickle_free(&s.keys);
    return status;
}
