/* Normalisation and softmax over the last axis: one block per row. */
#include "cuda_internal.h"

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

sgm_status sgm_cuda_layernorm(sgm_cuda *cuda, const sgm_step *step)
{
    SGM_LAUNCH_TEAM(layernorm_kernel, (unsigned)sgm_rows_of(step->out.shape), SGM_TEAM,
                    cuda->stream, sgm_floats_of(&step->in[0]), (const float *)step->in[1].data,
                    (const float *)step->in[2].data, sgm_last_of(step->out.shape),
                    step->node->u.norm.eps, (int)step->act, sgm_floats_of(&step->out));
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
    SGM_LAUNCH_TEAM(layernorm_data_kernel, (unsigned)p.rows, SGM_TEAM, cuda->stream, x,
                    (const float *)step->in[1].data, dy, p.C, step->node->u.norm.eps, p.statistics,
                    (float *)step->grad_in[0].data, step->accumulate[0]);
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
