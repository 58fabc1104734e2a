#include "checkpoint/torch_dict.h"

#include "core/status.h"

#include <string.h>

enum {
    MAX_UNWRAPS = 4,
    MAX_DEPTH = 4,
    MAX_DICTS = 64, /* bounds the work when many keys share one large dict */
    /* Items of dicts that are looked at in all: a dict may be its own value many times over. */
    MAX_LOOKS = 1 << 24,
    /* A view may repeat elements (stride 0). Beyond this many more than it has bytes for, it is
     * taken for an attempt to blow up a small file. */
    MAX_REPEATED = 1 << 24,
};

#define EXPORT                                                                                     \
    "which holds code. In Python, where its code is at hand: model = torch.load(\"old.pth\", "     \
    "map_location=\"cpu\", weights_only=False)"

typedef struct {
    sgm_checkpoint *checkpoint;
    const sgm_pickle *pickle;
    const sgm_torch_storages *storages;
    size_t looks;
} weights;

static const sgm_pickle_value *value_at(const weights *w, sgm_pickle_ref ref)
{
    return &w->pickle->values[ref];
}

/* --------------------------------------------------------------------------------------- choice */

/* Keys and values of a dict in turn; keys that are no text are left out. */
typedef struct {
    weights *of;
    uint32_t cell;
    const sgm_pickle_value *key, *value;
} dict_walk;

static dict_walk walk(weights *w, const sgm_pickle_value *dict)
{
    uint32_t first = dict->kind == SGM_PICKLE_DICT ? dict->items.first : 0;
    return (dict_walk){w, first, NULL, NULL};
}

static bool next(dict_walk *w)
{
    const sgm_pickle *p = w->of->pickle;
    while (w->cell != 0 && w->of->looks < MAX_LOOKS) {
        const sgm_pickle_cell *key = &p->cells[w->cell], *value = &p->cells[key->next];
        w->of->looks++;
        w->key = &p->values[key->value];
        w->value = &p->values[value->value];
        w->cell = value->next;
        if (w->key->kind == SGM_PICKLE_STRING) return true;
    }
    return false;
}

/* Counters and tables, of other types, are none. */
static bool is_weight(const weights *w, const sgm_pickle_value *v)
{
    return v->kind == SGM_PICKLE_TENSOR &&
           sgm_stored_type_is_float(w->pickle->tensors[v->tensor].type);
}

static size_t count_weights(weights *w, const sgm_pickle_value *dict)
{
    size_t count = 0;
    for (dict_walk at = walk(w, dict); next(&at);)
        count += is_weight(w, at.value);
    return count;
}

/* Are there tensors in it, or in the dicts that it holds? */
static bool leads_to_tensors(weights *w, const sgm_pickle_value *dict, int depth)
{
    for (dict_walk at = walk(w, dict); next(&at);) {
        if (at.value->kind == SGM_PICKLE_TENSOR) return true;
        if (at.value->kind == SGM_PICKLE_DICT && depth > 0 &&
            leads_to_tensors(w, at.value, depth - 1))
            return true;
    }
    return false;
}

static bool is_optimizer(const sgm_pickle_value *key)
{
    return key->text.length >= 5 && memcmp(key->text.bytes, "optim", 5) == 0;
}

static sgm_status note_wrapper(sgm_checkpoint *c, const sgm_pickle_value *key)
{
    size_t old = strlen(c->wrapper), length = key->text.length, dot = old > 0;
    char *joined = sgm_parse_arena_alloc(&c->arena, old + dot + length + 1);
    if (!joined) return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory");
    memcpy(joined, c->wrapper, old);
    if (dot) joined[old] = '.';
    memcpy(joined + old + dot, key->text.bytes, length);
    joined[old + dot + length] = 0;
    c->wrapper = joined;
    return SGM_OK;
}

typedef struct {
    const sgm_pickle_value *key, *dict; /* the value, whatever it is */
} wrapped;

/* The dict under one of the keys that training programs are known to use, in their order. */
static wrapped known_wrapper(weights *w, const sgm_pickle_value *dict)
{
    static const char *const keys[] = {"state_dict", "model_state_dict", "model", "module", "net"};
    wrapped found = {0};
    for (size_t k = 0; k < sizeof keys / sizeof *keys && !found.dict; k++) {
        for (dict_walk at = walk(w, dict); next(&at);)
            if (at.key->text.length == strlen(keys[k]) &&
                memcmp(at.key->text.bytes, keys[k], at.key->text.length) == 0)
                found = (wrapped){at.key, at.value}; /* the last one, as in Python */
        if (found.dict &&
            (found.dict->kind != SGM_PICKLE_DICT || !leads_to_tensors(w, found.dict, MAX_DEPTH)))
            found = (wrapped){0};
    }
    return found;
}

/* The only dict with tensors, whatever its key; none if there are several, or if the weights beside
 * it are as many. */
static wrapped only_dict(weights *w, const sgm_pickle_value *dict)
{
    wrapped found = {0};
    int dicts = 0;
    for (dict_walk at = walk(w, dict); next(&at);) {
        if (at.value->kind != SGM_PICKLE_DICT || is_optimizer(at.key)) continue;
        if (!leads_to_tensors(w, at.value, MAX_DEPTH)) continue;
        found = (wrapped){at.key, at.value};
        if (++dicts > 1) return (wrapped){0};
    }
    size_t beside = count_weights(w, dict);
    if (found.dict && beside > 0 && count_weights(w, found.dict) <= beside) found = (wrapped){0};
    return found;
}

/* Steps from a training checkpoint into the dict that holds the weights, whatever stands beside it;
 * *dict stays where it is when nothing fits. */
static sgm_status unwrap(weights *w, const sgm_pickle_value **dict)
{
    for (int depth = 0; depth < MAX_UNWRAPS; depth++) {
        wrapped inner = known_wrapper(w, *dict);
        if (!inner.dict) inner = only_dict(w, *dict);
        if (!inner.dict) break;
        SGM_TRY(note_wrapper(w->checkpoint, inner.key));
        *dict = inner.dict;
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

static sgm_status add_tensor(weights *w, const char *name, const sgm_pickle_tensor *view)
{
    char shape[96];
    const unsigned char *data;
    int64_t storage_count;
    const sgm_pickle_value *storage = value_at(w, view->storage);
    sgm_stored_tensor t = {.name = name, .type = view->type, .rank = view->rank};
    memcpy(t.shape, view->shape, sizeof t.shape);
    SGM_TRY(sgm_checkpoint_check_name(name));
    if (storage->storage.is_view)
        return sgm_fail(SGM_BAD_MODEL,
                        "tensor '%s': its storage is a part of another one, as "
                        "before PyTorch 0.4; " SGM_TORCH_SAVE_AGAIN,
                        name);
    if (!sgm_stored_tensor_set_sizes(&t))
        return sgm_fail(SGM_BAD_MODEL, "tensor '%s': shape %s overflows", name,
                        sgm_stored_tensor_shape_text(&t, shape));
    memcpy(t.strides, view->strides, sizeof t.strides);
    SGM_TRY(w->storages->find(w->storages->file, w->pickle, storage, name, &data, &storage_count));
    storage_count =
        storage_count * storage->storage.element / (int64_t)sgm_stored_type_size(t.type);
    SGM_TRY(check_view(&t, view->offset, storage_count));
    t.contiguous = is_contiguous(&t);
    t.data = data + (size_t)view->offset * sgm_stored_type_size(t.type);
    return sgm_checkpoint_add_tensor(w->checkpoint, &t);
}

/* "<prefix>/<key>", or the key alone; refuses zero bytes, which would cut the name. */
static sgm_status make_name(weights *w, const sgm_pickle_value *prefix, const sgm_pickle_value *key,
                            const char **out)
{
    size_t before = prefix ? prefix->text.length + 1 : 0, length = key->text.length;
    if (before > SGM_CHECKPOINT_MAX_NAME || length > SGM_CHECKPOINT_MAX_NAME ||
        memchr(key->text.bytes, 0, length) ||
        (prefix && memchr(prefix->text.bytes, 0, prefix->text.length)))
        return sgm_fail(SGM_BAD_MODEL, "a tensor name is too long or holds a zero byte");
    char *name = sgm_parse_arena_alloc(&w->checkpoint->arena, before + length + 1);
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

/* What takes a weight's place and is made by something that is not read. */
static sgm_status refuse_opaque(const weights *w, const char *name, const sgm_pickle_value *value)
{
    char made_by[200];
    SGM_TRY(sgm_checkpoint_check_name(name));
    return sgm_fail(SGM_BAD_MODEL,
                    "tensor '%s': is made by %s, which is not read; save it as the plain tensor "
                    "that v.float(), v.to_dense() or v.dequantize() gives",
                    name, sgm_pickle_name_text(w->pickle, value->opaque.name, made_by));
}

static sgm_status add_dict(weights *w, const sgm_pickle_value *prefix, const sgm_pickle_value *dict)
{
    for (dict_walk at = walk(w, dict); next(&at);) {
        const char *name;
        bool opaque = at.value->kind == SGM_PICKLE_OPAQUE && at.value->opaque.of_tensor;
        if (at.value->kind != SGM_PICKLE_TENSOR && !opaque) continue;
        SGM_TRY(make_name(w, prefix, at.key, &name));
        if (opaque) return refuse_opaque(w, name, at.value);
        SGM_TRY(add_tensor(w, name, &w->pickle->tensors[at.value->tensor]));
    }
    return SGM_OK;
}

/* Of the dicts side by side, or of this one alone, where none of them holds more. */
static sgm_status add_dicts(weights *w, const sgm_pickle_value *dict)
{
    size_t own = count_weights(w, dict), most = 0;
    int dicts = 0;
    for (dict_walk at = walk(w, dict); next(&at);) {
        if (at.value->kind != SGM_PICKLE_DICT || is_optimizer(at.key)) continue;
        if (++dicts > MAX_DICTS)
            return sgm_fail(SGM_BAD_MODEL, "more than %d dicts side by side", MAX_DICTS);
        size_t count = count_weights(w, at.value);
        if (count > most) most = count;
    }
    if (own >= most && leads_to_tensors(w, dict, 0)) return add_dict(w, NULL, dict);
    for (dict_walk at = walk(w, dict); next(&at);)
        if (at.value->kind == SGM_PICKLE_DICT && !is_optimizer(at.key))
            SGM_TRY(add_dict(w, at.key, at.value));
    return SGM_OK;
}

/* -------------------------------------------------------------------------------------- messages
 */

/* A tensor that is not read, and its key, in dicts that hold no others; of no key if there is none.
 */
static wrapped first_unread(weights *w, const sgm_pickle_value *dict, int depth)
{
    for (dict_walk at = walk(w, dict); next(&at);) {
        wrapped found = {0};
        if (at.value->kind == SGM_PICKLE_OPAQUE && at.value->opaque.of_tensor)
            return (wrapped){at.key, at.value};
        if (at.value->kind == SGM_PICKLE_DICT && depth > 0 && !is_optimizer(at.key))
            found = first_unread(w, at.value, depth - 1);
        if (found.key) return found;
    }
    return (wrapped){0};
}

static const char *key_text(const sgm_pickle_value *key, char text[96])
{
    return sgm_printable(key->text.bytes, key->text.length, text);
}

static const char *made_by_text(const weights *w, const sgm_pickle_value *value, char text[200])
{
    return sgm_pickle_name_text(w->pickle, value->opaque.name, text);
}

/* The first entry that something made which is not read: numpy's arrays and numbers, or any other
 * thing; of no key if there is none. */
static wrapped first_made(weights *w, const sgm_pickle_value *dict, bool by_numpy)
{
    char made_by[200];
    for (dict_walk at = walk(w, dict); next(&at);) {
        if (at.value->kind != SGM_PICKLE_OPAQUE || !at.value->opaque.name) continue;
        if ((strncmp(made_by_text(w, at.value, made_by), "numpy.", 6) == 0) == by_numpy)
            return (wrapped){at.key, at.value};
    }
    return (wrapped){0};
}

/* A pickled model instead of a dict, or instead of the weights in one. */
static sgm_status fail_no_tensors(weights *w, const sgm_pickle_value *root)
{
    char made_by[200], key[96];
    if (root->kind == SGM_PICKLE_OPAQUE)
        return sgm_fail(SGM_BAD_MODEL,
                        "a whole pickled model (%s), " EXPORT
                        "; torch.save(model.state_dict(), \"new.pth\")",
                        sgm_pickle_name_text(w->pickle, root->opaque.name, made_by));
    if (root->kind != SGM_PICKLE_DICT)
        return sgm_fail(SGM_BAD_MODEL, "the checkpoint is no dict of tensors. In Python: "
                                       "torch.save(model.state_dict(), \"new.pth\")");
    wrapped made = first_unread(w, root, MAX_DEPTH);
    if (made.key) return refuse_opaque(w, key_text(made.key, key), made.dict);
    made = first_made(w, root, false);
    if (made.key)
        return sgm_fail(SGM_BAD_MODEL,
                        "the checkpoint's dicts hold no tensors; '%s' is a pickled %s, " EXPORT
                        "[\"%s\"]; torch.save(model.state_dict(), \"new.pth\")",
                        key_text(made.key, key), made_by_text(w, made.dict, made_by), key);
    made = first_made(w, root, true);
    if (made.key)
        return sgm_fail(SGM_BAD_MODEL,
                        "the checkpoint's dicts hold no tensors; '%s' is numpy's (%s). In Python, "
                        "of a dict of arrays: torch.save({k: torch.from_numpy(v) for k, v in "
                        "weights.items()}, \"new.pth\")",
                        key_text(made.key, key), made_by_text(w, made.dict, made_by));
    return sgm_fail(SGM_BAD_MODEL, "the checkpoint's dicts hold no tensors");
}

sgm_status sgm_torch_add_weights(sgm_checkpoint *checkpoint, const sgm_pickle *pickle,
                                 const sgm_torch_storages *storages)
{
    weights w = {.checkpoint = checkpoint, .pickle = pickle, .storages = storages};
    const sgm_pickle_value *root = value_at(&w, pickle->root), *dict = root;
    SGM_TRY(unwrap(&w, &dict));
    SGM_TRY(add_dicts(&w, dict));
    if (w.looks >= MAX_LOOKS) return sgm_fail(SGM_BAD_MODEL, "its dicts hold each other too often");
    return checkpoint->count > 0 ? SGM_OK : fail_no_tensors(&w, root);
}
