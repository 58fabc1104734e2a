/* Attention by a warpgroup of Hopper's (cuda_attention_wgmma.cu), as cuda_attention_mma.cu asks for
 * it. Built where CMake's SEGMODEL_CUDA_WGMMA is on; without it there is no such kernel. */
#ifndef SEGMODEL_BACKEND_CUDA_CUDA_ATTENTION_WGMMA_H
#define SEGMODEL_BACKEND_CUDA_CUDA_ATTENTION_WGMMA_H

#include "cuda_attention_tile.h"

typedef void (*sgm_flash_fn)(sgm_flash);

#ifdef SGM_CUDA_WGMMA

/* Once, after the device's shared memory is known: may these kernels run on it? */
void sgm_warpgroup_open(sgm_cuda *cuda);
/* The kernel for it, of 64 queries per block, or NULL. */
sgm_flash_fn sgm_warpgroup_kernel(const sgm_cuda *cuda, const sgm_attend *a, sgm_flash_kind kind);
/* Its shared memory with so many floats of relative position per query. */
size_t sgm_warpgroup_shared(int pitch);

#else

static inline void sgm_warpgroup_open(sgm_cuda *) {}

static inline sgm_flash_fn sgm_warpgroup_kernel(const sgm_cuda *, const sgm_attend *,
                                                sgm_flash_kind)
{
    return NULL;
}

static inline size_t sgm_warpgroup_shared(int)
{
    return 0;
}

#endif

#endif
