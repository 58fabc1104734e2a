/* What a warp's lanes do together: barriers, shuffles, and the matrix instructions of
 * backend/cuda/cuda_mma.h, with the fragments as the PTX ISA's chapter "Warp Level Matrix
 * Instructions" lays them out. All 32 lanes must meet the same instruction.
 *
 * Asynchronous copies arrive as late as they may, and their place holds NaN until then; in the run
 * in descending order of threads that SGM_EMULATION_CHECK adds they arrive at once. */
#ifndef SEGMODEL_TESTS_MMA_EMULATION_H
#define SEGMODEL_TESTS_MMA_EMULATION_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define __forceinline__ /* __device__ is inline already */

/* Dynamic shared memory of the running block, aligned to 1024 bytes, NaN at the block's start. */
char *emulate_shared_memory(void);

void __syncwarp(unsigned mask = 0xFFFFFFFFu);
uint32_t emulate_shuffle_xor(unsigned mask, uint32_t bits, int lane_mask);
template <typename T> T __shfl_xor_sync(unsigned mask, T value, int lane_mask)
{
    static_assert(sizeof(T) == 4, "one register");
    uint32_t bits;
    memcpy(&bits, &value, 4);
    bits = emulate_shuffle_xor(mask, bits, lane_mask);
    memcpy(&value, &bits, 4);
    return value;
}

/* A vector access: its address must be a multiple of its size. */
static inline void emulate_aligned(const void *at, unsigned size);

/* ldmatrix.sync.aligned.m8n8.x4(.trans).shared.b16 */
void emulate_ldmatrix_x4(uint32_t to[4], const void *row, bool transpose);
/* mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32, c += a b */
void emulate_mma_bf16(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1);

/* wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 as one of the four warps sees it: c += a B,
 * B in shared memory where the descriptor says, addresses counted from the block's first byte. Only
 * the 128-byte swizzle. Between a fence and a wait; and what copies of cp.async brought must have
 * been fenced by all threads of the block. */
void emulate_wgmma_bf16(float (&c)[8][4], const uint32_t a[4], uint64_t b, bool transposed);
void emulate_wgmma_fence(void);
void emulate_wgmma_wait(void);
void emulate_proxy_fence(void);

/* cp.async.cg.shared.global [to], [from], 16, from_bytes; and its groups */
void emulate_cp_async_16(void *to, const void *from, int from_bytes);
void emulate_cp_async_commit(void);
void emulate_cp_async_wait(int groups_left);

/* More than 48 KiB of it have to be asked for, per kernel. */
enum { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
cudaError_t emulate_allow_shared(const void *kernel, int bytes);
template <typename T> cudaError_t cudaFuncSetAttribute(T *kernel, int, int bytes)
{
    return emulate_allow_shared((const void *)kernel, bytes);
}

/* A thread of a kernel starts. */
void emulate_enter(const void *kernel, size_t shared);
template <typename T> void emulate_with_shared(size_t shared, void (*kernel)(T), T args)
{
    emulate_enter((const void *)kernel, shared);
    kernel(args);
}
#define SGM_LAUNCH_SHARED(kernel, grid, block, shared, stream, args)                               \
    SGM_LAUNCH_TEAM((emulate_with_shared<decltype(args)>), grid, block, stream, (size_t)(shared),  \
                    (kernel), args)

/* --------------------------------------------------------------- of cuda_emulation.cpp's fibers */

void emulate_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void emulate_aligned(const void *at, unsigned size)
{
    if ((uintptr_t)at % size) emulate_fail("a vector access that is not aligned to %u bytes", size);
}
void emulate_warp_barrier(void); /* waits for the other lanes of the warp */
int emulate_thread(void);        /* number of the running thread in its block */

#endif
