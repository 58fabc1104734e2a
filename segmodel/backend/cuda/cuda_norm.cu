/* Normalisation and softmax over the last axis: one warp per row, which keeps the row in registers,
 * or one block where rows are long or no whole groups of four. */
#include "cuda_columns.h"
#include "cuda_mma.h"

/* ------------------------------------------------------------------------------- a warp per row */

enum { WARP = 32, ROWS_PER_BLOCK = SGM_TEAM / WARP, WIDEST = 16 * WARP * SGM_VECTOR };

/* Sum over the warp, the same in all lanes. */
static __device__ float warp_sum(float value)
{
    for (int mask = WARP / 2; mask; mask /= 2)
        value += __shfl_xor_sync(0xFFFFFFFFu, value, mask);
    return value;
}

/* A lane holds groups lane, lane + 32, ... of its row: R of them at most, zeros behind the end. */
template <int R> struct row_part {
    float x[R][SGM_VECTOR];
};

template <int R>
static __device__ void load_row(sgm_floats x, int64_t row, int groups, int lane, row_part<R> *to)
{
    SGM_UNROLL
    for (int r = 0; r < R; r++) {
        int g = lane + r * WARP;
        if (g < groups)
            sgm_load_group<SGM_VECTOR>(x, row * groups + g, to->x[r]);
        else
            for (int k = 0; k < SGM_VECTOR; k++)
                to->x[r][k] = 0;
    }
}

/* Values become (value - mean) / sqrt(variance + eps) (population variance). */
template <int R>
static __device__ void normalise(row_part<R> *row, int groups, int lane, float eps, float *mean,
                                 float *rstd)
{
    float sum = 0, squares = 0, C = (float)(groups * SGM_VECTOR);
    SGM_UNROLL
    for (int r = 0; r < R; r++)
        for (int k = 0; k < SGM_VECTOR; k++)
            sum += row->x[r][k];
    *mean = warp_sum(sum) / C;
    SGM_UNROLL
    for (int r = 0; r < R; r++)
        for (int k = 0; k < SGM_VECTOR; k++) {
            row->x[r][k] = lane + r * WARP < groups ? row->x[r][k] - *mean : 0;
            squares += row->x[r][k] * row->x[r][k];
        }
    *rstd = 1 / sqrtf(warp_sum(squares) / C + eps);
    SGM_UNROLL
    for (int r = 0; r < R; r++)
        for (int k = 0; k < SGM_VECTOR; k++)
            row->x[r][k] *= *rstd;
}

template <int R>
static __global__ void layernorm_row_kernel(sgm_floats x, const float *gamma, const float *beta,
                                            int rows, int groups, float eps, int act,
                                            sgm_floats out)
{
    int lane = (int)threadIdx.x % WARP;
    int64_t row = (int64_t)blockIdx.x * ROWS_PER_BLOCK + threadIdx.x / WARP;
    row_part<R> v;
    float mean, rstd, g4[SGM_VECTOR], b4[SGM_VECTOR];
    if (row >= rows) return;
    load_row(x, row, groups, lane, &v);
    normalise(&v, groups, lane, eps, &mean, &rstd);
    SGM_UNROLL
    for (int r = 0; r < R; r++) {
        int g = lane + r * WARP;
        if (g >= groups) continue;
        sgm_load_f32<SGM_VECTOR>(gamma, g, g4);
        sgm_load_f32<SGM_VECTOR>(beta, g, b4);
        for (int k = 0; k < SGM_VECTOR; k++)
            v.x[r][k] = sgm_act_of(act, v.x[r][k] * g4[k] + b4[k]);
        sgm_store_group<SGM_VECTOR>(out, row * groups + g, v.x[r]);
    }
}

/* 1 / sqrt(x) within 2 ulp: an instruction where the exact one is a call, around which registers
 * are saved. */
static __device__ __forceinline__ float fast_rsqrt(float x)
{
#ifdef SGM_CUDA_EMULATION
    return 1 / sqrtf(x);
#else
    return rsqrtf(x);
#endif
}

/* Four values rounded to BF16, two at a time. */
static __device__ __forceinline__ void store_group_bf16(unsigned short *out, int64_t group,
                                                        const float x[SGM_VECTOR])
{
    struct alignas(8) two_pairs {
        unsigned pair[2];
    } both = {{sgm_pack_bf16(x[0], x[1]), sgm_pack_bf16(x[2], x[3])}};
    ((two_pairs *)(void *)out)[group] = both;
}

/* Whole rows, R groups of every lane. Values lose their mean; 1 / sqrt(variance + eps). */
template <int R>
static __device__ __forceinline__ float center_whole_row(row_part<R> *row, float eps)
{
    const float SHARE = 1.0f / (float)(R * WARP * SGM_VECTOR);
    float sum = 0, squares = 0;
    SGM_UNROLL
    for (int i = 0; i < R * SGM_VECTOR; i++)
        sum += row->x[i / SGM_VECTOR][i % SGM_VECTOR];
    float mean = warp_sum(sum) * SHARE;
    SGM_UNROLL
    for (int i = 0; i < R * SGM_VECTOR; i++) {
        float *x = &row->x[i / SGM_VECTOR][i % SGM_VECTOR];
        *x -= mean;
        squares += *x * *x;
    }
    return fast_rsqrt(warp_sum(squares) * SHARE + eps);
}

/* Blocks on a multiprocessor that registers should leave room for, as many as none goes to local
 * memory: ten of ViT-B's rows on Hopper, nine elsewhere. A Turing holds eight of any kernel. */
static constexpr int whole_row_blocks(int R)
{
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ == 900
    return R <= 6 ? 10 : R <= 8 ? 8 : 7;
#elif __CUDA_ARCH__ < 800
    return R <= 6 ? 8 : 7;
#else
    return R <= 6 ? 9 : R <= 8 ? 8 : 7;
#endif
}

/* What encoders run: whole rows from F32 to BF16, no activation. No type, end of a row or
 * activation is asked for per group, so a row's loads are all under way before the first is used.
 */
template <int R>
static __global__ void __launch_bounds__(SGM_TEAM, whole_row_blocks(R))
    layernorm_row_bf16_kernel(const float *x, const float *gamma, const float *beta, int rows,
                              float eps, unsigned short *out)
{
    int lane = (int)threadIdx.x % WARP;
    int64_t row = (int64_t)blockIdx.x * ROWS_PER_BLOCK + threadIdx.x / WARP;
    int64_t first = row * (R * WARP) + lane;
    row_part<R> v;
    float g4[SGM_VECTOR], b4[SGM_VECTOR];
    if (row >= rows) return;
    SGM_UNROLL
    for (int r = 0; r < R; r++)
        sgm_load_f32<SGM_VECTOR>(x, first + r * WARP, v.x[r]);
    float rstd = center_whole_row(&v, eps);
    SGM_UNROLL
    for (int r = 0; r < R; r++) {
        sgm_load_f32<SGM_VECTOR>(gamma, lane + r * WARP, g4);
        sgm_load_f32<SGM_VECTOR>(beta, lane + r * WARP, b4);
        for (int k = 0; k < SGM_VECTOR; k++)
            v.x[r][k] = v.x[r][k] * rstd * g4[k] + b4[k];
        store_group_bf16(out, first + r * WARP, v.x[r]);
    }
}

/* As layernorm_data_kernel. */
template <int R>
static __global__ void layernorm_data_row_kernel(sgm_floats x, const float *gamma, const float *dy,
                                                 int rows, int groups, float eps, float *statistics,
                                                 float *dx, bool accumulate)
{
    int lane = (int)threadIdx.x % WARP;
    int64_t row = (int64_t)blockIdx.x * ROWS_PER_BLOCK + threadIdx.x / WARP;
    row_part<R> n, d;
    sgm_floats from = {(void *)dy, 0};
    float mean, rstd, g4[SGM_VECTOR], sum_d = 0, sum_dn = 0, C = (float)(groups * SGM_VECTOR);
    if (row >= rows) return;
    load_row(x, row, groups, lane, &n);
    normalise(&n, groups, lane, eps, &mean, &rstd);
    load_row(from, row, groups, lane, &d);
    SGM_UNROLL
    for (int r = 0; r < R; r++) {
        int g = lane + r * WARP;
        if (g >= groups) continue;
        sgm_load_f32<SGM_VECTOR>(gamma, g, g4);
        for (int k = 0; k < SGM_VECTOR; k++) {
            d.x[r][k] *= g4[k];
            sum_d += d.x[r][k];
            sum_dn += d.x[r][k] * n.x[r][k];
        }
    }
    sum_d = warp_sum(sum_d) / C;
    sum_dn = warp_sum(sum_dn) / C;
    if (lane == 0) {
        statistics[2 * row] = mean;
        statistics[2 * row + 1] = rstd;
    }
    if (!dx) return;
    SGM_UNROLL
    for (int r = 0; r < R; r++) {
        int g = lane + r * WARP;
        if (g >= groups) continue;
        for (int k = 0; k < SGM_VECTOR; k++)
            d.x[r][k] = rstd * (d.x[r][k] - sum_d - n.x[r][k] * sum_dn);
        sgm_give_group<SGM_VECTOR>(dx, row * groups + g, d.x[r], accumulate);
    }
}

/* Launches kernel<R> with the smallest R that holds a row. */
#define LAUNCH_ROWS(kernel, rows, groups, stream, ...)                                             \
    do {                                                                                           \
        unsigned row_blocks = (unsigned)(((rows) + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK);          \
        if ((groups) <= 2 * WARP)                                                                  \
            SGM_LAUNCH_TEAM(kernel<2>, row_blocks, SGM_TEAM, stream, __VA_ARGS__);                 \
        else if ((groups) <= 6 * WARP)                                                             \
            SGM_LAUNCH_TEAM(kernel<6>, row_blocks, SGM_TEAM, stream, __VA_ARGS__);                 \
        else if ((groups) <= 10 * WARP)                                                            \
            SGM_LAUNCH_TEAM(kernel<10>, row_blocks, SGM_TEAM, stream, __VA_ARGS__);                \
        else                                                                                       \
            SGM_LAUNCH_TEAM(kernel<16>, row_blocks, SGM_TEAM, stream, __VA_ARGS__);                \
    } while (0)

/* ------------------------------------------------------------------------------ a block per row */

/* Mean and 1 / sqrt(variance + eps) of a row of C values (population variance). */
static __device__ void row_statistics(sgm_floats x, int64_t row, int C, float eps, float *board,
                                      float *mean, float *rstd)
{
    float sum = 0, squares = 0;
    for (int c = (int)threadIdx.x; c < C; c += SGM_TEAM)
        sum += sgm_load(x, row * C + c);
    *mean = sgm_team_sum(sum, board) / (float)C;
    for (int c = (int)threadIdx.x; c < C; c += SGM_TEAM) {
        float d = sgm_load(x, row * C + c) - *mean;
        squares += d * d;
    }
    *rstd = 1 / sqrtf(sgm_team_sum(squares, board) / (float)C + eps);
}

static __global__ void layernorm_kernel(sgm_floats x, const float *gamma, const float *beta, int C,
                                        float eps, int act, sgm_floats out)
{
    __shared__ float board[SGM_TEAM + 32];
    int64_t row = blockIdx.x;
    float mean, rstd;
    row_statistics(x, row, C, eps, board, &mean, &rstd);
    for (int c = (int)threadIdx.x; c < C; c += SGM_TEAM) {
        float y = (sgm_load(x, row * C + c) - mean) * rstd * gamma[c] + beta[c];
        sgm_store(out, row * C + c, sgm_act_of(act, y));
    }
}

static bool in_registers(sgm_floats x, const float *a, const float *b, int C)
{
    return C <= WIDEST && sgm_in_fours(x.data, x.bf16, C) && sgm_in_fours(a, 0, C) &&
           sgm_in_fours(b, 0, C);
}

/* Is there a kernel for whole rows of so many groups? Those of SAM's encoders: 256 channels of the
 * neck, 768, 1024 and 1280 of ViT-B, -L and -H. */
static bool is_whole_row(int groups)
{
    return groups == 2 * WARP || groups == 6 * WARP || groups == 8 * WARP || groups == 10 * WARP;
}

static void layernorm_bf16(sgm_cuda *cuda, const float *x, const float *gamma, const float *beta,
                           int rows, int groups, float eps, unsigned short *out)
{
    unsigned blocks = (unsigned)((rows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK);
    void (*kernel)(const float *, const float *, const float *, int, float, unsigned short *) =
        groups == 2 * WARP   ? layernorm_row_bf16_kernel<2>
        : groups == 6 * WARP ? layernorm_row_bf16_kernel<6>
        : groups == 8 * WARP ? layernorm_row_bf16_kernel<8>
                             : layernorm_row_bf16_kernel<10>;
    SGM_LAUNCH_TEAM(kernel, blocks, SGM_TEAM, cuda->stream, x, gamma, beta, rows, eps, out);
}

sgm_status sgm_cuda_layernorm(sgm_cuda *cuda, const sgm_step *step)
{
    sgm_floats x = sgm_floats_of(&step->in[0]), out = sgm_floats_of(&step->out);
    const float *gamma = (const float *)step->in[1].data, *beta = (const float *)step->in[2].data;
    int rows = sgm_rows_of(step->out.shape), C = sgm_last_of(step->out.shape);
    float eps = step->node->u.norm.eps;
    int act = (int)step->act, groups = C / SGM_VECTOR;
    bool fits = in_registers(x, gamma, beta, C) && sgm_in_fours(out.data, out.bf16, C);
    if (fits && is_whole_row(groups) && act == SGM_ACT_NONE && !x.bf16 && out.bf16)
        layernorm_bf16(cuda, (const float *)x.data, gamma, beta, rows, groups, eps,
                       (unsigned short *)out.data);
    else if (fits)
        LAUNCH_ROWS(layernorm_row_kernel, rows, groups, cuda->stream, x, gamma, beta, rows, groups,
                    eps, act, out);
    else
        SGM_LAUNCH_TEAM(layernorm_kernel, (unsigned)rows, SGM_TEAM, cuda->stream, x, gamma, beta, C,
                        eps, act, out);
    return SGM_OK;
}

/* With n = (x - mean) rstd and d = dy gamma: dx = rstd (d - mean(d) - n mean(d n)). Keeps mean and
 * rstd per row for the gradients of gamma and beta. */
static __global__ void layernorm_data_kernel(sgm_floats x, const float *gamma, const float *dy,
                                             int C, float eps, float *statistics, float *dx,
                                             bool accumulate)
{
    __shared__ float board[SGM_TEAM + 32];
    int64_t row = blockIdx.x;
    float mean, rstd, sum_d = 0, sum_dn = 0;
    row_statistics(x, row, C, eps, board, &mean, &rstd);
    for (int c = (int)threadIdx.x; c < C; c += SGM_TEAM) {
        float d = dy[row * C + c] * gamma[c];
        sum_d += d;
        sum_dn += d * (sgm_load(x, row * C + c) - mean) * rstd;
    }
    sum_d = sgm_team_sum(sum_d, board) / (float)C;
    sum_dn = sgm_team_sum(sum_dn, board) / (float)C;
    if (threadIdx.x == 0) {
        statistics[2 * row] = mean;
        statistics[2 * row + 1] = rstd;
    }
    if (!dx) return;
    for (int c = (int)threadIdx.x; c < C; c += SGM_TEAM) {
        float d = dy[row * C + c] * gamma[c], n = (sgm_load(x, row * C + c) - mean) * rstd;
        sgm_give(&dx[row * C + c], rstd * (d - sum_d - n * sum_dn), accumulate);
    }
}

/* dgamma[chunk, channel] and dbeta[chunk, channel], summed over the chunk's rows. */
template <int V>
static __global__ void layernorm_weights_kernel(sgm_floats x, const float *dy,
                                                const float *statistics, int rows, int groups,
                                                float *dgamma, float *dbeta)
{
    const int AT_ONCE = 4;
    __shared__ float board[V][SGM_THREADS];
    sgm_strand at = sgm_strand_here();
    sgm_floats gradients = {(void *)dy, 0}, numbers = {(void *)statistics, 0};
    sgm_strand means = {0, at.row, at.step}, rstds = {1, at.row, at.step};
    float gamma_sum[V] = {}, beta_sum[V] = {};
    float value[AT_ONCE][V], d[AT_ONCE][V], mean[AT_ONCE][1], rstd[AT_ONCE][1];
    for (int64_t r = at.row; r < rows && at.group < groups; r += AT_ONCE * at.step) {
        sgm_load_rows<V, AT_ONCE>(x, at, r, rows, groups, value);
        sgm_load_rows<V, AT_ONCE>(gradients, at, r, rows, groups, d);
        sgm_load_rows<1, AT_ONCE>(numbers, means, r, rows, 2, mean);
        sgm_load_rows<1, AT_ONCE>(numbers, rstds, r, rows, 2, rstd);
        SGM_UNROLL
        for (int n = 0; n < AT_ONCE; n++)
            for (int k = 0; k < V; k++) {
                gamma_sum[k] += d[n][k] * ((value[n][k] - mean[n][0]) * rstd[n][0]);
                beta_sum[k] += d[n][k];
            }
    }
    sgm_lane_sum<V>(gamma_sum, board);
    sgm_lane_sum<V>(beta_sum, board);
    if (threadIdx.y || at.group >= groups) return;
    sgm_give_group<V>(dgamma, (int64_t)blockIdx.y * groups + at.group, gamma_sum, false);
    sgm_give_group<V>(dbeta, (int64_t)blockIdx.y * groups + at.group, beta_sum, false);
}

typedef struct norm_parts {
    int rows, C, chunks;
    float *statistics, *dgamma, *dbeta;
} norm_parts;

static norm_parts take_norm(const sgm_step *step, sgm_cursor *cursor)
{
    norm_parts p;
    p.rows = sgm_rows_of(step->out.shape);
    p.C = sgm_last_of(step->out.shape);
    p.chunks = sgm_column_chunks(p.rows, p.C);
    p.statistics = (float *)sgm_take(cursor, (size_t)p.rows * 2 * sizeof(float));
    p.dgamma = (float *)sgm_take(cursor, (size_t)p.chunks * (size_t)p.C * sizeof(float));
    p.dbeta = (float *)sgm_take(cursor, (size_t)p.chunks * (size_t)p.C * sizeof(float));
    return p;
}

static void layernorm_weights(sgm_cuda *cuda, sgm_floats x, const float *dy, const norm_parts *p)
{
    bool fours = sgm_in_fours(x.data, x.bf16, p->C) && sgm_in_fours(dy, 0, p->C);
    int groups = fours ? p->C / SGM_VECTOR : p->C;
    sgm_sheet s = sgm_sheet_of(p->rows, groups, p->chunks, SGM_ACROSS);
    const float *statistics = p->statistics;
    float *dgamma = p->dgamma, *dbeta = p->dbeta;
    int rows = p->rows;
    if (fours)
        SGM_LAUNCH_TEAM(layernorm_weights_kernel<SGM_VECTOR>, s.grid, s.block, cuda->stream, x, dy,
                        statistics, rows, groups, dgamma, dbeta);
    else
        SGM_LAUNCH_TEAM(layernorm_weights_kernel<1>, s.grid, s.block, cuda->stream, x, dy,
                        statistics, rows, groups, dgamma, dbeta);
}

sgm_status sgm_cuda_layernorm_backward(sgm_cuda *cuda, const sgm_step *step)
{
    sgm_cursor cursor = {(char *)step->scratch, 0};
    norm_parts p = take_norm(step, &cursor);
    sgm_floats x = sgm_floats_of(&step->in[0]);
    const float *dy = (const float *)step->grad_out.data;
    const float *gamma = (const float *)step->in[1].data;
    float *dx = (float *)step->grad_in[0].data, eps = step->node->u.norm.eps;
    int groups = p.C / SGM_VECTOR;
    if (in_registers(x, gamma, dy, p.C) && sgm_in_fours(dx, 0, p.C))
        LAUNCH_ROWS(layernorm_data_row_kernel, p.rows, groups, cuda->stream, x, gamma, dy, p.rows,
                    groups, eps, p.statistics, dx, step->accumulate[0]);
    else
        SGM_LAUNCH_TEAM(layernorm_data_kernel, (unsigned)p.rows, SGM_TEAM, cuda->stream, x, gamma,
                        dy, p.C, eps, p.statistics, dx, step->accumulate[0]);
    if (!step->grad_in[1].data && !step->grad_in[2].data) return SGM_OK;
    layernorm_weights(cuda, x, dy, &p);
    if (step->grad_in[1].data)
        sgm_cuda_fold(cuda, p.dgamma, p.chunks, p.C, (float *)step->grad_in[1].data,
                      step->accumulate[1]);
    if (step->grad_in[2].data)
        sgm_cuda_fold(cuda, p.dbeta, p.chunks, p.C, (float *)step->grad_in[2].data,
                      step->accumulate[2]);
    return SGM_OK;
}

void sgm_cuda_layernorm_scratch(sgm_cuda *cuda, const sgm_step *step, bool backward,
                                sgm_cursor *cursor)
{
    (void)cuda;
    if (backward) take_norm(step, cursor);
}

/* -------------------------------------------------------------------------------------- softmax */

static __global__ void softmax_kernel(sgm_floats x, int C, sgm_floats out)
{
    __shared__ float board[SGM_TEAM + 32];
    int64_t row = blockIdx.x;
    float top = -INFINITY, sum = 0;
    for (int c = (int)threadIdx.x; c < C; c += SGM_TEAM)
        top = fmaxf(top, sgm_load(x, row * C + c));
    top = sgm_team_max(top, board);
    for (int c = (int)threadIdx.x; c < C; c += SGM_TEAM)
        sum += expf(sgm_load(x, row * C + c) - top);
    sum = sgm_team_sum(sum, board);
    for (int c = (int)threadIdx.x; c < C; c += SGM_TEAM)
        sgm_store(out, row * C + c, expf(sgm_load(x, row * C + c) - top) / sum);
}

sgm_status sgm_cuda_softmax(sgm_cuda *cuda, const sgm_step *step)
{
    SGM_LAUNCH_TEAM(softmax_kernel, (unsigned)sgm_rows_of(step->out.shape), SGM_TEAM, cuda->stream,
                    sgm_floats_of(&step->in[0]), sgm_last_of(step->out.shape),
                    sgm_floats_of(&step->out));
    return SGM_OK;
}

/* dx = y (dy - sum(y dy)); `out` holds the forward result. */
static __global__ void softmax_backward_kernel(sgm_floats y, const float *dy, int C, float *dx,
                                               bool accumulate)
{
    __shared__ float board[SGM_TEAM + 32];
    int64_t row = blockIdx.x;
    float sum = 0;
    for (int c = (int)threadIdx.x; c < C; c += SGM_TEAM)
        sum += sgm_load(y, row * C + c) * dy[row * C + c];
    sum = sgm_team_sum(sum, board);
    for (int c = (int)threadIdx.x; c < C; c += SGM_TEAM)
        sgm_give(&dx[row * C + c], sgm_load(y, row * C + c) * (dy[row * C + c] - sum), accumulate);
}

sgm_status sgm_cuda_softmax_backward(sgm_cuda *cuda, const sgm_step *step)
{
    if (step->grad_in[0].data)
        SGM_LAUNCH_TEAM(softmax_backward_kernel, (unsigned)sgm_rows_of(step->out.shape), SGM_TEAM,
                        cuda->stream, sgm_floats_of(&step->out), (const float *)step->grad_out.data,
                        sgm_last_of(step->out.shape), (float *)step->grad_in[0].data,
                        step->accumulate[0]);
    return SGM_OK;
}
