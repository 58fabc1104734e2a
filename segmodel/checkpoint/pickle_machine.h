/* The stack machine inside the pickle reader, shared by its opcodes (pickle.c), its rules for
 * callables (pickle_globals.c) and what both stand on (pickle_machine.c). */
#ifndef SEGMODEL_CHECKPOINT_PICKLE_MACHINE_H
#define SEGMODEL_CHECKPOINT_PICKLE_MACHINE_H

#include "checkpoint/pickle.h"

#include <stdbool.h>

enum {
    SGM_PICKLE_MAX_BYTES = 16 << 20,
    SGM_PICKLE_MAX_VALUES = 1 << 20, /* each of values, cells, stack and memo */
};

typedef struct sgm_pickle_machine {
    const unsigned char *begin, *at, *end;
    size_t position; /* of the current opcode, for messages */
    sgm_pickle result;
    size_t value_capacity, cell_capacity, tensor_capacity, name_capacity;
    sgm_pickle_ref *stack, *memo; /* memo: value + 1, 0 where nothing is kept */
    size_t stack_count, stack_capacity, memo_count;
    uint32_t *marks; /* heights of the stack */
    size_t mark_count, mark_capacity;
} sgm_pickle_machine;

/* Fails with "pickle, byte N: <what>". */
void sgm_pickle_set_message(const sgm_pickle_machine *m, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));
#define sgm_pickle_fail(m, ...) (sgm_pickle_set_message((m), __VA_ARGS__), SGM_BAD_MODEL)

/* Makes room for `count` elements in all; fails beyond the limit or when memory is out. */
sgm_status sgm_pickle_reserve(const sgm_pickle_machine *m, void *array, size_t count,
                              size_t *capacity, size_t element_size);

sgm_status sgm_pickle_new(sgm_pickle_machine *m, sgm_pickle_value value, sgm_pickle_ref *out);
sgm_status sgm_pickle_push(sgm_pickle_machine *m, sgm_pickle_ref ref);
sgm_status sgm_pickle_push_new(sgm_pickle_machine *m, sgm_pickle_value value);

/* Fails on an empty stack and at a mark. */
sgm_status sgm_pickle_pop(sgm_pickle_machine *m, sgm_pickle_ref *out);

/* The same without taking it off. */
sgm_status sgm_pickle_top(const sgm_pickle_machine *m, sgm_pickle_ref *out);

/* Appends to a TUPLE, LIST or DICT; into something opaque it is lost. */
sgm_status sgm_pickle_append(sgm_pickle_machine *m, sgm_pickle_ref container, sgm_pickle_ref item);

/* The items of a TUPLE or LIST if there are `least` to `most` of them; the rest of `out` is 0. */
bool sgm_pickle_items(const sgm_pickle_machine *m, sgm_pickle_ref ref, uint32_t least,
                      uint32_t most, sgm_pickle_ref *out);

/* ------------------------------------------------------------------- rules for callables */

/* Pushes what the name means, something opaque if it is not on the list. */
sgm_status sgm_pickle_push_global(sgm_pickle_machine *m, const char *module, size_t module_length,
                                  const char *name, size_t name_length);

/* callable(*arguments), where both are on the stack. */
sgm_status sgm_pickle_call(sgm_pickle_machine *m, sgm_pickle_ref callable,
                           sgm_pickle_ref arguments);

/* A persistent id: ('storage', class, key, location, count), before PyTorch 1.6 with what it is a
 * view of at the end, or ('module', class, file, text), which is the class. */
sgm_status sgm_pickle_push_persistent(sgm_pickle_machine *m, sgm_pickle_ref id);

#endif
