#include "backend/cpu/kernels/elementwise.h"
#include "backend/cpu/kernels/gemm_internal.h"

#include <math.h>

typedef struct source_point {
    int64_t low, high;
    float fraction; /* of high */
} source_point;

/* Where output index i of `out` samples an axis of `in`, in FP32 as PyTorch computes it. */
static source_point source_of(int64_t i, int64_t in, int64_t out, bool align_corners)
{
    float at;
    if (align_corners)
        at = out > 1 ? (float)i * ((float)(in - 1) / (float)(out - 1)) : 0.0f;
    else
        at = ((float)i + 0.5f) * ((float)in / (float)out) - 0.5f;
    if (at < 0) at = 0;
    int64_t low = (int64_t)at;
    if (low > in - 1) low = in - 1;
    return (source_point){low, low < in - 1 ? low + 1 : low, at - (float)low};
}

typedef struct resize_job {
    sgm_resize_plan plan;
    const sgm_isa_table *loops;
    sgm_threads *pool;
} resize_job;

static void resize_items(void *context, int64_t begin, int64_t end, int thread)
{
    const resize_job *j = context;
    const sgm_resize_plan *p = &j->plan;
    float *temp = sgm_threads_scratch(j->pool, thread);
    for (int64_t row = begin; row < end; row++) {
        source_point y = source_of(row % p->out_height, p->height, p->out_height, p->align_corners);
        j->loops->resize_row(p, row, y.low, y.high, y.fraction, temp);
    }
}

/* The columns every row samples. `memory`: 3 * out_width words. */
static void plan_columns(sgm_resize_plan *p, void *memory)
{
    int32_t *low = memory, *high = low + p->out_width;
    float *fraction = (float *)(high + p->out_width);
    for (int64_t x = 0; x < p->out_width; x++) {
        source_point s = source_of(x, p->width, p->out_width, p->align_corners);
        low[x] = (int32_t)(s.low * p->channels);
        high[x] = (int32_t)(s.high * p->channels);
        fraction[x] = s.fraction;
    }
    p->low = low;
    p->high = high;
    p->fraction = fraction;
}

sgm_status sgm_resize_bilinear(sgm_threads *pool, const void *x, sgm_dtype x_dtype, int64_t batch,
                               int64_t height, int64_t width, int64_t channels, int64_t out_height,
                               int64_t out_width, bool align_corners, void *out,
                               sgm_dtype out_dtype)
{
    if (height < 1 || width < 1 || channels < 1 || width * channels > INT32_MAX - 64)
        return sgm_fail(SGM_INVALID_ARGUMENT, "resize: image of %lld x %lld x %lld",
                        (long long)height, (long long)width, (long long)channels);
    resize_job job = {.plan = {.x = x,
                               .out = out,
                               .x_dtype = x_dtype,
                               .out_dtype = out_dtype,
                               .height = height,
                               .width = width,
                               .channels = channels,
                               .out_height = out_height,
                               .out_width = out_width,
                               .align_corners = align_corners},
                      .loops = sgm_loops(),
                      .pool = pool};
    sgm_threads_lock(pool);
    sgm_status status = sgm_threads_reserve(pool, sizeof(float) * (size_t)(width * channels + 64),
                                            sizeof(float) * 3 * (size_t)out_width);
    if (status == SGM_OK) {
        plan_columns(&job.plan, sgm_threads_shared(pool));
        sgm_parallel_for(pool, batch * out_height, 0, resize_items, &job);
    }
    sgm_threads_unlock(pool);
    return status;
}

/* ------------------------------------------------------------------------------- its gradient */

typedef struct fold_job {
    const float *dout;
    float *dx;
    int64_t height, width, channels, out_height, out_width;
    bool align_corners, accumulate;
} fold_job;

static void add_weighted(float *to, float weight, const float *from, int64_t n)
{
    if (weight != 0) sgm_loops()->axpy(to, weight, from, n);
}

static void fold_row(const fold_job *j, const float *dout, float weight, float *dx)
{
    if (weight == 0) return;
    for (int64_t ox = 0; ox < j->out_width; ox++) {
        source_point x = source_of(ox, j->width, j->out_width, j->align_corners);
        const float *from = dout + ox * j->channels;
        add_weighted(dx + x.low * j->channels, weight * (1 - x.fraction), from, j->channels);
        add_weighted(dx + x.high * j->channels, weight * x.fraction, from, j->channels);
    }
}

/* Input rows [begin, end): each gathers from the output rows that sampled it. */
static void fold_items(void *context, int64_t begin, int64_t end, int thread)
{
    const fold_job *j = context;
    (void)thread;
    for (int64_t row = begin; row < end; row++) {
        float *dx = j->dx + row * j->width * j->channels;
        if (!j->accumulate) memset(dx, 0, sizeof(float) * (size_t)(j->width * j->channels));
        for (int64_t oy = 0; oy < j->out_height; oy++) {
            source_point y = source_of(oy, j->height, j->out_height, j->align_corners);
            int64_t iy = row % j->height, out_row = row / j->height * j->out_height + oy;
            float weight = (y.low == iy ? 1 - y.fraction : 0) + (y.high == iy ? y.fraction : 0);
            fold_row(j, j->dout + out_row * j->out_width * j->channels, weight, dx);
        }
    }
}

sgm_status sgm_resize_bilinear_backward(sgm_threads *pool, const float *dout, int64_t batch,
                                        int64_t height, int64_t width, int64_t channels,
                                        int64_t out_height, int64_t out_width, bool align_corners,
                                        float *dx, bool accumulate)
{
    fold_job job = {dout,       dx,        height,        width,     channels,
                    out_height, out_width, align_corners, accumulate};
    sgm_parallel_for(pool, batch * height, 0, fold_items, &job);
    return SGM_OK;
}

/* ------------------------------------------------------------------------------------ max pool */

typedef struct pool_job {
    const void *x;
    sgm_dtype x_dtype, out_dtype;
    void *out;
    const float *dout;
    float *dx;
    int64_t height, width, channels;
    bool accumulate;
} pool_job;

static void corners(const pool_job *j, int64_t row, int64_t ox, int64_t at[4])
{
    int64_t oh = j->height / 2, y = row / oh * j->height + row % oh * 2;
    for (int i = 0; i < 4; i++)
        at[i] = ((y + i / 2) * j->width + 2 * ox + i % 2) * j->channels;
}

static void pool_items(void *context, int64_t begin, int64_t end, int thread)
{
    const pool_job *j = context;
    int64_t ow = j->width / 2, at[4];
    (void)thread;
    for (int64_t row = begin; row < end; row++)
        for (int64_t ox = 0; ox < ow; ox++) {
            corners(j, row, ox, at);
            sgm_loops()->max4(j->x, at, j->x_dtype, j->out, (row * ow + ox) * j->channels,
                              j->out_dtype, j->channels);
        }
}

void sgm_maxpool2(sgm_threads *pool, const void *x, sgm_dtype x_dtype, int64_t batch,
                  int64_t height, int64_t width, int64_t channels, void *out, sgm_dtype out_dtype)
{
    pool_job job = {.x = x,
                    .x_dtype = x_dtype,
                    .out = out,
                    .out_dtype = out_dtype,
                    .height = height,
                    .width = width,
                    .channels = channels};
    sgm_parallel_for(pool, batch * (height / 2), 0, pool_items, &job);
}

static float value(const pool_job *j, int64_t at)
{
    float x;
    if (j->x_dtype == SGM_F32) return ((const float *)j->x)[at];
    uint32_t bits = (uint32_t)((const uint16_t *)j->x)[at] << 16;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void pool_grad_pixel(const pool_job *j, int64_t row, int64_t ox)
{
    int64_t at[4];
    corners(j, row, ox, at);
    const float *g = j->dout + (row * (j->width / 2) + ox) * j->channels;
    for (int64_t c = 0; c < j->channels; c++) {
        int best = 0;
        for (int i = 1; i < 4; i++) {
            float y = value(j, at[i] + c);
            if (y > value(j, at[best] + c) || isnan(y)) best = i; /* as max4 */
        }
        j->dx[at[best] + c] += g[c];
    }
}

/* Output rows own their two input rows. */
static void pool_grad_items(void *context, int64_t begin, int64_t end, int thread)
{
    const pool_job *j = context;
    (void)thread;
    for (int64_t row = begin; row < end; row++)
        for (int64_t ox = 0; ox < j->width / 2; ox++)
            pool_grad_pixel(j, row, ox);
}

void sgm_maxpool2_backward(sgm_threads *pool, const void *x, sgm_dtype x_dtype, const float *dout,
                           int64_t batch, int64_t height, int64_t width, int64_t channels,
                           float *dx, bool accumulate)
{
    pool_job job = {.x = x,
                    .x_dtype = x_dtype,
                    .dout = dout,
                    .dx = dx,
                    .height = height,
                    .width = width,
                    .channels = channels};
    if (!accumulate) memset(dx, 0, sizeof(float) * (size_t)(batch * height * width * channels));
    sgm_parallel_for(pool, batch * (height / 2), 0, pool_grad_items, &job);
}
