/* Random numbers by counter: stream (seed, index) is the same whoever draws it, in whatever order
 * and thread, which is what makes training repeatable and resumable. SplitMix64 (Steele 2014). */
#ifndef SEGMODEL_TRAIN_RNG_H
#define SEGMODEL_TRAIN_RNG_H

#include <math.h>
#include <stdint.h>

typedef struct sgm_rng {
    uint64_t state;
} sgm_rng;

static inline uint64_t sgm_rng_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* The stream of one sample: different seeds or indices give unrelated streams. */
static inline sgm_rng sgm_rng_at(uint64_t seed, uint64_t index)
{
    return (sgm_rng){sgm_rng_mix(sgm_rng_mix(seed + 0x9E3779B97F4A7C15u) ^
                                 (index * 0xD1342543DE82EF95u + 0x632BE59BD9B4E019u))};
}

static inline uint64_t sgm_rng_next(sgm_rng *rng)
{
    return sgm_rng_mix(rng->state += 0x9E3779B97F4A7C15u);
}

/* In [0, 1). */
static inline double sgm_rng_unit(sgm_rng *rng)
{
    return (double)(sgm_rng_next(rng) >> 11) * 0x1p-53;
}

static inline double sgm_rng_range(sgm_rng *rng, double low, double high)
{
    return low + (high - low) * sgm_rng_unit(rng);
}

/* In [0, n); n >= 1. */
static inline int64_t sgm_rng_below(sgm_rng *rng, int64_t n)
{
    return (int64_t)(sgm_rng_unit(rng) * (double)n);
}

static inline int sgm_rng_chance(sgm_rng *rng, double probability)
{
    return sgm_rng_unit(rng) < probability;
}

/* Mean 0, variance 1, from four uniforms: cheap, and light tails suit augmentation. */
static inline double sgm_rng_normal(sgm_rng *rng)
{
    uint64_t bits = sgm_rng_next(rng);
    int sum = (int)(bits & 0xFFFF) + (int)(bits >> 16 & 0xFFFF) + (int)(bits >> 32 & 0xFFFF) +
              (int)(bits >> 48);
    return (sum - 131070.0) * (1.7320508 / 65536);
}

#endif
