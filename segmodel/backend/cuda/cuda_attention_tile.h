/* The parts of attention on tensor cores (cuda_attention_mma.cu says how they work together): a
 * warp's queries, tiles of keys and values, the bias, scores, softmax, values, output. */
#ifndef SEGMODEL_BACKEND_CUDA_CUDA_ATTENTION_TILE_H
#define SEGMODEL_BACKEND_CUDA_CUDA_ATTENTION_TILE_H

#include "cuda_attention.h"
#include "cuda_fastdiv.h"
#include "cuda_mma.h"

enum { SGM_FLASH_WARPS = 4, SGM_FLASH_THREADS = 32 * SGM_FLASH_WARPS, SGM_FLASH_KEYS = 64 };

/* How the 64 keys of a tile lie on the grid. */
typedef enum sgm_flash_kind {
    SGM_FLASH_ANYWHERE, /* in the order of their numbers: each one's row and column are looked up */
    SGM_FLASH_ROW,      /* in one row of a grid that is one window: SAM's 64 x 64 */
    SGM_FLASH_WINDOW    /* four rows of 16, of which a window has fewer: SAM's 14 x 14 */
} sgm_flash_kind;

/* Keys of a window's row, with those that do not exist; rows at most; floats of relative position
 * per query, 8 modulo 32. */
enum { SGM_FLASH_WINDOW_ROW = 16, SGM_FLASH_WINDOW_ROWS = 16, SGM_FLASH_WINDOW_PITCH = 40 };

typedef struct sgm_flash {
    sgm_attend a;
    float scale2, inverse_scale; /* scale log2(e), 1 / scale */
    sgm_divisor across;          /* by Sw */
    int keys;                    /* a.M, or those of a window's rows of 16 */
    int columns, rows, pitch;    /* floats of relative position per query: Sw, Sh, padding */
    int splits, split_keys;      /* blockIdx.y has keys from blockIdx.y * split_keys */
    float *part_out, *part_top, *part_sum;
} sgm_flash;

/* Row of part_out, element of part_top and part_sum. */
static __device__ __forceinline__ int64_t sgm_flash_part(const sgm_flash &f, int split, int unit,
                                                         int n)
{
    return ((int64_t)split * f.a.groups * f.a.heads + unit) * f.a.N + n;
}

/* --------------------------------------------------------------------------------- who is where */

/* A group's window: the token of its first place, and as much of it as lies on the grid. */
typedef struct window_place {
    int token, rows, columns;
} window_place;

static __device__ __forceinline__ window_place window_of(const sgm_attend &a, int group)
{
    window_place p;
    int window = group % a.windows;
    int y = window / a.windows_x * a.Sh, x = window % a.windows_x * a.Sw;
    p.token = (group / a.windows * a.H + y) * a.W + x;
    p.rows = y + a.Sh < a.H ? a.Sh : a.H - y;
    p.columns = x + a.Sw < a.W ? a.Sw : a.W - x;
    return p;
}

/* The warp's part of the work. */
typedef struct warp_place {
    int group, h, block; /* the block's first query */
    int first, local;    /* the warp's, and within the block */
    int row, pair;       /* of the lane in a fragment, see cuda_mma.h */
    window_place window; /* SGM_FLASH_WINDOW only */
} warp_place;

template <int MT> static __device__ __forceinline__ void find_lane(warp_place *w)
{
    int me = sgm_thread_again(), lane = me % 32;
    w->local = me / 32 * 16 * MT;
    w->first = w->block + w->local;
    w->row = lane / 4;
    w->pair = lane % 4 * 2;
}

template <int MT, sgm_flash_kind KIND>
static __device__ __forceinline__ warp_place place_of(const sgm_attend &a)
{
    const int TILE = 16 * MT * SGM_FLASH_WARPS;
    int tiles = (a.N + TILE - 1) / TILE, block = (int)blockIdx.x;
    warp_place w;
    w.block = block % tiles * TILE;
    w.h = block / tiles % a.heads;
    w.group = block / tiles / a.heads;
    find_lane<MT>(&w);
    if (KIND == SGM_FLASH_WINDOW) w.window = window_of(a, w.group);
    return w;
}

/* Token of query n of the warp's group, -1 for padding. */
template <sgm_flash_kind KIND>
static __device__ __forceinline__ int token_of(const sgm_flash &f, const warp_place &w, int n)
{
    if (KIND != SGM_FLASH_WINDOW) return sgm_query_token(f.a, w.group, n);
    int x, y = sgm_divide_rest(n, f.across, &x);
    return y < w.window.rows && x < w.window.columns ? w.window.token + y * f.a.W + x : -1;
}

/* What a lane keeps of its warp's queries: rows w.row and w.row + 8 of each 16. */
template <int D, int MT> struct warp_queries {
    unsigned q[MT][D / 16][4];
    float out[MT][D / 8][4];
    float top[MT][2], sum[MT][2];
};

template <int MT, int KEYS> struct warp_scores {
    float s[MT][KEYS / 8][4];
};

/* ----------------------------------------------------------------------------------- the inputs */

static __device__ __forceinline__ unsigned query_pair(const sgm_attend &a, int token, int h, int d)
{
    int64_t at = (int64_t)token * a.q_row + a.q_part + h * a.head_step + d;
    if (token < 0 || d >= a.D) return 0;
    if (a.q.bf16) return sgm_load_pair((const unsigned short *)a.q.data + at);
    float x[2];
    sgm_load_two((const float *)a.q.data + at, x);
    return sgm_pack_bf16(x[0], x[1]);
}

template <int D, int MT, sgm_flash_kind KIND>
static __device__ __forceinline__ void load_queries(const sgm_flash &f, const warp_place &w,
                                                    warp_queries<D, MT> &mine)
{
    const sgm_attend &a = f.a;
    SGM_UNROLL
    for (int t = 0; t < MT * 2; t++) {
        int n = w.first + 8 * t + w.row, mt = t / 2, half = t % 2;
        int token = n < a.N ? token_of<KIND>(f, w, n) : -1;
        mine.top[mt][half] = -INFINITY;
        mine.sum[mt][half] = 0;
        SGM_UNROLL
        for (int k = 0; k < D / 16; k++) {
            mine.q[mt][k][half] = query_pair(a, token, w.h, 16 * k + w.pair);
            mine.q[mt][k][half + 2] = query_pair(a, token, w.h, 16 * k + 8 + w.pair);
        }
    }
    SGM_UNROLL
    for (int i = 0; i < MT * D / 2; i++)
        mine.out[i / (D / 2)][i % (D / 2) / 4][i % 4] = 0;
}

/* Eight values as BF16; zeros when `from` is NULL. */
static __device__ __forceinline__ void round_chunk(unsigned short *to, const float *from)
{
    float x[8] = {};
    unsigned pairs[4];
    if (from) sgm_load_eight(from, x);
    SGM_UNROLL
    for (int i = 0; i < 4; i++)
        pairs[i] = sgm_pack_bf16(x[2 * i], x[2 * i + 1]);
    sgm_store_eight(to, pairs);
}

/* Eight channels from `at` of a token: in the background if they are BF16. */
static __device__ __forceinline__ void fetch_chunk(const sgm_attend &a, sgm_floats x, int token,
                                                   int at, bool there, unsigned short *to)
{
    int64_t from = there ? (int64_t)token * a.kv_row + at : 0;
    if (there && token < 0)
        round_chunk(to, a.pad ? a.pad + at : NULL);
    else if (x.bf16)
        sgm_copy_16(to, (const unsigned short *)x.data + from, there);
    else
        round_chunk(to, there ? (const float *)x.data + from : NULL);
}

/* One stage of shared memory: K and V as [key][D + 8], so that eight rows of ldmatrix lie in
 * different banks, and for the general biases each key's row << 16 | column. */
template <int D> struct key_tile {
    static const int PITCH = D + 8;
    unsigned short keys[SGM_FLASH_KEYS * PITCH], values[SGM_FLASH_KEYS * PITCH];
    int places[SGM_FLASH_KEYS];
};

/* Four rows of a window from row start / 16; zeros in places that a row does not have. Keys and
 * values are BF16. Padding is written by itself: few windows have any. */
template <int D>
static __device__ __forceinline__ void fetch_window(const sgm_attend &a, const window_place &window,
                                                    int h, int start, key_tile<D> *to)
{
    const int CHUNKS = D / 8, EACH = SGM_FLASH_KEYS * CHUNKS / SGM_FLASH_THREADS;
    const int ROW = SGM_FLASH_WINDOW_ROW, PITCH = key_tile<D>::PITCH;
    const unsigned short *k = (const unsigned short *)a.k.data + a.k_part + h * a.head_step;
    const unsigned short *v = (const unsigned short *)a.v.data + a.v_part + h * a.head_step;
    int me = sgm_thread_again(), first = start / ROW;
    SGM_UNROLL
    for (int i = 0; i < EACH; i++) {
        int chunk = me + i * SGM_FLASH_THREADS, key = chunk / CHUNKS, d = chunk % CHUNKS * 8;
        int y = first + key / ROW, x = key % ROW;
        bool there = y < window.rows && x < window.columns && d < a.D;
        int from = there ? (window.token + y * a.W + x) * a.kv_row + d : 0;
        if (!there && y < a.Sh && x < a.Sw && d < a.D) continue;
        sgm_copy_16(to->keys + key * PITCH + d, k + from, there);
        sgm_copy_16(to->values + key * PITCH + d, v + from, there);
    }
    if (window.rows == a.Sh && window.columns == a.Sw) return;
    for (int chunk = me; chunk < SGM_FLASH_KEYS * CHUNKS; chunk += SGM_FLASH_THREADS) {
        int key = chunk / CHUNKS, d = chunk % CHUNKS * 8, y = first + key / ROW, x = key % ROW;
        if (y >= a.Sh || x >= a.Sw || d >= a.D) continue;
        if (y < window.rows && x < window.columns) continue;
        const float *pad = a.pad ? a.pad + h * a.head_step + d : NULL;
        round_chunk(to->keys + key * PITCH + d, pad ? pad + a.k_part : NULL);
        round_chunk(to->values + key * PITCH + d, pad ? pad + a.v_part : NULL);
    }
}

/* Keys from `start`; zeros beyond the last, because 0 times whatever lies there could be NaN. In
 * SGM_FLASH_ROW keys and values are BF16, those of a group follow each other and none is padding;
 * anywhere else divisions find each key's row. */
template <int D, sgm_flash_kind KIND>
static __device__ __forceinline__ void fetch_keys(const sgm_attend &a, const warp_place &w,
                                                  int start, bool places, key_tile<D> *to)
{
    const int CHUNKS = D / 8, EACH = SGM_FLASH_KEYS * CHUNKS / SGM_FLASH_THREADS;
    int me = (int)threadIdx.x;
    SGM_UNROLL
    for (int i = 0; i < EACH; i++) {
        int chunk = me + i * SGM_FLASH_THREADS, key = chunk / CHUNKS, d = chunk % CHUNKS * 8;
        bool there = start + key < a.M && d < a.D;
        int at = w.h * a.head_step + d, place = key * key_tile<D>::PITCH + d;
        if (KIND == SGM_FLASH_ROW) {
            int64_t row = (int64_t)(w.group * a.M + start + key) * a.kv_row;
            const unsigned short *k = (const unsigned short *)a.k.data;
            const unsigned short *v = (const unsigned short *)a.v.data;
            sgm_copy_16(to->keys + place, k + (there ? row + a.k_part + at : 0), there);
            sgm_copy_16(to->values + place, v + (there ? row + a.v_part + at : 0), there);
            continue;
        }
        int token = there ? sgm_key_token(a, w.group, start + key) : 0;
        fetch_chunk(a, a.k, token, a.k_part + at, there, to->keys + place);
        fetch_chunk(a, a.v, token, a.v_part + at, there, to->values + place);
    }
    if (!places || me >= SGM_FLASH_KEYS) return;
    int m = start + me < a.M ? start + me : 0;
    to->places[me] = m / a.Sw << 16 | m % a.Sw;
}

template <int D, sgm_flash_kind KIND>
static __device__ __forceinline__ void fetch_tile(const sgm_attend &a, const warp_place &w,
                                                  int start, bool places, key_tile<D> *to)
{
    if constexpr (KIND == SGM_FLASH_WINDOW)
        fetch_window<D>(a, w.window, w.h, start, to);
    else
        fetch_keys<D, KIND>(a, w, start, places, to);
}

/* --------------------------------------------------------------------------- relative position */

/* Two values of a table's row, as B of a product with the queries. */
static __device__ __forceinline__ unsigned table_pair(const sgm_attend &a, const float *table,
                                                      int rows, int r, int d)
{
    float x[2];
    bool there = r < rows && d < a.D; /* chosen, not branched on: products need converged warps */
    sgm_load_two(table + (there ? (int64_t)r * a.D + d : 0), x);
    return there ? sgm_pack_bf16(x[0], x[1]) : 0;
}

/* bias[query][at] for at in [0, side), from rows lo to hi of a table of 2 side - 1 rows; the
 * query's own coordinate is n / Sw or n % Sw. */
template <int D, int MT>
static __device__ __forceinline__ void rel_terms(const sgm_flash &f, const warp_place &w,
                                                 const warp_queries<D, MT> &mine, bool rows, int lo,
                                                 int hi, float *bias)
{
    const sgm_attend &a = f.a;
    const float *table = rows ? a.rel_h : a.rel_w;
    int side = rows ? a.Sh : a.Sw;
    for (int r0 = lo; r0 <= hi; r0 += 8) {
        float c[MT][4] = {};
        __syncwarp(); /* after the stores below, which lanes make apart */
        SGM_UNROLL
        for (int k = 0; k < D / 16; k++) {
            int d = 16 * k + w.pair;
            unsigned b0 = table_pair(a, table, 2 * side - 1, r0 + w.row, d);
            unsigned b1 = table_pair(a, table, 2 * side - 1, r0 + w.row, d + 8);
            SGM_UNROLL
            for (int mt = 0; mt < MT; mt++)
                sgm_mma(c[mt], mine.q[mt][k], b0, b1);
        }
        SGM_UNROLL
        for (int t = 0; t < MT * 4; t++) {
            int local = t / 2 * 8 + w.row, n = w.first + local, i = t % 4;
            int at = rows ? sgm_divide(n, f.across) : n - sgm_divide(n, f.across) * a.Sw;
            at += side - 1 - (r0 + w.pair + i % 2);
            if (at >= 0 && at < side)
                bias[(w.local + local) * f.pitch + at] = c[t / 4][i] * f.inverse_scale;
        }
    }
}

/* -inf for the keys that a window's rows of 16 and tiles of four rows do not have: softmax makes
 * them nothing, and no score needs a mask. */
template <int MT>
static __device__ __forceinline__ void bar_missing(const sgm_flash &f, const warp_place &w,
                                                   float *bias)
{
    int lane = (int)threadIdx.x % 32;
    float *row = bias + (w.local + lane) * f.pitch;
    for (int at = f.a.Sw; lane < 16 * MT && at < f.columns; at++)
        row[at] = -INFINITY;
    for (int at = f.a.Sh; lane < 16 * MT && at < f.rows; at++)
        row[f.columns + at] = -INFINITY;
}

/* Both terms of the warp's queries: those of columns, then of rows. Only this warp reads them,
 * after the barrier before the first tile. */
template <int D, int MT>
static __device__ __forceinline__ void rel_bias(const sgm_flash &f, const warp_place &w,
                                                const warp_queries<D, MT> &mine, float *bias)
{
    const sgm_attend &a = f.a;
    int last = w.first + 16 * MT < a.N ? w.first + 16 * MT - 1 : a.N - 1;
    int x0, x1, y0 = sgm_divide_rest(w.first, f.across, &x0);
    int y1 = sgm_divide_rest(last, f.across, &x1);
    if (y0 != y1) x0 = 0, x1 = a.Sw - 1;
    rel_terms<D, MT>(f, w, mine, false, x0, x1 + a.Sw - 1, bias);
    rel_terms<D, MT>(f, w, mine, true, y0, y1 + a.Sh - 1, bias + f.columns);
    bar_missing<MT>(f, w, bias);
}

/* ----------------------------------------------------------------------------------- the scores */

/* The bias of a query and a key: the relative position in shared memory, or TinyViT's table. With
 * two tiles of queries there are no registers left for the table's coordinates. */
template <int MT>
static __device__ __forceinline__ float bias_of(const sgm_flash &f, const warp_place &w, int n,
                                                const float *bias, int place)
{
    int ky = place >> 16, kx = place & 0xFFFF;
    if (MT == 2 || f.a.bias == SGM_BIAS_REL_POS) return bias[kx] + bias[f.a.Sw + ky];
    int dy = n / f.a.Sw - ky, dx = n % f.a.Sw - kx;
    dy = dy < 0 ? -dy : dy, dx = dx < 0 ? -dx : dx;
    return f.a.table[(w.h * f.a.Sh + dy) * f.a.Sw + dx] * f.inverse_scale;
}

/* Scores start at the bias, here at the relative position in one row of keys. */
template <int KEYS>
static __device__ __forceinline__ void start_row(const float *columns, float row,
                                                 float (&to)[KEYS / 8][4], int half)
{
    SGM_UNROLL
    for (int j = 0; j < KEYS / 8; j++) {
        float *s = &to[j][2 * half];
        sgm_load_two(columns + 8 * j, s);
        s[0] += row, s[1] += row;
    }
}

/* In a window's rows of 16: the same columns in each of them. */
template <int KEYS>
static __device__ __forceinline__ void start_window(const float *columns, const float *rows,
                                                    float (&to)[KEYS / 8][4], int half)
{
    float of_column[4], of_row[4];
    sgm_load_two(columns, of_column);
    sgm_load_two(columns + 8, of_column + 2);
    sgm_load_four(rows, of_row);
    SGM_UNROLL
    for (int i = 0; i < KEYS / 4; i++)
        to[i / 2][2 * half + i % 2] = of_column[i % 4] + of_row[i / 4];
}

template <int MT, sgm_flash_kind KIND, int KEYS>
static __device__ __forceinline__ void start_scores(const sgm_flash &f, const warp_place &w,
                                                    int start, const float *bias, const int *places,
                                                    warp_scores<MT, KEYS> &to)
{
    const int ROW = SGM_FLASH_WINDOW_ROW, PITCH = SGM_FLASH_WINDOW_PITCH;
    int ky = KIND == SGM_FLASH_ROW ? start / f.a.Sw : 0, kx = start - ky * f.a.Sw + w.pair;
    int me = KIND == SGM_FLASH_WINDOW ? sgm_thread_again() : 0;
    const float *first = bias + (me / 32 * 16 * MT + me % 32 / 4) * PITCH;
    bool none = f.a.bias == SGM_BIAS_NONE;
    SGM_UNROLL
    for (int t = 0; t < MT * 2; t++) {
        int local = 8 * t + w.row, n = w.first + local < f.a.N ? w.first + local : 0;
        const float *row = bias + (w.local + local) * f.pitch;
        if constexpr (KIND == SGM_FLASH_WINDOW) {
            row = first + 8 * t * PITCH;
            start_window<KEYS>(row + me % 4 * 2, row + ROW + start / ROW, to.s[t / 2], t % 2);
        } else if constexpr (KIND == SGM_FLASH_ROW) {
            start_row<KEYS>(row + kx, row[f.a.Sw + ky], to.s[t / 2], t % 2);
        } else {
            SGM_UNROLL
            for (int i = 0; i < KEYS / 4; i++) {
                int place = places[i / 2 * 8 + w.pair + i % 2];
                to.s[t / 2][i / 2][t % 2 * 2 + i % 2] = none ? 0 : bias_of<MT>(f, w, n, row, place);
            }
        }
    }
}

/* s += Q K^T: matrices (keys, channels) (0, 0), (0, 8), (8, 0), (8, 8) of each 16 x 16 */
template <int D, int MT, int KEYS>
static __device__ __forceinline__ void
add_products(const warp_queries<D, MT> &mine, const unsigned short *keys, warp_scores<MT, KEYS> &to)
{
    int lane = sgm_thread_again() % 32;
    const unsigned short *row = keys + (lane / 16 * 8 + lane % 8) * (D + 8) + lane / 8 % 2 * 8;
    SGM_UNROLL
    for (int i = 0; i < D / 16 * KEYS / 16; i++) {
        int k = i / (KEYS / 16), j = i % (KEYS / 16);
        unsigned b[4];
        sgm_ldmatrix_x4(b, row + 16 * j * (D + 8) + 16 * k);
        SGM_UNROLL
        for (int mt = 0; mt < MT; mt++) {
            sgm_mma(to.s[mt][2 * j], mine.q[mt][k], b[0], b[1]);
            sgm_mma(to.s[mt][2 * j + 1], mine.q[mt][k], b[2], b[3]);
        }
    }
}

template <int MT, int KEYS>
static __device__ __forceinline__ void mask_scores(const warp_place &w, int left,
                                                   warp_scores<MT, KEYS> &to)
{
    SGM_UNROLL
    for (int i = 0; i < MT * KEYS / 2; i++) {
        int j = i / 4 % (KEYS / 8);
        if (8 * j + w.pair + i % 2 >= left) to.s[i / (KEYS / 2)][j][i % 4] = -INFINITY;
    }
}

/* --------------------------------------------------------------------------- softmax and values */

/* Over the four lanes that share a row. */
static __device__ __forceinline__ float row_max(float x)
{
    x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 1));
    return fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 2));
}

static __device__ __forceinline__ float row_sum(float x)
{
    x += __shfl_xor_sync(0xFFFFFFFFu, x, 1);
    return x + __shfl_xor_sync(0xFFFFFFFFu, x, 2);
}

/* Scores become exponentials, and what was summed up shrinks to the new maximum. */
template <int D, int MT, int KEYS>
static __device__ __forceinline__ void exponentials(float scale2, warp_scores<MT, KEYS> &of,
                                                    warp_queries<D, MT> &mine)
{
    SGM_UNROLL
    for (int t = 0; t < MT * 2; t++) {
        int mt = t / 2, half = t % 2;
        float top = of.s[mt][0][2 * half], sum = 0;
        SGM_UNROLL
        for (int j = 0; j < KEYS / 8; j++)
            top = fmaxf(top, fmaxf(of.s[mt][j][2 * half], of.s[mt][j][2 * half + 1]));
        top = fmaxf(mine.top[mt][half], row_max(top));
        float shrink = sgm_exp2((mine.top[mt][half] - top) * scale2), shift = -top * scale2;
        mine.top[mt][half] = top;
        SGM_UNROLL
        for (int i = 0; i < KEYS / 4; i++) {
            float *s = &of.s[mt][i / 2][2 * half + i % 2];
            *s = sgm_exp2(fmaf(*s, scale2, shift));
            sum += *s;
        }
        mine.sum[mt][half] = mine.sum[mt][half] * shrink + sum;
        SGM_UNROLL
        for (int i = 0; i < D / 4; i++)
            mine.out[mt][i / 2][2 * half + i % 2] *= shrink;
    }
}

/* out += P V: matrices (keys, channels) (0, 0), (8, 0), (0, 8), (8, 8) of each 16 x 16, transposed
 */
template <int D, int MT, int KEYS>
static __device__ __forceinline__ void
add_values(const warp_scores<MT, KEYS> &p, const unsigned short *values, warp_queries<D, MT> &mine)
{
    int lane = sgm_thread_again() % 32;
    const unsigned short *row = values + lane % 16 * (D + 8) + lane / 16 * 8;
    SGM_UNROLL
    for (int j = 0; j < KEYS / 16; j++) {
        unsigned a[MT][4];
        SGM_UNROLL
        for (int i = 0; i < MT * 4; i++) {
            const float *pair = &p.s[i / 4][2 * j + i % 4 / 2][i % 2 * 2];
            a[i / 4][i % 4] = sgm_pack_bf16(pair[0], pair[1]);
        }
        SGM_UNROLL
        for (int k = 0; k < D / 16; k++) {
            unsigned b[4];
            sgm_ldmatrix_x4_trans(b, row + 16 * j * (D + 8) + 16 * k);
            SGM_UNROLL
            for (int mt = 0; mt < MT; mt++) {
                sgm_mma(mine.out[mt][2 * k], a[mt], b[0], b[1]);
                sgm_mma(mine.out[mt][2 * k + 1], a[mt], b[2], b[3]);
            }
        }
    }
}

/* ----------------------------------------------------------------------------------- the output */

static __device__ __forceinline__ void store_two(sgm_floats x, int64_t at, float first,
                                                 float second)
{
    if (x.bf16) {
        sgm_store_pair((unsigned short *)x.data + at, sgm_pack_bf16(first, second));
        return;
    }
    ((float *)x.data)[at] = first;
    ((float *)x.data)[at + 1] = second;
}

/* Whole rows, or with split keys the unfinished sums beside their maximum and denominator. */
template <int D, int MT, sgm_flash_kind KIND>
static __device__ __forceinline__ void write_rows(const sgm_flash &f, const warp_place &w,
                                                  const warp_queries<D, MT> &mine)
{
    const sgm_attend &a = f.a;
    SGM_UNROLL
    for (int t = 0; t < MT * 2; t++) {
        int n = w.first + 8 * t + w.row, mt = t / 2, half = t % 2;
        int token = n < a.N ? token_of<KIND>(f, w, n) : -1;
        float sum = row_sum(mine.sum[mt][half]);
        if (token < 0) continue;
        int64_t row = (int64_t)token * a.out_row + w.h * a.D;
        if (f.splits > 1) {
            int64_t part = sgm_flash_part(f, (int)blockIdx.y, w.group * a.heads + w.h, n);
            if (w.pair == 0) f.part_top[part] = mine.top[mt][half];
            if (w.pair == 0) f.part_sum[part] = sum;
            row = part * a.D;
        }
        sgm_floats to = a.out, parts = {f.part_out, 0};
        if (f.splits > 1) to = parts;
        float factor = f.splits > 1 ? 1 : 1 / sum;
        SGM_UNROLL
        for (int k = 0; k < D / 8; k++)
            if (8 * k < a.D)
                store_two(to, row + 8 * k + w.pair, mine.out[mt][k][2 * half] * factor,
                          mine.out[mt][k][2 * half + 1] * factor);
    }
}

#endif
