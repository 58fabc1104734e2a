#include "checkpoint/pickle.h"

#include "checkpoint/pickle_machine.h"
#include "core/status.h"

#include <stdlib.h>
#include <string.h>

typedef sgm_pickle_machine machine;

static sgm_pickle_value *value_at(const machine *m, sgm_pickle_ref ref)
{
    return &m->result.values[ref];
}

/* ------------------------------------------------------------------------------------- operands */

static sgm_status take(machine *m, size_t n, const unsigned char **out)
{
    if ((size_t)(m->end - m->at) < n) return sgm_pickle_fail(m, "the pickle is cut off");
    *out = m->at;
    m->at += n;
    return SGM_OK;
}

/* Little-endian, 1 to 8 bytes. */
static sgm_status take_unsigned(machine *m, size_t n, uint64_t *out)
{
    const unsigned char *p;
    SGM_TRY(take(m, n, &p));
    *out = 0;
    for (size_t i = n; i-- > 0;)
        *out = *out << 8 | p[i];
    return SGM_OK;
}

/* A length of `n` bytes, then that much text. */
static sgm_status take_text(machine *m, size_t n, const unsigned char **text, size_t *length)
{
    uint64_t announced;
    SGM_TRY(take_unsigned(m, n, &announced));
    if (announced > (uint64_t)(m->end - m->at))
        return sgm_pickle_fail(m, "a text of %llu bytes, only %zu are left",
                               (unsigned long long)announced, (size_t)(m->end - m->at));
    *length = (size_t)announced;
    return take(m, *length, text);
}

static sgm_status take_line(machine *m, const char **text, size_t *length)
{
    const unsigned char *end = memchr(m->at, '\n', (size_t)(m->end - m->at));
    if (!end) return sgm_pickle_fail(m, "the pickle is cut off");
    *text = (const char *)m->at;
    *length = (size_t)(end - m->at);
    m->at = end + 1;
    return SGM_OK;
}

/* --------------------------------------------------------------------------------- plain values */

static sgm_status push_kind(machine *m, sgm_pickle_kind kind)
{
    return sgm_pickle_push_new(m, (sgm_pickle_value){.kind = kind});
}

static sgm_status push_text(machine *m, sgm_pickle_kind kind, size_t length_size)
{
    const unsigned char *text;
    size_t length;
    SGM_TRY(take_text(m, length_size, &text, &length));
    sgm_pickle_value v = {.kind = kind, .text = {(const char *)text, length}};
    return sgm_pickle_push_new(m, v);
}

static sgm_status push_integer(machine *m, sgm_pickle_kind kind, int64_t integer)
{
    return sgm_pickle_push_new(m, (sgm_pickle_value){.kind = kind, .integer = integer});
}

static sgm_status push_unsigned(machine *m, size_t n)
{
    uint64_t value;
    SGM_TRY(take_unsigned(m, n, &value));
    return push_integer(m, SGM_PICKLE_INT, (int64_t)value);
}

static sgm_status push_int32(machine *m)
{
    uint64_t value;
    SGM_TRY(take_unsigned(m, 4, &value));
    return push_integer(m, SGM_PICKLE_INT, (int32_t)(uint32_t)value);
}

/* LONG1, LONG4: a length, then two's complement. Longer than 64 bits is of no interest to us. */
static sgm_status push_long(machine *m, size_t length_size)
{
    const unsigned char *p;
    size_t n;
    SGM_TRY(take_text(m, length_size, &p, &n));
    if (n > 8) return sgm_pickle_push_new(m, (sgm_pickle_value){.kind = SGM_PICKLE_OPAQUE});
    uint64_t value = n > 0 && p[n - 1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = n; i-- > 0;)
        value = value << 8 | p[i];
    return push_integer(m, SGM_PICKLE_INT, (int64_t)value);
}

static sgm_status push_float(machine *m)
{
    const unsigned char *p;
    SGM_TRY(take(m, 8, &p));
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | p[i];
    sgm_pickle_value v = {.kind = SGM_PICKLE_FLOAT};
    memcpy(&v.real, &bits, 8);
    return sgm_pickle_push_new(m, v);
}

/* ----------------------------------------------------------------------------------- containers */

static sgm_status push_mark(machine *m)
{
    SGM_TRY(
        sgm_pickle_reserve(m, &m->marks, m->mark_count + 1, &m->mark_capacity, sizeof *m->marks));
    m->marks[m->mark_count++] = (uint32_t)m->stack_count;
    return SGM_OK;
}

/* Takes everything above the last mark off the stack: `count` references that stay readable at
 * `first` until the next push. */
static sgm_status pop_to_mark(machine *m, const sgm_pickle_ref **first, size_t *count)
{
    if (m->mark_count == 0) return sgm_pickle_fail(m, "there is no mark");
    size_t floor = m->marks[--m->mark_count];
    *count = m->stack_count - floor;
    *first = m->stack ? m->stack + floor : NULL;
    m->stack_count = floor;
    return SGM_OK;
}

static sgm_status append_all(machine *m, sgm_pickle_ref container, const sgm_pickle_ref *items,
                             size_t count)
{
    if (value_at(m, container)->kind == SGM_PICKLE_DICT && count % 2 != 0)
        return sgm_pickle_fail(m, "a dict's key without its value");
    for (size_t i = 0; i < count; i++)
        SGM_TRY(sgm_pickle_append(m, container, items[i]));
    return SGM_OK;
}

static sgm_status push_container(machine *m, sgm_pickle_kind kind, const sgm_pickle_ref *items,
                                 size_t count)
{
    sgm_pickle_ref ref;
    SGM_TRY(sgm_pickle_new(m, (sgm_pickle_value){.kind = kind}, &ref));
    SGM_TRY(append_all(m, ref, items, count));
    return sgm_pickle_push(m, ref);
}

static sgm_status push_from_mark(machine *m, sgm_pickle_kind kind)
{
    const sgm_pickle_ref *items;
    size_t count;
    SGM_TRY(pop_to_mark(m, &items, &count));
    return push_container(m, kind, items, count);
}

static sgm_status push_short_tuple(machine *m, size_t count)
{
    sgm_pickle_ref items[3];
    for (size_t i = count; i-- > 0;)
        SGM_TRY(sgm_pickle_pop(m, &items[i]));
    return push_container(m, SGM_PICKLE_TUPLE, items, count);
}

static sgm_status check_container(const machine *m, sgm_pickle_ref ref, sgm_pickle_kind kind)
{
    sgm_pickle_kind found = value_at(m, ref)->kind;
    if (found == kind || found == SGM_PICKLE_OPAQUE) return SGM_OK;
    return sgm_pickle_fail(m, "items are added to something that is no %s",
                           kind == SGM_PICKLE_DICT ? "dict" : "list");
}

static sgm_status add_from_mark(machine *m, sgm_pickle_kind kind)
{
    const sgm_pickle_ref *items;
    size_t count;
    sgm_pickle_ref container;
    SGM_TRY(pop_to_mark(m, &items, &count));
    SGM_TRY(sgm_pickle_top(m, &container));
    SGM_TRY(check_container(m, container, kind));
    return append_all(m, container, items, count);
}

static sgm_status add_popped(machine *m, sgm_pickle_kind kind, size_t count)
{
    sgm_pickle_ref items[2], container;
    for (size_t i = count; i-- > 0;)
        SGM_TRY(sgm_pickle_pop(m, &items[i]));
    SGM_TRY(sgm_pickle_top(m, &container));
    SGM_TRY(check_container(m, container, kind));
    return append_all(m, container, items, count);
}

/* ----------------------------------------------------------------------------------------- memo */

static sgm_status memo_put(machine *m, uint64_t id)
{
    sgm_pickle_ref ref;
    SGM_TRY(sgm_pickle_top(m, &ref));
    if (id >= SGM_PICKLE_MAX_VALUES)
        return sgm_pickle_fail(m, "memo number %llu", (unsigned long long)id);
    size_t capacity = m->memo_count;
    SGM_TRY(sgm_pickle_reserve(m, &m->memo, (size_t)id + 1, &capacity, sizeof *m->memo));
    if (capacity > m->memo_count)
        memset(m->memo + m->memo_count, 0, (capacity - m->memo_count) * sizeof *m->memo);
    m->memo_count = capacity;
    m->memo[id] = ref + 1;
    return SGM_OK;
}

static sgm_status memo_put_operand(machine *m, size_t n)
{
    uint64_t id;
    SGM_TRY(take_unsigned(m, n, &id));
    return memo_put(m, id);
}

static sgm_status memo_get(machine *m, size_t n)
{
    uint64_t id;
    SGM_TRY(take_unsigned(m, n, &id));
    if (id >= m->memo_count || m->memo[id] == 0)
        return sgm_pickle_fail(m, "memo number %llu was never set", (unsigned long long)id);
    return sgm_pickle_push(m, m->memo[id] - 1);
}

/* ----------------------------------------------------------------------------- names and calls */

static sgm_status push_global_lines(machine *m)
{
    const char *module, *name;
    size_t module_length, name_length;
    SGM_TRY(take_line(m, &module, &module_length));
    SGM_TRY(take_line(m, &name, &name_length));
    return sgm_pickle_push_global(m, module, module_length, name, name_length);
}

static sgm_status push_global_from_stack(machine *m)
{
    sgm_pickle_ref name, module;
    SGM_TRY(sgm_pickle_pop(m, &name));
    SGM_TRY(sgm_pickle_pop(m, &module));
    const sgm_pickle_value *n = value_at(m, name), *o = value_at(m, module);
    if (n->kind != SGM_PICKLE_STRING || o->kind != SGM_PICKLE_STRING)
        return sgm_pickle_fail(m, "a global's name is no string");
    return sgm_pickle_push_global(m, o->text.bytes, o->text.length, n->text.bytes, n->text.length);
}

static sgm_status reduce(machine *m)
{
    sgm_pickle_ref arguments, callable;
    SGM_TRY(sgm_pickle_pop(m, &arguments));
    SGM_TRY(sgm_pickle_pop(m, &callable));
    return sgm_pickle_call(m, callable, arguments);
}

/* cls(*arguments, **named) of a class that is not read. */
static sgm_status reduce_named(machine *m)
{
    sgm_pickle_ref named, arguments, callable;
    SGM_TRY(sgm_pickle_pop(m, &named));
    SGM_TRY(sgm_pickle_pop(m, &arguments));
    SGM_TRY(sgm_pickle_pop(m, &callable));
    if (value_at(m, callable)->kind == SGM_PICKLE_OPAQUE)
        return sgm_pickle_call(m, callable, arguments);
    return sgm_pickle_fail(m, "a call with named arguments");
}

/* Attributes on a dict (state dicts carry `_metadata`) are of no interest. */
static sgm_status build(machine *m)
{
    sgm_pickle_ref state, object;
    SGM_TRY(sgm_pickle_pop(m, &state));
    SGM_TRY(sgm_pickle_top(m, &object));
    sgm_pickle_kind kind = value_at(m, object)->kind;
    if (kind == SGM_PICKLE_DICT || kind == SGM_PICKLE_OPAQUE) return SGM_OK;
    return sgm_pickle_fail(m, "BUILD on something that is no ordered dict");
}

static sgm_status push_persistent(machine *m)
{
    sgm_pickle_ref id;
    SGM_TRY(sgm_pickle_pop(m, &id));
    return sgm_pickle_push_persistent(m, id);
}

/* -------------------------------------------------------------------------------------- opcodes */

static sgm_status check_protocol(machine *m)
{
    uint64_t version;
    SGM_TRY(take_unsigned(m, 1, &version));
    if (version >= 2 && version <= 5) return SGM_OK;
    return sgm_pickle_fail(m, "protocol %d, wanted 2 to 5", (int)version);
}

static sgm_status pop_one(machine *m)
{
    sgm_pickle_ref ref;
    if (m->mark_count > 0 && m->marks[m->mark_count - 1] == m->stack_count) {
        m->mark_count--; /* POP on a mark takes the mark, as in CPython */
        return SGM_OK;
    }
    return sgm_pickle_pop(m, &ref);
}

static sgm_status duplicate_top(machine *m)
{
    sgm_pickle_ref ref;
    SGM_TRY(sgm_pickle_top(m, &ref));
    return sgm_pickle_push(m, ref);
}

static sgm_status pop_mark(machine *m)
{
    const sgm_pickle_ref *items;
    size_t count;
    return pop_to_mark(m, &items, &count);
}

static sgm_status fail_opcode(const machine *m, unsigned char opcode)
{
    return sgm_pickle_fail(m,
                           "opcode 0x%02x is not one that PyTorch's files use. In Python: "
                           "torch.save(torch.load(\"old.pth\", map_location=\"cpu\", "
                           "weights_only=False), \"new.pth\")",
                           opcode);
}

/* clang-format off */
static sgm_status run_structure(machine *m, unsigned char opcode)
{
    uint64_t ignored;
    switch (opcode) {
    case 0x80: return check_protocol(m);                          /* PROTO */
    case 0x95: return take_unsigned(m, 8, &ignored);              /* FRAME */
    case '(': return push_mark(m);                                /* MARK */
    case '0': return pop_one(m);                                  /* POP */
    case '1': return pop_mark(m);                                 /* POP_MARK */
    case '2': return duplicate_top(m);                            /* DUP */
    case 'q': return memo_put_operand(m, 1);                      /* BINPUT */
    case 'r': return memo_put_operand(m, 4);                      /* LONG_BINPUT */
    case 'h': return memo_get(m, 1);                              /* BINGET */
    case 'j': return memo_get(m, 4);                              /* LONG_BINGET */
    case 'c': return push_global_lines(m);                        /* GLOBAL */
    case 0x93: return push_global_from_stack(m);                  /* STACK_GLOBAL */
    case 'R': return reduce(m);                                   /* REDUCE */
    case 0x81: return reduce(m);                                  /* NEWOBJ */
    case 0x92: return reduce_named(m);                            /* NEWOBJ_EX */
    case 'b': return build(m);                                    /* BUILD */
    case 'Q': return push_persistent(m);                          /* BINPERSID */
    default: return fail_opcode(m, opcode);
    }
}

static sgm_status run_container(machine *m, unsigned char opcode)
{
    switch (opcode) {
    case ']': return push_kind(m, SGM_PICKLE_LIST);               /* EMPTY_LIST */
    case 0x8f: return push_kind(m, SGM_PICKLE_LIST);              /* EMPTY_SET */
    case '}': return push_kind(m, SGM_PICKLE_DICT);               /* EMPTY_DICT */
    case ')': return push_kind(m, SGM_PICKLE_TUPLE);              /* EMPTY_TUPLE */
    case 'l': return push_from_mark(m, SGM_PICKLE_LIST);          /* LIST */
    case 0x91: return push_from_mark(m, SGM_PICKLE_LIST);         /* FROZENSET */
    case 'd': return push_from_mark(m, SGM_PICKLE_DICT);          /* DICT */
    case 't': return push_from_mark(m, SGM_PICKLE_TUPLE);         /* TUPLE */
    case 0x85: return push_short_tuple(m, 1);                     /* TUPLE1 */
    case 0x86: return push_short_tuple(m, 2);                     /* TUPLE2 */
    case 0x87: return push_short_tuple(m, 3);                     /* TUPLE3 */
    case 'a': return add_popped(m, SGM_PICKLE_LIST, 1);           /* APPEND */
    case 'e': return add_from_mark(m, SGM_PICKLE_LIST);           /* APPENDS */
    case 0x90: return add_from_mark(m, SGM_PICKLE_LIST);          /* ADDITEMS */
    case 's': return add_popped(m, SGM_PICKLE_DICT, 2);           /* SETITEM */
    case 'u': return add_from_mark(m, SGM_PICKLE_DICT);           /* SETITEMS */
    default: return run_structure(m, opcode);
    }
}

static sgm_status run_opcode(machine *m, unsigned char opcode)
{
    switch (opcode) {
    case 'N': return sgm_pickle_push(m, 0);                       /* NONE */
    case 0x88: return push_integer(m, SGM_PICKLE_BOOL, 1);        /* NEWTRUE */
    case 0x89: return push_integer(m, SGM_PICKLE_BOOL, 0);        /* NEWFALSE */
    case 'K': return push_unsigned(m, 1);                         /* BININT1 */
    case 'M': return push_unsigned(m, 2);                         /* BININT2 */
    case 'J': return push_int32(m);                               /* BININT */
    case 0x8a: return push_long(m, 1);                            /* LONG1 */
    case 0x8b: return push_long(m, 4);                            /* LONG4 */
    case 'G': return push_float(m);                               /* BINFLOAT */
    case 0x8c: return push_text(m, SGM_PICKLE_STRING, 1);         /* SHORT_BINUNICODE */
    case 'X': return push_text(m, SGM_PICKLE_STRING, 4);          /* BINUNICODE */
    case 0x8d: return push_text(m, SGM_PICKLE_STRING, 8);         /* BINUNICODE8 */
    case 'U': return push_text(m, SGM_PICKLE_STRING, 1);          /* SHORT_BINSTRING (Python 2) */
    case 'T': return push_text(m, SGM_PICKLE_STRING, 4);          /* BINSTRING (Python 2) */
    case 'C': return push_text(m, SGM_PICKLE_BYTES, 1);           /* SHORT_BINBYTES */
    case 'B': return push_text(m, SGM_PICKLE_BYTES, 4);           /* BINBYTES */
    case 0x8e: return push_text(m, SGM_PICKLE_BYTES, 8);          /* BINBYTES8 */
    case 0x96: return push_text(m, SGM_PICKLE_BYTES, 8);          /* BYTEARRAY8 */
    default: return run_container(m, opcode);
    }
}
/* clang-format on */

enum { OPCODE_STOP = '.', OPCODE_MEMOIZE = 0x94 };

static sgm_status run(machine *m)
{
    uint64_t memoized = 0;
    if (m->end - m->at < 2 || m->at[0] != 0x80)
        return sgm_pickle_fail(m, "not a pickle of protocol 2 or newer");
    for (;;) {
        const unsigned char *opcode;
        m->position = (size_t)(m->at - m->begin);
        SGM_TRY(take(m, 1, &opcode));
        if (*opcode == OPCODE_STOP) {
            m->result.size = (size_t)(m->at - m->begin);
            return sgm_pickle_pop(m, &m->result.root);
        }
        if (*opcode == OPCODE_MEMOIZE)
            SGM_TRY(memo_put(m, memoized++));
        else
            SGM_TRY(run_opcode(m, *opcode));
    }
}

sgm_status sgm_pickle_parse(const void *bytes, size_t size, sgm_pickle *out)
{
    machine m = {.begin = bytes, .at = bytes, .end = (const unsigned char *)bytes + size};
    sgm_pickle_ref none;
    *out = (sgm_pickle){0};
    if (size > SGM_PICKLE_MAX_BYTES)
        return sgm_fail(SGM_BAD_MODEL, "a pickle of %zu bytes, at most %d are accepted", size,
                        SGM_PICKLE_MAX_BYTES);
    sgm_status status = sgm_pickle_new(&m, (sgm_pickle_value){.kind = SGM_PICKLE_NONE}, &none);
    if (status == SGM_OK) status = run(&m);
    free(m.stack);
    free(m.memo);
    free(m.marks);
    if (status == SGM_OK)
        *out = m.result;
    else
        sgm_pickle_free(&m.result);
    return status;
}

void sgm_pickle_free(sgm_pickle *pickle)
{
    free(pickle->values);
    free(pickle->cells);
    free(pickle->tensors);
    free(pickle->names);
    *pickle = (sgm_pickle){0};
}
