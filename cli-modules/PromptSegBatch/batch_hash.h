/* FNV-1a, 64 bits: names what has changed, withstands no attack. */
#ifndef PROMPTSEG_BATCH_HASH_H
#define PROMPTSEG_BATCH_HASH_H

#include <stddef.h>
#include <stdint.h>

#define BATCH_HASH_START UINT64_C(0xcbf29ce484222325)

void batch_hash_mix(uint64_t *hash, const void *bytes, size_t size);
/* With its zero, so that two texts are not taken for one. */
void batch_hash_mix_text(uint64_t *hash, const char *text);
uint64_t batch_hash_text(const char *text);

#endif
