#include "checkpoint/parse_arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 1 << 16, ALIGNMENT = _Alignof(max_align_t) };

struct sgm_parse_block {
    sgm_parse_block *next;
    size_t used, size;
    _Alignas(max_align_t) char bytes[];
};

static sgm_parse_block *add_block(sgm_parse_arena *arena, size_t size)
{
    sgm_parse_block *block = malloc(sizeof *block + size);
    if (!block) return NULL;
    *block = (sgm_parse_block){arena->blocks, 0, size};
    arena->blocks = block;
    return block;
}

void *sgm_parse_arena_alloc(sgm_parse_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2) return NULL;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    sgm_parse_block *block = arena->blocks;
    if (!block || size > block->size - block->used)
        block = add_block(arena, size > BLOCK_SIZE ? size : BLOCK_SIZE);
    if (!block) return NULL;
    void *memory = block->bytes + block->used;
    block->used += size;
    return memory;
}

char *sgm_parse_arena_text(sgm_parse_arena *arena, const void *bytes, size_t length)
{
    char *text = length < SIZE_MAX ? sgm_parse_arena_alloc(arena, length + 1) : NULL;
    if (!text) return NULL;
    if (length > 0) memcpy(text, bytes, length);
    text[length] = 0;
    return text;
}

void sgm_parse_arena_free(sgm_parse_arena *arena)
{
    while (arena->blocks) {
        sgm_parse_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}

bool sgm_array_grow(void *array, size_t count, size_t *capacity, size_t element_size)
{
    void *old, *memory;
    if (count <= *capacity) return true;
    size_t wanted = count < 64 ? 64 : count + count / 2;
    memcpy(&old, array, sizeof old); /* `array` is a T **, which must not be read as a void ** */
    memory = wanted <= SIZE_MAX / element_size ? realloc(old, wanted * element_size) : NULL;
    if (!memory) return false;
    memcpy(array, &memory, sizeof memory);
    *capacity = wanted;
    return true;
}

const char *sgm_printable(const void *text, size_t length, char out[96])
{
    const unsigned char *from = text;
    size_t n = length < 95 ? length : 95;
    for (size_t i = 0; i < n; i++)
        out[i] = from[i] >= 0x20 && from[i] < 0x7f ? (char)from[i] : '?';
    if (n < length) memcpy(out + n - 3, "...", 3);
    out[n] = 0;
    return out;
}
