#include "backend/cpu/kernels/attention.h"

#include "backend/cpu/kernels/attention_grad.h"

#include <math.h>

#define SPLIT_LEAST 64 /* keys of a part, where keys are split: a multiple of a panel */
#define SPLIT_MOST 256 /* and at most a tile */

typedef struct job {
    const sgm_attention_args *args;
    const sgm_micro *micro;
    sgm_threads *pool;
    int64_t parts, part; /* pieces of the queries (or keys) of one head, and their length */
} job;

static sgm_tokens tokens(const void *data, sgm_dtype dtype, int64_t at, int64_t ld, int64_t n)
{
    return (sgm_tokens){data, dtype, at, n, 0, ld};
}

/* All queries and keys of one head. */
static sgm_attention_task whole_task(const sgm_attention_args *a, int64_t b, int64_t head)
{
    int64_t at = head * a->head_dim;
    return (sgm_attention_task){
        .q = tokens(a->q, a->q_dtype, b * a->q_batch + at, a->q_ld, a->nq),
        .k = tokens(a->k, a->k_dtype, b * a->k_batch + at, a->k_ld, a->nk),
        .v = tokens(a->v, a->v_dtype, b * a->v_batch + at, a->v_ld, a->nk),
        .out = tokens(a->out, a->out_dtype, b * a->out_batch + at, a->out_ld, a->nq),
        .nq = a->nq,
        .nk = a->nk,
        .head_dim = a->head_dim,
        .scale = a->scale,
        .compute = a->compute};
}

static void items(void *context, int64_t begin, int64_t end, int thread)
{
    const job *j = context;
    const sgm_attention_args *a = j->args;
    for (int64_t item = begin; item < end; item++) {
        int64_t part = item % j->parts, head = item / j->parts;
        sgm_attention_task task = whole_task(a, head / a->heads, head % a->heads);
        task.first = part * j->part;
        task.nq = a->nq - task.first < j->part ? a->nq - task.first : j->part;
        sgm_attention_task_run(&task, j->micro, sgm_threads_scratch(j->pool, thread));
    }
}

static sgm_status check(const sgm_attention_args *a)
{
    if (a->nq < 0 || a->nk < 1 || a->heads < 1 || a->head_dim < 1 || a->head_dim > SGM_MAX_HEAD_DIM)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "attention: %lld queries, %lld keys, %d heads of %d channels (at most %d)",
                        (long long)a->nq, (long long)a->nk, a->heads, a->head_dim,
                        SGM_MAX_HEAD_DIM);
    if (!sgm_micro_for(a->compute))
        return sgm_fail(SGM_DEVICE, "attention: no BF16 products on this processor");
    return SGM_OK;
}

/* Packing the keys costs about as much as 8 queries: pieces of at least 64 when there are few
 * heads for the threads. */
static void split_queries(job *j)
{
    const sgm_attention_args *a = j->args;
    int64_t heads = a->batch * a->heads, wanted = 4 * sgm_threads_count(j->pool);
    j->parts = heads > 0 ? sgm_div_up(wanted, heads) : 1;
    if (j->parts > sgm_div_up(a->nq, 128)) j->parts = sgm_div_up(a->nq, 128);
    if (j->parts < 1 || sgm_threads_count(j->pool) == 1) j->parts = 1;
    j->part = sgm_div_up(a->nq, j->parts);
    if (j->part > 0) j->parts = sgm_div_up(a->nq, j->part);
}

/* ------------------------------------------------------------------------ few queries, many keys
 */

/* Few queries leave little to share out, and the packed keys of all would go through memory. Keys
 * are cut into parts that stay in the core's cache, always the same ones whatever the threads; what
 * each query found in the parts is put together in their order. */
static bool is_split(const sgm_attention_args *a)
{
    return a->nq <= 128 && (a->nk >= 1024 || (a->heads == 1 && a->nk >= 128));
}

static int64_t split_length(int64_t nk)
{
    int64_t part = sgm_div_up(sgm_div_up(nk, 16), SPLIT_LEAST) * SPLIT_LEAST;
    return part < SPLIT_MOST ? part : SPLIT_MOST;
}

static float *partial_of(const job *j, int64_t head, int64_t part)
{
    const sgm_attention_args *a = j->args;
    int64_t floats = a->nq * SGM_PARTIAL_FLOATS(a->head_dim);
    return (float *)sgm_threads_shared(j->pool) + (head * j->parts + part) * floats;
}

static void split_items(void *context, int64_t begin, int64_t end, int thread)
{
    const job *j = context;
    const sgm_attention_args *a = j->args;
    for (int64_t item = begin; item < end; item++) {
        int64_t part = item % j->parts, head = item / j->parts, key = part * j->part;
        sgm_attention_task task = whole_task(a, head / a->heads, head % a->heads);
        task.k.at += key * a->k_ld;
        task.v.at += key * a->v_ld;
        task.nk = a->nk - key < j->part ? a->nk - key : j->part;
        task.partial = partial_of(j, head, part);
        sgm_attention_task_run(&task, j->micro, sgm_threads_scratch(j->pool, thread));
    }
}

/* One query: its parts weighed by what their maxima are below the largest. */
static void join_parts(const job *j, int64_t head, int64_t query)
{
    _Alignas(64) float sums[SGM_MAX_HEAD_DIM];
    const sgm_isa_table *loops = sgm_loops();
    const sgm_attention_args *a = j->args;
    int64_t at = query * SGM_PARTIAL_FLOATS(a->head_dim);
    float top = partial_of(j, head, 0)[at], mass = 0;
    for (int64_t p = 1; p < j->parts; p++)
        if (partial_of(j, head, p)[at] > top) top = partial_of(j, head, p)[at];
    memset(sums, 0, sizeof(float) * (size_t)a->head_dim);
    for (int64_t p = 0; p < j->parts; p++) {
        const float *part = partial_of(j, head, p) + at;
        float weight = exp2f(part[0] - top);
        mass += weight * part[1];
        loops->axpy(sums, weight, part + 2, a->head_dim);
    }
    loops->scale(sums, 1.0f / mass, a->head_dim);
    sgm_attention_task task = whole_task(a, head / a->heads, head % a->heads);
    loops->convert(sums, 0, SGM_F32, a->out, sgm_token_offset(&task.out, query), a->out_dtype,
                   a->head_dim);
}

static void join_items(void *context, int64_t begin, int64_t end, int thread)
{
    const job *j = context;
    (void)thread;
    for (int64_t item = begin; item < end; item++)
        join_parts(j, item / j->args->nq, item % j->args->nq);
}

static sgm_status run_split(sgm_threads *pool, const sgm_attention_args *a)
{
    job j = {.args = a, .micro = sgm_micro_for(a->compute), .pool = pool};
    j.part = split_length(a->nk);
    j.parts = sgm_div_up(a->nk, j.part);
    int64_t heads = a->batch * a->heads;
    int64_t floats = heads * j.parts * a->nq * SGM_PARTIAL_FLOATS(a->head_dim);
    sgm_threads_lock(pool);
    sgm_status status =
        sgm_threads_reserve(pool, sgm_attention_memory(j.part, a->head_dim, 0, 0, a->compute),
                            sizeof(float) * (size_t)floats);
    if (status == SGM_OK) {
        sgm_parallel_for(pool, heads * j.parts, 1, split_items, &j);
        sgm_parallel_for(pool, heads * a->nq, 16, join_items, &j);
    }
    sgm_threads_unlock(pool);
    return status;
}

/* ----------------------------------------------------------------------------------------- whole
 */

sgm_status sgm_attention_forward(sgm_threads *pool, const sgm_attention_args *a)
{
    SGM_TRY(check(a));
    if (a->nq == 0 || a->batch == 0) return SGM_OK;
    if (is_split(a)) return run_split(pool, a);
    job j = {.args = a, .micro = sgm_micro_for(a->compute), .pool = pool};
    split_queries(&j);
    int64_t count = a->batch * a->heads * j.parts;
    bool serial = 4.0 * (double)a->batch * a->heads * a->head_dim * a->nq * a->nk < 4e5;
    sgm_threads_lock(pool);
    sgm_status status =
        sgm_threads_reserve(pool, sgm_attention_memory(a->nk, a->head_dim, 0, 0, a->compute), 0);
    if (status == SGM_OK) sgm_parallel_for(pool, count, serial ? count : 1, items, &j);
    sgm_threads_unlock(pool);
    return status;
}

/* -------------------------------------------------------------------------------------- backward
 */

typedef struct grad_job {
    const sgm_attention_args *args;
    const sgm_attention_grads *grads;
    sgm_threads *pool;
    int64_t sharing; /* batch items that share one set of keys */
} grad_job;

/* The result may be NULL even where the tensor is not: nothing is wanted then. */
static sgm_tokens dense(const float *data, int64_t b, int64_t n, int64_t head, int64_t d, int64_t c)
{
    return tokens(data, SGM_F32, b * n * c + head * d, c, n);
}

static sgm_attention_grad_task grad_task(const grad_job *j, int64_t b, int64_t head, bool first)
{
    const sgm_attention_args *a = j->args;
    const sgm_attention_grads *g = j->grads;
    int64_t d = a->head_dim, c = d * a->heads, at = head * d, keys = j->sharing > 1 ? 0 : b;
    return (sgm_attention_grad_task){
        .forward = {.q = tokens(a->q, a->q_dtype, b * a->q_batch + at, a->q_ld, a->nq),
                    .k = tokens(a->k, a->k_dtype, b * a->k_batch + at, a->k_ld, a->nk),
                    .v = tokens(a->v, a->v_dtype, b * a->v_batch + at, a->v_ld, a->nk),
                    .out = tokens(a->out, a->out_dtype, b * a->out_batch + at, a->out_ld, a->nq),
                    .nq = a->nq,
                    .nk = a->nk,
                    .head_dim = a->head_dim,
                    .scale = a->scale,
                    .compute = a->compute},
        .dout = dense(g->dout, b, a->nq, head, d, c),
        .dq = dense(g->dq, b, a->nq, head, d, c),
        .dk = dense(g->dk, keys, a->nk, head, d, c),
        .dv = dense(g->dv, keys, a->nk, head, d, c),
        .accumulate_q = g->accumulate_q,
        .accumulate_k = g->accumulate_k || !first,
        .accumulate_v = g->accumulate_v || !first};
}

static void grad_items(void *context, int64_t begin, int64_t end, int thread)
{
    const grad_job *j = context;
    for (int64_t item = begin; item < end; item++) {
        int64_t head = item % j->args->heads, b = item / j->args->heads * j->sharing;
        for (int64_t i = 0; i < j->sharing; i++) {
            sgm_attention_grad_task task = grad_task(j, b + i, head, i == 0);
            sgm_attention_grad_run(&task, sgm_threads_scratch(j->pool, thread));
        }
    }
}

sgm_status sgm_attention_backward(sgm_threads *pool, const sgm_attention_args *a,
                                  const sgm_attention_grads *g)
{
    SGM_TRY(check(a));
    bool shared = a->k_batch == 0 || a->v_batch == 0;
    if (shared && a->batch > 1 && (a->k_batch != 0 || a->v_batch != 0))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "attention: keys and values must both be shared by the batch, or neither");
    grad_job j = {a, g, pool, shared && a->batch > 0 ? a->batch : 1};
    sgm_threads_lock(pool);
    sgm_status status =
        sgm_threads_reserve(pool, sgm_attention_grad_memory(a->nk, a->head_dim, 0, 0), 0);
    if (status == SGM_OK)
        sgm_parallel_for(pool, a->batch / j.sharing * a->heads, 1, grad_items, &j);
    sgm_threads_unlock(pool);
    return status;
}
