/* A fast hash of many bytes, to tell what has changed; nobody's defence against forgery. The same
 * on every little-endian machine, and stored in files: it stays as it is. */
#ifndef SEGMODEL_CORE_HASH_H
#define SEGMODEL_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t sgm_hash(const void *bytes, size_t size);

/* Of two hashes, in this order. */
uint64_t sgm_hash_join(uint64_t a, uint64_t b);

/* Of `a` and a text. */
uint64_t sgm_hash_text(uint64_t a, const char *text);

#endif
