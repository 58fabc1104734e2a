/* Division of indices by numbers that a launch knows: a multiplication and a shift, where the GPU
 * has no instruction for division (Granlund and Montgomery, "Division by invariant integers using
 * multiplication", 1994). Exact for 0 <= i < 2^31. Plain C++: tested on the host. */
#ifndef SEGMODEL_BACKEND_CUDA_CUDA_FASTDIV_H
#define SEGMODEL_BACKEND_CUDA_CUDA_FASTDIV_H

#include <stdint.h>

#if defined(__CUDACC__)
#define SGM_FASTDIV_INLINE static __host__ __device__ __forceinline__
#else
#define SGM_FASTDIV_INLINE static inline
#endif

typedef struct sgm_divisor {
    unsigned by, factor, shift; /* i / by = i factor / 2^(32 + shift); by 1: i */
} sgm_divisor;

/* by > 0. With 2^(p - 1) < by <= 2^p the factor is 2^(31 + p) / by, rounded up. */
static inline sgm_divisor sgm_divisor_of(int by)
{
    sgm_divisor d = {(unsigned)by, 0, 0};
    unsigned p = 0;
    while (((uint64_t)1 << p) < d.by)
        p++;
    if (p == 0) return d;
    d.factor = (unsigned)((((uint64_t)1 << (31 + p)) + d.by - 1) / d.by);
    d.shift = p - 1;
    return d;
}

SGM_FASTDIV_INLINE int sgm_divide(int i, sgm_divisor d)
{
    if (d.by == 1) return i;
    return (int)((unsigned)((uint64_t)(unsigned)i * d.factor >> 32) >> d.shift);
}

/* Returns i / by; *rest receives i % by. */
SGM_FASTDIV_INLINE int sgm_divide_rest(int i, sgm_divisor d, int *rest)
{
    int quotient = sgm_divide(i, d);
    *rest = i - quotient * (int)d.by;
    return quotient;
}

#endif
