/* The names that mean something here, and what; all others are opaque. */
#include "checkpoint/parse_arena.h"
#include "checkpoint/pickle_machine.h"
#include "core/status.h"

#include <stdio.h>
#include <string.h>

typedef enum {
    RULE_TENSOR,       /* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks) */
    RULE_TENSOR_V3,    /* the same, then dtype, of a storage of bytes: types without a class */
    RULE_OF_TYPE,      /* _rebuild_from_type_v2(function, class, arguments, state): a subclass */
    RULE_PARAMETER,    /* _rebuild_parameter(tensor, requires_grad, hooks), and with a state */
    RULE_ORDERED_DICT, /* OrderedDict() or OrderedDict(pairs) */
    RULE_DEFAULT_DICT, /* defaultdict(function) */
    RULE_SIZE,         /* torch.Size(tuple) */
    RULE_STORAGE,      /* a class inside persistent ids */
    RULE_TYPE          /* torch.uint16 */
} rule;

static const struct {
    const char *module, *name;
    rule rule;
    sgm_stored_type type; /* of a storage class, of a type */
    uint16_t element;     /* of one that is not read: bytes, to step over it */
} known[] = {
    {"torch._utils", "_rebuild_tensor", RULE_TENSOR, 0, 0}, /* before PyTorch 0.4: four arguments */
    {"torch._utils", "_rebuild_tensor_v2", RULE_TENSOR, 0, 0},
    {"torch._utils", "_rebuild_tensor_v3", RULE_TENSOR_V3, 0, 0}, /* since PyTorch 2.1 */
    {"torch._tensor", "_rebuild_from_type_v2", RULE_OF_TYPE, 0, 0},
    {"torch._tensor", "_rebuild_from_type", RULE_OF_TYPE, 0, 0}, /* before PyTorch 1.13 */
    {"torch.tensor", "_rebuild_from_type", RULE_OF_TYPE, 0, 0},  /* before PyTorch 1.9 */
    {"torch._utils", "_rebuild_parameter", RULE_PARAMETER, 0, 0},
    {"torch._utils", "_rebuild_parameter_with_state", RULE_PARAMETER, 0, 0},
    {"collections", "OrderedDict", RULE_ORDERED_DICT, 0, 0},
    {"collections", "defaultdict", RULE_DEFAULT_DICT, 0, 0},
    {"torch", "Size", RULE_SIZE, 0, 0},
    {"torch", "FloatStorage", RULE_STORAGE, SGM_STORED_F32, 0},
    {"torch", "HalfStorage", RULE_STORAGE, SGM_STORED_F16, 0},
    {"torch", "BFloat16Storage", RULE_STORAGE, SGM_STORED_BF16, 0},
    {"torch", "DoubleStorage", RULE_STORAGE, SGM_STORED_F64, 0},
    {"torch", "LongStorage", RULE_STORAGE, SGM_STORED_I64, 0},
    {"torch", "IntStorage", RULE_STORAGE, SGM_STORED_I32, 0},
    {"torch", "ShortStorage", RULE_STORAGE, SGM_STORED_I16, 0},
    {"torch", "CharStorage", RULE_STORAGE, SGM_STORED_I8, 0},
    {"torch", "ByteStorage", RULE_STORAGE, SGM_STORED_U8, 0},
    {"torch", "BoolStorage", RULE_STORAGE, SGM_STORED_BOOL, 0},
    {"torch", "ComplexFloatStorage", RULE_STORAGE, SGM_STORED_TYPE_COUNT, 8},
    {"torch", "ComplexDoubleStorage", RULE_STORAGE, SGM_STORED_TYPE_COUNT, 16},
    {"torch", "QInt8Storage", RULE_STORAGE, SGM_STORED_TYPE_COUNT, 1},
    {"torch", "QUInt8Storage", RULE_STORAGE, SGM_STORED_TYPE_COUNT, 1},
    {"torch", "QInt32Storage", RULE_STORAGE, SGM_STORED_TYPE_COUNT, 4},
    {"torch.storage", "UntypedStorage", RULE_STORAGE, SGM_STORED_TYPE_COUNT, 1},
    {"torch", "uint16", RULE_TYPE, SGM_STORED_U16, 0},
    {"torch", "uint32", RULE_TYPE, SGM_STORED_U32, 0},
    {"torch", "uint64", RULE_TYPE, SGM_STORED_U64, 0},
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

static bool is_string(const sgm_pickle_value *v, const char *wanted)
{
    return v->kind == SGM_PICKLE_STRING && is_text(v->text.bytes, v->text.length, wanted);
}

/* ---------------------------------------------------------------------------------------- names */

static sgm_status add_name(machine *m, sgm_pickle_name name, uint32_t *out)
{
    sgm_pickle *p = &m->result;
    if (p->name_count == 0) p->name_count = 1; /* name 0 means none */
    SGM_TRY(
        sgm_pickle_reserve(m, &p->names, p->name_count + 1, &m->name_capacity, sizeof *p->names));
    *out = (uint32_t)p->name_count;
    p->names[p->name_count++] = name;
    return SGM_OK;
}

static sgm_status push_opaque(machine *m, uint32_t name, bool of_tensor)
{
    sgm_pickle_value v = {.kind = SGM_PICKLE_OPAQUE, .opaque = {name, of_tensor}};
    return sgm_pickle_push_new(m, v);
}

sgm_status sgm_pickle_push_global(machine *m, const char *module, size_t module_length,
                                  const char *name, size_t name_length)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is_text(module, module_length, known[i].module) &&
            is_text(name, name_length, known[i].name))
            return sgm_pickle_push_new(
                m, (sgm_pickle_value){.kind = SGM_PICKLE_GLOBAL, .global = (int)i});
    uint32_t number;
    SGM_TRY(add_name(m, (sgm_pickle_name){module, name, module_length, name_length}, &number));
    return push_opaque(m, number, false);
}

const char *sgm_pickle_name_text(const sgm_pickle *p, uint32_t name, char out[200])
{
    char module[96], text[96];
    out[0] = 0;
    if (name == 0 || name >= p->name_count) return out;
    const sgm_pickle_name *n = &p->names[name];
    snprintf(out, 200, "%s.%s", sgm_printable(n->module, n->module_length, module),
             sgm_printable(n->name, n->name_length, text));
    return out;
}

/* -------------------------------------------------------------------------------- persistent ids
 */

/* Type, bytes of an element and name of a storage's class. False: it is none. */
static bool storage_class(const machine *m, sgm_pickle_ref ref, sgm_pickle_value *storage,
                          sgm_pickle_name *name)
{
    const sgm_pickle_value *v = value_at(m, ref);
    storage->storage.type = SGM_STORED_TYPE_COUNT;
    if (v->kind == SGM_PICKLE_OPAQUE && v->opaque.name) {
        storage->storage.name = v->opaque.name;
        return true;
    }
    if (v->kind != SGM_PICKLE_GLOBAL || known[v->global].rule != RULE_STORAGE) return false;
    const char *module = known[v->global].module, *text = known[v->global].name;
    *name = (sgm_pickle_name){module, text, strlen(module), strlen(text)};
    sgm_stored_type type = known[v->global].type;
    bool read = type != SGM_STORED_TYPE_COUNT;
    storage->storage.type = type;
    storage->storage.element =
        read ? (uint16_t)sgm_stored_type_size(type) : known[v->global].element;
    return true;
}

static sgm_status push_storage(machine *m, const sgm_pickle_ref part[6], uint32_t parts)
{
    sgm_pickle_value storage = {.kind = SGM_PICKLE_STORAGE};
    sgm_pickle_name name = {0};
    if (!storage_class(m, part[1], &storage, &name) ||
        value_at(m, part[2])->kind != SGM_PICKLE_STRING ||
        value_at(m, part[4])->kind != SGM_PICKLE_INT || value_at(m, part[4])->integer < 0)
        return sgm_pickle_fail(m, "a persistent id that is no ('storage', class, key, location, "
                                  "count)");
    storage.storage.key = part[2];
    storage.storage.count = value_at(m, part[4])->integer;
    storage.storage.is_view = parts == 6 && value_at(m, part[5])->kind != SGM_PICKLE_NONE;
    if (storage.storage.type == SGM_STORED_TYPE_COUNT && name.module)
        SGM_TRY(add_name(m, name, &storage.storage.name));
    return sgm_pickle_push_new(m, storage);
}

sgm_status sgm_pickle_push_persistent(machine *m, sgm_pickle_ref id)
{
    sgm_pickle_ref part[6];
    if (sgm_pickle_items(m, id, 4, 6, part)) {
        const sgm_pickle_value *kind = value_at(m, part[0]);
        uint32_t parts = value_at(m, id)->items.count;
        if (parts >= 5 && is_string(kind, "storage")) return push_storage(m, part, parts);
        if (parts == 4 && is_string(kind, "module")) return sgm_pickle_push(m, part[1]);
    }
    return sgm_pickle_fail(m, "a persistent id that is no ('storage', class, key, location, "
                              "count)");
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

/* part: storage, offset, shape, strides. The elements are of `type`. */
static sgm_status push_tensor(machine *m, const sgm_pickle_ref part[4], sgm_stored_type type)
{
    sgm_pickle_tensor t = {.storage = part[0], .type = type};
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

static sgm_status rebuild_tensor(machine *m, sgm_pickle_ref arguments)
{
    sgm_pickle_ref part[8];
    if (!sgm_pickle_items(m, arguments, 4, 7, part) ||
        value_at(m, part[0])->kind != SGM_PICKLE_STORAGE)
        return sgm_pickle_fail(m, "a tensor without a storage");
    const sgm_pickle_value *storage = value_at(m, part[0]);
    if (storage->storage.type == SGM_STORED_TYPE_COUNT)
        return push_opaque(m, storage->storage.name, true);
    return push_tensor(m, part, storage->storage.type);
}

/* A type that is not read makes the tensor opaque, by the type's name. */
static sgm_status rebuild_tensor_v3(machine *m, sgm_pickle_ref arguments)
{
    enum { TYPE = 6 };
    sgm_pickle_ref part[8];
    if (!sgm_pickle_items(m, arguments, TYPE + 1, 8, part) ||
        value_at(m, part[0])->kind != SGM_PICKLE_STORAGE)
        return sgm_pickle_fail(m, "a tensor without a storage");
    const sgm_pickle_value *type = value_at(m, part[TYPE]);
    if (type->kind == SGM_PICKLE_OPAQUE) return push_opaque(m, type->opaque.name, true);
    if (type->kind != SGM_PICKLE_GLOBAL || known[type->global].rule != RULE_TYPE ||
        value_at(m, part[0])->storage.element != 1)
        return sgm_pickle_fail(m, "a tensor that is no type's and its storage's bytes");
    return push_tensor(m, part, known[type->global].type);
}

static bool is_of_tensor(const machine *m, sgm_pickle_ref ref)
{
    const sgm_pickle_value *v = value_at(m, ref);
    return v->kind == SGM_PICKLE_OPAQUE && v->opaque.of_tensor;
}

static sgm_status rebuild_parameter(machine *m, sgm_pickle_ref arguments)
{
    sgm_pickle_ref part[4];
    if (!sgm_pickle_items(m, arguments, 3, 4, part) ||
        (value_at(m, part[0])->kind != SGM_PICKLE_TENSOR && !is_of_tensor(m, part[0])))
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

/* Is there a tensor or a storage among the first of these, or in the tuples that they are? */
static bool holds_tensor(const machine *m, sgm_pickle_ref ref, int depth)
{
    enum { LOOKED_AT = 8 }; /* one tuple may be the arguments of many calls */
    const sgm_pickle_value *v = value_at(m, ref);
    if (v->kind == SGM_PICKLE_TENSOR || v->kind == SGM_PICKLE_STORAGE) return true;
    if (v->kind == SGM_PICKLE_OPAQUE) return v->opaque.of_tensor;
    if (v->kind != SGM_PICKLE_TUPLE || depth == 0) return false;
    uint32_t cell = v->items.first;
    for (int i = 0; i < LOOKED_AT && cell; i++, cell = m->result.cells[cell].next)
        if (holds_tensor(m, m->result.cells[cell].value, depth - 1)) return true;
    return false;
}

/* torch._utils._rebuild_..: whatever it is called with, a tensor is what it makes. */
static bool rebuilds_tensor(const machine *m, uint32_t name)
{
    const sgm_pickle_name *n = &m->result.names[name];
    const char begin[] = "_rebuild_";
    return name && is_text(n->module, n->module_length, "torch._utils") &&
           n->name_length >= strlen(begin) && memcmp(n->name, begin, strlen(begin)) == 0;
}

static sgm_status call_opaque(machine *m, uint32_t name, sgm_pickle_ref arguments)
{
    return push_opaque(m, name, rebuilds_tensor(m, name) || holds_tensor(m, arguments, 2));
}

/* A subclass's values are those of the tensor that it is made of; its state is of no interest. */
static sgm_status rebuild_of_type(machine *m, sgm_pickle_ref arguments)
{
    sgm_pickle_ref part[4];
    if (!sgm_pickle_items(m, arguments, 4, 4, part) ||
        value_at(m, part[2])->kind != SGM_PICKLE_TUPLE)
        return sgm_pickle_fail(m, "a tensor of a class without its function and arguments");
    const sgm_pickle_value *f = value_at(m, part[0]);
    if (f->kind == SGM_PICKLE_OPAQUE) return call_opaque(m, f->opaque.name, part[2]);
    if (f->kind == SGM_PICKLE_GLOBAL && known[f->global].rule == RULE_TENSOR)
        return rebuild_tensor(m, part[2]);
    if (f->kind == SGM_PICKLE_GLOBAL && known[f->global].rule == RULE_TENSOR_V3)
        return rebuild_tensor_v3(m, part[2]);
    return sgm_pickle_fail(m, "a tensor of a class whose function makes no tensor");
}

sgm_status sgm_pickle_call(machine *m, sgm_pickle_ref callable, sgm_pickle_ref arguments)
{
    const sgm_pickle_value *f = value_at(m, callable);
    if (f->kind == SGM_PICKLE_OPAQUE) return call_opaque(m, f->opaque.name, arguments);
    if (f->kind != SGM_PICKLE_GLOBAL || value_at(m, arguments)->kind != SGM_PICKLE_TUPLE)
        return sgm_pickle_fail(m, "a call of something that is no function");
    switch (known[f->global].rule) {
    case RULE_TENSOR:
        return rebuild_tensor(m, arguments);
    case RULE_TENSOR_V3:
        return rebuild_tensor_v3(m, arguments);
    case RULE_OF_TYPE:
        return rebuild_of_type(m, arguments);
    case RULE_PARAMETER:
        return rebuild_parameter(m, arguments);
    case RULE_ORDERED_DICT:
        return ordered_dict(m, arguments);
    case RULE_DEFAULT_DICT:
        return sgm_pickle_push_new(m, (sgm_pickle_value){.kind = SGM_PICKLE_DICT});
    case RULE_SIZE:
        return size(m, arguments);
    case RULE_TYPE:
        return sgm_pickle_fail(m, "a call of %s, which is no function", known[f->global].name);
    case RULE_STORAGE:
        break;
    }
    return sgm_pickle_fail(m, "a call of the storage class %s", known[f->global].name);
}
