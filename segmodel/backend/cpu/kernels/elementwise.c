#include "backend/cpu/kernels/elementwise.h"

#include "backend/cpu/kernels/gemm_internal.h"

#define GRAIN 16384 /* elements per item: a few microseconds */

typedef struct job {
    const sgm_isa_table *loops;
    sgm_threads *pool;
    const void *x, *y;
    void *out;
    sgm_dtype x_dtype, y_dtype, out_dtype;
    int64_t n, m, c, y_rows;
    float scale, shift;
    sgm_act act;
    sgm_binary op;
    const float *dout;
    float *dx;
    bool accumulate;
} job;

static job start(sgm_threads *pool, const void *x, sgm_dtype x_dtype, void *out,
                 sgm_dtype out_dtype, int64_t n)
{
    return (job){.loops = sgm_loops(),
                 .pool = pool,
                 .x = x,
                 .x_dtype = x_dtype,
                 .out = out,
                 .out_dtype = out_dtype,
                 .n = n};
}

static int64_t last_of(const job *j, int64_t end)
{
    return end * GRAIN < j->n ? end * GRAIN : j->n;
}

static void run_grains(job *j, sgm_parallel_fn fn)
{
    sgm_parallel_for(j->pool, sgm_div_up(j->n, GRAIN), 0, fn, j);
}

/* Items are rows of c elements: some at a time, so that each piece is worth sharing. */
static void run_rows(job *j, int64_t rows, int64_t elements, sgm_parallel_fn fn)
{
    int64_t chunk = elements > 0 ? sgm_div_up(GRAIN, elements) : 1;
    sgm_parallel_for(j->pool, rows, chunk, fn, j);
}

static void convert_items(void *context, int64_t begin, int64_t end, int thread)
{
    const job *j = context;
    int64_t first = begin * GRAIN;
    (void)thread;
    j->loops->convert(j->x, first, j->x_dtype, j->out, first, j->out_dtype,
                      last_of(j, end) - first);
}

void sgm_convert(sgm_threads *pool, const void *x, sgm_dtype x_dtype, void *out,
                 sgm_dtype out_dtype, int64_t n)
{
    job j = start(pool, x, x_dtype, out, out_dtype, n);
    run_grains(&j, convert_items);
}

static void binary_items(void *context, int64_t begin, int64_t end, int thread)
{
    const job *j = context;
    (void)thread;
    for (int64_t row = begin; row < end; row++)
        j->loops->binary(j->op, j->x, row * j->c, j->x_dtype, j->y, row % j->y_rows * j->c,
                         j->y_dtype, j->out, row * j->c, j->out_dtype, j->c);
}

static void binary_rows(sgm_binary op, sgm_threads *pool, const void *x, sgm_dtype x_dtype,
                        const void *y, sgm_dtype y_dtype, int64_t y_rows, void *out,
                        sgm_dtype out_dtype, int64_t m, int64_t c)
{
    job j = start(pool, x, x_dtype, out, out_dtype, m * c);
    j.op = op;
    j.y = y;
    j.y_dtype = y_dtype;
    j.y_rows = y_rows;
    j.c = c;
    run_rows(&j, m, c, binary_items);
}

void sgm_add_rows(sgm_threads *pool, const void *x, sgm_dtype x_dtype, const void *y,
                  sgm_dtype y_dtype, int64_t y_rows, void *out, sgm_dtype out_dtype, int64_t m,
                  int64_t c)
{
    binary_rows(SGM_BINARY_ADD, pool, x, x_dtype, y, y_dtype, y_rows, out, out_dtype, m, c);
}

void sgm_mul_rows(sgm_threads *pool, const void *x, sgm_dtype x_dtype, const void *y,
                  sgm_dtype y_dtype, int64_t y_rows, void *out, sgm_dtype out_dtype, int64_t m,
                  int64_t c)
{
    binary_rows(SGM_BINARY_MUL, pool, x, x_dtype, y, y_dtype, y_rows, out, out_dtype, m, c);
}

static void affine_items(void *context, int64_t begin, int64_t end, int thread)
{
    const job *j = context;
    (void)thread;
    j->loops->affine(j->x, j->x_dtype, j->scale, j->shift, j->out, j->out_dtype, begin * GRAIN,
                     last_of(j, end));
}

void sgm_affine_rows(sgm_threads *pool, const void *x, sgm_dtype x_dtype, float scale, float shift,
                     void *out, sgm_dtype out_dtype, int64_t n)
{
    job j = start(pool, x, x_dtype, out, out_dtype, n);
    j.scale = scale;
    j.shift = shift;
    run_grains(&j, affine_items);
}

static void act_items(void *context, int64_t begin, int64_t end, int thread)
{
    const job *j = context;
    (void)thread;
    j->loops->act(j->act, j->x, j->x_dtype, j->out, j->out_dtype, begin * GRAIN, last_of(j, end));
}

void sgm_act_forward(sgm_threads *pool, sgm_act act, const void *x, sgm_dtype x_dtype, void *out,
                     sgm_dtype out_dtype, int64_t n)
{
    job j = start(pool, x, x_dtype, out, out_dtype, n);
    j.act = act;
    run_grains(&j, act_items);
}

static void act_slopes_items(void *context, int64_t begin, int64_t end, int thread)
{
    const job *j = context;
    (void)thread;
    j->loops->act_slopes(j->act, j->x, j->out, j->dx, begin * GRAIN, last_of(j, end));
}

void sgm_act_slopes(sgm_threads *pool, sgm_act act, const float *x, float *out, float *slope,
                    int64_t n)
{
    job j = start(pool, x, SGM_F32, out, SGM_F32, n);
    j.act = act;
    j.dx = slope;
    run_grains(&j, act_slopes_items);
}

static void mul_alike_items(void *context, int64_t begin, int64_t end, int thread)
{
    const job *j = context;
    int64_t first = begin * GRAIN;
    (void)thread;
    j->loops->binary(SGM_BINARY_MUL, j->x, first, SGM_F32, j->y, first, SGM_F32, j->out, first,
                     SGM_F32, last_of(j, end) - first);
}

void sgm_mul_alike(sgm_threads *pool, const float *x, const float *y, float *out, int64_t n)
{
    job j = start(pool, x, SGM_F32, out, SGM_F32, n);
    j.y = y;
    run_grains(&j, mul_alike_items);
}

static void act_grad_items(void *context, int64_t begin, int64_t end, int thread)
{
    const job *j = context;
    (void)thread;
    j->loops->act_grad(j->act, j->x, j->x_dtype, j->dout, j->dx, j->accumulate, begin * GRAIN,
                       last_of(j, end));
}

void sgm_act_backward(sgm_threads *pool, sgm_act act, const void *x, sgm_dtype x_dtype,
                      const float *dout, float *dx, bool accumulate, int64_t n)
{
    job j = start(pool, x, x_dtype, NULL, SGM_F32, n);
    j.act = act;
    j.dout = dout;
    j.dx = dx;
    j.accumulate = accumulate;
    run_grains(&j, act_grad_items);
}

/* ------------------------------------------------------------------------------------ reductions
 */

#define SUM_BLOCKS 64 /* partial sums, whatever the number of threads */

static void sum_items(void *context, int64_t begin, int64_t end, int thread)
{
    const job *j = context;
    int64_t block = sgm_div_up(j->m, SUM_BLOCKS);
    (void)thread;
    for (int64_t b = begin; b < end; b++) {
        float *sum = (float *)j->out + b * j->c;
        memset(sum, 0, sizeof(float) * (size_t)j->c);
        int64_t rows = j->m - b * block < block ? j->m - b * block : block;
        j->loops->sum_rows(sum, j->x, b * block * j->c, j->x_dtype, j->c, rows);
    }
}

sgm_status sgm_column_sum(sgm_threads *pool, const void *x, sgm_dtype x_dtype, int64_t m, int64_t c,
                          float *out, bool accumulate)
{
    int64_t blocks = m > 0 ? sgm_div_up(m, sgm_div_up(m, SUM_BLOCKS)) : 0;
    if (!accumulate) memset(out, 0, sizeof(float) * (size_t)c);
    sgm_threads_lock(pool);
    sgm_status status = sgm_threads_reserve(pool, 0, sizeof(float) * (size_t)(blocks * c));
    if (status == SGM_OK) {
        float *partial = sgm_threads_shared(pool);
        job j = start(pool, x, x_dtype, partial, SGM_F32, m * c);
        j.m = m;
        j.c = c;
        sgm_parallel_for(pool, blocks, m * c < GRAIN ? blocks : 1, sum_items, &j);
        for (int64_t b = 0; b < blocks; b++)
            j.loops->add_to(out, partial, b * c, SGM_F32, c);
    }
    sgm_threads_unlock(pool);
    return status;
}

static void softmax_items(void *context, int64_t begin, int64_t end, int thread)
{
    const job *j = context;
    (void)thread;
    j->loops->softmax_rows(j->x, j->x_dtype, j->out, j->out_dtype, begin, end, j->c);
}

void sgm_softmax_rows(sgm_threads *pool, const void *x, sgm_dtype x_dtype, void *out,
                      sgm_dtype out_dtype, int64_t m, int64_t c)
{
    job j = start(pool, x, x_dtype, out, out_dtype, m * c);
    j.c = c;
    run_rows(&j, m, c, softmax_items);
}
