/* Attention, backward. Scores are made again, for as many (group, head) pairs at once as fit into a
 * bounded scratch, so that all products are batched matrix products:
 *
 *     P = softmax(s Q K^T + bias)    dV = P^T dO    dP = dO V^T    dS = P (dP - sum(P dP))
 *     dQ = s dS K + relative position      dK = s dS^T Q
 *
 * Every gradient element is summed in a fixed order. Products have the step's factors: in BF16 Q,
 * K, V, dO, P and dS are rounded to it, and sums stay F32. */
#include "cuda_attention.h"
#include "cuda_columns.h"

static const int64_t SCORES_AT_ONCE = 24 << 20; /* values of P, and again of dP */

/* Pairs u = group * heads + head, in [first, first + count) at a time. */
typedef struct pair_range {
    int first, count;
} pair_range;

typedef struct attend_grads {
    const float *dout;
    float *dq, *dk, *dv; /* of the inputs; in a grid all three are dqkv */
    float *dpad, *dtable, *drel_h, *drel_w;
} attend_grads;

typedef struct attend_parts {
    int at_once, total;
    sgm_dtype type; /* of factors */
    float *rel;
    sgm_floats q, k, v, dout; /* per pair, factors as all below that are sgm_floats */
    float *scores, *dp;       /* one place in BF16, where P has another than the scores */
    sgm_floats p, ds;         /* in F32 these are `scores` and `dp` themselves */
    float *dq, *dk, *dv;
    float *drel;                /* per pair, query and key row or column */
    float *rows;                /* partial gradients of rel_h and rel_w */
    float *table, *table_parts; /* dS summed over each head's pairs, over chunks of them */
} attend_parts;

enum { ROW_CHUNKS = 32 };

static int rel_rows(const sgm_attend *a)
{
    return 2 * a->Sh - 1 + 2 * a->Sw - 1;
}

static float *take_floats(sgm_cursor *cursor, int64_t count)
{
    return (float *)sgm_take(cursor, (size_t)count * sizeof(float));
}

static sgm_floats take_factors(sgm_cursor *cursor, sgm_dtype type, int64_t count)
{
    sgm_floats x = {sgm_take(cursor, (size_t)count * sgm_bytes_of(type)), type == SGM_BF16};
    return x;
}

/* In BF16 dP takes the place of the scores: both ways a score costs 8 bytes. */
static void take_scores(attend_parts *p, int64_t count, sgm_cursor *cursor)
{
    p->scores = take_floats(cursor, count);
    if (p->type == SGM_BF16) {
        p->dp = p->scores;
        p->p = take_factors(cursor, p->type, count);
        p->ds = take_factors(cursor, p->type, count);
        return;
    }
    p->dp = take_floats(cursor, count);
    p->p.data = p->scores;
    p->ds.data = p->dp;
}

/* The first `slots` pairs of a range have a head each, in turn; pairs slot, slot + slots, ... the
 * same one. Fewer slots than heads: every pair has its own. */
static int table_slots(const sgm_attend *a, int pairs)
{
    return sgm_at_most(a->heads, pairs);
}

static void take_table(const sgm_attend *a, attend_parts *p, sgm_cursor *cursor)
{
    int slots = table_slots(a, p->at_once), scores = slots * a->N * a->M;
    int chunks = sgm_column_chunks((p->at_once + slots - 1) / slots, scores);
    p->table = take_floats(cursor, scores);
    p->table_parts = take_floats(cursor, chunks > 1 ? (int64_t)chunks * scores : 0);
}

static attend_parts take_parts(const sgm_attend *a, sgm_dtype type, sgm_cursor *cursor)
{
    attend_parts p = {};
    bool rel_pos = a->bias == SGM_BIAS_REL_POS;
    int64_t scores = (int64_t)a->N * a->M, n = (int64_t)a->N * a->D, m = (int64_t)a->M * a->D;
    int64_t most = SCORES_AT_ONCE / scores;
    p.type = type;
    p.total = a->groups * a->heads;
    p.at_once = most < 1 ? 1 : most < p.total ? (int)most : p.total;
    p.rel = take_floats(cursor, (int64_t)(sgm_attend_rel_bytes(a) / sizeof(float)));
    p.q = take_factors(cursor, type, p.at_once * n);
    p.k = take_factors(cursor, type, p.at_once * m);
    p.v = take_factors(cursor, type, p.at_once * m);
    p.dout = take_factors(cursor, type, p.at_once * n);
    take_scores(&p, p.at_once * scores, cursor);
    p.dq = take_floats(cursor, p.at_once * n);
    p.dk = take_floats(cursor, p.at_once * m);
    p.dv = take_floats(cursor, p.at_once * m);
    p.drel = take_floats(cursor, rel_pos ? (int64_t)p.at_once * a->N * (a->Sh + a->Sw) : 0);
    p.rows = take_floats(cursor, rel_pos ? (int64_t)ROW_CHUNKS * rel_rows(a) * a->D : 0);
    if (a->bias == SGM_BIAS_TABLE) take_table(a, &p, cursor);
    return p;
}

/* ----------------------------------------------------------------------------------- in and out */

/* q and dout, or k and v, of the pairs as dense [pair, token, D]; padding queries are zeros. */
static __global__ void collect_queries_kernel(sgm_attend a, pair_range range, int64_t count,
                                              const float *dout, sgm_floats q,
                                              sgm_floats dout_dense)
{
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    int d = (int)(i % a.D), n = (int)(i / a.D % a.N), u = range.first + (int)(i / a.D / a.N);
    int token = sgm_query_token(a, u / a.heads, n), h = u % a.heads;
    bool real = token >= 0;
    int64_t at = (int64_t)token * a.q_row + a.q_part + h * a.head_step + d;
    sgm_store(q, i, real ? sgm_load(a.q, at) : 0);
    sgm_store(dout_dense, i, real ? dout[(int64_t)token * a.out_row + h * a.D + d] : 0);
}

static __global__ void collect_keys_kernel(sgm_attend a, pair_range range, int64_t count,
                                           sgm_floats k, sgm_floats v)
{
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    int d = (int)(i % a.D), m = (int)(i / a.D % a.M), u = range.first + (int)(i / a.D / a.M);
    int token = sgm_key_token(a, u / a.heads, m), h = u % a.heads;
    sgm_store(k, i, sgm_key_value(a, a.k, a.k_part, token, h, d));
    sgm_store(v, i, sgm_key_value(a, a.v, a.v_part, token, h, d));
}

/* Adds to the input's gradient; every (token, head) belongs to one pair. */
static __global__ void give_queries_kernel(sgm_attend a, pair_range range, int64_t count,
                                           const float *dq, float *to)
{
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    int d = (int)(i % a.D), n = (int)(i / a.D % a.N), u = range.first + (int)(i / a.D / a.N);
    int token = sgm_query_token(a, u / a.heads, n), h = u % a.heads;
    if (token >= 0) to[(int64_t)token * a.q_row + a.q_part + h * a.head_step + d] += dq[i];
}

static __global__ void give_keys_kernel(sgm_attend a, pair_range range, int64_t count, int part,
                                        const float *dk, float *to)
{
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    int d = (int)(i % a.D), m = (int)(i / a.D % a.M), u = range.first + (int)(i / a.D / a.M);
    int token = sgm_key_token(a, u / a.heads, m), h = u % a.heads;
    if (token >= 0) to[(int64_t)token * a.kv_row + part + h * a.head_step + d] += dk[i];
}

/* First pair of head h in the range, counted from the range's first. */
static __device__ int first_of_head(const sgm_attend &a, pair_range range, int h)
{
    return (h + a.heads - range.first % a.heads) % a.heads;
}

/* Keys that all groups share: one thread per key element adds the groups up. */
static __global__ void give_shared_keys_kernel(sgm_attend a, pair_range range, const float *dk,
                                               float *to)
{
    SGM_ELEMENT(i, a.M * a.kv_row);
    int m = i / a.kv_row, h = i % a.kv_row / a.D, d = i % a.D;
    float sum = 0;
    for (int u = first_of_head(a, range, h); u < range.count; u += a.heads)
        sum += dk[((int64_t)u * a.M + m) * a.D + d];
    to[i] += sum;
}

/* The padding token's k and v: one block per channel adds up all padding places. */
static __global__ void give_padding_kernel(sgm_attend a, pair_range range, int part,
                                           const float *dk, float *dpad)
{
    __shared__ float board[SGM_TEAM + 32];
    int h = (int)blockIdx.x / a.D, d = (int)blockIdx.x % a.D;
    float sum = 0;
    for (int u = first_of_head(a, range, h); u < range.count; u += a.heads)
        for (int m = (int)threadIdx.x; m < a.M; m += SGM_TEAM)
            if (sgm_grid_token(a, (range.first + u) / a.heads, m) < 0)
                sum += dk[((int64_t)u * a.M + m) * a.D + d];
    sum = sgm_team_sum(sum, board);
    if (threadIdx.x == 0) dpad[part + h * a.head_step + d] += sum;
}

/* ---------------------------------------------------------------------------------- the softmax */

/* A row of scores, one per (pair, query), belongs to LANES lanes of a warp: to 8 where there are as
 * few keys as the mask decoder's tokens. Lanes read their row anew in each pass; what is shared by
 * all of them is added up by exchange, so all lanes of a warp stay until the end. */
template <int LANES> static __device__ float row_sum(float value)
{
    for (int mask = LANES / 2; mask; mask /= 2)
        value += __shfl_xor_sync(0xFFFFFFFFu, value, mask);
    return value;
}

template <int LANES> static __device__ float row_max(float value)
{
    for (int mask = LANES / 2; mask; mask /= 2)
        value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFu, value, mask));
    return value;
}

/* The thread's row; beyond the last one where there is none for it. */
template <int LANES> static __device__ int64_t own_row()
{
    return (int64_t)blockIdx.x * (SGM_TEAM / LANES) + threadIdx.x / LANES;
}

/* Scores become probabilities, zeros for a padding query. p may be the scores themselves. */
template <int LANES>
static __global__ void probabilities_kernel(sgm_attend a, pair_range range, float *scores,
                                            sgm_floats p)
{
    int lane = (int)threadIdx.x % LANES, n = 0, h = 0, token = -1;
    int64_t at = own_row<LANES>(), first = at * a.M;
    bool real = at < (int64_t)range.count * a.N;
    float top = -INFINITY, sum = 0;
    if (real) {
        int u = range.first + (int)(at / a.N);
        n = (int)(at % a.N), h = u % a.heads;
        token = sgm_query_token(a, u / a.heads, n);
    }
    for (int m = lane; real && m < a.M; m += LANES) {
        if (token >= 0 && a.bias != SGM_BIAS_NONE)
            scores[first + m] += sgm_bias_of(a, token, h, n, m);
        top = fmaxf(top, scores[first + m]);
    }
    top = row_max<LANES>(top);
    for (int m = lane; real && m < a.M; m += LANES)
        sum += expf(scores[first + m] - top);
    sum = row_sum<LANES>(sum);
    for (int m = lane; real && m < a.M; m += LANES)
        sgm_store(p, first + m, token >= 0 ? expf(scores[first + m] - top) / sum : 0);
}

/* dS, which may be dp itself. */
template <int LANES>
static __global__ void score_gradient_kernel(int64_t rows, int M, sgm_floats p, const float *dp,
                                             sgm_floats ds)
{
    int lane = (int)threadIdx.x % LANES;
    int64_t row = own_row<LANES>(), first = row * M;
    float mean = 0;
    for (int m = lane; row < rows && m < M; m += LANES)
        mean += sgm_load(p, first + m) * dp[first + m];
    mean = row_sum<LANES>(mean);
    for (int m = lane; row < rows && m < M; m += LANES)
        sgm_store(ds, first + m, sgm_load(p, first + m) * (dp[first + m] - mean));
}

enum { FEW_KEYS = 16 };

/* Launches kernel<8> where rows are short, else kernel<32>. */
#define LAUNCH_SCORES(kernel, rows, M, stream, ...)                                                \
    do {                                                                                           \
        int in_block = SGM_TEAM / ((M) <= FEW_KEYS ? 8 : 32);                                      \
        unsigned blocks = (unsigned)(((rows) + in_block - 1) / in_block);                          \
        if ((M) <= FEW_KEYS)                                                                       \
            SGM_LAUNCH_TEAM(kernel<8>, blocks, SGM_TEAM, stream, __VA_ARGS__);                     \
        else                                                                                       \
            SGM_LAUNCH_TEAM(kernel<32>, blocks, SGM_TEAM, stream, __VA_ARGS__);                    \
    } while (0)

/* --------------------------------------------------------------------------------------- biases */

/* drel[pair, query, j]: dS summed over key row j, or key column j - Sh. */
static __global__ void rel_gradient_kernel(sgm_attend a, int64_t count, sgm_floats ds, float *drel)
{
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    int j = (int)(i % (a.Sh + a.Sw));
    int64_t row = i / (a.Sh + a.Sw) * a.M;
    float sum = 0;
    if (j < a.Sh)
        for (int x = 0; x < a.Sw; x++)
            sum += sgm_load(ds, row + j * a.Sw + x);
    else
        for (int y = 0; y < a.Sh; y++)
            sum += sgm_load(ds, row + y * a.Sw + j - a.Sh);
    drel[i] = sum;
}

/* dq += sum over j of drel[j] times j's row of rel_h or rel_w. */
static __global__ void rel_query_kernel(sgm_attend a, int64_t count, const float *drel, float *dq)
{
    int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    int d = (int)(i % a.D), n = (int)(i / a.D % a.N), y = n / a.Sw, x = n % a.Sw;
    const float *g = drel + i / a.D * (a.Sh + a.Sw);
    float sum = 0;
    for (int j = 0; j < a.Sh; j++)
        sum += g[j] * a.rel_h[(y - j + a.Sh - 1) * a.D + d];
    for (int j = 0; j < a.Sw; j++)
        sum += g[a.Sh + j] * a.rel_w[(x - j + a.Sw - 1) * a.D + d];
    dq[i] += sum;
}

/* rows: [chunk, 2 Sh - 1, D] for rel_h, then [chunk, 2 Sw - 1, D] for rel_w; a block per row and
 * chunk, a thread per channel. The queries of a line of a pair, of one y for rel_h and of one x for
 * rel_w, have one key row or column as far away as the row says, or none. A chunk has every
 * ROW_CHUNKS-th line, so that one pair of a large grid keeps all of them busy. */
static __global__ void rel_rows_kernel(sgm_attend a, pair_range range, const float *drel,
                                       sgm_floats q, float *rows)
{
    int of_h = 2 * a.Sh - 1, of_w = 2 * a.Sw - 1, chunk = (int)blockIdx.y, d = (int)threadIdx.x;
    bool is_h = (int)blockIdx.x < of_h;
    int row = (int)blockIdx.x - (is_h ? 0 : of_h);
    int lines = is_h ? a.Sh : a.Sw, length = is_h ? a.Sw : a.Sh, step = is_h ? 1 : a.Sw;
    if (d >= a.D) return;
    float sum = 0;
    for (int l = chunk; l < range.count * lines; l += ROW_CHUNKS) {
        int line = l % lines, j = line - row + lines - 1;
        if (j < 0 || j >= lines) continue;
        int64_t first = (int64_t)(l / lines) * a.N + (is_h ? line * a.Sw : line);
        const float *g = drel + (is_h ? j : a.Sh + j);
        SGM_UNROLL_BY(8)
        for (int i = 0; i < length; i++) {
            int64_t query = first + i * step;
            sum += g[query * (a.Sh + a.Sw)] * sgm_load(q, query * a.D + d);
        }
    }
    int to = is_h ? chunk * of_h + row : ROW_CHUNKS * of_h + chunk * of_w + row;
    rows[(int64_t)to * a.D + d] = sum;
}

/* partial[chunk, slot, query and key]: dS summed over the chunk's pairs of the slot. Queries and
 * keys are `columns` groups of values. */
template <int V>
static __global__ void table_sum_kernel(int pairs, sgm_floats ds, int columns, float *partial)
{
    const int AT_ONCE = 4;
    __shared__ float board[V][SGM_THREADS];
    int slot = (int)blockIdx.z, slots = (int)gridDim.z, rows = (pairs - slot + slots - 1) / slots;
    sgm_strand at = sgm_strand_here();
    float sum[V] = {}, value[AT_ONCE][V];
    ds.data = (char *)ds.data + (int64_t)slot * columns * V * (ds.bf16 ? 2 : 4);
    for (int64_t r = at.row; r < rows && at.group < columns; r += AT_ONCE * at.step) {
        sgm_load_rows<V, AT_ONCE>(ds, at, r, rows, slots * columns, value);
        SGM_UNROLL
        for (int n = 0; n < AT_ONCE; n++)
            for (int k = 0; k < V; k++)
                sum[k] += value[n][k];
    }
    sgm_lane_sum<V>(sum, board);
    if (threadIdx.y || at.group >= columns) return;
    int64_t to = ((int64_t)blockIdx.y * slots + slot) * columns + at.group;
    sgm_give_group<V>(partial, to, sum, false);
}

/* dtable[h, dy, dx] += sums[slot, query, key] over all queries and keys so far apart; one block per
 * slot's element. */
static __global__ void table_kernel(sgm_attend a, pair_range range, const float *sums,
                                    float *dtable)
{
    __shared__ float board[SGM_TEAM + 32];
    int dx = (int)blockIdx.x % a.Sw, dy = (int)blockIdx.x / a.Sw % a.Sh;
    int slot = (int)blockIdx.x / a.Sw / a.Sh, h = (range.first + slot) % a.heads;
    float sum = 0;
    for (int n = (int)threadIdx.x; n < a.N; n += SGM_TEAM) {
        int64_t row = ((int64_t)slot * a.N + n) * a.M;
        for (int k = 0; k < 4; k++) {
            int y = n / a.Sw + (k / 2 ? -dy : dy), x = n % a.Sw + (k % 2 ? -dx : dx);
            bool twice = (k / 2 && !dy) || (k % 2 && !dx); /* + 0 and - 0 are one key */
            if (!twice && y >= 0 && y < a.Sh && x >= 0 && x < a.Sw) sum += sums[row + y * a.Sw + x];
        }
    }
    sum = sgm_team_sum(sum, board);
    if (threadIdx.x == 0) dtable[(h * a.Sh + dy) * a.Sw + dx] += sum;
}

/* First over the pairs, which reads dS as it lies, then over what is equally far apart. */
static void table_gradient(sgm_cuda *cuda, const sgm_attend *args, const attend_parts *p,
                           float *dtable, pair_range range)
{
    const sgm_attend a = *args;
    sgm_floats ds = p->ds;
    int scores = a.N * a.M, slots = table_slots(args, range.count), pairs = range.count;
    int rows = (pairs + slots - 1) / slots, chunks = sgm_column_chunks(rows, slots * scores);
    bool fours = sgm_in_fours(ds.data, ds.bf16, scores);
    int columns = fours ? scores / SGM_VECTOR : scores;
    float *sums = p->table, *partial = chunks > 1 ? p->table_parts : sums;
    sgm_sheet s = sgm_sheet_of(rows, columns, chunks, SGM_ACROSS);
    s.grid.z = (unsigned)slots;
    if (fours)
        SGM_LAUNCH_TEAM(table_sum_kernel<SGM_VECTOR>, s.grid, s.block, cuda->stream, pairs, ds,
                        columns, partial);
    else
        SGM_LAUNCH_TEAM(table_sum_kernel<1>, s.grid, s.block, cuda->stream, pairs, ds, columns,
                        partial);
    if (chunks > 1) sgm_cuda_fold(cuda, partial, chunks, slots * scores, sums, false);
    SGM_LAUNCH_TEAM(table_kernel, (unsigned)(slots * a.Sh * a.Sw), SGM_TEAM, cuda->stream, a, range,
                    sums, dtable);
}

/* ------------------------------------------------------------------------------------ one range */

/* c[u] = alpha op(a[u]) b[u] or a[u] b[u]^T, dense per pair: [m, n] = [m, k] [k, n]. */
static sgm_status pair_product(sgm_cuda *cuda, int pairs, int m, int n, int k, sgm_floats a,
                               bool transpose_a, sgm_floats b, bool transpose_b, float alpha,
                               float *c)
{
    sgm_product p = {};
    p.m = m, p.n = n, p.k = k;
    p.transpose_a = transpose_a, p.transpose_b = transpose_b;
    p.a = a.data, p.b = b.data, p.c = c;
    p.type = a.bf16 ? SGM_BF16 : SGM_F32;
    p.c_type = SGM_F32;
    p.lda = transpose_a ? m : k;
    p.ldb = transpose_b ? k : n;
    p.ldc = n;
    p.alpha = alpha;
    p.batch = pairs;
    p.a_step = (long long)m * k, p.b_step = (long long)k * n, p.c_step = (long long)m * n;
    return sgm_cuda_product(cuda, &p);
}

static sgm_status range_products(sgm_cuda *cuda, const sgm_attend *args, const attend_parts *parts,
                                 pair_range range)
{
    const sgm_attend a = *args;
    const sgm_floats p = parts->p, ds = parts->ds;
    int64_t rows = (int64_t)range.count * a.N;
    float *scores = parts->scores, *dp = parts->dp;
    int M = a.M, pairs = range.count;
    SGM_TRY(
        pair_product(cuda, pairs, a.N, M, a.D, parts->q, false, parts->k, true, a.scale, scores));
    LAUNCH_SCORES(probabilities_kernel, rows, M, cuda->stream, a, range, scores, p);
    SGM_TRY(pair_product(cuda, pairs, M, a.D, a.N, p, true, parts->dout, false, 1, parts->dv));
    SGM_TRY(pair_product(cuda, pairs, a.N, M, a.D, parts->dout, false, parts->v, true, 1, dp));
    LAUNCH_SCORES(score_gradient_kernel, rows, M, cuda->stream, rows, M, p, dp, ds);
    SGM_TRY(pair_product(cuda, pairs, a.N, a.D, M, ds, false, parts->k, false, a.scale, parts->dq));
    return pair_product(cuda, pairs, M, a.D, a.N, ds, true, parts->q, false, a.scale, parts->dk);
}

static void range_rel(sgm_cuda *cuda, const sgm_attend *args, const attend_parts *p,
                      const attend_grads *to, pair_range range)
{
    const sgm_attend a = *args;
    int64_t queries = (int64_t)range.count * a.N, sums = queries * (a.Sh + a.Sw);
    int of_h = (2 * a.Sh - 1) * a.D, of_w = (2 * a.Sw - 1) * a.D;
    float *drel = p->drel, *dq = p->dq, *rows = p->rows;
    sgm_floats ds = p->ds, q = p->q;
    SGM_LAUNCH(rel_gradient_kernel, sgm_blocks(sums), SGM_THREADS, cuda->stream, a, sums, ds, drel);
    SGM_LAUNCH(rel_query_kernel, sgm_blocks(queries * a.D), SGM_THREADS, cuda->stream, a,
               queries * a.D, drel, dq);
    if (!to->drel_h && !to->drel_w) return;
    dim3 grid((unsigned)rel_rows(args), ROW_CHUNKS);
    SGM_LAUNCH(rel_rows_kernel, grid, SGM_MOST_HEAD_DIM, cuda->stream, a, range, drel, q, rows);
    if (to->drel_h) sgm_cuda_fold(cuda, rows, ROW_CHUNKS, of_h, to->drel_h, true);
    if (to->drel_w)
        sgm_cuda_fold(cuda, rows + ROW_CHUNKS * of_h, ROW_CHUNKS, of_w, to->drel_w, true);
}

static void range_out(sgm_cuda *cuda, const sgm_attend *args, const attend_parts *p,
                      const attend_grads *to, pair_range range)
{
    const sgm_attend a = *args;
    int64_t n = (int64_t)range.count * a.N * a.D, m = (int64_t)range.count * a.M * a.D;
    float *grads[] = {to->dk, to->dv}, *from[] = {p->dk, p->dv};
    int parts[] = {a.k_part, a.v_part};
    float *dq = p->dq, *to_q = to->dq, *dpad = to->dpad;
    if (to_q)
        SGM_LAUNCH(give_queries_kernel, sgm_blocks(n), SGM_THREADS, cuda->stream, a, range, n, dq,
                   to_q);
    for (int i = 0; i < 2; i++) {
        float *grad = grads[i], *dk = from[i];
        int part = parts[i];
        if (grad && a.shared_keys)
            SGM_LAUNCH(give_shared_keys_kernel, sgm_blocks((int64_t)a.M * a.kv_row), SGM_THREADS,
                       cuda->stream, a, range, dk, grad);
        else if (grad)
            SGM_LAUNCH(give_keys_kernel, sgm_blocks(m), SGM_THREADS, cuda->stream, a, range, m,
                       part, dk, grad);
        if (dpad)
            SGM_LAUNCH_TEAM(give_padding_kernel, (unsigned)(a.heads * a.D), SGM_TEAM, cuda->stream,
                            a, range, part, dk, dpad);
    }
}

static sgm_status one_range(sgm_cuda *cuda, const sgm_attend *args, const attend_parts *p,
                            const attend_grads *to, pair_range range)
{
    const sgm_attend a = *args;
    int64_t n = (int64_t)range.count * a.N * a.D, m = (int64_t)range.count * a.M * a.D;
    sgm_floats q = p->q, k = p->k, v = p->v, dout = p->dout;
    const float *from = to->dout;
    float *dtable = to->dtable;
    SGM_LAUNCH(collect_queries_kernel, sgm_blocks(n), SGM_THREADS, cuda->stream, a, range, n, from,
               q, dout);
    SGM_LAUNCH(collect_keys_kernel, sgm_blocks(m), SGM_THREADS, cuda->stream, a, range, m, k, v);
    SGM_TRY(range_products(cuda, args, p, range));
    if (a.bias == SGM_BIAS_REL_POS) range_rel(cuda, args, p, to, range);
    if (dtable) table_gradient(cuda, args, p, dtable, range);
    range_out(cuda, args, p, to, range);
    return SGM_OK;
}

/* ---------------------------------------------------------------------------------------- steps */

static attend_grads grads_of(const sgm_step *step, const sgm_attend *a)
{
    attend_grads g = {};
    float *in[4];
    for (int i = 0; i < 4; i++)
        in[i] = i < step->input_count ? (float *)step->grad_in[i].data : NULL;
    g.dout = (const float *)step->grad_out.data;
    g.dq = in[0];
    g.dk = a->grid ? in[0] : in[1];
    g.dv = a->grid ? in[0] : in[2];
    if (!a->grid) return g;
    g.dpad = in[1];
    if (a->bias == SGM_BIAS_TABLE) g.dtable = in[2];
    if (a->bias == SGM_BIAS_REL_POS) {
        g.drel_h = in[2];
        g.drel_w = in[3];
    }
    return g;
}

sgm_status sgm_cuda_attention_backward(sgm_cuda *cuda, const sgm_step *step)
{
    sgm_cursor cursor = {(char *)step->scratch, 0};
    sgm_attend a = sgm_attend_of(step);
    if (a.D > SGM_MOST_HEAD_DIM)
        return sgm_cuda_fail(cuda, SGM_DEVICE,
                             "CUDA: attention heads of %d channels; at most %d are supported", a.D,
                             (int)SGM_MOST_HEAD_DIM);
    attend_parts p = take_parts(&a, sgm_factor_type(cuda, step), &cursor);
    attend_grads to = grads_of(step, &a);
    for (int i = 0; i < step->input_count; i++)
        SGM_TRY(sgm_cuda_clear_grad(cuda, step, i));
    sgm_attend_rel(cuda, &a, p.rel);
    for (int first = 0; first < p.total; first += p.at_once) {
        pair_range range = {first, p.total - first < p.at_once ? p.total - first : p.at_once};
        SGM_TRY(one_range(cuda, &a, &p, &to, range));
    }
    return SGM_OK;
}

void sgm_attend_grad_scratch(sgm_cuda *cuda, const sgm_step *step, const sgm_attend *a,
                             sgm_cursor *cursor)
{
    take_parts(a, sgm_factor_type(cuda, step), cursor);
}
