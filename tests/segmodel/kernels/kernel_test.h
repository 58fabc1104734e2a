/* Helpers of the kernel tests: every test runs under each instruction set this processor has. */
#ifndef SEGMODEL_TESTS_KERNEL_TEST_H
#define SEGMODEL_TESTS_KERNEL_TEST_H

#include <stdlib.h>

#include "../check.h"
#include "core/cpu_features.h"
#include "core/threads.h"
#include "graph/graph.h"

static uint64_t random_state = 88172645463325252ull;

/* Uniform in [-1, 1). */
static inline float random_value(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (float)((double)(random_state >> 11) / 4503599627370496.0 - 1.0);
}

/* The memory has `n` elements exactly, so that sanitizers see every overrun. */
static inline float *random_floats(size_t n)
{
    float *x = malloc(sizeof *x * (n ? n : 1));
    for (size_t i = 0; i < n; i++)
        x[i] = random_value();
    return x;
}

static inline float *zeros(size_t n)
{
    return calloc(n ? n : 1, sizeof(float));
}

static inline uint16_t round_bf16(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static inline float widen_bf16(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* The same numbers in either dtype: rounds `x` in place so that both hold equal values. */
static inline void *as_dtype(float *x, size_t n, sgm_dtype dtype)
{
    void *copy = malloc(n ? n * (dtype == SGM_F32 ? 4 : 2) : 1);
    for (size_t i = 0; i < n; i++) {
        if (dtype == SGM_F32) {
            ((float *)copy)[i] = x[i];
        } else {
            ((uint16_t *)copy)[i] = round_bf16(x[i]);
            x[i] = widen_bf16(round_bf16(x[i]));
        }
    }
    return copy;
}

/* New floats with the values of an array of either dtype; frees it. */
static inline float *to_floats(void *x, size_t n, sgm_dtype dtype)
{
    float *copy = malloc(sizeof *copy * (n ? n : 1));
    for (size_t i = 0; i < n; i++)
        copy[i] = dtype == SGM_F32 ? ((float *)x)[i] : widen_bf16(((uint16_t *)x)[i]);
    free(x);
    return copy;
}

static inline double gelu_exact(double x)
{
    return 0.5 * x * erfc(-x * 0.70710678118654752440);
}

static inline double act_exact(sgm_act act, double x)
{
    switch (act) {
    case SGM_ACT_NONE:
        return x;
    case SGM_ACT_RELU:
        return x > 0 ? x : 0;
    case SGM_ACT_GELU:
        return gelu_exact(x);
    case SGM_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case SGM_ACT_TANH:
        return tanh(x);
    case SGM_ACT_LEAKY_RELU:
        return x > 0 ? x : 0.01 * x;
    case SGM_ACT_EXP:
        return exp(x);
    case SGM_ACT_LOG:
        return log(x);
    case SGM_ACT_RSQRT:
        return 1 / sqrt(x);
    }
    return 0;
}

static const sgm_act fused_acts[] = {SGM_ACT_NONE,    SGM_ACT_RELU, SGM_ACT_GELU,
                                     SGM_ACT_SIGMOID, SGM_ACT_TANH, SGM_ACT_LEAKY_RELU};

/* Calls `test` under every instruction set and with 1 and 3 threads (3: uneven shares). */
static inline void under_each_isa(void (*test)(sgm_threads *pool))
{
    sgm_isa best = sgm_cpu()->isa;
    for (int isa = SGM_ISA_BASE; isa <= (int)best; isa++) {
        sgm_cpu_limit((sgm_isa)isa, SGM_BF16_AMX);
        for (int threads = 1; threads <= 3; threads += 2) {
            sgm_threads *pool;
            if (!CHECK_OK(sgm_threads_create(threads, &pool))) continue;
            test(pool);
            sgm_threads_destroy(pool);
        }
        printf("%s: done\n", sgm_cpu_summary());
    }
    sgm_cpu_limit(SGM_ISA_AVX512_BF16, SGM_BF16_AMX);
}

static inline bool has_bf16(void)
{
    return sgm_cpu()->bf16 != SGM_BF16_NONE;
}

#endif
