/* Attention, forward, by wgmma: the shapes of SAM's ViT-B and ViT-L, heads of 64 channels with the
 * relative position, on the whole 64 x 64 grid and in windows of 14 x 14. As cuda_attention_mma.cu
 * does it and with the same parts (cuda_attention_tile.h), but for
 *   - keys and values, which lie in shared memory in the 128-byte swizzle (cuda_wgmma.h) and are
 *     never loaded to registers: a block is one warpgroup of 64 queries, its queries and weights
 *     are A of a product, a tile of 64 keys or values is B;
 *   - the row's term of the relative position on the grid, one value per query and tile: it joins
 *     the maximum and the shift, only the columns' term is where scores start;
 *   - the maximum. Softmax does not depend on what is subtracted as long as exponentials stay in
 *     range, and their relative precision is the same at any size. So a row's maximum stays what it
 *     was while it would grow by less than 2^8: weights are then up to 256 instead of 1, sums of
 *     4096 of them up to 2^20, far from F32's and BF16's largest number, and the 32 sums of a
 *     thread are shrunk once or twice in a row of tiles instead of in every tile.
 *
 * Option, off by default: see SEGMODEL_CUDA_WGMMA in backend/cuda.cmake. */
#include "cuda_attention_wgmma.h"

#ifdef SGM_CUDA_WGMMA

#include "cuda_wgmma.h"

/* Values of 64 keys, or of 64 values; a stage of shared memory has both, and there are two. */
enum { TILE = SGM_FLASH_KEYS * SGM_SWIZZLE_ROW, STAGE = 2 * TILE };

/* 2^8, see above. */
#define MOST_GROWTH 8

/* What a block is launched with. Code without the instruction has no body, and says so by what it
 * may be launched with: no warpgroup. */
#if SGM_HAS_WGMMA || !defined(__CUDA_ARCH__)
#define WARPGROUP_BOUNDS(kind)                                                                     \
    __launch_bounds__(SGM_FLASH_THREADS, (kind) == SGM_FLASH_WINDOW ? 4 : 3)
#else
#define WARPGROUP_BOUNDS(kind) __launch_bounds__(32)
#endif

#if SGM_HAS_WGMMA

/* ----------------------------------------------------------------------------- keys and values */

/* 64 keys of the grid from `start`, none beyond the last: the thread's piece of every 16th row. */
static __device__ __forceinline__ void fetch_grid(const sgm_attend &a, const warp_place &w,
                                                  int start, unsigned short *to)
{
    int me = (int)threadIdx.x, first = me / 8, d = me % 8 * 8;
    int64_t from = (int64_t)(w.group * a.M + start + first) * a.kv_row + w.h * a.head_step + d;
    const unsigned short *k = (const unsigned short *)a.k.data + a.k_part + from;
    const unsigned short *v = (const unsigned short *)a.v.data + a.v_part + from;
    int place = sgm_swizzled(first, d);
    SGM_UNROLL
    for (int i = 0; i < 4; i++) { /* 16 rows further the swizzle is the same */
        int64_t rows = (int64_t)(16 * i) * a.kv_row;
        sgm_copy_16(to + place + 16 * i * SGM_SWIZZLE_ROW, k + rows, true);
        sgm_copy_16(to + TILE + place + 16 * i * SGM_SWIZZLE_ROW, v + rows, true);
    }
}

/* Four rows of a window, as fetch_window. */
static __device__ __forceinline__ void fetch_rows(const sgm_attend &a, const window_place &window,
                                                  int h, int start, unsigned short *to)
{
    const int ROW = SGM_FLASH_WINDOW_ROW;
    const unsigned short *k = (const unsigned short *)a.k.data + a.k_part + h * a.head_step;
    const unsigned short *v = (const unsigned short *)a.v.data + a.v_part + h * a.head_step;
    int me = sgm_thread_again(), first = start / ROW, x = me / 8, d = me % 8 * 8;
    SGM_UNROLL
    for (int i = 0; i < 4; i++) {
        int y = first + i, place = sgm_swizzled(16 * i + x, d);
        bool there = y < window.rows && x < window.columns;
        int from = there ? (window.token + y * a.W + x) * a.kv_row + d : 0;
        if (!there && y < a.Sh && x < a.Sw) {
            const float *pad = a.pad ? a.pad + h * a.head_step + d : NULL;
            round_chunk(to + place, pad ? pad + a.k_part : NULL);
            round_chunk(to + TILE + place, pad ? pad + a.v_part : NULL);
            continue;
        }
        sgm_copy_16(to + place, k + from, there);
        sgm_copy_16(to + TILE + place, v + from, there);
    }
}

template <sgm_flash_kind KIND>
static __device__ __forceinline__ void fetch_stage(const sgm_attend &a, const warp_place &w,
                                                   int start, unsigned short *to)
{
    if constexpr (KIND == SGM_FLASH_WINDOW)
        fetch_rows(a, w.window, w.h, start, to);
    else
        fetch_grid(a, w, start, to);
}

/* ------------------------------------------------------------------------------------- one tile */

/* Scores start at the bias; of the grid's only the columns' term, row[] gets the other. */
template <sgm_flash_kind KIND>
static __device__ __forceinline__ void start_tile(const sgm_flash &f, const warp_place &w,
                                                  int start, const float *bias, float (&s)[8][4],
                                                  float row[2])
{
    int pitch = KIND == SGM_FLASH_WINDOW ? (int)SGM_FLASH_WINDOW_PITCH : f.pitch;
    const float *mine = bias + (w.local + w.row) * pitch;
    row[0] = row[1] = 0;
    if constexpr (KIND == SGM_FLASH_WINDOW) {
        const float *rows = mine + SGM_FLASH_WINDOW_ROW + start / SGM_FLASH_WINDOW_ROW;
        start_window<SGM_FLASH_KEYS>(mine + w.pair, rows, s, 0);
        start_window<SGM_FLASH_KEYS>(mine + 8 * pitch + w.pair, rows + 8 * pitch, s, 1);
    } else {
        int kx, ky = sgm_divide_rest(start, f.across, &kx);
        SGM_UNROLL
        for (int i = 0; i < 16; i++)
            sgm_load_two(mine + kx + w.pair + i % 2 * 8 * pitch + i / 2 * 8, &s[i / 2][i % 2 * 2]);
        row[0] = mine[f.columns + ky], row[1] = mine[8 * pitch + f.columns + ky];
    }
}

/* Takes the tile's maximum where it is larger by 2^MOST_GROWTH, and shrinks the sums then. The
 * first tile's always is: the maximum was -inf. */
static __device__ __forceinline__ void raise_tops(float scale2, const float (&s)[8][4],
                                                  const float row[2], warp_queries<64, 1> &mine)
{
    float old[2];
    bool grows = false;
    SGM_UNROLL
    for (int half = 0; half < 2; half++) {
        float top = fmaxf(s[0][2 * half], s[0][2 * half + 1]);
        SGM_UNROLL
        for (int j = 1; j < 8; j++)
            top = fmaxf(top, fmaxf(s[j][2 * half], s[j][2 * half + 1]));
        top = row_max(top) + row[half];
        old[half] = mine.top[0][half];
        bool more = (top - old[half]) * scale2 > MOST_GROWTH;
        if (more) mine.top[0][half] = top;
        grows = grows || more;
    }
    if (!sgm_any(grows)) return; /* of the warp's rows: lanes stay together */
    SGM_UNROLL
    for (int half = 0; half < 2; half++) {
        float shrink = sgm_exp2((old[half] - mine.top[0][half]) * scale2);
        mine.sum[0][half] *= shrink;
        SGM_UNROLL
        for (int i = 0; i < 16; i++)
            mine.out[0][i / 2][2 * half + i % 2] *= shrink;
    }
}

static __device__ __forceinline__ void weigh(float scale2, const float row[2], float (&s)[8][4],
                                             warp_queries<64, 1> &mine)
{
    SGM_UNROLL
    for (int half = 0; half < 2; half++) {
        float shift = (row[half] - mine.top[0][half]) * scale2, sum[2] = {0, 0};
        SGM_UNROLL
        for (int i = 0; i < 16; i++) {
            float *x = &s[i / 2][2 * half + i % 2];
            *x = sgm_exp2(fmaf(*x, scale2, shift));
            sum[i % 2] += *x;
        }
        mine.sum[0][half] += sum[0] + sum[1];
    }
}

template <sgm_flash_kind KIND>
static __device__ __forceinline__ void take_tile(const sgm_flash &f, const warp_place &w, int start,
                                                 const float *bias, const unsigned short *stage,
                                                 warp_queries<64, 1> &mine)
{
    float s[8][4], row[2];
    unsigned weights[4][4];
    start_tile<KIND>(f, w, start, bias, s, row);
    sgm_wgmma_begin(s);
    SGM_UNROLL
    for (int k = 0; k < 4; k++)
        sgm_wgmma_keys(s, mine.q[0][k], stage, k);
    sgm_wgmma_end(s);
    raise_tops(f.scale2, s, row, mine);
    weigh(f.scale2, row, s, mine);
    SGM_UNROLL
    for (int i = 0; i < 16; i++) {
        const float *pair = &s[i / 4 * 2 + i % 4 / 2][i % 2 * 2];
        weights[i / 4][i % 4] = sgm_pack_bf16(pair[0], pair[1]);
    }
    sgm_wgmma_begin(mine.out[0]);
    SGM_UNROLL
    for (int k = 0; k < 4; k++)
        sgm_wgmma_values(mine.out[0], weights[k], stage + TILE, k);
    sgm_wgmma_end(mine.out[0]);
}

template <sgm_flash_kind KIND> static __device__ __forceinline__ void attend(const sgm_flash &f)
{
    unsigned short *stages = (unsigned short *)sgm_swizzled_memory();
    float *bias = (float *)(stages + 2 * STAGE);
    warp_place w = place_of<1, KIND>(f.a);
    bool active = w.first < f.a.N; /* products want all four warps all the same */
    int start = (int)blockIdx.y * f.split_keys, stage = 0;
    int end = start + f.split_keys < f.keys ? start + f.split_keys : f.keys;
    warp_queries<64, 1> mine;
    fetch_stage<KIND>(f.a, w, start, stages);
    sgm_copy_commit();
    load_queries<64, 1, KIND>(f, w, mine);
    if (active) rel_bias<64, 1>(f, w, mine, bias);
    for (; start < end; start += SGM_FLASH_KEYS, stage ^= 1) {
        sgm_copy_wait();
        sgm_wgmma_sees_copies();
        __syncthreads(); /* the tile is there, and nobody reads the other one any more */
        if (start + SGM_FLASH_KEYS < end)
            fetch_stage<KIND>(f.a, w, start + SGM_FLASH_KEYS, stages + (stage ^ 1) * STAGE);
        sgm_copy_commit();
        __syncwarp(); /* fetching may have parted the lanes */
        take_tile<KIND>(f, w, start, bias, stages + stage * STAGE, mine);
    }
    if (active) write_rows<64, 1, KIND>(f, w, mine);
}

#endif

template <sgm_flash_kind KIND>
static __global__ void WARPGROUP_BOUNDS(KIND) warpgroup_kernel(sgm_flash f)
{
#if SGM_HAS_WGMMA
    attend<KIND>(f);
#else
    (void)f;
#endif
}

/* --------------------------------------------------------------------------------- which kernel */

static const struct {
    sgm_flash_kind kind;
    sgm_flash_fn run;
} kernels[] = {{SGM_FLASH_ROW, warpgroup_kernel<SGM_FLASH_ROW>},
               {SGM_FLASH_WINDOW, warpgroup_kernel<SGM_FLASH_WINDOW>}};

enum { KERNELS = sizeof kernels / sizeof *kernels };

/* Is the code that was loaded machine code of sm_90a? PTX of 80 that the driver compiled for a
 * Hopper is not, nor is that of plain sm_90; the latter differs by its bounds alone. */
static bool is_usable(const sgm_cuda *cuda, sgm_flash_fn kernel)
{
    cudaFuncAttributes code;
    bool good = cudaFuncGetAttributes(&code, kernel) == cudaSuccess && code.binaryVersion == 90 &&
                code.ptxVersion == 90 && code.maxThreadsPerBlock >= SGM_FLASH_THREADS &&
                cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     cuda->shared_of_block) == cudaSuccess;
    if (!good) (void)cudaGetLastError();
    return good;
}

void sgm_warpgroup_open(sgm_cuda *cuda)
{
    for (int k = 0; cuda->fast && k < KERNELS; k++)
        cuda->warpgroup_kernels |= is_usable(cuda, kernels[k].run) ? 1u << k : 0;
}

size_t sgm_warpgroup_shared(int pitch)
{
    return 2 * STAGE * sizeof(short) + (size_t)(64 * pitch) * sizeof(float);
}

sgm_flash_fn sgm_warpgroup_kernel(const sgm_cuda *cuda, const sgm_attend *a, sgm_flash_kind kind)
{
    for (int k = 0; a->D == 64 && k < KERNELS; k++)
        if (kernels[k].kind == kind && (cuda->warpgroup_kernels >> k & 1)) return kernels[k].run;
    return NULL;
}

#endif
