#include "backend/cpu/kernels/attention_grid.h"

#include "backend/cpu/kernels/attention_grid_internal.h"

#define SPARE 32 /* readable elements behind each row of a turned table */

/* -------------------------------------------------------------------------------------- geometry
 */

sgm_status sgm_grid_check(const sgm_attention_grid_args *a)
{
    bool bias_missing = (a->bias == SGM_BIAS_REL_POS && (!a->rel_h || !a->rel_w)) ||
                        (a->bias == SGM_BIAS_TABLE && !a->table);
    bool square = a->window > 0 || a->height == a->width || a->bias != SGM_BIAS_TABLE;
    if (a->height < 1 || a->width < 1 || a->heads < 1 || a->head_dim < 1 || a->window < 0 ||
        a->head_dim > SGM_MAX_HEAD_DIM || bias_missing || !square)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "grid attention: grid %lld x %lld, window %d, %d heads of %d channels%s",
                        (long long)a->height, (long long)a->width, a->window, a->heads, a->head_dim,
                        bias_missing ? ", bias table missing" : "");
    return SGM_OK;
}

sgm_grid_geometry sgm_grid_geometry_of(const sgm_attention_grid_args *a)
{
    sgm_grid_geometry g = {a->height, a->width, 1, 1};
    if (a->window > 0) {
        g.sh = g.sw = a->window;
        g.rows = sgm_div_up(a->height, a->window);
        g.columns = sgm_div_up(a->width, a->window);
    }
    return g;
}

sgm_grid_place sgm_grid_window(const sgm_attention_grid_args *a, const sgm_grid_geometry *g,
                               int64_t index)
{
    sgm_grid_place w = {.b = index / (g->rows * g->columns),
                        .y = index / g->columns % g->rows * g->sh,
                        .x = index % g->columns * g->sw};
    w.height = a->height - w.y < g->sh ? a->height - w.y : g->sh;
    w.width = a->width - w.x < g->sw ? a->width - w.x : g->sw;
    return w;
}

int64_t sgm_grid_channel(const sgm_attention_grid_args *a, int64_t head, int which)
{
    int64_t d = a->head_dim;
    return a->layout == SGM_QKV_SAM ? (which * a->heads + head) * d : (head * 3 + which) * d;
}

sgm_tokens sgm_grid_tokens(const sgm_attention_grid_args *a, const sgm_grid_place *w,
                           const void *data, sgm_dtype dtype, int64_t channels, int64_t channel)
{
    int64_t at = ((w->b * a->height + w->y) * a->width + w->x) * channels + channel;
    return (sgm_tokens){data, dtype, at, w->width, a->width * channels, channels};
}

/* ------------------------------------------------------------------------------------- bias tables
 */

static int64_t turned_ld(int64_t side)
{
    return 2 * side - 1 + SPARE;
}

size_t sgm_grid_bias_floats(const sgm_attention_grid_args *a)
{
    sgm_grid_geometry g = sgm_grid_geometry_of(a);
    if (a->bias == SGM_BIAS_REL_POS)
        return (size_t)(a->head_dim * (turned_ld(g.sh) + turned_ld(g.sw)));
    if (a->bias == SGM_BIAS_TABLE) return (size_t)(a->heads * g.sh * turned_ld(g.sw));
    return 0;
}

/* rel[2 side - 1, d] -> to[d, ld], turned over. */
static void turn(const float *rel, int64_t side, int head_dim, float *to)
{
    int64_t ld = turned_ld(side), n = 2 * side - 1;
    memset(to, 0, sizeof(float) * (size_t)(ld * head_dim));
    for (int64_t i = 0; i < n; i++)
        for (int d = 0; d < head_dim; d++)
            to[d * ld + n - 1 - i] = rel[i * head_dim + d] * SGM_LOG2E;
}

static void mirror(const float *table, int64_t side, float *to)
{
    int64_t ld = turned_ld(side);
    memset(to, 0, sizeof(float) * (size_t)(ld * side));
    for (int64_t y = 0; y < side; y++)
        for (int64_t x = 0; x < side; x++) {
            float value = table[y * side + x] * SGM_LOG2E;
            to[y * ld + side - 1 + x] = to[y * ld + side - 1 - x] = value;
        }
}

void sgm_grid_bias_fill(const sgm_attention_grid_args *a, float *memory)
{
    sgm_grid_geometry g = sgm_grid_geometry_of(a);
    if (a->bias == SGM_BIAS_REL_POS) {
        turn(a->rel_h, g.sh, a->head_dim, memory);
        turn(a->rel_w, g.sw, a->head_dim, memory + a->head_dim * turned_ld(g.sh));
    }
    for (int64_t h = 0; a->bias == SGM_BIAS_TABLE && h < a->heads; h++)
        mirror(a->table + h * g.sh * g.sw, g.sw, memory + h * g.sh * turned_ld(g.sw));
}

sgm_position_bias sgm_grid_bias_of(const sgm_attention_grid_args *a, const float *memory,
                                   int64_t head)
{
    sgm_grid_geometry g = sgm_grid_geometry_of(a);
    sgm_position_bias b = {
        .kind = a->bias, .sh = g.sh, .sw = g.sw, .ld_h = turned_ld(g.sh), .ld_w = turned_ld(g.sw)};
    if (a->bias == SGM_BIAS_REL_POS) {
        b.rel_h = memory;
        b.rel_w = memory + a->head_dim * b.ld_h;
        b.plain_h = a->rel_h;
        b.plain_w = a->rel_w;
    } else if (a->bias == SGM_BIAS_TABLE) {
        b.table = memory + head * g.sh * b.ld_w;
    }
    return b;
}

/* --------------------------------------------------------------------------------------- forward
 */

typedef struct job {
    const sgm_attention_grid_args *args;
    sgm_grid_geometry geometry;
    const sgm_micro *micro;
    sgm_threads *pool;
    const float *bias;
    int64_t parts; /* pieces of the queries of a window and head: rows of the grid */
} job;

static sgm_attention_task window_task(const job *j, int64_t index, int64_t head)
{
    const sgm_attention_grid_args *a = j->args;
    sgm_grid_place w = sgm_grid_window(a, &j->geometry, index);
    int64_t c = (int64_t)a->heads * a->head_dim;
    int64_t at[3];
    for (int i = 0; i < 3; i++)
        at[i] = sgm_grid_channel(a, head, i);
    return (sgm_attention_task){
        .q = sgm_grid_tokens(a, &w, a->qkv, a->qkv_dtype, 3 * c, at[0]),
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
        .pad_v = a->pad ? a->pad + at[2] : NULL};
}

static void items(void *context, int64_t begin, int64_t end, int thread)
{
    const job *j = context;
    for (int64_t item = begin; item < end; item++) {
        int64_t part = item % j->parts, head = item / j->parts % j->args->heads;
        sgm_attention_task t = window_task(j, item / j->parts / j->args->heads, head);
        int64_t n = t.nq;
        t.first = n * part / j->parts;
        t.nq = n * (part + 1) / j->parts - t.first;
        sgm_attention_task_run(&t, j->micro, sgm_threads_scratch(j->pool, thread));
    }
}

sgm_status sgm_attention_grid_forward(sgm_threads *pool, const sgm_attention_grid_args *a)
{
    SGM_TRY(sgm_grid_check(a));
    job j = {.args = a,
             .geometry = sgm_grid_geometry_of(a),
             .micro = sgm_micro_for(a->compute),
             .pool = pool,
             .parts = 1};
    if (!j.micro) return sgm_fail(SGM_DEVICE, "grid attention: no BF16 products on this processor");
    int64_t area = j.geometry.sh * j.geometry.sw, threads = sgm_threads_count(pool);
    int64_t heads = a->batch * j.geometry.rows * j.geometry.columns * a->heads;
    if (heads < 4 * threads && threads > 1) j.parts = sgm_div_up(4 * threads, heads);
    if (j.parts > sgm_div_up(area, 128)) j.parts = sgm_div_up(area, 128);
    sgm_threads_lock(pool);
    sgm_status status = sgm_threads_reserve(
        pool, sgm_attention_memory(area, a->head_dim, j.geometry.sh, j.geometry.sw, a->compute),
        sizeof(float) * sgm_grid_bias_floats(a));
    if (status == SGM_OK && heads > 0) {
        sgm_grid_bias_fill(a, sgm_threads_shared(pool));
        j.bias = sgm_threads_shared(pool);
        sgm_parallel_for(pool, heads * j.parts, 1, items, &j);
    }
    sgm_threads_unlock(pool);
    return status;
}
