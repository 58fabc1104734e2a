/* Memory of one parse: allocated piece by piece, freed at once; growing arrays; text made fit for
 * messages. */
#ifndef SEGMODEL_CHECKPOINT_PARSE_ARENA_H
#define SEGMODEL_CHECKPOINT_PARSE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sgm_parse_block sgm_parse_block;

typedef struct sgm_parse_arena {
    sgm_parse_block *blocks; /* newest first; zero-initialise */
} sgm_parse_arena;

/* Aligned for any type; NULL when memory is out. */
void *sgm_parse_arena_alloc(sgm_parse_arena *arena, size_t size);

/* A terminated copy of `length` bytes; NULL when memory is out. */
char *sgm_parse_arena_text(sgm_parse_arena *arena, const void *bytes, size_t length);

void sgm_parse_arena_free(sgm_parse_arena *arena);

/* Makes room for `count` elements, and then some, in the heap array whose pointer `array` points
 * to. False when memory is out; the array is then as it was. */
bool sgm_array_grow(void *array, size_t count, size_t *capacity, size_t element_size);

/* Text of a file for a message: cut to fit, control and non-ASCII bytes as '?', because a message
 * may reach a terminal. Returns `out`. */
const char *sgm_printable(const void *text, size_t length, char out[96]);

#endif
