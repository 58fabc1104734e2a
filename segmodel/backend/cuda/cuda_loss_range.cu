/* AutoSAM's loss on the device, with the formulas of backend/ref/loss_range.c: one block per sample looks
 * for the extremes, sums, and writes the gradient; one thread adds the samples' losses up. */
#include "cuda_internal.h"

typedef struct range_args {
    const float *x, *t;
    int batch, pixels;
} range_args;

static range_args range_args_of(const sgm_step *step)
{
    range_args a = {};
    sgm_shape shape = step->in[0].shape;
    a.x = (const float *)step->in[0].data;
    a.t = (const float *)step->in[1].data;
    a.batch = (int)shape.dim[0];
    a.pixels = sgm_count_of(shape) / a.batch;
    return a;
}

/* One sample's mask between its extremes, the first of equal ones. */
typedef struct range_frame {
    double low, range;
    int least, most;
} range_frame;

/* `board`: SGM_TEAM places each. Every thread gets the answer. */
static __device__ range_frame frame_of(const float *x, int pixels, int *least, int *most)
{
    int me = (int)threadIdx.x, low = me < pixels ? me : 0, high = low;
    for (int i = me; i < pixels; i += SGM_TEAM) {
        if (x[i] < x[low]) low = i;
        if (x[i] > x[high]) high = i;
    }
    least[me] = low;
    most[me] = high;
    __syncthreads();
    range_frame f;
    f.least = least[0];
    f.most = most[0];
    for (int k = 1; k < SGM_TEAM; k++) {
        int a = least[k], b = most[k];
        if (x[a] < x[f.least] || (x[a] == x[f.least] && a < f.least)) f.least = a;
        if (x[b] > x[f.most] || (x[b] == x[f.most] && b < f.most)) f.most = b;
    }
    f.low = x[f.least];
    f.range = (double)x[f.most] - f.low + 1e-6;
    __syncthreads();
    return f;
}

static __device__ double at_least(double value, double limit)
{
    return value > limit ? value : limit;
}

/* losses: [batch], or NULL; grad_loss and grad: NULL forward. */
static __global__ void range_kernel(range_args a, const float *grad_loss, double *losses,
                                    float *grad, bool accumulate)
{
    __shared__ double board[SGM_TEAM + 32];
    __shared__ int least[SGM_TEAM], most[SGM_TEAM];
    int sample = (int)blockIdx.x;
    const float *x = a.x + (int64_t)sample * a.pixels, *t = a.t + (int64_t)sample * a.pixels;
    range_frame f = frame_of(x, a.pixels, least, most);
    double mine[4] = {0, 0, 0, 0}; /* p t, p, t, entropy */
    for (int i = (int)threadIdx.x; i < a.pixels; i += SGM_TEAM) {
        double p = (x[i] - f.low) / f.range;
        mine[0] += p * t[i];
        mine[1] += p;
        mine[2] += t[i];
        mine[3] -= t[i] * at_least(log(p), -100) + (1 - t[i]) * at_least(log1p(-p), -100);
    }
    for (int k = 0; k < 4; k++)
        mine[k] = sgm_team_sum(mine[k], board);
    double num = mine[0] + 1, den = (mine[1] + mine[2]) / 2 + 1;
    double pixels = (double)a.batch * a.pixels;
    if (losses && threadIdx.x == 0)
        losses[sample] = mine[3] / pixels + (1 - num / den) / a.batch;
    if (!grad) return;
    double scale = *grad_loss, low = 0, high = 0;
    float *to = grad + (int64_t)sample * a.pixels;
    for (int i = (int)threadIdx.x; i < a.pixels; i += SGM_TEAM) {
        double p = (x[i] - f.low) / f.range;
        double slope = scale / pixels * (p - t[i]) / at_least(p * (1 - p), 1e-12);
        slope += scale / a.batch * (num / 2 - t[i] * den) / (den * den);
        sgm_give(&to[i], (float)(slope / f.range), accumulate);
        low += slope * (p - 1);
        high -= slope * p;
    }
    low = sgm_team_sum(low, board);
    high = sgm_team_sum(high, board);
    if (threadIdx.x != 0) return;
    to[f.least] += (float)(low / f.range);
    to[f.most] += (float)(high / f.range);
}

static __global__ void range_total_kernel(const double *losses, int batch, float *loss)
{
    double sum = 0;
    for (int b = 0; b < batch; b++)
        sum += losses[b];
    *loss = (float)sum;
}

void sgm_cuda_range_loss(sgm_cuda *cuda, const sgm_step *step)
{
    range_args a = range_args_of(step);
    double *losses = (double *)step->scratch;
    const float *no_slope = NULL;
    float *no_grad = NULL, *loss = (float *)step->out.data;
    SGM_LAUNCH_TEAM(range_kernel, (unsigned)a.batch, SGM_TEAM, cuda->stream, a, no_slope, losses,
                    no_grad, false);
    SGM_LAUNCH(range_total_kernel, 1, 1, cuda->stream, losses, a.batch, loss);
}

void sgm_cuda_range_loss_backward(sgm_cuda *cuda, const sgm_step *step)
{
    range_args a = range_args_of(step);
    double *no_losses = NULL;
    float *grad = (float *)step->grad_in[0].data;
    const float *slope = (const float *)step->grad_out.data;
    bool accumulate = step->accumulate[0];
    if (grad)
        SGM_LAUNCH_TEAM(range_kernel, (unsigned)a.batch, SGM_TEAM, cuda->stream, a, slope,
                        no_losses, grad, accumulate);
}

void sgm_cuda_range_loss_scratch(const sgm_step *step, sgm_cursor *cursor)
{
    sgm_take(cursor, (size_t)range_args_of(step).batch * sizeof(double));
}
