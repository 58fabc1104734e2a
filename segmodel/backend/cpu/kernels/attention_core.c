#include "backend/cpu/kernels/attention_core.h"

#include <math.h>

#define TILE 256      /* keys whose scores exist at one time */
#define BLOCK_STEPS 8 /* micro-kernel steps of queries that share the keys of a tile */
#define LANES 16      /* padding of bias rows */
/* Tokens that are asked for before they are read: each has a page of its own. Behind a window's row
 * lie those of the window that comes next. */
#define AHEAD 6

typedef struct work {
    const sgm_attention_task *t;
    const sgm_micro *micro;
    const sgm_isa_table *loops;
    int64_t d_chunks, d_panels, key_chunks, key_panels; /* of the head, of all keys */
    int64_t d_padded, sh_padded, sw_padded;
    int64_t strip_bytes;   /* of packed queries */
    int64_t p_strip_bytes; /* of packed probabilities of a tile */
    int together;          /* steps that pass over a panel of keys or values before the next */
    char *keys, *values, *packed_q, *probabilities;
    char *gathered; /* [max(nk, block)][head_dim] */
    float *q;       /* [block rows][d_padded], unscaled */
    float *scaled;  /* [block rows][d_padded] */
    float *scores;  /* [together][TILE / 16][step][16] */
    float *pad_scores;
    float *sums;    /* [block rows][d_padded]: output before division */
    float *bh, *bw; /* [block rows][sh_padded], [..][sw_padded] */
    float *line;
    float *max, *mass, *rescale; /* [block rows] */
} work;

/* Lays the work space out from `memory` (NULL: only measures); returns its size. */
static size_t lay_out(work *w, int64_t nk, int head_dim, int64_t sh, int64_t sw, sgm_dtype compute,
                      char *memory)
{
    size_t used = 0;
    int64_t rows = BLOCK_STEPS * SGM_MAX_STEP, tile = TILE, area = sgm_round_up(sh * sw, 64);
    w->d_chunks = sgm_chunks(head_dim, compute);
    w->d_panels = sgm_div_up(head_dim, SGM_PANEL);
    w->key_chunks = sgm_chunks(nk, SGM_BF16) * (compute == SGM_F32 ? 2 : 1);
    w->key_panels = sgm_div_up(nk, SGM_PANEL);
    w->d_padded = w->d_panels * SGM_PANEL;
    w->sh_padded = sgm_round_up(sh, LANES) + LANES;
    w->sw_padded = sgm_round_up(sw, LANES) + LANES;
    w->keys = sgm_carve(memory, &used, w->key_panels * w->d_chunks * SGM_B_CHUNK);
    w->values = sgm_carve(memory, &used, w->d_panels * w->key_chunks * SGM_B_CHUNK);
    w->packed_q = sgm_carve(memory, &used, rows * w->d_chunks * SGM_CHUNK);
    w->probabilities = sgm_carve(memory, &used, compute == SGM_F32 ? 0 : SGM_MAX_STEP * tile * 2);
    w->gathered = sgm_carve(memory, &used, nk * head_dim * 4);
    w->q = sgm_carve(memory, &used, rows * w->d_padded * 4);
    w->scaled = sgm_carve(memory, &used, rows * w->d_padded * 4);
    w->scores = sgm_carve(memory, &used, rows * tile * 4);
    w->pad_scores = sgm_carve(memory, &used, (area + 32) * 4);
    w->sums = sgm_carve(memory, &used, rows * w->d_padded * 4);
    w->bh = sgm_carve(memory, &used, rows * w->sh_padded * 4);
    w->bw = sgm_carve(memory, &used, rows * w->sw_padded * 4);
    w->line = sgm_carve(memory, &used, (2 * w->sw_padded + tile + 64) * 4);
    w->max = sgm_carve(memory, &used, rows * 4);
    w->mass = sgm_carve(memory, &used, rows * 4);
    w->rescale = sgm_carve(memory, &used, rows * 4);
    return used;
}

size_t sgm_attention_memory(int64_t nk, int head_dim, int64_t sh, int64_t sw, sgm_dtype compute)
{
    work w;
    return lay_out(&w, nk, head_dim, sh, sw, compute, NULL);
}

/* Asks for the channels of a head from element `at` on; nothing has to be there. */
static void fetch_token(const sgm_tokens *t, int64_t at, int head_dim)
{
    int64_t size = t->dtype == SGM_F32 ? 4 : 2;
    const char *token = (const char *)t->data + at * size;
    for (int64_t byte = 0; byte < head_dim * size; byte += 64)
        __builtin_prefetch(token + byte);
}

void sgm_gather_tokens(const sgm_tokens *t, int64_t first, int64_t n, int head_dim,
                       sgm_dtype to_dtype, void *to, int64_t ld)
{
    const sgm_isa_table *loops = sgm_loops();
    for (int64_t i = 0; i < n; i++) {
        int64_t at = sgm_token_offset(t, first + i);
        fetch_token(t, at + AHEAD * t->token_stride, head_dim);
        loops->convert(t->data, at, t->dtype, to, i * ld, to_dtype, head_dim);
    }
}

sgm_even_tokens sgm_evenly(const sgm_tokens *t, int64_t first, int64_t n, int head_dim,
                           sgm_dtype dtype, void *memory)
{
    bool in_row = first % t->run + n <= t->run;
    if (in_row || t->row_stride == t->run * t->token_stride)
        return (sgm_even_tokens){t->data, t->dtype, sgm_token_offset(t, first), t->token_stride};
    sgm_gather_tokens(t, first, n, head_dim, dtype, memory, head_dim);
    return (sgm_even_tokens){memory, dtype, 0, head_dim};
}

void sgm_relative_parts(const sgm_position_bias *b, const float *q, int head_dim, int64_t qy,
                        int64_t qx, float *bh, float *bw)
{
    const sgm_isa_table *loops = sgm_loops();
    loops->row_times(q, b->rel_h + b->sh - 1 - qy, b->ld_h, head_dim, bh,
                     (int)sgm_round_up(b->sh, LANES));
    loops->row_times(q, b->rel_w + b->sw - 1 - qx, b->ld_w, head_dim, bw,
                     (int)sgm_round_up(b->sw, LANES));
}

/* ---------------------------------------------------------------------------- keys and values */

static void pack_keys(work *w)
{
    const sgm_attention_task *t = w->t;
    sgm_even_tokens k = sgm_evenly(&t->k, 0, t->nk, t->head_dim, t->compute, w->gathered);
    for (int64_t p = 0; p < w->key_panels; p++) {
        int64_t n = p * SGM_PANEL;
        int cols = (int)(t->nk - n < SGM_PANEL ? t->nk - n : SGM_PANEL);
        sgm_packed_panel_rows(k.data, k.dtype, k.at + n * k.ld, k.ld, cols, t->head_dim, t->compute,
                              w->keys + p * w->d_chunks * SGM_B_CHUNK);
    }
}

static void pack_values(work *w)
{
    const sgm_attention_task *t = w->t;
    int d = t->head_dim;
    int64_t used = sgm_chunks(t->nk, t->compute);
    sgm_even_tokens v = sgm_evenly(&t->v, 0, t->nk, d, t->compute, w->gathered);
    for (int64_t p = 0; p < w->d_panels; p++) {
        int64_t n = p * SGM_PANEL;
        int cols = (int)(d - n < SGM_PANEL ? d - n : SGM_PANEL);
        char *panel = w->values + p * w->key_chunks * SGM_B_CHUNK;
        sgm_packed_panel_columns(v.data, v.dtype, v.at + n, v.ld, cols, t->nk, t->compute, panel);
        memset(panel + used * SGM_B_CHUNK, 0, (size_t)((w->key_chunks - used) * SGM_B_CHUNK));
    }
}

/* -------------------------------------------------------------------------------------- queries */

/* Position of query `row` of a block that starts at query `first`. */
static int64_t query_y(const sgm_attention_task *t, int64_t i)
{
    return (t->first + i) / t->q.run;
}

static int64_t query_x(const sgm_attention_task *t, int64_t i)
{
    return (t->first + i) % t->q.run;
}

static void load_queries(work *w, int64_t first, int rows)
{
    const sgm_attention_task *t = w->t;
    int d = t->head_dim;
    sgm_gather_tokens(&t->q, t->first + first, rows, d, SGM_F32, w->q, w->d_padded);
    for (int i = 0; i < rows; i++) {
        float *scaled = w->scaled + i * w->d_padded;
        memcpy(scaled, w->q + i * w->d_padded, sizeof(float) * (size_t)d);
        w->loops->scale(scaled, t->scale * SGM_LOG2E, d);
        w->max[i] = -INFINITY;
        w->mass[i] = 0;
        if (!t->partial) fetch_token(&t->out, sgm_token_offset(&t->out, t->first + first + i), d);
        if (t->bias.kind == SGM_BIAS_REL_POS)
            sgm_relative_parts(&t->bias, w->q + i * w->d_padded, d, query_y(t, first + i),
                               query_x(t, first + i), w->bh + i * w->sh_padded,
                               w->bw + i * w->sw_padded);
    }
    sgm_rows_source source = {{w->scaled, SGM_F32, w->d_padded, NULL}, d};
    w->loops->pack_rows(&source, 0, rows, w->d_chunks, t->compute, w->micro->strip, w->packed_q);
    memset(w->sums, 0, sizeof(float) * (size_t)(rows * w->d_padded));
}

/* The bias along x of a query and its step from row to row. */
static const float *bias_along_x(const work *w, int row, int64_t qx, int64_t *ld)
{
    const sgm_position_bias *b = &w->t->bias;
    *ld = b->kind == SGM_BIAS_TABLE ? b->ld_w : 0;
    return b->kind == SGM_BIAS_TABLE ? b->table + b->sw - 1 - qx : w->bw + row * w->sw_padded;
}

static const float *bias_along_y(const work *w, int row)
{
    return w->t->bias.kind == SGM_BIAS_REL_POS ? w->bh + row * w->sh_padded : NULL;
}

/* --------------------------------------------------------------------------------------- scores */

/* Some steps of a block's queries and a tile of keys. */
typedef struct key_tile {
    int64_t block;   /* query that the block begins with */
    int row, rows;   /* of the block */
    int64_t key, n;  /* keys [key, key + n) */
    int64_t columns; /* n, rounded up to what the products make */
} key_tile;

static int rows_of_step(const work *w, const key_tile *t, int step)
{
    int left = t->rows - step * w->micro->step;
    return left < w->micro->step ? left : w->micro->step;
}

static float *scores_of(const work *w, int step)
{
    return w->scores + (int64_t)step * w->micro->step * TILE;
}

static void fill_bias(const work *w, const key_tile *tile, int step)
{
    const sgm_attention_task *t = w->t;
    int64_t run = t->k.run, stride = w->micro->step * 16;
    for (int i = 0; i < rows_of_step(w, tile, step); i++) {
        int row = tile->row + step * w->micro->step + i;
        int64_t ld, query = tile->block + row;
        const float *bw = bias_along_x(w, row, query_x(t, query), &ld);
        w->loops->bias_row(bias_along_y(w, row), bw, ld, query_y(t, query), run, t->nk / run,
                           tile->key, tile->columns, w->line, scores_of(w, step) + i * 16, stride);
    }
}

/* Columns from n on take no part. */
static void mask_columns(const work *w, const key_tile *t, int step)
{
    float *scores = scores_of(w, step);
    int64_t stride = w->micro->step * 16;
    for (int i = 0; i < rows_of_step(w, t, step); i++)
        for (int64_t chunk = t->n / 16; chunk < t->columns / 16; chunk++) {
            float *row = scores + chunk * stride + i * 16;
            for (int64_t c = chunk * 16 < t->n ? t->n % 16 : 0; c < 16; c++)
                row[c] = -INFINITY;
        }
}

static void tile_scores(const work *w, const key_tile *t)
{
    const sgm_micro *m = w->micro;
    bool biased = w->t->bias.kind != SGM_BIAS_NONE;
    int steps = (int)sgm_div_up(t->rows, m->step);
    for (int i = 0; biased && i < steps; i++)
        fill_bias(w, t, i);
    for (int64_t p = 0; p * SGM_PANEL < t->columns; p++) {
        const char *b = w->keys + (t->key / SGM_PANEL + p) * w->d_chunks * SGM_B_CHUNK;
        sgm_micro_fn run = sgm_micro_columns(m, t->n - p * SGM_PANEL);
        for (int i = 0; i < steps; i++)
            run(w->packed_q + (t->row + i * m->step) / m->strip * w->strip_bytes,
                (size_t)w->strip_bytes, b, w->d_chunks, scores_of(w, i) + 2 * p * m->step * 16, 16,
                m->step * 16, rows_of_step(w, t, i), biased);
    }
    for (int i = 0; i < steps; i++)
        mask_columns(w, t, i);
}

/* -------------------------------------------------------------------------- softmax and values */

static void step_softmax(const work *w, const key_tile *t, int step)
{
    const sgm_micro *m = w->micro;
    int rows = rows_of_step(w, t, step);
    for (int i = 0; i < rows; i += m->strip) {
        int at = t->row + step * m->step + i;
        sgm_softmax_strip s = {
            .scores = scores_of(w, step) + i * 16,
            .bf16 = w->t->compute == SGM_F32
                        ? NULL
                        : (uint16_t *)(w->probabilities + i / m->strip * w->p_strip_bytes),
            .score_strip = m->step,
            .strip = m->strip,
            .rows = rows - i < m->strip ? rows - i : m->strip,
            .chunks = t->columns / 16,
            .max = w->max + at,
            .sum = w->mass + at,
            .rescale = w->rescale + at};
        w->loops->softmax_strip(&s);
    }
}

static void rescale_sums(const work *w, int row, int rows)
{
    for (int i = row; i < row + rows; i++)
        if (w->rescale[i] != 1.0f)
            w->loops->scale(w->sums + i * w->d_padded, w->rescale[i], w->d_padded);
}

/* Adds a tile's values, weighed; keys part by part, so that a part of a panel stays in L1 for all
 * steps. */
static void tile_values(const work *w, const key_tile *t)
{
    const sgm_micro *m = w->micro;
    bool f32 = w->t->compute == SGM_F32;
    int64_t chunks = sgm_div_up(t->n, f32 ? 16 : 32), first = t->key / (f32 ? 16 : 32);
    int64_t most = w->together > 1 && m->depth ? m->depth : chunks;
    for (int64_t part = 0; part < chunks; part += most) {
        int64_t depth = chunks - part < most ? chunks - part : most;
        for (int64_t p = 0; p < w->d_panels; p++) {
            const char *b = w->values + (p * w->key_chunks + first + part) * SGM_B_CHUNK;
            sgm_micro_fn run = sgm_micro_columns(m, w->t->head_dim - p * SGM_PANEL);
            for (int i = 0; i * m->step < t->rows; i++) {
                const char *a = f32 ? (const char *)scores_of(w, i) : w->probabilities;
                float *sums = w->sums + (t->row + i * m->step) * w->d_padded + p * SGM_PANEL;
                run(a + part * m->strip * SGM_CHUNK, (size_t)w->p_strip_bytes, b, depth, sums,
                    w->d_padded, 16, rows_of_step(w, t, i), true);
            }
        }
    }
}

static void run_tile(const work *w, const key_tile *t)
{
    tile_scores(w, t);
    for (int i = 0; i * w->micro->step < t->rows; i++)
        step_softmax(w, t, i);
    rescale_sums(w, t->row, t->rows);
    tile_values(w, t);
}

/* ----------------------------------------------------------------------------------- padding keys
 */

/* All padding keys are alike: one product q.pad_k, then only their biases differ. */
static int64_t pad_scores_of(const work *w, int64_t first, int row, float *scores, int64_t stride)
{
    const sgm_attention_task *t = w->t;
    int64_t ld, n = 0, qy = query_y(t, first + row), run = t->k.run, real_rows = t->nk / run;
    const float *bw = bias_along_x(w, row, query_x(t, first + row), &ld);
    const float *bh = bias_along_y(w, row);
    bool biased = t->bias.kind != SGM_BIAS_NONE;
    float base =
        t->pad_k ? w->loops->dot(w->scaled + row * w->d_padded, t->pad_k, t->head_dim) : 0.0f;
    for (int64_t y = 0; y < t->bias.sh; y++) {
        float along_y = base + (bh ? bh[y] : 0.0f);
        const float *x_bias = bw + (y > qy ? y - qy : qy - y) * ld;
        for (int64_t x = y < real_rows ? run : 0; x < t->bias.sw; x++, n++)
            scores[n / 16 * stride + n % 16] = along_y + (biased ? x_bias[x] : 0.0f);
    }
    for (int64_t i = n; i < sgm_round_up(n, 16); i++)
        scores[i / 16 * stride + i % 16] = -INFINITY;
    return sgm_round_up(n, 16);
}

static void add_padding(const work *w, int64_t first, int row)
{
    const sgm_attention_task *t = w->t;
    float mass = 0;
    int64_t columns = pad_scores_of(w, first, row, w->pad_scores, 16);
    sgm_softmax_strip s = {.scores = w->pad_scores,
                           .score_strip = 1,
                           .strip = 1,
                           .rows = 1,
                           .chunks = columns / 16,
                           .max = w->max + row,
                           .sum = &mass,
                           .rescale = w->rescale + row};
    w->loops->softmax_strip(&s);
    w->mass[row] = w->mass[row] * w->rescale[row] + mass;
    rescale_sums(w, row, 1);
    if (t->pad_v) w->loops->axpy(w->sums + row * w->d_padded, mass, t->pad_v, t->head_dim);
}

/* ----------------------------------------------------------------------------------------- whole
 */

static void store_partial(const work *w, int64_t first, int rows)
{
    int d = w->t->head_dim;
    for (int i = 0; i < rows; i++) {
        float *to = w->t->partial + (first + i) * SGM_PARTIAL_FLOATS(d);
        to[0] = w->max[i];
        to[1] = w->mass[i];
        memcpy(to + 2, w->sums + i * w->d_padded, sizeof(float) * (size_t)d);
    }
}

static void store_outputs(const work *w, int64_t first, int rows)
{
    const sgm_attention_task *t = w->t;
    for (int i = 0; i < rows; i++) {
        float *sums = w->sums + i * w->d_padded;
        w->loops->scale(sums, 1.0f / w->mass[i], t->head_dim);
        w->loops->convert(sums, 0, SGM_F32, (void *)t->out.data,
                          sgm_token_offset(&t->out, t->first + first + i), t->out.dtype,
                          t->head_dim);
    }
}

static void run_block(work *w, int64_t first, int rows)
{
    const sgm_attention_task *t = w->t;
    int group = w->together * w->micro->step;
    load_queries(w, first, rows);
    for (int64_t key = 0; key < t->nk; key += TILE) {
        int64_t n = t->nk - key < TILE ? t->nk - key : TILE;
        int64_t columns = sgm_round_up(n, t->compute == SGM_F32 ? SGM_PANEL / 2 : SGM_PANEL);
        w->p_strip_bytes =
            columns / (t->compute == SGM_F32 ? 16 : 32) * w->micro->strip * SGM_CHUNK;
        for (int i = 0; i < rows; i += group)
            run_tile(w,
                     &(key_tile){first, i, rows - i < group ? rows - i : group, key, n, columns});
    }
    for (int i = 0; t->pads > 0 && i < rows; i++)
        add_padding(w, first, i);
    if (t->partial)
        store_partial(w, first, rows);
    else
        store_outputs(w, first, rows);
}

void sgm_attention_task_run(const sgm_attention_task *t, const sgm_micro *micro, void *memory)
{
    work w = {.t = t, .micro = micro, .loops = sgm_loops()};
    lay_out(&w, t->nk, t->head_dim, t->bias.sh, t->bias.sw, t->compute, memory);
    w.strip_bytes = w.d_chunks * micro->strip * SGM_CHUNK;
    w.together = t->compute == SGM_F32 && micro->depth ? BLOCK_STEPS : 1;
    pack_keys(&w);
    pack_values(&w);
    if (micro->begin) micro->begin();
    int block = BLOCK_STEPS * micro->step;
    for (int64_t i = 0; i < t->nq; i += block)
        run_block(&w, i, (int)(t->nq - i < block ? t->nq - i : block));
    if (micro->end) micro->end();
}
