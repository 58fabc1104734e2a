/* Groups of V neighbouring values through memory in one access: 4 F32 are 16 bytes, 4 BF16 are 8.
 * A tensor can be read so when its address and its rows are whole groups. V is 4 or 1. */
#ifndef SEGMODEL_BACKEND_CUDA_CUDA_VECTOR_H
#define SEGMODEL_BACKEND_CUDA_CUDA_VECTOR_H

#include "cuda_fastdiv.h"
#include "cuda_internal.h"

enum { SGM_VECTOR = 4 };

/* Structs of this alignment are copied by one instruction. */
struct alignas(16) sgm_four_f32 {
    float x[4];
};
struct alignas(8) sgm_four_bf16 {
    unsigned short x[4];
};

/* May `count` values from here on be taken in groups of four? NULL: nothing to take. */
static inline bool sgm_in_fours(const void *data, int bf16, int64_t count)
{
    return count % SGM_VECTOR == 0 && (uintptr_t)data % (bf16 ? 8 : 16) == 0;
}

/* Values [V group, V group + V). */
template <int V> static __device__ void sgm_load_group(sgm_floats x, int64_t group, float to[V])
{
    if constexpr (V == 1) {
        to[0] = sgm_load(x, group);
    } else if (x.bf16) {
        sgm_four_bf16 v = ((const sgm_four_bf16 *)x.data)[group];
        for (int k = 0; k < V; k++)
            to[k] = sgm_from_bits((unsigned)v.x[k] << 16);
    } else {
        sgm_four_f32 v = ((const sgm_four_f32 *)x.data)[group];
        for (int k = 0; k < V; k++)
            to[k] = v.x[k];
    }
}

template <int V>
static __device__ void sgm_store_group(sgm_floats x, int64_t group, const float from[V])
{
    if constexpr (V == 1) {
        sgm_store(x, group, from[0]);
    } else if (x.bf16) {
        sgm_four_bf16 v;
        for (int k = 0; k < V; k++)
            v.x[k] = sgm_to_bf16(from[k]);
        ((sgm_four_bf16 *)x.data)[group] = v;
    } else {
        sgm_four_f32 v;
        for (int k = 0; k < V; k++)
            v.x[k] = from[k];
        ((sgm_four_f32 *)x.data)[group] = v;
    }
}

/* The same for what is F32 always. */
template <int V> static __device__ void sgm_load_f32(const float *x, int64_t group, float to[V])
{
    sgm_floats floats = {(void *)x, 0};
    sgm_load_group<V>(floats, group, to);
}

template <int V>
static __device__ void sgm_give_group(float *to, int64_t group, const float values[V],
                                      bool accumulate)
{
    sgm_floats floats = {to, 0};
    float sum[V];
    if (accumulate) sgm_load_group<V>(floats, group, sum);
    for (int k = 0; k < V; k++)
        sum[k] = accumulate ? sum[k] + values[k] : values[k];
    sgm_store_group<V>(floats, group, sum);
}

/* Launches kernel<4> if `fours`, else kernel<1>. */
#define SGM_LAUNCH_GROUPS(kernel, fours, count, stream, ...)                                       \
    do {                                                                                           \
        if (fours)                                                                                 \
            SGM_LAUNCH(kernel<4>, sgm_blocks((count) / 4), SGM_THREADS, stream, __VA_ARGS__);      \
        else                                                                                       \
            SGM_LAUNCH(kernel<1>, sgm_blocks(count), SGM_THREADS, stream, __VA_ARGS__);            \
    } while (0)

#endif
