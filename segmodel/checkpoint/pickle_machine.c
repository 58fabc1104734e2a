/* Values, stack and containers of the pickle reader. */
#include "checkpoint/pickle_machine.h"

#include "checkpoint/parse_arena.h"
#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>

typedef sgm_pickle_machine machine;

void sgm_pickle_set_message(const machine *m, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    (void)sgm_fail(SGM_BAD_MODEL, "pickle, byte %zu: %s", m->position, what);
}

sgm_status sgm_pickle_reserve(const machine *m, void *array, size_t count, size_t *capacity,
                              size_t size)
{
    if (count <= *capacity) return SGM_OK;
    if (count > SGM_PICKLE_MAX_VALUES)
        return sgm_pickle_fail(m, "more than %d values", SGM_PICKLE_MAX_VALUES);
    if (sgm_array_grow(array, count, capacity, size)) return SGM_OK;
    return sgm_fail(SGM_OUT_OF_MEMORY, "out of memory for a pickle's values");
}

sgm_status sgm_pickle_new(machine *m, sgm_pickle_value value, sgm_pickle_ref *out)
{
    sgm_pickle *p = &m->result;
    SGM_TRY(sgm_pickle_reserve(m, &p->values, p->value_count + 1, &m->value_capacity,
                               sizeof *p->values));
    *out = (sgm_pickle_ref)p->value_count;
    p->values[p->value_count++] = value;
    return SGM_OK;
}

sgm_status sgm_pickle_push(machine *m, sgm_pickle_ref ref)
{
    SGM_TRY(
        sgm_pickle_reserve(m, &m->stack, m->stack_count + 1, &m->stack_capacity, sizeof *m->stack));
    m->stack[m->stack_count++] = ref;
    return SGM_OK;
}

sgm_status sgm_pickle_push_new(machine *m, sgm_pickle_value value)
{
    sgm_pickle_ref ref;
    SGM_TRY(sgm_pickle_new(m, value, &ref));
    return sgm_pickle_push(m, ref);
}

static size_t stack_floor(const machine *m)
{
    return m->mark_count > 0 ? m->marks[m->mark_count - 1] : 0;
}

sgm_status sgm_pickle_pop(machine *m, sgm_pickle_ref *out)
{
    if (m->stack_count <= stack_floor(m)) return sgm_pickle_fail(m, "the stack is empty");
    *out = m->stack[--m->stack_count];
    return SGM_OK;
}

sgm_status sgm_pickle_top(const machine *m, sgm_pickle_ref *out)
{
    if (m->stack_count <= stack_floor(m)) return sgm_pickle_fail(m, "the stack is empty");
    *out = m->stack[m->stack_count - 1];
    return SGM_OK;
}

static sgm_pickle_value *value_at(const machine *m, sgm_pickle_ref ref)
{
    return &m->result.values[ref];
}

sgm_status sgm_pickle_append(machine *m, sgm_pickle_ref container, sgm_pickle_ref item)
{
    sgm_pickle *p = &m->result;
    if (value_at(m, container)->kind == SGM_PICKLE_OPAQUE) return SGM_OK;
    if (p->cell_count == 0) p->cell_count = 1; /* cell 0 means none */
    SGM_TRY(
        sgm_pickle_reserve(m, &p->cells, p->cell_count + 1, &m->cell_capacity, sizeof *p->cells));
    uint32_t cell = (uint32_t)p->cell_count++;
    p->cells[cell] = (sgm_pickle_cell){item, 0};
    sgm_pickle_value *v = value_at(m, container);
    if (v->items.count++ == 0)
        v->items.first = cell;
    else
        p->cells[v->items.last].next = cell;
    v->items.last = cell;
    return SGM_OK;
}

bool sgm_pickle_items(const machine *m, sgm_pickle_ref ref, uint32_t least, uint32_t most,
                      sgm_pickle_ref *out)
{
    const sgm_pickle_value *v = value_at(m, ref);
    if (v->kind != SGM_PICKLE_TUPLE && v->kind != SGM_PICKLE_LIST) return false;
    if (v->items.count < least || v->items.count > most) return false;
    uint32_t cell = v->items.first;
    for (uint32_t i = 0; i < most; i++) {
        out[i] = i < v->items.count ? m->result.cells[cell].value : 0;
        if (i < v->items.count) cell = m->result.cells[cell].next;
    }
    return true;
}
