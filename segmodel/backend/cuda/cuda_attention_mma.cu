/* Attention, forward, on tensor cores: FlashAttention-2 (Dao 2023) with the relative position in
 * the score tile. A warp has 16 MT queries in registers; the block's warps walk over the same tiles
 * of keys and values, of which two lie in shared memory: one in use, one on its way.
 *
 * Scores start from the bias over the scale, so that adding it costs nothing:
 *     P = exp2(scale log2(e) (bias / scale + Q K^T - top))
 * The decomposed relative position (Li 2022, MViTv2), q . rel_h[qy - ky + Sh - 1] + q . rel_w[qx -
 * kx + Sw - 1], is two products of the query tile with the tables, made once and kept in shared
 * memory as one value per query and key column, then one per query and key row.
 *
 * Factors are BF16, everything else F32. Inputs in F32 are rounded on the way in. */
#include "cuda_attention_mma.h"
#include "cuda_attention_wgmma.h"

/* ----------------------------------------------------------------------------------- the kernel */

/* One tile, or its first KEYS keys. */
template <int D, int MT, sgm_flash_kind KIND, int KEYS>
static __device__ __forceinline__ void take_keys(const sgm_flash &f, const warp_place &w, int start,
                                                 int end, const float *bias,
                                                 const key_tile<D> *tile, warp_queries<D, MT> &mine)
{
    warp_scores<MT, KEYS> scores;
    __syncwarp(); /* fetching may have parted the lanes, and products need them together */
    start_scores<MT, KIND, KEYS>(f, w, start, bias, tile->places, scores);
    add_products<D, MT, KEYS>(mine, tile->keys, scores);
    if (KIND != SGM_FLASH_WINDOW && start + KEYS > end)
        mask_scores<MT, KEYS>(w, end - start, scores);
    exponentials<D, MT, KEYS>(f.scale2, scores, mine);
    add_values<D, MT, KEYS>(scores, tile->values, mine);
}

template <int D, int MT, sgm_flash_kind KIND>
static __global__ void __launch_bounds__(SGM_FLASH_THREADS, 2) flash_kernel(sgm_flash f)
{
    const int TILE = SGM_FLASH_KEYS, HALF = KIND == SGM_FLASH_WINDOW ? TILE / 2 : 0;
    bool rel = KIND != SGM_FLASH_ANYWHERE || f.a.bias == SGM_BIAS_REL_POS;
    bool places = KIND == SGM_FLASH_ANYWHERE && f.a.bias != SGM_BIAS_NONE;
    static_assert(sizeof(key_tile<D>) == TILE * (4 * (D + 8) + sizeof(int)),
                  "what shared_bytes counts");
    key_tile<D> *stages = (key_tile<D> *)sgm_shared_memory();
    float *bias = (float *)(stages + 2);
    warp_place w = place_of<MT, KIND>(f.a);
    bool active = w.first < f.a.N; /* else it only helps to fetch */
    int start = (int)blockIdx.y * f.split_keys, stage = 0;
    int end = start + f.split_keys < f.keys ? start + f.split_keys : f.keys;

    warp_queries<D, MT> mine;
    fetch_tile<D, KIND>(f.a, w, start, places, stages);
    sgm_copy_commit();
    load_queries<D, MT, KIND>(f, w, mine);
    if (rel && active) rel_bias<D, MT>(f, w, mine, bias);
    for (; end - start > HALF; start += TILE, stage ^= 1) {
        sgm_copy_wait();
        __syncthreads(); /* the tile is there, and nobody reads the other one any more */
        if (start + TILE < end)
            fetch_tile<D, KIND>(f.a, w, start + TILE, places, stages + (stage ^ 1));
        sgm_copy_commit();
        if (active) take_keys<D, MT, KIND, TILE>(f, w, start, end, bias, stages + stage, mine);
    }
    if (start < end) { /* two rows of a window or one, as SAM's 14 end */
        sgm_copy_wait();
        __syncthreads();
        if (active) take_keys<D, MT, KIND, TILE / 2>(f, w, start, end, bias, stages + stage, mine);
    }
    if (!active) return;
    if (KIND == SGM_FLASH_WINDOW) find_lane<MT>(&w); /* no register kept it meanwhile */
    write_rows<D, MT, KIND>(f, w, mine);
}

/* Element (pair of group and head, query, channel): the splits' sums, in their order. */
static __global__ void join_kernel(sgm_flash f, int64_t count)
{
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    const sgm_attend &a = f.a;
    int d = (int)(i % a.D), n = (int)(i / a.D % a.N), unit = (int)(i / a.D / a.N);
    int token = sgm_query_token(a, unit / a.heads, n);
    if (token < 0) return;
    float top = -INFINITY, sum = 0, out = 0;
    for (int s = 0; s < f.splits; s++)
        top = fmaxf(top, f.part_top[sgm_flash_part(f, s, unit, n)]);
    for (int s = 0; s < f.splits; s++) {
        int64_t part = sgm_flash_part(f, s, unit, n);
        float weight = sgm_exp2((f.part_top[part] - top) * f.scale2);
        sum += f.part_sum[part] * weight;
        out += f.part_out[part * a.D + d] * weight;
    }
    sgm_store(a.out, (int64_t)token * a.out_row + unit % a.heads * a.D + d, out / sum);
}

/* --------------------------------------------------------------------------------- which kernel */

/* A kernel, what it is launched with, and the scratch for split keys. */
typedef struct flash_choice {
    sgm_flash_fn run;
    bool usable; /* there is code for it */
    sgm_flash args;
    size_t shared;
    unsigned blocks;
} flash_choice;

/* D rounded up to what there is a kernel for; channels beyond the head's are zeros. */
static int width_of(int D)
{
    return D <= 16 ? 16 : D <= 32 ? 32 : D <= 64 ? 64 : D <= 80 ? 80 : 128;
}

/* Both kinds with rows of a tile's own are for the relative position and BF16 keys. A window has
 * rows of 16 where that wastes less than half of them. */
static sgm_flash_kind kind_of(const sgm_attend *a)
{
    if (!a->grid || a->bias != SGM_BIAS_REL_POS || !a->k.bf16 || !a->v.bf16)
        return SGM_FLASH_ANYWHERE;
    bool whole = a->windows == 1 && a->Sh == a->H && a->Sw == a->W;
    if (whole && a->Sw % SGM_FLASH_KEYS == 0) return SGM_FLASH_ROW;
    bool narrow = a->Sw > SGM_FLASH_WINDOW_ROW / 2 && a->Sw <= SGM_FLASH_WINDOW_ROW;
    return narrow && a->Sh <= SGM_FLASH_WINDOW_ROWS ? SGM_FLASH_WINDOW : SGM_FLASH_ANYWHERE;
}

/* All that there are; heads that SAM has none of know one kind. */
static const struct {
    int width, mt; /* channels; 16 queries of a warp */
    sgm_flash_kind kind;
    sgm_flash_fn run;
} kernels[] = {{16, 1, SGM_FLASH_ANYWHERE, flash_kernel<16, 1, SGM_FLASH_ANYWHERE>},
               {32, 1, SGM_FLASH_ANYWHERE, flash_kernel<32, 1, SGM_FLASH_ANYWHERE>},
               {64, 1, SGM_FLASH_ANYWHERE, flash_kernel<64, 1, SGM_FLASH_ANYWHERE>},
               {64, 1, SGM_FLASH_ROW, flash_kernel<64, 1, SGM_FLASH_ROW>},
               {64, 1, SGM_FLASH_WINDOW, flash_kernel<64, 1, SGM_FLASH_WINDOW>},
               {64, 2, SGM_FLASH_ANYWHERE, flash_kernel<64, 2, SGM_FLASH_ANYWHERE>},
               {64, 2, SGM_FLASH_ROW, flash_kernel<64, 2, SGM_FLASH_ROW>},
               {64, 2, SGM_FLASH_WINDOW, flash_kernel<64, 2, SGM_FLASH_WINDOW>},
               {80, 1, SGM_FLASH_ANYWHERE, flash_kernel<80, 1, SGM_FLASH_ANYWHERE>},
               {80, 1, SGM_FLASH_ROW, flash_kernel<80, 1, SGM_FLASH_ROW>},
               {80, 1, SGM_FLASH_WINDOW, flash_kernel<80, 1, SGM_FLASH_WINDOW>},
               {128, 1, SGM_FLASH_ANYWHERE, flash_kernel<128, 1, SGM_FLASH_ANYWHERE>}};

enum { KERNELS = sizeof kernels / sizeof *kernels };

/* Its number, or -1. */
static int kernel_of(int width, int mt, sgm_flash_kind kind)
{
    for (int i = 0; i < KERNELS; i++)
        if (kernels[i].width == width && kernels[i].mt == mt && kernels[i].kind == kind) return i;
    return -1;
}

static size_t shared_bytes(int width, int mt, int pitch)
{
    size_t tile = (size_t)SGM_FLASH_KEYS * (2 * 2 * (size_t)(width + 8) + sizeof(int));
    return 2 * tile + (size_t)(16 * mt * SGM_FLASH_WARPS * pitch) * sizeof(float);
}

/* Two tiles of 16 queries per warp halve the reads of keys and values from shared memory, where two
 * blocks still fit on a multiprocessor. A block has 1 KiB of its own. */
static int query_tiles(const sgm_cuda *cuda, const sgm_attend *a, int width, int pitch)
{
    size_t two = 2 * (shared_bytes(width, 2, pitch) + 1024);
    size_t most = (size_t)cuda->shared_of_multiprocessor;
    bool table = a->bias == SGM_BIAS_TABLE; /* there is no such kernel */
    return width == 64 && !table && a->N > 16 * SGM_FLASH_WARPS && two <= most ? 2 : 1;
}

/* Few queries and many keys, as in the mask decoder: several blocks share a tile's keys, as many as
 * give every multiprocessor of a large GPU something to do. */
static void split_keys(flash_choice *c)
{
    const int WANTED = 256, LEAST = 2; /* blocks; tiles of a split */
    int tiles = (c->args.keys + SGM_FLASH_KEYS - 1) / SGM_FLASH_KEYS;
    int most = WANTED / (int)(c->blocks < (unsigned)WANTED ? c->blocks : (unsigned)WANTED);
    int splits = most < tiles / LEAST ? most : tiles / LEAST;
    int each = splits > 1 ? (tiles + splits - 1) / splits : tiles;
    c->args.splits = (tiles + each - 1) / each;
    c->args.split_keys = each * SGM_FLASH_KEYS;
}

/* The kernel, its shared memory and its queries per block; by wgmma where that may be. */
static int choose_kernel(flash_choice *c, const sgm_cuda *cuda, const sgm_attend *a, int width,
                         sgm_flash_kind kind)
{
    c->run = sgm_warpgroup_kernel(cuda, a, kind);
    c->usable = c->run != NULL;
    c->shared = sgm_warpgroup_shared(c->args.pitch);
    if (c->run) return 16 * SGM_FLASH_WARPS;
    int mt = query_tiles(cuda, a, width, c->args.pitch), kernel = kernel_of(width, mt, kind);
    c->run = kernels[kernel].run;
    c->usable = cuda->flash_kernels >> kernel & 1;
    c->shared = shared_bytes(width, mt, c->args.pitch);
    return 16 * mt * SGM_FLASH_WARPS;
}

static flash_choice choose(const sgm_cuda *cuda, const sgm_attend *a)
{
    flash_choice c = {};
    int width = width_of(a->D);
    bool rel = a->bias == SGM_BIAS_REL_POS;
    sgm_flash_kind kind = kind_of(a);
    if (kernel_of(width, 1, kind) < 0) kind = SGM_FLASH_ANYWHERE;
    bool window = kind == SGM_FLASH_WINDOW;
    c.args.columns = window ? SGM_FLASH_WINDOW_ROW : a->Sw;
    c.args.rows = window ? (a->Sh + 3) / 4 * 4 : a->Sh; /* those of whole tiles */
    c.args.keys = window ? a->Sh * SGM_FLASH_WINDOW_ROW : a->M;
    /* 8 modulo 32: a warp's eight rows of two values lie in different banks */
    c.args.pitch = rel ? (c.args.columns + c.args.rows + 23) / 32 * 32 + 8 : 0;
    int tile = choose_kernel(&c, cuda, a, width, kind);
    c.blocks = (unsigned)((int64_t)a->groups * a->heads * ((a->N + tile - 1) / tile));
    c.args.a = *a;
    c.args.scale2 = a->scale * 1.44269504f;
    c.args.inverse_scale = 1 / a->scale;
    c.args.across = sgm_divisor_of(a->Sw > 0 ? a->Sw : 1);
    split_keys(&c);
    return c;
}

static void take_parts(flash_choice *c, sgm_cursor *cursor)
{
    size_t rows = (size_t)c->args.splits * (size_t)c->args.a.groups * (size_t)c->args.a.heads *
                  (size_t)c->args.a.N;
    if (c->args.splits == 1) return;
    c->args.part_out = (float *)sgm_take(cursor, rows * (size_t)c->args.a.D * sizeof(float));
    c->args.part_top = (float *)sgm_take(cursor, rows * sizeof(float));
    c->args.part_sum = (float *)sgm_take(cursor, rows * sizeof(float));
}

/* ---------------------------------------------------------------------------------------- calls */

static int attribute_of(const sgm_cuda *cuda, cudaDeviceAttr which)
{
    int value = 0;
    return cudaDeviceGetAttribute(&value, which, cuda->device) == cudaSuccess ? value : 0;
}

/* PTX of an older architecture, compiled by the driver for a newer one, has no such code. */
static bool is_usable(const sgm_cuda *cuda, sgm_flash_fn kernel)
{
    cudaFuncAttributes attributes;
    bool good = cudaFuncGetAttributes(&attributes, kernel) == cudaSuccess &&
                attributes.ptxVersion >= 80 &&
                cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                     cuda->shared_of_block) == cudaSuccess;
    if (!good) (void)cudaGetLastError();
    return good;
}

void sgm_flash_open(sgm_cuda *cuda)
{
    cuda->shared_of_block = attribute_of(cuda, cudaDevAttrMaxSharedMemoryPerBlockOptin);
    cuda->shared_of_multiprocessor =
        attribute_of(cuda, cudaDevAttrMaxSharedMemoryPerMultiprocessor);
    for (int k = 0; cuda->fast && k < KERNELS; k++)
        cuda->flash_kernels |= is_usable(cuda, kernels[k].run) ? 1u << k : 0;
    sgm_warpgroup_open(cuda);
}

bool sgm_flash_fits(sgm_cuda *cuda, const sgm_step *step, const sgm_attend *a)
{
    if (!step->bf16 || !cuda->fast || a->D % 8 || a->D > SGM_MOST_HEAD_DIM || !(a->scale > 0))
        return false;
    flash_choice c = choose(cuda, a);
    return c.usable && c.shared <= (size_t)cuda->shared_of_block;
}

void sgm_flash_scratch(sgm_cuda *cuda, const sgm_attend *a, sgm_cursor *cursor)
{
    flash_choice c = choose(cuda, a);
    take_parts(&c, cursor);
}

sgm_status sgm_flash_run(sgm_cuda *cuda, const sgm_attend *a, sgm_cursor *cursor)
{
    flash_choice c = choose(cuda, a);
    sgm_flash_fn kernel = c.run;
    take_parts(&c, cursor);
    const sgm_flash args = c.args;
    dim3 grid(c.blocks, (unsigned)args.splits);
    SGM_LAUNCH_SHARED(kernel, grid, SGM_FLASH_THREADS, c.shared, cuda->stream, args);
    if (args.splits == 1) return SGM_OK;
    int64_t count = (int64_t)a->groups * a->heads * a->N * a->D;
    SGM_LAUNCH(join_kernel, sgm_blocks(count), SGM_THREADS, cuda->stream, args, count);
    return SGM_OK;
}
