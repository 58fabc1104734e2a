/* Deterministic synthetic weights and images for golden tests: pure functions of a name and an
 * index, so that weights of any size need not be stored. The goldens were computed with the same
 * functions by the official PyTorch code.
 *
 * w[i] = float(u(fnv1a64(name) ^ 1, i) * scale + base), u in [-1, 1) from SplitMix64; base and
 * scale follow from name and shape, so that activations stay of order 1. */
#ifndef SEGMODEL_TESTS_HASH_WEIGHTS_H
#define SEGMODEL_TESTS_HASH_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

typedef struct hash_rule {
    double base, scale;
} hash_rule;

uint64_t hash_fnv1a64(const void *bytes, size_t size);

/* The rule for a tensor of float32. (num_batches_tracked, the only int64, is 0.) */
hash_rule hash_rule_for(const char *name, int rank, const int64_t *shape);

/* Values [first, first + count) of tensor `name`. */
void hash_fill(const char *name, hash_rule rule, size_t first, size_t count, float *out);

/* hash_fill with the tensor's own rule, the whole tensor. */
void hash_weights(const char *name, int rank, const int64_t *shape, float *out);

/* float(u(fnv1a64(text) ^ 1, i)): inputs the goldens call uniform("synthetic:..."). */
void hash_uniform(const char *text, size_t count, float *out);

/* A test picture, height x width x 3. */
void hash_image(int width, int height, int variant, uint8_t *out);

/* size x size: logits of a disc, clamped to +-10, and the disc itself as 0 and 1. */
void hash_mask_logits(int size, int cx, int cy, int radius, float *out);
void hash_disc_mask(int size, int cx, int cy, int radius, uint8_t *out);

#endif
