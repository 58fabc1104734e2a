/* Normalisation and softmax over the last axis: one warp per row, which keeps the row in registers,
 * or one block where rows are long or no whole groups of four. */
#include "cuda_mma.h"
#include "cuda_vector.h"

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

sgm_status sgm_cuda_layernorm(sgm_cuda *cuda, const sgm_step *step)
{
    sgm_floats x = sgm_floats_of(&step->in[0]), out = sgm_floats_of(&step->out);
    const float *gamma = (const float *)step->in[1].data, *beta = (const float *)step->in[2].data;
    int rows = sgm_rows_of(step->out.shape), C = sgm_last_of(step->out.shape);
    float eps = step->node->u.norm.eps;
    int act = (int)step->act, groups = C / SGM_VECTOR;
    if (in_registers(x, gamma, beta, C) && sgm_in_fours(out.data, out.bf16, C))
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

/* One thread per channel and chunk of rows. */
static __global__ void layernorm_weights_kernel(sgm_floats x, const float *dy,
                                                const float *statistics, int rows, int C,
                                                int chunks, float *dgamma, float *dbeta)
{
    int c = (int)(blockIdx.x * blockDim.x + threadIdx.x), chunk = (int)blockIdx.y;
    if (c >= C) return;
    float gamma_sum = 0, beta_sum = 0;
    for (int64_t r = chunk; r < rows; r += chunks) {
        float n = (sgm_load(x, r * C + c) - statistics[2 * r]) * statistics[2 * r + 1];
        gamma_sum += dy[r * C + c] * n;
        beta_sum += dy[r * C + c];
    }
    dgamma[chunk * C + c] = gamma_sum;
    dbeta[chunk * C + c] = beta_sum;
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
    p.chunks = (p.rows + 31) / 32 < 128 ? (p.rows + 31) / 32 : 128;
    p.statistics = (float *)sgm_take(cursor, (size_t)p.rows * 2 * sizeof(float));
    p.dgamma = (float *)sgm_take(cursor, (size_t)p.chunks * (size_t)p.C * sizeof(float));
    p.dbeta = (float *)sgm_take(cursor, (size_t)p.chunks * (size_t)p.C * sizeof(float));
    return p;
}

sgm_status sgm_cuda_layernorm_backward(sgm_cuda *cuda, const sgm_step *step)
{
    sgm_cursor cursor = {(char *)step->scratch, 0};
    norm_parts p = take_norm(step, &cursor);
    sgm_floats x = sgm_floats_of(&step->in[0]);
    const float *dy = (const float *)step->grad_out.data;
    dim3 grid(sgm_blocks(p.C), (unsigned)p.chunks);
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
    SGM_LAUNCH(layernorm_weights_kernel, grid, SGM_THREADS, cuda->stream, x, dy, p.statistics,
               p.rows, p.C, p.chunks, p.dgamma, p.dbeta);
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
