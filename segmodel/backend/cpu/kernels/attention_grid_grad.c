#include "backend/cpu/kernels/attention_grad.h"
#include "backend/cpu/kernels/attention_grid.h"
#include "backend/cpu/kernels/attention_grid_internal.h"

#define GROUPS 32 /* of windows: partial sums of the tables, whatever the number of threads */

typedef struct grid_job {
    const sgm_attention_grid_args *args;
    const sgm_attention_grid_grads *grads;
    sgm_grid_geometry geometry;
    sgm_threads *pool;
    const float *bias;
    float *partial;         /* [items][size] */
    int64_t size;           /* floats: rel_h, rel_w | table of one head, pad_k, pad_v */
    int64_t windows, group; /* windows in all, and per group */
} grid_job;

/* One group of windows and one head. */
static int64_t rel_floats(const sgm_attention_grid_args *a, int64_t side)
{
    return a->bias == SGM_BIAS_REL_POS ? (2 * side - 1) * a->head_dim : 0;
}

static sgm_bias_sums sums_at(const grid_job *j, float *p)
{
    const sgm_attention_grid_args *a = j->args;
    int64_t h = rel_floats(a, j->geometry.sh), w = rel_floats(a, j->geometry.sw);
    int64_t pads = 2 * a->head_dim;
    sgm_bias_sums s = {.pad_k = p, .pad_v = p + a->head_dim};
    if (a->bias == SGM_BIAS_REL_POS) {
        s.rel_h = p + pads;
        s.rel_w = p + pads + h;
    } else if (a->bias == SGM_BIAS_TABLE) {
        s.table = p + pads + h + w;
    }
    return s;
}

static int64_t sums_floats(const grid_job *j)
{
    const sgm_attention_grid_args *a = j->args;
    int64_t n = 2 * a->head_dim + rel_floats(a, j->geometry.sh) + rel_floats(a, j->geometry.sw);
    if (a->bias == SGM_BIAS_TABLE) n += j->geometry.sh * sgm_grid_bias_of(a, NULL, 0).ld_w;
    return n;
}

static sgm_attention_grad_task window_task(const grid_job *j, int64_t index, int64_t head,
                                           float *partial)
{
    const sgm_attention_grid_args *a = j->args;
    const sgm_attention_grid_grads *g = j->grads;
    sgm_grid_place w = sgm_grid_window(a, &j->geometry, index);
    int64_t c = (int64_t)a->heads * a->head_dim, at[3];
    for (int i = 0; i < 3; i++)
        at[i] = sgm_grid_channel(a, head, i);
    return (sgm_attention_grad_task){
        .forward = {.q = sgm_grid_tokens(a, &w, a->qkv, a->qkv_dtype, 3 * c, at[0]),
                    .k = sgm_grid_tokens(a, &w, a->qkv, a->qkv_dtype, 3 * c, at[1]),
                    .v = sgm_grid_tokens(a, &w, a->qkv, a->qkv_dtype, 3 * c, at[2]),
                    .out = sgm_grid_tokens(a, &w, a->out, a->out_dtype, c, head * a->head_dim),
                    .nq = w.height * w.width,
                    .nk = w.height * w.width,
                    .head_dim = a->head_dim,
                    .scale = a->scale,
                    .compute = a->compute,
                    .bias = sgm_grid_bias_of(a, j->bias, head),
                    .pads = j->geometry.sh * j->geometry.sw - w.height * w.width,
                    .pad_k = a->pad ? a->pad + at[1] : NULL,
                    .pad_v = a->pad ? a->pad + at[2] : NULL},
        .dout = sgm_grid_tokens(a, &w, g->dout, SGM_F32, c, head * a->head_dim),
        .dq = sgm_grid_tokens(a, &w, g->dqkv, SGM_F32, 3 * c, at[0]),
        .dk = sgm_grid_tokens(a, &w, g->dqkv, SGM_F32, 3 * c, at[1]),
        .dv = sgm_grid_tokens(a, &w, g->dqkv, SGM_F32, 3 * c, at[2]),
        .accumulate_q = g->accumulate_qkv,
        .accumulate_k = g->accumulate_qkv,
        .accumulate_v = g->accumulate_qkv,
        .sums = sums_at(j, partial)};
}

static void items(void *context, int64_t begin, int64_t end, int thread)
{
    const grid_job *j = context;
    for (int64_t item = begin; item < end; item++) {
        int64_t head = item % j->args->heads, group = item / j->args->heads;
        float *partial = j->partial + item * j->size;
        memset(partial, 0, sizeof(float) * (size_t)j->size);
        for (int64_t i = group * j->group; i < (group + 1) * j->group && i < j->windows; i++) {
            sgm_attention_grad_task task = window_task(j, i, head, partial);
            sgm_attention_grad_run(&task, sgm_threads_scratch(j->pool, thread));
        }
    }
}

/* ------------------------------------------------------------------------------- adding it all up
 */

static void add_up(float *to, const float *from, int64_t n)
{
    if (to && from) sgm_loops()->axpy(to, 1, from, n);
}

/* The mirrored table back to offsets |dx|. */
static void fold_table(const grid_job *j, const float *mirrored, int64_t head)
{
    int64_t sh = j->geometry.sh, sw = j->geometry.sw;
    int64_t ld = sgm_grid_bias_of(j->args, NULL, 0).ld_w;
    float *to = j->grads->dtable + head * sh * sw;
    for (int64_t y = 0; y < sh; y++)
        for (int64_t x = 0; x < sw; x++) {
            float g = mirrored[y * ld + sw - 1 + x];
            if (x > 0) g += mirrored[y * ld + sw - 1 - x];
            to[y * sw + x] += g;
        }
}

static void clear(float *p, int64_t n, bool accumulate)
{
    if (p && !accumulate) memset(p, 0, sizeof(float) * (size_t)n);
}

static void collect(const grid_job *j, int64_t count)
{
    const sgm_attention_grid_args *a = j->args;
    const sgm_attention_grid_grads *g = j->grads;
    int64_t c = (int64_t)a->heads * a->head_dim, sh = j->geometry.sh, sw = j->geometry.sw;
    int64_t h = rel_floats(a, sh), w = rel_floats(a, sw);
    clear(g->dpad, 3 * c, g->accumulate_pad);
    clear(g->drel_h, h, g->accumulate_bias);
    clear(g->drel_w, w, g->accumulate_bias);
    if (a->bias == SGM_BIAS_TABLE) clear(g->dtable, a->heads * sh * sw, g->accumulate_bias);
    for (int64_t i = 0; i < count; i++) {
        int64_t head = i % a->heads;
        sgm_bias_sums s = sums_at(j, j->partial + i * j->size);
        if (g->dpad) {
            add_up(g->dpad + sgm_grid_channel(a, head, 1), s.pad_k, a->head_dim);
            add_up(g->dpad + sgm_grid_channel(a, head, 2), s.pad_v, a->head_dim);
        }
        add_up(g->drel_h, s.rel_h, h);
        add_up(g->drel_w, s.rel_w, w);
        if (s.table && g->dtable) fold_table(j, s.table, head);
    }
}

sgm_status sgm_attention_grid_backward(sgm_threads *pool, const sgm_attention_grid_args *a,
                                       const sgm_attention_grid_grads *g)
{
    SGM_TRY(sgm_grid_check(a));
    grid_job j = {.args = a, .grads = g, .geometry = sgm_grid_geometry_of(a), .pool = pool};
    j.windows = a->batch * j.geometry.rows * j.geometry.columns;
    j.group = j.windows > 0 ? sgm_div_up(j.windows, GROUPS) : 1;
    j.size = (sums_floats(&j) + 15) / 16 * 16;
    int64_t count = sgm_div_up(j.windows, j.group) * a->heads;
    int64_t area = j.geometry.sh * j.geometry.sw, bias = (int64_t)sgm_grid_bias_floats(a);
    bias = (bias + 15) / 16 * 16;
    sgm_threads_lock(pool);
    sgm_status status = sgm_threads_reserve(
        pool, sgm_attention_grad_memory(area, a->head_dim, j.geometry.sh, j.geometry.sw),
        sizeof(float) * (size_t)(bias + count * j.size));
    if (status == SGM_OK) {
        float *shared = sgm_threads_shared(pool);
        sgm_grid_bias_fill(a, shared);
        j.bias = shared;
        j.partial = shared + bias;
        sgm_parallel_for(pool, count, 1, items, &j);
        collect(&j, count);
    }
    sgm_threads_unlock(pool);
    return status;
}
