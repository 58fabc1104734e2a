/* Hopper's own matrix instruction: wgmma.mma_async of m64n64k16 in BF16, by the four warps of a
 * warpgroup. Only code for sm_90a has it; elsewhere kernels that use it have no body
 * (SGM_HAS_WGMMA), and the host asks before it launches one (cuda_attention_wgmma.cu). On the host
 * it is emulated (tests/segmodel/cuda/emulation): the descriptor below is taken apart there as the
 * PTX ISA says, which checks this file's reading of that text and not the hardware's.
 *
 * C[64, 64] += A[64, 16] B[16, 64]. A and C are in registers. Warp w of the group has rows 16 w to
 * 16 w + 15 of both, in fragments that a warp's m16n8k16 products have too (cuda_mma.h): a[0..3] is
 * A's, c[n] that of columns 8 n to 8 n + 7 (PTX ISA, "Matrix Fragments for
 * wgmma.mma_async.m64nNk16"). So the accumulators of one product are, rounded, the A of the next.
 *
 * B is in shared memory: rows of 64 values (128 bytes), in the 128-byte swizzle. Within each eight
 * rows (1024 bytes, aligned to 1024) the 16-byte piece p of row r lies where piece p xor r would,
 * so that eight rows' pieces of the same number lie in different banks (PTX ISA, "Shared Memory
 * Matrix Layout", swizzling modes). The two products of attention differ in what a row is:
 *     keys    K-major: row n of shared memory is column n of B; a step of 16 channels begins 32
 *             bytes further along the rows
 *     values  N-major ("transposed"): row k is row k of B; a step of 16 keys begins 16 rows, 2048
 *             bytes, further
 */
#ifndef SEGMODEL_BACKEND_CUDA_CUDA_WGMMA_H
#define SEGMODEL_BACKEND_CUDA_CUDA_WGMMA_H

#include "cuda_mma.h"

#if defined(SGM_CUDA_EMULATION) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define SGM_HAS_WGMMA 1
#else
#define SGM_HAS_WGMMA 0
#endif

/* Values of a swizzled row, and of eight rows; their bytes. */
enum { SGM_SWIZZLE_ROW = 64, SGM_SWIZZLE_ROW_BYTES = 128, SGM_SWIZZLE_BYTES = 1024 };

/* Where a value of a row lies, in values from the first row's beginning, which is aligned to
 * SGM_SWIZZLE_BYTES. */
static __device__ __forceinline__ int sgm_swizzled(int row, int value)
{
    return row * SGM_SWIZZLE_ROW + ((value / 8 ^ row % 8) * 8 + value % 8);
}

/* The descriptor of B from `address` (of shared memory) on. PTX ISA, "Matrix Descriptor Format";
 * addresses and distances are in units of 16 bytes, 14 bits each:
 *     bits 0-13   address
 *     bits 16-29  leading dimension: not used where a row of the swizzle is as wide as B; 1, as
 *                 CUTLASS has it
 *     bits 32-45  stride dimension: from eight rows to the next eight, 1024 bytes
 *     bits 49-51  base offset: 0, because the pattern begins at multiples of 1024 bytes
 *     bits 62-63  swizzle: 1, 128 bytes */
static __device__ __forceinline__ uint64_t sgm_wgmma_matrix(unsigned address)
{
    return (uint64_t)((address & 0x3FFFF) >> 4) | (uint64_t)1 << 16 |
           (uint64_t)(SGM_SWIZZLE_BYTES >> 4) << 32 | (uint64_t)1 << 62;
}

#ifdef SGM_CUDA_EMULATION

static __device__ char *sgm_swizzled_memory(void)
{
    return emulate_shared_memory();
}

static __device__ unsigned sgm_wgmma_address(const void *at)
{
    return (unsigned)((const char *)at - emulate_shared_memory());
}

template <int TRANSPOSED>
static __device__ void sgm_wgmma(float (&c)[8][4], const unsigned a[4], uint64_t b)
{
    emulate_wgmma_bf16(c, a, b, TRANSPOSED);
}

static __device__ void sgm_wgmma_begin(float (&)[8][4])
{
    emulate_wgmma_fence();
}

static __device__ void sgm_wgmma_end(float (&)[8][4])
{
    emulate_wgmma_wait();
}

static __device__ void sgm_wgmma_sees_copies(void)
{
    emulate_proxy_fence();
}

static __device__ bool sgm_any(bool one)
{
    int any = one;
    for (int mask = 1; mask < 32; mask *= 2)
        any |= __shfl_xor_sync(0xFFFFFFFFu, any, mask);
    return any != 0;
}

#elif SGM_HAS_WGMMA

/* Dynamic shared memory, aligned as the swizzle wants it. */
static __device__ __forceinline__ char *sgm_swizzled_memory(void)
{
    extern __shared__ __align__(1024) char sgm_dynamic_swizzled[];
    return sgm_dynamic_swizzled;
}

static __device__ __forceinline__ unsigned sgm_wgmma_address(const void *at)
{
    return sgm_shared_address(at);
}

/* Operand lists of the 32 accumulators. */
#define SGM_WGMMA_TEXT                                                                             \
    "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "                      \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}"
#define SGM_WGMMA_FOUR(c, n) "+f"(c[n][0]), "+f"(c[n][1]), "+f"(c[n][2]), "+f"(c[n][3])
#define SGM_WGMMA_SUMS(c)                                                                          \
    SGM_WGMMA_FOUR(c, 0), SGM_WGMMA_FOUR(c, 1), SGM_WGMMA_FOUR(c, 2), SGM_WGMMA_FOUR(c, 3),        \
        SGM_WGMMA_FOUR(c, 4), SGM_WGMMA_FOUR(c, 5), SGM_WGMMA_FOUR(c, 6), SGM_WGMMA_FOUR(c, 7)

/* c += A B, begun here. After the matrices stand: scale-d 1 (add to c), scale-a and scale-b 1 (no
 * negation), and whether B is transposed. */
template <int TRANSPOSED>
static __device__ __forceinline__ void sgm_wgmma(float (&c)[8][4], const unsigned a[4], uint64_t b)
{
    asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 " SGM_WGMMA_TEXT
                 ", {%32, %33, %34, %35}, %36, 1, 1, 1, %37;"
                 : SGM_WGMMA_SUMS(c)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(TRANSPOSED));
}

/* Keeps the compiler from moving accesses to the accumulators over this place: the instruction
 * writes them when the asm statement is long over. */
static __device__ __forceinline__ void sgm_wgmma_pin(float (&c)[8][4])
{
    SGM_UNROLL
    for (int i = 0; i < 32; i++)
        asm volatile("" : "+f"(c[i / 4][i % 4])::"memory");
}

/* Before products: what this warp wrote to registers is there. */
static __device__ __forceinline__ void sgm_wgmma_begin(float (&c)[8][4])
{
    sgm_wgmma_pin(c);
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

/* After products: waits for all of them. */
static __device__ __forceinline__ void sgm_wgmma_end(float (&c)[8][4])
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
    sgm_wgmma_pin(c);
}

/* wgmma reads shared memory through the async proxy, cp.async and plain stores write it through the
 * generic one: each thread that wrote orders the two, between the arrival of its copies and the
 * barrier (PTX ISA, "Async Proxy"). The other way round wait_group does it. */
static __device__ __forceinline__ void sgm_wgmma_sees_copies(void)
{
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/* Of any lane of the warp? */
static __device__ __forceinline__ bool sgm_any(bool one)
{
    return __any_sync(0xFFFFFFFFu, one);
}

#endif

#if SGM_HAS_WGMMA

/* c += A K^T, channels 16 step to 16 step + 15 of 64 keys. */
static __device__ __forceinline__ void sgm_wgmma_keys(float (&c)[8][4], const unsigned a[4],
                                                      const unsigned short *keys, int step)
{
    unsigned along = 2 * 16 * (unsigned)step;
    sgm_wgmma<0>(c, a, sgm_wgmma_matrix(sgm_wgmma_address(keys) + along));
}

/* c += A V, values 16 step to 16 step + 15 of 64 channels. */
static __device__ __forceinline__ void sgm_wgmma_values(float (&c)[8][4], const unsigned a[4],
                                                        const unsigned short *values, int step)
{
    unsigned down = 16 * SGM_SWIZZLE_ROW_BYTES * (unsigned)step;
    sgm_wgmma<1>(c, a, sgm_wgmma_matrix(sgm_wgmma_address(values) + down));
}

#endif

#endif
