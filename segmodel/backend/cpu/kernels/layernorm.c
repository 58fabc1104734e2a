#include "backend/cpu/kernels/layernorm.h"

#include "backend/cpu/kernels/gemm_internal.h"

#define GRAIN 8192     /* elements per item */
#define GRAD_BLOCKS 64 /* partial sums of the parameters' gradients, whatever the threads */

typedef struct norm_job {
    const sgm_layernorm_args *args;
    const sgm_isa_table *loops;
} norm_job;

static void norm_items(void *context, int64_t begin, int64_t end, int thread)
{
    const norm_job *j = context;
    (void)thread;
    j->loops->layernorm(j->args, begin, end);
}

sgm_status sgm_layernorm_forward(sgm_threads *pool, const sgm_layernorm_args *args)
{
    if (args->c <= 0)
        return sgm_fail(SGM_INVALID_ARGUMENT, "layer norm: %lld channels", (long long)args->c);
    norm_job job = {args, sgm_loops()};
    sgm_parallel_for(pool, args->m, sgm_div_up(GRAIN, args->c), norm_items, &job);
    return SGM_OK;
}

static void grad_items(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    sgm_loops()->layernorm_grad(context, begin, end);
}

static void add_partials(const sgm_norm_grad_job *j, int64_t blocks, int which, float *out,
                         bool accumulate)
{
    if (!out) return;
    if (!accumulate) memset(out, 0, sizeof(float) * (size_t)j->c);
    for (int64_t b = 0; b < blocks; b++)
        sgm_loops()->add_to(out, j->partial, (b * 2 + which) * j->c, SGM_F32, j->c);
}

sgm_status sgm_layernorm_backward(sgm_threads *pool, int64_t m, int64_t c, const void *x,
                                  sgm_dtype x_dtype, const float *gamma, float eps,
                                  const float *dout, float *dx, bool accumulate_dx, float *dgamma,
                                  bool accumulate_dgamma, float *dbeta, bool accumulate_dbeta)
{
    if (c <= 0) return sgm_fail(SGM_INVALID_ARGUMENT, "layer norm: %lld channels", (long long)c);
    bool sums = dgamma || dbeta;
    int64_t block = m > 0 ? sgm_div_up(m, GRAD_BLOCKS) : 1, blocks = sgm_div_up(m, block);
    sgm_norm_grad_job job = {.m = m,
                             .c = c,
                             .block = block,
                             .x = x,
                             .x_dtype = x_dtype,
                             .gamma = gamma,
                             .dout = dout,
                             .eps = eps,
                             .dx = dx,
                             .accumulate_dx = accumulate_dx};
    sgm_threads_lock(pool);
    sgm_status status =
        sgm_threads_reserve(pool, 0, sums ? sizeof(float) * 2 * (size_t)(blocks * c) : 0);
    if (status == SGM_OK) {
        job.partial = sums ? sgm_threads_shared(pool) : NULL;
        sgm_parallel_for(pool, blocks, m * c < GRAIN ? blocks : 1, grad_items, &job);
        add_partials(&job, blocks, 0, dgamma, accumulate_dgamma);
        add_partials(&job, blocks, 1, dbeta, accumulate_dbeta);
    }
    sgm_threads_unlock(pool);
    return status;
}
