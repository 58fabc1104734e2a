#include "batch_hash.h"

#include <string.h>

void batch_hash_mix(uint64_t *hash, const void *bytes, size_t size)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < size; i++)
        *hash = (*hash ^ b[i]) * UINT64_C(0x100000001b3);
}

void batch_hash_mix_text(uint64_t *hash, const char *text)
{
    batch_hash_mix(hash, text, strlen(text) + 1);
}

uint64_t batch_hash_text(const char *text)
{
    uint64_t hash = BATCH_HASH_START;
    batch_hash_mix_text(&hash, text);
    return hash;
}
