/* The only names a pickle may refer to, and what each of them means here. */
#include "checkpoint/parse_arena.h"
#include "checkpoint/pickle_machine.h"
#include "core/status.h"

#include <string.h>

typedef enum {
    RULE_TENSOR,       /* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks) */
    RULE_PARAMETER,    /* _rebuild_parameter(tensor, requires_grad, hooks) */
    RULE_ORDERED_DICT, /* OrderedDict() or OrderedDict(pairs) */
    RULE_SIZE,         /* torch.Size(tuple) */
    RULE_STORAGE,      /* a class inside persistent ids */
    RULE_OPAQUE        /* as a value, or called with anything: the result is ignored */
} rule;

static const struct {
    const char *module, *name;
    rule rule;
    sgm_stored_type type; /* of a storage class */
} allowed[] = {
    {"torch._utils", "_rebuild_tensor_v2", RULE_TENSOR, 0},
    {"torch._utils", "_rebuild_parameter", RULE_PARAMETER, 0},
    {"collections", "OrderedDict", RULE_ORDERED_DICT, 0},
    {"torch", "Size", RULE_SIZE, 0},
    {"torch", "FloatStorage", RULE_STORAGE, SGM_STORED_F32},
    {"torch", "HalfStorage", RULE_STORAGE, SGM_STORED_F16},
    {"torch", "BFloat16Storage", RULE_STORAGE, SGM_STORED_BF16},
    {"torch", "DoubleStorage", RULE_STORAGE, SGM_STORED_F64},
    {"torch", "LongStorage", RULE_STORAGE, SGM_STORED_I64},
    {"torch", "IntStorage", RULE_STORAGE, SGM_STORED_I32},
    {"torch", "ShortStorage", RULE_STORAGE, SGM_STORED_I16},
    {"torch", "CharStorage", RULE_STORAGE, SGM_STORED_I8},
    {"torch", "ByteStorage", RULE_STORAGE, SGM_STORED_U8},
    {"torch", "BoolStorage", RULE_STORAGE, SGM_STORED_BOOL},
    {"collections", "Counter", RULE_OPAQUE, 0}, /* MultiStepLR's milestones */
    {"torch", "device", RULE_OPAQUE, 0},
    {"torch", "float32", RULE_OPAQUE, 0},
    {"torch", "float16", RULE_OPAQUE, 0},
    {"torch", "bfloat16", RULE_OPAQUE, 0},
    {"torch", "float64", RULE_OPAQUE, 0},
};

typedef sgm_pickle_machine machine;

static const sgm_pickle_value *value_at(const machine *m, sgm_pickle_ref ref)
{
    return &m->result.values[ref];
}

static bool is_text(const char *text, size_t length, const char *wanted)
{
    return length == strlen(wanted) && memcmp(text, wanted, length) == 0;
}

sgm_status sgm_pickle_push_global(machine *m, const char *module, size_t module_length,
                                  const char *name, size_t name_length)
{
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (is_text(module, module_length, allowed[i].module) &&
            is_text(name, name_length, allowed[i].name))
            return sgm_pickle_push_new(
                m, (sgm_pickle_value){.kind = SGM_PICKLE_GLOBAL, .global = (int)i});
    char module_text[96], name_text[96];
    return sgm_pickle_fail(m,
                           "refers to %s.%s, which is no part of a state dict (a whole pickled "
                           "model?). In Python, where its code is at hand: "
                           "torch.save(model.state_dict(), \"new.pth\")",
                           sgm_printable(module, module_length, module_text),
                           sgm_printable(name, name_length, name_text));
}

/* -------------------------------------------------------------------------------------- storage */

static bool storage_type(const machine *m, sgm_pickle_ref ref, sgm_stored_type *type)
{
    const sgm_pickle_value *v = value_at(m, ref);
    if (v->kind != SGM_PICKLE_GLOBAL || allowed[v->global].rule != RULE_STORAGE) return false;
    *type = allowed[v->global].type;
    return true;
}

sgm_status sgm_pickle_push_storage(machine *m, sgm_pickle_ref id)
{
    sgm_pickle_ref part[5];
    sgm_pickle_value storage = {.kind = SGM_PICKLE_STORAGE};
    if (!sgm_pickle_items(m, id, 5, 5, part) || value_at(m, part[0])->kind != SGM_PICKLE_STRING ||
        !is_text(value_at(m, part[0])->text.bytes, value_at(m, part[0])->text.length, "storage") ||
        !storage_type(m, part[1], &storage.storage.type) ||
        value_at(m, part[2])->kind != SGM_PICKLE_STRING ||
        value_at(m, part[4])->kind != SGM_PICKLE_INT || value_at(m, part[4])->integer < 0)
        return sgm_pickle_fail(m, "a persistent id that is no ('storage', class, key, location, "
                                  "count)");
    storage.storage.key = part[2];
    storage.storage.count = value_at(m, part[4])->integer;
    return sgm_pickle_push_new(m, storage);
}

/* ---------------------------------------------------------------------------------------- calls */

/* A tuple of non-negative integers; -1 if it is not one. */
static int read_sizes(const machine *m, sgm_pickle_ref ref, int64_t out[SGM_STORED_MAX_RANK])
{
    sgm_pickle_ref part[SGM_STORED_MAX_RANK];
    if (!sgm_pickle_items(m, ref, 0, SGM_STORED_MAX_RANK, part)) return -1;
    int rank = (int)value_at(m, ref)->items.count;
    for (int i = 0; i < rank; i++) {
        const sgm_pickle_value *v = value_at(m, part[i]);
        if (v->kind != SGM_PICKLE_INT || v->integer < 0) return -1;
        out[i] = v->integer;
    }
    return rank;
}

static sgm_status rebuild_tensor(machine *m, sgm_pickle_ref arguments)
{
    sgm_pickle_ref part[7];
    sgm_pickle_tensor t = {0};
    if (!sgm_pickle_items(m, arguments, 6, 7, part) ||
        value_at(m, part[0])->kind != SGM_PICKLE_STORAGE)
        return sgm_pickle_fail(m, "a tensor without a storage");
    t.storage = part[0];
    t.offset = value_at(m, part[1])->kind == SGM_PICKLE_INT ? value_at(m, part[1])->integer : -1;
    t.rank = read_sizes(m, part[2], t.shape);
    if (t.offset < 0 || t.rank < 0 || read_sizes(m, part[3], t.strides) != t.rank)
        return sgm_pickle_fail(m,
                               "a tensor whose offset, shape or strides are no tuples of at "
                               "most %d non-negative integers",
                               SGM_STORED_MAX_RANK);
    sgm_pickle *p = &m->result;
    SGM_TRY(sgm_pickle_reserve(m, &p->tensors, p->tensor_count + 1, &m->tensor_capacity,
                               sizeof *p->tensors));
    p->tensors[p->tensor_count] = t;
    sgm_pickle_value v = {.kind = SGM_PICKLE_TENSOR, .tensor = (uint32_t)p->tensor_count++};
    return sgm_pickle_push_new(m, v);
}

static sgm_status rebuild_parameter(machine *m, sgm_pickle_ref arguments)
{
    sgm_pickle_ref part[3];
    if (!sgm_pickle_items(m, arguments, 3, 3, part) ||
        value_at(m, part[0])->kind != SGM_PICKLE_TENSOR)
        return sgm_pickle_fail(m, "a parameter without a tensor");
    return sgm_pickle_push(m, part[0]);
}

/* OrderedDict([(key, value), ...]), as Python 2 wrote it. */
static sgm_status fill_dict(machine *m, sgm_pickle_ref dict, sgm_pickle_ref pairs)
{
    if (value_at(m, pairs)->kind != SGM_PICKLE_LIST)
        return sgm_pickle_fail(m, "OrderedDict of something that is no list of pairs");
    for (uint32_t cell = value_at(m, pairs)->items.first; cell; cell = m->result.cells[cell].next) {
        sgm_pickle_ref pair[2];
        if (!sgm_pickle_items(m, m->result.cells[cell].value, 2, 2, pair))
            return sgm_pickle_fail(m, "OrderedDict of something that is no list of pairs");
        SGM_TRY(sgm_pickle_append(m, dict, pair[0]));
        SGM_TRY(sgm_pickle_append(m, dict, pair[1]));
    }
    return SGM_OK;
}

static sgm_status ordered_dict(machine *m, sgm_pickle_ref arguments)
{
    sgm_pickle_ref pairs, dict;
    if (!sgm_pickle_items(m, arguments, 0, 1, &pairs))
        return sgm_pickle_fail(m, "OrderedDict takes one argument");
    SGM_TRY(sgm_pickle_new(m, (sgm_pickle_value){.kind = SGM_PICKLE_DICT}, &dict));
    if (value_at(m, arguments)->items.count == 1) SGM_TRY(fill_dict(m, dict, pairs));
    return sgm_pickle_push(m, dict);
}

static sgm_status size(machine *m, sgm_pickle_ref arguments)
{
    sgm_pickle_ref tuple;
    if (!sgm_pickle_items(m, arguments, 1, 1, &tuple) ||
        value_at(m, tuple)->kind != SGM_PICKLE_TUPLE)
        return sgm_pickle_fail(m, "torch.Size takes one tuple");
    return sgm_pickle_push(m, tuple);
}

sgm_status sgm_pickle_call(machine *m, sgm_pickle_ref callable, sgm_pickle_ref arguments)
{
    const sgm_pickle_value *f = value_at(m, callable);
    if (f->kind != SGM_PICKLE_GLOBAL || value_at(m, arguments)->kind != SGM_PICKLE_TUPLE)
        return sgm_pickle_fail(m, "a call of something that is no function");
    switch (allowed[f->global].rule) {
    case RULE_TENSOR:
        return rebuild_tensor(m, arguments);
    case RULE_PARAMETER:
        return rebuild_parameter(m, arguments);
    case RULE_ORDERED_DICT:
        return ordered_dict(m, arguments);
    case RULE_SIZE:
        return size(m, arguments);
    case RULE_OPAQUE:
        return sgm_pickle_push_new(m, (sgm_pickle_value){.kind = SGM_PICKLE_OPAQUE});
    case RULE_STORAGE:
        break;
    }
    return sgm_pickle_fail(m, "a call of the storage class %s", allowed[f->global].name);
}
