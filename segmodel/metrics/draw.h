/* Random choices that anyone can repeat: SplitMix64 (Steele 2014) by number, from a name. */
#ifndef SEGMODEL_METRICS_DRAW_H
#define SEGMODEL_METRICS_DRAW_H

#include <math.h>
#include <stdint.h>

/* FNV-1a of both parts, one after the other, changed by the seed. */
static inline uint64_t sgm_draw_key(const char *kind, const char *name, uint64_t seed)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    const char *const parts[2] = {kind, name};
    for (int part = 0; part < 2; part++)
        for (const char *c = parts[part]; *c; c++)
            hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001B3);
    return hash ^ seed;
}

/* 64 random bits: number `index` of the key. */
static inline uint64_t sgm_draw_bits(uint64_t key, uint64_t index)
{
    uint64_t z = key + (index + 1) * UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* One of 0 .. count - 1, count from 1 to 2^32. */
static inline uint64_t sgm_draw_pick(uint64_t key, uint64_t index, uint64_t count)
{
    return ((sgm_draw_bits(key, index) >> 32) * count) >> 32;
}

/* In [0, 1). */
static inline double sgm_draw_unit(uint64_t key, uint64_t index)
{
    return (double)(sgm_draw_bits(key, index) >> 11) * 0x1p-53;
}

/* Mean 0, variance 1 (Box and Muller 1958); takes draws 2 * index and 2 * index + 1. */
static inline double sgm_draw_normal(uint64_t key, uint64_t index)
{
    return sqrt(-2 * log(1 - sgm_draw_unit(key, 2 * index))) *
           cos(6.283185307179586 * sgm_draw_unit(key, 2 * index + 1));
}

#endif
