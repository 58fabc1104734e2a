#include "backend/cpu/kernels/elementwise.h"

#include "backend/cpu/kernels/convolution_internal.h"

#define BAND 16          /* output rows per item: input rows are read again from L2 */
#define TILE_BYTES 65536 /* of one row of a tile: a few rows of it stay in L2 */
#define WEIGHT_BLOCKS 64 /* partial sums of the weight gradient, whatever the number of threads */

typedef struct depthwise_items {
    sgm_depthwise_job forward;
    sgm_depthwise_grad grad;
    const sgm_isa_table *loops;
    float *partial; /* [blocks][taps * C] */
    int64_t rows, block, size;
    int64_t tile, tiles; /* output pixels per tile; tiles per row */
} depthwise_items;

static sgm_status check(const sgm_conv_shape *s)
{
    if (s->channels != s->outputs)
        return sgm_fail(SGM_INVALID_ARGUMENT, "depthwise convolution: %lld channels in, %lld out",
                        (long long)s->channels, (long long)s->outputs);
    return sgm_conv_check(s);
}

/* w[C, taps] -> to[taps, C] */
static void by_taps(const float *w, int64_t c, int64_t taps, float *to)
{
    for (int64_t i = 0; i < c; i++)
        for (int64_t t = 0; t < taps; t++)
            to[t * c + i] = w[i * taps + t];
}

static void forward_items(void *context, int64_t begin, int64_t end, int thread)
{
    const depthwise_items *j = context;
    (void)thread;
    int64_t width = sgm_conv_out_width(&j->forward.shape);
    for (int64_t item = begin; item < end; item++) {
        int64_t band = item / j->tiles * BAND, x = item % j->tiles * j->tile;
        int64_t last = band + BAND < j->rows ? band + BAND : j->rows;
        for (int64_t row = band; row < last; row++)
            j->loops->depthwise_row(&j->forward, row, x, x + j->tile < width ? x + j->tile : width);
    }
}

/* Bands of rows by tiles of columns. */
static void run_forward(sgm_threads *pool, depthwise_items *job)
{
    const sgm_conv_shape *s = &job->forward.shape;
    job->loops = sgm_loops();
    job->rows = s->batch * sgm_conv_out_height(s);
    job->tile = sgm_div_up(TILE_BYTES / (4 * s->channels), 4) * 4;
    if (job->tile < 4) job->tile = 4;
    job->tiles = sgm_div_up(sgm_conv_out_width(s), job->tile);
    sgm_parallel_for(pool, sgm_div_up(job->rows, BAND) * job->tiles, 1, forward_items, job);
}

sgm_status sgm_depthwise_forward(sgm_threads *pool, const sgm_conv_shape *s, const float *w,
                                 const float *bias, sgm_act act, const void *x, sgm_dtype x_dtype,
                                 void *out, sgm_dtype out_dtype, float *slope)
{
    SGM_TRY(check(s));
    int64_t taps = (int64_t)s->kernel_h * s->kernel_w;
    sgm_threads_lock(pool);
    sgm_status status = sgm_threads_reserve(pool, 0, sizeof(float) * (size_t)(taps * s->channels));
    if (status == SGM_OK) {
        float *ordered = sgm_threads_shared(pool);
        by_taps(w, s->channels, taps, ordered);
        depthwise_items job = {
            .forward = {*s, ordered, bias, act, x, out, x_dtype, out_dtype, slope, NULL}};
        run_forward(pool, &job);
    }
    sgm_threads_unlock(pool);
    return status;
}

/* With stride 1 the data gradient is the convolution of dout with the filters turned by 180
 * degrees. */
static bool turns(const sgm_conv_shape *s, const sgm_conv_grads *g)
{
    return s->stride == 1 && s->kernel_h == s->kernel_w && s->pad < s->kernel_h &&
           !g->accumulate_dx;
}

static void turned_data_grad(sgm_threads *pool, const sgm_conv_shape *s, const sgm_conv_grads *g,
                             float *ordered)
{
    int64_t c = s->channels, taps = (int64_t)s->kernel_h * s->kernel_w;
    for (int64_t i = 0; i < c; i++)
        for (int64_t t = 0; t < taps; t++)
            ordered[(taps - 1 - t) * c + i] = g->w[i * taps + t];
    sgm_conv_shape turned = *s;
    turned.height = sgm_conv_out_height(s);
    turned.width = sgm_conv_out_width(s);
    turned.pad = s->kernel_h - 1 - s->pad;
    depthwise_items job = {.forward = {turned, ordered, NULL, SGM_ACT_NONE, g->dout, g->dx, SGM_F32,
                                       SGM_F32, NULL, g->factor}};
    run_forward(pool, &job);
}

static void dx_items(void *context, int64_t begin, int64_t end, int thread)
{
    const depthwise_items *j = context;
    (void)thread;
    for (int64_t row = begin; row < end; row++)
        j->loops->depthwise_grad_row(&j->grad, row);
}

static void dw_items(void *context, int64_t begin, int64_t end, int thread)
{
    const depthwise_items *j = context;
    (void)thread;
    for (int64_t b = begin; b < end; b++) {
        float *dw = j->partial + b * j->size;
        int64_t last = (b + 1) * j->block < j->rows ? (b + 1) * j->block : j->rows;
        memset(dw, 0, sizeof(float) * (size_t)j->size);
        j->loops->depthwise_weight_grad(&j->grad, b * j->block, last, dw);
    }
}

static void store_weight_grad(const depthwise_items *j, int64_t blocks, int64_t c, int64_t taps,
                              float *dw, bool accumulate)
{
    for (int64_t b = 1; b < blocks; b++)
        j->loops->add_to(j->partial, j->partial, b * j->size, SGM_F32, j->size);
    for (int64_t i = 0; i < c; i++)
        for (int64_t t = 0; t < taps; t++) {
            float sum = j->partial[t * c + i];
            dw[i * taps + t] = accumulate ? dw[i * taps + t] + sum : sum;
        }
}

static void weight_grad(sgm_threads *pool, depthwise_items *j, const sgm_conv_grads *g,
                        int64_t taps)
{
    const sgm_conv_shape *s = &j->grad.shape;
    int64_t blocks = sgm_div_up(j->rows, j->block);
    sgm_parallel_for(pool, blocks, 1, dw_items, j);
    store_weight_grad(j, blocks, s->channels, taps, g->dw, g->accumulate_dw);
}

sgm_status sgm_depthwise_backward(sgm_threads *pool, const sgm_conv_shape *s,
                                  const sgm_conv_grads *g)
{
    SGM_TRY(check(s));
    int64_t taps = (int64_t)s->kernel_h * s->kernel_w, size = taps * s->channels;
    depthwise_items job = {
        .grad = {*s, NULL, g->dout, g->x, g->x_dtype, g->dx, g->accumulate_dx, g->factor},
        .loops = sgm_loops(),
        .rows = s->batch * sgm_conv_out_height(s),
        .size = size};
    job.block = sgm_div_up(job.rows, WEIGHT_BLOCKS);
    if (job.block < 1) job.block = 1;
    sgm_threads_lock(pool);
    sgm_status status =
        sgm_threads_reserve(pool, 0, sizeof(float) * (size_t)(size * (WEIGHT_BLOCKS + 1)));
    if (status == SGM_OK && g->dx) {
        float *ordered = (float *)sgm_threads_shared(pool) + size * WEIGHT_BLOCKS;
        if (turns(s, g)) {
            turned_data_grad(pool, s, g, ordered);
        } else {
            by_taps(g->w, s->channels, taps, ordered);
            job.grad.w = ordered;
            sgm_parallel_for(pool, s->batch * s->height, 0, dx_items, &job);
        }
    }
    if (status == SGM_OK && g->dw) {
        job.partial = sgm_threads_shared(pool);
        weight_grad(pool, &job, g, taps);
    }
    sgm_threads_unlock(pool);
    if (status == SGM_OK && g->dbias)
        status = sgm_column_sum(pool, g->dout, SGM_F32, job.rows * sgm_conv_out_width(s),
                                s->channels, g->dbias, g->accumulate_dbias);
    return status;
}
