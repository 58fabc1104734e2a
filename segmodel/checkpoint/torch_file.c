/* PyTorch's zip checkpoints: <root>/data.pkl is a pickle of nested dicts, the tensors in it are
 * views of storages, each an uncompressed entry <root>/data/<key>. */
#include "checkpoint/checkpoint_build.h"
#include "checkpoint/pickle.h"
#include "checkpoint/zip_directory.h"
#include "core/status.h"

#include <stdio.h>
#include <string.h>

enum {
    MAX_ROOT = 512,
    MAX_UNWRAPS = 4,
    MAX_DICTS = 64, /* bounds the work when many keys share one large dict */
    /* A view may repeat elements (stride 0). Beyond this many more than it has bytes for, it is
     * taken for an attempt to blow up a small file. */
    MAX_REPEATED = 1 << 24,
};

typedef struct {
    sgm_checkpoint *checkpoint;
    sgm_zip zip;
    sgm_pickle pickle;
    char root[MAX_ROOT]; /* with the slash */
    size_t root_length;
} torch_file;

static const sgm_pickle_value *value_at(const torch_file *f, sgm_pickle_ref ref)
{
    return &f->pickle.values[ref];
}

static bool is_text(const sgm_pickle_value *v, const char *wanted)
{
    return v->kind == SGM_PICKLE_STRING && v->text.length == strlen(wanted) &&
           memcmp(v->text.bytes, wanted, v->text.length) == 0;
}

/* -------------------------------------------------------------------------------------- archive */

static bool ends_with(const sgm_zip_entry *entry, const char *ending)
{
    size_t n = strlen(ending);
    return entry->name_length >= n && memcmp(entry->name + entry->name_length - n, ending, n) == 0;
}

static const sgm_zip_entry *find_pickle(const torch_file *f)
{
    for (size_t i = 0; i < f->zip.count; i++)
        if (ends_with(&f->zip.entries[i], "/data.pkl")) return &f->zip.entries[i];
    return NULL;
}

static const sgm_zip_entry *find_entry(const torch_file *f, const char *folder, const char *name,
                                       size_t name_length)
{
    char path[2 * MAX_ROOT];
    int n = snprintf(path, sizeof path, "%.*s%s%.*s", (int)f->root_length, f->root, folder,
                     (int)(name_length < MAX_ROOT / 2 ? name_length : MAX_ROOT / 2), name);
    if (n < 0 || (size_t)n >= sizeof path || name_length > MAX_ROOT / 2) return NULL;
    return sgm_zip_find(&f->zip, path, (size_t)n);
}

static sgm_status check_byte_order(const torch_file *f)
{
    const sgm_zip_entry *entry = find_entry(f, "", "byteorder", 9);
    const unsigned char *text;
    if (!entry) return SGM_OK; /* before PyTorch 2.1: little */
    SGM_TRY(sgm_zip_data(&f->zip, entry, &text));
    if (entry->size == 6 && memcmp(text, "little", 6) == 0) return SGM_OK;
    return sgm_fail(SGM_BAD_MODEL, "byte order is not 'little'; save it again on a little-endian "
                                   "machine");
}

static sgm_status open_archive(torch_file *f)
{
    const unsigned char *bytes;
    SGM_TRY(sgm_zip_open(f->checkpoint->bytes, f->checkpoint->size, &f->zip));
    const sgm_zip_entry *entry = find_pickle(f);
    if (!entry)
        return sgm_fail(SGM_BAD_MODEL, "a zip archive without data.pkl: not a PyTorch checkpoint");
    f->root_length = entry->name_length - strlen("data.pkl");
    if (f->root_length >= MAX_ROOT)
        return sgm_fail(SGM_BAD_MODEL, "the archive's folder name is too long");
    memcpy(f->root, entry->name, f->root_length);
    if (find_entry(f, "", "constants.pkl", 13))
        return sgm_fail(SGM_BAD_MODEL,
                        "a TorchScript archive, which holds code. In Python: torch.save("
                        "torch.jit.load(\"old.pt\").state_dict(), \"new.pth\")");
    SGM_TRY(check_byte_order(f));
    SGM_TRY(sgm_zip_data(&f->zip, entry, &bytes));
    return sgm_pickle_parse(bytes, entry->size, &f->pickle);
}

/* --------------------------------------------------------------------------------------- choice */

/* Keys and values of a dict in turn. */
typedef struct {
    const torch_file *file;
    uint32_t cell;
    const sgm_pickle_value *key, *value;
} dict_walk;

static dict_walk walk(const torch_file *f, const sgm_pickle_value *dict)
{
    uint32_t first = dict->kind == SGM_PICKLE_DICT ? dict->items.first : 0;
    return (dict_walk){f, first, NULL, NULL};
}

static bool next(dict_walk *w)
{
    if (w->cell == 0) return false;
    const sgm_pickle_cell *key = &w->file->pickle.cells[w->cell];
    const sgm_pickle_cell *value = &w->file->pickle.cells[key->next];
    w->key = value_at(w->file, key->value);
    w->value = value_at(w->file, value->value);
    w->cell = value->next;
    return true;
}

static bool holds_tensors(const torch_file *f, const sgm_pickle_value *dict)
{
    for (dict_walk w = walk(f, dict); next(&w);)
        if (w.key->kind == SGM_PICKLE_STRING && w.value->kind == SGM_PICKLE_TENSOR) return true;
    return false;
}

static const sgm_pickle_value *find_key(const torch_file *f, const sgm_pickle_value *dict,
                                        const char *key)
{
    const sgm_pickle_value *found = NULL;
    for (dict_walk w = walk(f, dict); next(&w);)
        if (is_text(w.key, key)) found = w.value; /* the last one, as in Python */
    return found;
}

static sgm_status note_wrapper(sgm_checkpoint *c, const char *key)
{
    size_t old = strlen(c->wrapper), length = strlen(key), dot = old > 0;
    char *joined = sgm_parse_arena_alloc(&c->arena, old + dot + length + 1);
    if (!joined) return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory");
    memcpy(joined, c->wrapper, old);
    if (dot) joined[old] = '.';
    memcpy(joined + old + dot, key, length + 1);
    c->wrapper = joined;
    return SGM_OK;
}

/* Steps from a training checkpoint into the dict that holds the weights; *dict stays where it is
 * when nothing fits. */
static sgm_status unwrap(torch_file *f, const sgm_pickle_value **dict)
{
    static const char *const keys[] = {"state_dict", "model_state_dict", "model", "module", "net"};
    for (int depth = 0; depth < MAX_UNWRAPS && !holds_tensors(f, *dict); depth++) {
        const sgm_pickle_value *inner = NULL;
        size_t k = 0;
        for (; k < sizeof keys / sizeof *keys && !inner; k++) {
            inner = find_key(f, *dict, keys[k]);
            if (inner && inner->kind != SGM_PICKLE_DICT) inner = NULL;
        }
        if (!inner) break;
        SGM_TRY(note_wrapper(f->checkpoint, keys[k - 1]));
        *dict = inner;
    }
    return SGM_OK;
}

/* -------------------------------------------------------------------------------------- tensors */

/* The last element's index in the storage must be below `limit`. */
static bool view_fits(const sgm_stored_tensor *t, int64_t offset, int64_t limit)
{
    int64_t last = offset, step;
    if (t->count == 0) return offset <= limit;
    for (int i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(t->shape[i] - 1, t->strides[i], &step) ||
            __builtin_add_overflow(last, step, &last))
            return false;
    return last < limit;
}

/* Row-major strides; those of dimensions of size 1 are never used. */
static bool is_contiguous(const sgm_stored_tensor *t)
{
    int64_t expected = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (t->shape[i] != 1 && t->strides[i] != expected) return t->count == 0;
        expected *= t->shape[i];
    }
    return true;
}

static sgm_status resolve_storage(const torch_file *f, const sgm_pickle_value *storage,
                                  const char *name, const unsigned char **data, int64_t *count)
{
    char text[96];
    const sgm_pickle_value *key = value_at(f, storage->storage.key);
    const sgm_zip_entry *entry = find_entry(f, "data/", key->text.bytes, key->text.length);
    if (!entry)
        return sgm_fail(SGM_BAD_MODEL, "tensor '%s': its storage data/%s is not in the archive",
                        name, sgm_printable(key->text.bytes, key->text.length, text));
    SGM_TRY(sgm_zip_data(&f->zip, entry, data));
    size_t size = sgm_stored_type_size(storage->storage.type);
    *count = storage->storage.count;
    if ((uint64_t)*count > entry->size / size)
        return sgm_fail(SGM_BAD_MODEL,
                        "tensor '%s': its storage should hold %lld elements of %s, the archive "
                        "has %zu bytes",
                        name, (long long)*count, sgm_stored_type_name(storage->storage.type),
                        entry->size);
    return SGM_OK;
}

static sgm_status check_view(const sgm_stored_tensor *t, int64_t offset, int64_t storage_count)
{
    char shape[96];
    if (!view_fits(t, offset, storage_count))
        return sgm_fail(SGM_BAD_MODEL,
                        "tensor '%s': shape %s at offset %lld reaches beyond its storage of %lld "
                        "elements",
                        t->name, sgm_stored_tensor_shape_text(t, shape), (long long)offset,
                        (long long)storage_count);
    if (t->count > (size_t)storage_count && t->count - (size_t)storage_count > MAX_REPEATED)
        return sgm_fail(SGM_BAD_MODEL,
                        "tensor '%s': shape %s repeats %lld stored elements too often", t->name,
                        sgm_stored_tensor_shape_text(t, shape), (long long)storage_count);
    return SGM_OK;
}

static sgm_status add_tensor(torch_file *f, const char *name, const sgm_pickle_tensor *view)
{
    char shape[96];
    const unsigned char *data;
    int64_t storage_count;
    const sgm_pickle_value *storage = value_at(f, view->storage);
    sgm_stored_tensor t = {.name = name, .type = storage->storage.type, .rank = view->rank};
    memcpy(t.shape, view->shape, sizeof t.shape);
    SGM_TRY(sgm_checkpoint_check_name(name));
    if (!sgm_stored_tensor_set_sizes(&t))
        return sgm_fail(SGM_BAD_MODEL, "tensor '%s': shape %s overflows", name,
                        sgm_stored_tensor_shape_text(&t, shape));
    memcpy(t.strides, view->strides, sizeof t.strides);
    SGM_TRY(resolve_storage(f, storage, name, &data, &storage_count));
    SGM_TRY(check_view(&t, view->offset, storage_count));
    t.contiguous = is_contiguous(&t);
    t.data = data + (size_t)view->offset * sgm_stored_type_size(t.type);
    return sgm_checkpoint_add_tensor(f->checkpoint, &t);
}

/* "<prefix>/<key>", or the key alone; refuses zero bytes, which would cut the name. */
static sgm_status make_name(torch_file *f, const sgm_pickle_value *prefix,
                            const sgm_pickle_value *key, const char **out)
{
    size_t before = prefix ? prefix->text.length + 1 : 0, length = key->text.length;
    if (before > SGM_CHECKPOINT_MAX_NAME || length > SGM_CHECKPOINT_MAX_NAME ||
        memchr(key->text.bytes, 0, length) ||
        (prefix && memchr(prefix->text.bytes, 0, prefix->text.length)))
        return sgm_fail(SGM_BAD_MODEL, "a tensor name is too long or holds a zero byte");
    char *name = sgm_parse_arena_alloc(&f->checkpoint->arena, before + length + 1);
    if (!name) return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory for names");
    if (prefix) {
        memcpy(name, prefix->text.bytes, before - 1);
        name[before - 1] = '/';
    }
    memcpy(name + before, key->text.bytes, length);
    name[before + length] = 0;
    *out = name;
    return SGM_OK;
}

static sgm_status add_dict(torch_file *f, const sgm_pickle_value *prefix,
                           const sgm_pickle_value *dict)
{
    for (dict_walk w = walk(f, dict); next(&w);) {
        const char *name;
        if (w.key->kind != SGM_PICKLE_STRING || w.value->kind != SGM_PICKLE_TENSOR) continue;
        SGM_TRY(make_name(f, prefix, w.key, &name));
        SGM_TRY(add_tensor(f, name, &f->pickle.tensors[w.value->tensor]));
    }
    return SGM_OK;
}

static bool is_optimizer(const sgm_pickle_value *key)
{
    return key->text.length >= 5 && memcmp(key->text.bytes, "optim", 5) == 0;
}

static sgm_status add_all(torch_file *f)
{
    const sgm_pickle_value *dict = value_at(f, f->pickle.root);
    if (dict->kind != SGM_PICKLE_DICT)
        return sgm_fail(SGM_BAD_MODEL, "the checkpoint is no dict of tensors. In Python: "
                                       "torch.save(model.state_dict(), \"new.pth\")");
    SGM_TRY(unwrap(f, &dict));
    if (holds_tensors(f, dict)) return add_dict(f, NULL, dict);
    int dicts = 0;
    for (dict_walk w = walk(f, dict); next(&w);) {
        bool wanted = w.key->kind == SGM_PICKLE_STRING && w.value->kind == SGM_PICKLE_DICT;
        if (!wanted || is_optimizer(w.key)) continue;
        if (++dicts > MAX_DICTS)
            return sgm_fail(SGM_BAD_MODEL, "more than %d dicts side by side", MAX_DICTS);
        SGM_TRY(add_dict(f, w.key, w.value));
    }
    return SGM_OK;
}

static sgm_status parse(torch_file *f)
{
    SGM_TRY(open_archive(f));
    SGM_TRY(add_all(f));
    if (f->checkpoint->count == 0)
        return sgm_fail(SGM_BAD_MODEL, "the checkpoint's dicts hold no tensors");
    return SGM_OK;
}

sgm_status sgm_torch_file_parse(sgm_checkpoint *checkpoint)
{
    torch_file f = {.checkpoint = checkpoint};
    checkpoint->format = "PyTorch zip";
    sgm_status status = parse(&f);
    sgm_pickle_free(&f.pickle);
    sgm_zip_close(&f.zip);
    return status;
}
