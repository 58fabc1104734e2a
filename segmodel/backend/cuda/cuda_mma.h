/* The tensor core instructions that kernels use, as of sm_80: mma.sync, ldmatrix, cp.async. On the
 * host they are emulated (tests/segmodel/cuda/emulation/mma_emulation.h). Code for older GPUs
 * compiles to traps that nobody reaches: the host asks sgm_cuda_has_mma first.
 *
 * Fragments of mma.m16n8k16, C[16, 8] += A[16, 16] B[16, 8], with row = lane / 4 and pair =
 * 2 (lane % 4); a register of two BF16 has the lower index in its low half:
 *     a[0] A[row][pair, pair + 1]      a[1] A[row + 8][same]
 *     a[2] A[row][pair + 8, + 9]       a[3] A[row + 8][same]
 *     b0   B[pair, pair + 1][row]      b1   B[pair + 8, + 9][row]
 *     c[0], c[1] C[row][pair, pair + 1]   c[2], c[3] C[row + 8][same]
 * (PTX ISA, "Matrix Fragments for mma.m16n8k16 with floating point type"). So the accumulators of
 * two neighbouring products are, rounded, the A of the next: no exchange between lanes. */
#ifndef SEGMODEL_BACKEND_CUDA_CUDA_MMA_H
#define SEGMODEL_BACKEND_CUDA_CUDA_MMA_H

#include "cuda_internal.h"

#ifdef SGM_CUDA_EMULATION

#include "mma_emulation.h"

static __device__ char *sgm_shared_memory(void)
{
    return emulate_shared_memory();
}

static __device__ int sgm_thread_again(void)
{
    return (int)threadIdx.x;
}

static __device__ void sgm_ldmatrix_x4(unsigned to[4], const void *row)
{
    emulate_ldmatrix_x4(to, row, false);
}

static __device__ void sgm_ldmatrix_x4_trans(unsigned to[4], const void *row)
{
    emulate_ldmatrix_x4(to, row, true);
}

static __device__ void sgm_mma(float c[4], const unsigned a[4], unsigned b0, unsigned b1)
{
    emulate_mma_bf16(c, a, b0, b1);
}

static __device__ void sgm_copy_16(void *to, const void *from, bool there)
{
    emulate_cp_async_16(to, from, there ? 16 : 0);
}

static __device__ void sgm_copy_commit(void)
{
    emulate_cp_async_commit();
}

static __device__ void sgm_copy_wait(void)
{
    emulate_cp_async_wait(0);
}

static __device__ float sgm_exp2(float x)
{
    return exp2f(x);
}

static __device__ unsigned sgm_pack_bf16(float low, float high)
{
    return sgm_to_bf16(low) | (unsigned)sgm_to_bf16(high) << 16;
}

static __device__ unsigned sgm_load_pair(const unsigned short *from)
{
    emulate_aligned(from, 4);
    return from[0] | (unsigned)from[1] << 16;
}

static __device__ void sgm_store_pair(unsigned short *to, unsigned pair)
{
    emulate_aligned(to, 4);
    memcpy(to, &pair, sizeof pair);
}

static __device__ void sgm_load_two(const float *from, float to[2])
{
    emulate_aligned(from, 8);
    memcpy(to, from, 2 * sizeof *to);
}

static __device__ void sgm_load_four(const float *from, float to[4])
{
    emulate_aligned(from, 16);
    memcpy(to, from, 4 * sizeof *to);
}

static __device__ void sgm_load_eight(const float *from, float to[8])
{
    emulate_aligned(from, 16);
    memcpy(to, from, 8 * sizeof *to);
}

static __device__ void sgm_store_eight(unsigned short *to, const unsigned pairs[4])
{
    emulate_aligned(to, 16);
    memcpy(to, pairs, 4 * sizeof *pairs);
}

#else

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define SGM_SM80(...) __trap()
#else
#define SGM_SM80(...) asm volatile(__VA_ARGS__)
#endif

/* One launch with dynamic shared memory and one argument, a struct. */
#define SGM_LAUNCH_SHARED(kernel, grid, block, shared, stream, args)                               \
    (kernel)<<<(grid), (block), (shared), (stream)>>>(args)

static __device__ __forceinline__ char *sgm_shared_memory(void)
{
    extern __shared__ __align__(16) char sgm_dynamic_shared[];
    return sgm_dynamic_shared;
}

/* threadIdx.x, read anew: in a loop short of registers the compiler then keeps none of what follows
 * from it from one turn to the next. */
static __device__ __forceinline__ int sgm_thread_again(void)
{
    unsigned thread;
    asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
    return (int)thread;
}

/* A pointer into shared memory as the instructions want it. */
static __device__ __forceinline__ unsigned sgm_shared_address(const void *at)
{
    return (unsigned)__cvta_generic_to_shared(at);
}

/* Four 8 x 8 matrices of 16-bit elements from shared memory: lane 8 i + r gives the address of row
 * r (16 bytes, aligned) of matrix i; to[i] is elements 2 (lane % 4) and + 1 of its row lane / 4. */
static __device__ __forceinline__ void sgm_ldmatrix_x4(unsigned to[4], const void *row)
{
    SGM_SM80("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
             : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
             : "r"(sgm_shared_address(row))
             : "memory");
}

/* The same of the transposed matrices. */
static __device__ __forceinline__ void sgm_ldmatrix_x4_trans(unsigned to[4], const void *row)
{
    SGM_SM80("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
             : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
             : "r"(sgm_shared_address(row))
             : "memory");
}

/* c += a b */
static __device__ __forceinline__ void sgm_mma(float c[4], const unsigned a[4], unsigned b0,
                                               unsigned b1)
{
    SGM_SM80("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, "
             "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
             : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
             : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* 16 bytes of global memory to shared memory, both aligned to 16, in the background; zeros when
 * not `there` (`from` must be a valid address all the same). */
static __device__ __forceinline__ void sgm_copy_16(void *to, const void *from, bool there)
{
    SGM_SM80("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(sgm_shared_address(to)),
             "l"(__cvta_generic_to_global(from)), "r"(there ? 16 : 0)
             : "memory");
}

/* Ends a group of copies. */
static __device__ __forceinline__ void sgm_copy_commit(void)
{
    SGM_SM80("cp.async.commit_group;" ::: "memory");
}

/* This thread's copies have arrived; others see them after a barrier. */
static __device__ __forceinline__ void sgm_copy_wait(void)
{
    SGM_SM80("cp.async.wait_group 0;" ::: "memory");
}

/* 2^x, 2 ulp, denormals are zero; 2^-inf = 0. */
static __device__ __forceinline__ float sgm_exp2(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* Two values rounded to BF16, the first in the low half. */
static __device__ __forceinline__ unsigned sgm_pack_bf16(float low, float high)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
    return sgm_to_bf16(low) | (unsigned)sgm_to_bf16(high) << 16;
#else
    unsigned pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#endif
}

/* Two neighbouring BF16, aligned to 4 bytes. */
static __device__ __forceinline__ unsigned sgm_load_pair(const unsigned short *from)
{
    return *(const unsigned *)from;
}

static __device__ __forceinline__ void sgm_store_pair(unsigned short *to, unsigned pair)
{
    *(unsigned *)to = pair;
}

/* Two neighbouring values, aligned to 8 bytes. */
static __device__ __forceinline__ void sgm_load_two(const float *from, float to[2])
{
    float2 two = *(const float2 *)from;
    to[0] = two.x, to[1] = two.y;
}

/* Four neighbouring values, aligned to 16 bytes. */
static __device__ __forceinline__ void sgm_load_four(const float *from, float to[4])
{
    float4 four = *(const float4 *)from;
    to[0] = four.x, to[1] = four.y, to[2] = four.z, to[3] = four.w;
}

/* Eight values, aligned to 16 bytes. */
static __device__ __forceinline__ void sgm_load_eight(const float *from, float to[8])
{
    float4 low = *(const float4 *)from, high = *(const float4 *)(from + 4);
    to[0] = low.x, to[1] = low.y, to[2] = low.z, to[3] = low.w;
    to[4] = high.x, to[5] = high.y, to[6] = high.z, to[7] = high.w;
}

/* Eight BF16 as pairs, aligned to 16 bytes. */
static __device__ __forceinline__ void sgm_store_eight(unsigned short *to, const unsigned pairs[4])
{
    *(uint4 *)to = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
}

#endif

#endif
