#include "backend/cpu/kernels/attention_grad.h"

#include <math.h>

#define QUERIES 64 /* per block, at most: two panels */
#define QUERY_CHUNKS (QUERIES / 16)
#define QUERY_PANELS (QUERIES / SGM_PANEL)
#define KEPT_KEYS 1024 /* a block's scores of so many are kept, 256 KiB; of more made again */

typedef struct work {
    const sgm_attention_grad_task *t;
    const sgm_attention_task *f;
    const sgm_micro *micro;
    const sgm_isa_table *loops;
    int d, strip, block; /* keys per strip, and per block: whole strips and whole chunks */
    int64_t nk, chunks, panels, d_padded, blocks;
    int64_t strip_bytes, block_bytes; /* of packed keys; of one block of transposed keys */
    char *keys, *values, *turned;     /* K (scaled) and V in strips; K^T in strips, by blocks */
    float *gathered, *dk, *dv;        /* [nk padded][..] */
    int used;                         /* chunks of 16 that hold the block's queries */
    sgm_even_tokens q, dout, out;     /* of the block, FP32 */
    float *q_memory, *dout_memory, *out_memory; /* [QUERIES][d], for what does not lie evenly */
    char *q_rows, *dout_rows;                   /* B: columns are queries */
    char *q_columns, *dout_columns;             /* B: columns are channels */
    bool kept;                                  /* scores: of all keys, or of one strip */
    float *scores, *ds;                         /* [strips][QUERY_CHUNKS][strip][16] */
    char *ds_block;                             /* B: a block of keys by the queries */
    float *dq;                                  /* [d padded][QUERIES] */
    float *dq_rows;                             /* [QUERIES][d_padded] */
    float *max, *sum, *lse, *delta;             /* [QUERIES] */
    float *bh, *bw;                             /* [side][QUERIES] */
    float *dbh, *dbw;
    float *parts; /* one query's bh, bw */
    float *line;  /* [sw + QUERIES + 32] */
    float *pads;  /* scores of one query's padding keys */
} work;

static void lay_out_keys(work *w, char *memory, size_t *used)
{
    int64_t rows = w->blocks * w->block;
    w->keys = sgm_carve(memory, used, rows * w->chunks * SGM_CHUNK);
    w->values = sgm_carve(memory, used, rows * w->chunks * SGM_CHUNK);
    w->turned = sgm_carve(memory, used, w->blocks * w->block_bytes);
    w->gathered = sgm_carve(memory, used, rows * w->d * 4);
    w->dk = sgm_carve(memory, used, rows * w->d_padded * 4);
    w->dv = sgm_carve(memory, used, rows * w->d_padded * 4);
}

static void lay_out_queries(work *w, int64_t sh, int64_t sw, char *memory, size_t *used)
{
    int64_t rows = QUERIES * w->d * 4, b_rows = QUERY_PANELS * w->chunks * SGM_B_CHUNK;
    int64_t b_columns = w->panels * QUERY_CHUNKS * SGM_B_CHUNK;
    int64_t strips = w->kept ? sgm_div_up(w->nk, w->strip) : 1;
    float **plain[] = {&w->q_memory, &w->dout_memory, &w->out_memory};
    for (int i = 0; i < 3; i++)
        *plain[i] = sgm_carve(memory, used, rows);
    w->q_rows = sgm_carve(memory, used, b_rows);
    w->dout_rows = sgm_carve(memory, used, b_rows);
    w->q_columns = sgm_carve(memory, used, b_columns);
    w->dout_columns = sgm_carve(memory, used, b_columns);
    w->scores = sgm_carve(memory, used, strips * QUERIES * w->strip * 4);
    w->ds = sgm_carve(memory, used, QUERIES * w->strip * 4);
    w->ds_block = sgm_carve(memory, used, QUERY_PANELS * w->block / 16 * SGM_B_CHUNK);
    w->dq = sgm_carve(memory, used, (w->d_padded + w->strip) * QUERIES * 4);
    w->dq_rows = sgm_carve(memory, used, QUERIES * w->d_padded * 4);
    float **columns[] = {&w->max, &w->sum, &w->lse, &w->delta};
    for (int i = 0; i < 4; i++)
        *columns[i] = sgm_carve(memory, used, QUERIES * 4);
    w->bh = sgm_carve(memory, used, sh * QUERIES * 4);
    w->bw = sgm_carve(memory, used, sw * QUERIES * 4);
    w->dbh = sgm_carve(memory, used, sh * QUERIES * 4);
    w->dbw = sgm_carve(memory, used, sw * QUERIES * 4);
    w->parts = sgm_carve(memory, used, (sgm_round_up(sh, 16) + sgm_round_up(sw, 16) + 32) * 4);
    w->line = sgm_carve(memory, used, (sw + QUERIES + 32) * 4);
    w->pads = sgm_carve(memory, used, sgm_round_up(sh * sw, 16) * 4);
}

static size_t lay_out(work *w, int64_t nk, int head_dim, int64_t sh, int64_t sw, char *memory)
{
    size_t used = 0;
    w->micro = sgm_micro_for(SGM_F32);
    w->loops = sgm_loops();
    w->d = head_dim;
    w->nk = nk;
    w->kept = nk <= KEPT_KEYS;
    w->strip = w->micro->strip;
    w->block = 8 * w->strip;
    w->blocks = sgm_div_up(nk, w->block);
    w->chunks = sgm_chunks(head_dim, SGM_F32);
    w->panels = sgm_div_up(head_dim, SGM_PANEL);
    w->d_padded = w->panels * SGM_PANEL;
    w->strip_bytes = w->chunks * w->strip * SGM_CHUNK;
    w->block_bytes = sgm_round_up(head_dim, w->strip) * (w->block / 16) * SGM_CHUNK;
    lay_out_keys(w, memory, &used);
    lay_out_queries(w, sh, sw, memory, &used);
    return used;
}

size_t sgm_attention_grad_memory(int64_t nk, int head_dim, int64_t sh, int64_t sw)
{
    work w;
    size_t bf16 = sgm_attention_grad_bf16_memory(nk, head_dim);
    size_t f32 = lay_out(&w, nk, head_dim, sh, sw, NULL);
    return bf16 > f32 ? bf16 : f32;
}

/* ------------------------------------------------------------------------------ keys and values */

static void pack_strips(const work *w, const sgm_even_tokens *from, char *packed)
{
    const char *first = (const char *)from->data + from->at * (from->dtype == SGM_F32 ? 4 : 2);
    sgm_rows_source source = {{first, from->dtype, from->ld, NULL}, w->d};
    w->loops->pack_rows(&source, 0, (int)w->nk, w->chunks, SGM_F32, w->strip, packed);
}

/* The scale goes with the keys: neither the queries nor their gradient need it then. */
static void prepare_keys(work *w)
{
    sgm_even_tokens v = sgm_evenly(&w->f->v, 0, w->nk, w->d, SGM_F32, w->gathered);
    pack_strips(w, &v, w->values);
    sgm_even_tokens k = sgm_evenly(&w->f->k, 0, w->nk, w->d, SGM_F32, w->gathered);
    pack_strips(w, &k, w->keys);
    w->loops->scale((float *)w->keys, w->f->scale * SGM_LOG2E,
                    sgm_div_up(w->nk, w->strip) * w->strip_bytes / 4);
    for (int64_t b = 0; b < w->blocks; b++) {
        int64_t first = b * w->block, n = w->nk - first < w->block ? w->nk - first : w->block;
        char *to = w->turned + b * w->block_bytes;
        w->loops->pack_turned(k.data, k.dtype, k.at + first * k.ld, k.ld, w->d, n, SGM_F32,
                              w->strip, to);
    }
}

/* -------------------------------------------------------------------------------------- queries */

static int64_t panels_used(const work *w)
{
    return sgm_div_up(w->used * 16, SGM_PANEL);
}

/* What makes the columns of panel p that hold queries. */
static sgm_micro_fn query_columns(const work *w, int64_t p)
{
    return sgm_micro_columns(w->micro, w->used * 16 - p * SGM_PANEL);
}

static void pack_columns(const work *w, const sgm_even_tokens *rows, int n, char *packed)
{
    for (int64_t p = 0; p < w->panels; p++) {
        int64_t first = p * SGM_PANEL;
        int cols = (int)(w->d - first < SGM_PANEL ? w->d - first : SGM_PANEL);
        sgm_packed_panel_columns(rows->data, rows->dtype, rows->at + first, rows->ld, cols, n,
                                 SGM_F32, packed + p * QUERY_CHUNKS * SGM_B_CHUNK);
    }
}

static void pack_rows(const work *w, const sgm_even_tokens *rows, int n, char *packed)
{
    for (int64_t p = 0; p < panels_used(w); p++) {
        int64_t first = p * SGM_PANEL;
        int cols = (int)(n - first < SGM_PANEL ? n - first : SGM_PANEL);
        sgm_packed_panel_rows(rows->data, rows->dtype, rows->at + first * rows->ld, rows->ld, cols,
                              w->d, SGM_F32, packed + p * w->chunks * SGM_B_CHUNK);
    }
}

/* Not every element of the last chunk, and of a second half without queries, is written. */
static void clear_block(const work *w)
{
    int64_t keys = w->nk < w->block ? w->nk : w->block;
    if (w->used % 2 == 0 && w->nk % 16 == 0) return;
    for (int64_t p = 0; p < panels_used(w); p++)
        memset(w->ds_block + p * (w->block / 16) * SGM_B_CHUNK, 0,
               (size_t)(sgm_div_up(keys, 16) * SGM_B_CHUNK));
}

/* The bias parts of the block's queries as columns. */
static void relative_columns(work *w, int64_t first, int n)
{
    const sgm_position_bias *b = &w->f->bias;
    float *along_h = w->parts, *along_w = w->parts + sgm_round_up(b->sh, 16) + 16;
    for (int i = 0; i < n; i++) {
        int64_t q = first + i, run = w->f->q.run;
        sgm_relative_parts(b, sgm_even_row(&w->q, i), w->d, q / run, q % run, along_h, along_w);
        for (int64_t y = 0; y < b->sh; y++)
            w->bh[y * QUERIES + i] = along_h[y];
        for (int64_t x = 0; x < b->sw; x++)
            w->bw[x * QUERIES + i] = along_w[x];
    }
}

static void clear_bias(const work *w)
{
    const sgm_position_bias *b = &w->f->bias;
    size_t h = sizeof(float) * (size_t)(b->sh * QUERIES),
           v = sizeof(float) * (size_t)(b->sw * QUERIES);
    memset(w->bh, 0, h);
    memset(w->bw, 0, v);
    memset(w->dbh, 0, h);
    memset(w->dbw, 0, v);
    memset(w->line, 0, sizeof(float) * (size_t)(b->sw + QUERIES + 32));
}

static void load_queries(work *w, int64_t first, int n)
{
    const sgm_attention_task *f = w->f;
    w->used = (int)sgm_div_up(n, 16);
    w->q = sgm_grad_rows(&f->q, first, n, w->d, w->q_memory);
    w->out = sgm_grad_rows(&f->out, first, n, w->d, w->out_memory);
    w->dout = sgm_grad_rows(&w->t->dout, first, n, w->d, w->dout_memory);
    pack_rows(w, &w->q, n, w->q_rows);
    pack_rows(w, &w->dout, n, w->dout_rows);
    pack_columns(w, &w->q, n, w->q_columns);
    pack_columns(w, &w->dout, n, w->dout_columns);
    clear_block(w);
    for (int i = 0; i < w->used * 16; i++) {
        w->delta[i] =
            i < n ? w->loops->dot(sgm_even_row(&w->out, i), sgm_even_row(&w->dout, i), w->d) : 0;
        w->max[i] = -INFINITY;
        w->sum[i] = 0;
    }
    if (f->bias.kind != SGM_BIAS_NONE || f->pads > 0) clear_bias(w);
    if (f->bias.kind == SGM_BIAS_REL_POS) relative_columns(w, first, n);
}

/* ---------------------------------------------------------------------------------------- scores
 */

/* table[|dy|][sw - 1 + dx] of one key, along a run of queries in one row of the grid. */
static int64_t table_at(const sgm_position_bias *b, int64_t ky, int64_t kx, int64_t qy, int64_t qx)
{
    return (ky > qy ? ky - qy : qy - ky) * b->ld_w + b->sw - 1 + qx - kx;
}

static float *scores_of(const work *w, int64_t key)
{
    return w->scores + (w->kept ? key * QUERIES : 0);
}

/* bias_row and its gradient with the roles turned: a key's bias along a row of queries. */
static const float *table_of_key(const work *w, int64_t kx)
{
    return w->f->bias.table + w->f->bias.sw - 1 - kx;
}

static void fill_bias(const work *w, int64_t key, int rows, int64_t first, float *scores)
{
    int64_t run = w->f->k.run, queries = w->f->q.run;
    const sgm_position_bias *b = &w->f->bias;
    for (int i = 0; i < rows; i++) {
        int64_t y = (key + i) / run, x = (key + i) % run;
        float *to = scores + i * 16;
        if (b->kind == SGM_BIAS_TABLE)
            w->loops->bias_row(NULL, table_of_key(w, x), b->ld_w, y, queries, w->f->nq / queries,
                               first, w->used * 16, w->line, to, w->strip * 16);
        else
            w->loops->put_chunks(to, w->strip * 16, w->used, w->bh + y * QUERIES,
                                 w->bw + x * QUERIES);
    }
}

/* A strip of keys or values times the block's queries: [QUERY_CHUNKS][strip][16]. */
static void strip_products(const work *w, const char *strips, const char *b, int64_t key, int rows,
                           bool accumulate, float *to)
{
    for (int64_t p = 0; p < panels_used(w); p++)
        query_columns(w, p)(strips + key / w->strip * w->strip_bytes, 0,
                            b + p * w->chunks * SGM_B_CHUNK, w->chunks, to + p * 2 * w->strip * 16,
                            16, w->strip * 16, rows, accumulate);
}

static void strip_scores(const work *w, int64_t key, int rows, int64_t first)
{
    bool biased = w->f->bias.kind != SGM_BIAS_NONE;
    float *scores = scores_of(w, key);
    if (biased) fill_bias(w, key, rows, first, scores);
    strip_products(w, w->keys, w->q_rows, key, rows, biased, scores);
}

/* ----------------------------------------------------------------------------------- padding keys
 */

typedef struct pad_walk {
    int64_t y, x, run, real_rows, sw, sh;
} pad_walk;

static pad_walk first_pad(const work *w)
{
    int64_t run = w->f->k.run, rows = w->nk / run;
    pad_walk p = {0, run, run, rows, w->f->bias.sw, w->f->bias.sh};
    if (run == p.sw) p = (pad_walk){rows, 0, run, rows, p.sw, p.sh};
    return p;
}

/* The run of padding keys that begins at `p` in its row of the window. */
static int64_t pads_in_row(const pad_walk *p)
{
    return p->sw - p->x;
}

static void next_row(pad_walk *p)
{
    p->y++;
    p->x = p->y < p->real_rows ? p->run : 0;
    if (p->x == p->sw) *p = (pad_walk){p->real_rows, 0, p->run, p->real_rows, p->sw, p->sh};
}

/* Scores of query i's padding keys into w->pads; -inf up to a multiple of 16. */
static void pad_scores(const work *w, int64_t first, int i)
{
    const sgm_attention_task *f = w->f;
    const sgm_position_bias *b = &f->bias;
    int64_t q = first + i, n = 0;
    float base =
        f->pad_k ? w->loops->dot(sgm_even_row(&w->q, i), f->pad_k, w->d) * (f->scale * SGM_LOG2E)
                 : 0;
    for (pad_walk p = first_pad(w); p.y < p.sh; next_row(&p))
        for (int64_t k = 0; k < pads_in_row(&p); k++, n++)
            w->pads[n] =
                base + (b->kind == SGM_BIAS_TABLE
                            ? b->table[table_at(b, p.y, p.x + k, q / f->q.run, q % f->q.run)]
                            : w->bh[p.y * QUERIES + i] + w->bw[(p.x + k) * QUERIES + i]);
    for (; n % 16; n++)
        w->pads[n] = -INFINITY;
}

static void pad_stats(const work *w, int64_t first, int i)
{
    pad_scores(w, first, i);
    float rescale;
    sgm_softmax_strip s = {.scores = w->pads,
                           .score_strip = 1,
                           .strip = 1,
                           .rows = 1,
                           .chunks = sgm_div_up(w->f->pads, 16),
                           .max = w->max + i,
                           .sum = w->sum + i,
                           .rescale = &rescale};
    w->loops->softmax_strip(&s);
}

static void add_pads(const work *w, int64_t first, int i)
{
    const sgm_attention_task *f = w->f;
    const sgm_bias_sums *sums = &w->t->sums;
    const float *g = sgm_even_row(&w->dout, i), *q = sgm_even_row(&w->q, i);
    float factor = (f->pad_v ? w->loops->dot(g, f->pad_v, w->d) : 0) - w->delta[i], mass = 0;
    int64_t n = 0, qy = (first + i) / f->q.run, qx = (first + i) % f->q.run;
    pad_scores(w, first, i);
    w->loops->exp2_shifted(w->pads, w->lse[i], sgm_round_up(f->pads, 16));
    for (pad_walk p = first_pad(w); p.y < p.sh; next_row(&p)) {
        int64_t at = sums->table ? table_at(&f->bias, p.y, p.x, qy, qx) : 0;
        for (int64_t k = 0; k < pads_in_row(&p); k++, n++) {
            float ds = w->pads[n] * factor;
            mass += w->pads[n];
            w->dbh[p.y * QUERIES + i] += ds;
            w->dbw[(p.x + k) * QUERIES + i] += ds;
            /* the table is mirrored: the next key lies one to the left */
            if (sums->table) sums->table[at - k] += ds;
        }
    }
    for (int d = 0; f->pad_k && d < w->d; d++)
        w->dq[d * QUERIES + i] += mass * factor * f->pad_k[d];
    if (sums->pad_k) w->loops->axpy(sums->pad_k, mass * factor * f->scale, q, w->d);
    if (sums->pad_v) w->loops->axpy(sums->pad_v, mass, g, w->d);
}

/* ------------------------------------------------------------------------------------- gradients
 */

static int strip_rows(const work *w, int64_t key)
{
    return w->nk - key < w->strip ? (int)(w->nk - key) : w->strip;
}

static void log_sums(work *w, int64_t first, int n)
{
    for (int64_t key = 0; key < w->nk; key += w->strip) {
        int rows = strip_rows(w, key);
        strip_scores(w, key, rows, first);
        w->loops->column_stats(scores_of(w, key), w->strip, rows, w->used, w->max, w->sum);
    }
    for (int i = 0; i < w->used * 16; i++) {
        if (w->f->pads > 0 && i < n) pad_stats(w, first, i);
        w->lse[i] = i < n ? w->max[i] + log2f(w->sum[i]) : INFINITY; /* no query: probability 0 */
    }
}

static void add_bias(const work *w, int64_t key, int rows, int64_t first, int n)
{
    const sgm_position_bias *b = &w->f->bias;
    int64_t run = w->f->k.run, stride = w->strip * 16;
    for (int i = 0; i < rows; i++) {
        int64_t y = (key + i) / run, x = (key + i) % run;
        const float *ds = w->ds + i * 16;
        if (b->kind == SGM_BIAS_REL_POS) {
            w->loops->add_chunks(w->dbh + y * QUERIES, ds, stride, w->used);
            w->loops->add_chunks(w->dbw + x * QUERIES, ds, stride, w->used);
        } else if (w->t->sums.table) {
            w->loops->bias_row_grad(w->t->sums.table + b->sw - 1 - x, b->ld_w, y, w->f->q.run,
                                    first, n, ds, stride);
        }
    }
}

/* The strip's rows of dS^T into the block that is B of dQ^T: neighbours within a chunk of keys. */
static void copy_strip(const work *w, int64_t in_block, int rows)
{
    for (int c = 0; c < w->used; c++)
        for (int i = 0, n; i < rows; i += n) {
            int64_t k = in_block + i, left = 16 - k % 16;
            float *to = (float *)(w->ds_block + (c / 2 * (w->block / 16) + k / 16) * SGM_B_CHUNK);
            n = rows - i < left ? rows - i : (int)left;
            memcpy(to + c % 2 * 256 + k % 16 * 16, w->ds + (c * w->strip + i) * 16, (size_t)n * 64);
        }
}

static void add_products(const work *w, const float *a, const char *b, float *c, int rows,
                         bool accumulate)
{
    for (int64_t p = 0; p < w->panels; p++)
        sgm_micro_columns(w->micro, w->d - p * SGM_PANEL)(a, 0, b + p * QUERY_CHUNKS * SGM_B_CHUNK,
                                                          w->used, c + p * SGM_PANEL, w->d_padded,
                                                          16, rows, accumulate);
}

static void strip_grads(const work *w, int64_t key, int64_t in_block, int64_t first, int n)
{
    int rows = strip_rows(w, key);
    float *s = scores_of(w, key); /* soon probabilities */
    if (!w->kept) strip_scores(w, key, rows, first);
    strip_products(w, w->values, w->dout_rows, key, rows, false, w->ds);
    w->loops->column_grad(s, w->ds, w->strip, rows, w->used, w->lse, w->delta);
    if (w->f->bias.kind != SGM_BIAS_NONE) add_bias(w, key, rows, first, n);
    copy_strip(w, in_block, rows);
    add_products(w, s, w->dout_columns, w->dv + key * w->d_padded, rows, first > 0);
    add_products(w, w->ds, w->q_columns, w->dk + key * w->d_padded, rows, first > 0);
}

/* dQ^T (+)= K^T dS^T for one block of keys. */
static void block_queries(const work *w, int64_t b)
{
    int64_t n = w->nk - b * w->block < w->block ? w->nk - b * w->block : w->block;
    int64_t chunks = sgm_div_up(n, 16), stride = chunks * w->strip * SGM_CHUNK;
    for (int d = 0; d < w->d; d += w->strip) {
        int rows = w->d - d < w->strip ? w->d - d : w->strip;
        for (int64_t p = 0; p < panels_used(w); p++)
            query_columns(w, p)(w->turned + b * w->block_bytes + d / w->strip * stride, 0,
                                w->ds_block + p * (w->block / 16) * SGM_B_CHUNK, chunks,
                                w->dq + d * QUERIES + p * SGM_PANEL, QUERIES, 16, rows, b > 0);
    }
}

static void key_grads(const work *w, int64_t first, int n)
{
    for (int64_t b = 0; b < w->blocks; b++) {
        int64_t key = b * w->block;
        for (int64_t i = 0; i < w->block && key + i < w->nk; i += w->strip)
            strip_grads(w, key + i, i, first, n);
        block_queries(w, b);
    }
}

/* What a query's bias owes to a table and to the query itself. */
static void relative_grads(const work *w, int64_t side, const float *db, const float *plain,
                           int64_t position, int i, float *rel, float *dq)
{
    for (int64_t k = 0; k < side; k++) {
        int64_t row = (position - k + side - 1) * w->d;
        float g = db[k * QUERIES + i];
        if (rel) w->loops->axpy(rel + row, g, sgm_even_row(&w->q, i), w->d);
        w->loops->axpy(dq, g, plain + row, w->d);
    }
}

/* dQ^T turned over; sums in units of the scores so far. */
static void turn_queries(const work *w)
{
    for (int c = 0; c < w->used; c++)
        for (int64_t d = 0; d < w->d; d += 16)
            w->loops->transpose((const uint32_t *)w->dq + d * QUERIES + c * 16, QUERIES,
                                (uint32_t *)w->dq_rows + c * 16 * w->d_padded + d, w->d_padded);
}

static void finish_queries(work *w, int64_t first, int n)
{
    const sgm_position_bias *b = &w->f->bias;
    int64_t run = w->f->q.run;
    for (int i = 0; w->f->pads > 0 && i < n; i++)
        add_pads(w, first, i);
    turn_queries(w);
    for (int i = 0; i < n; i++) {
        float *dq = w->dq_rows + i * w->d_padded, factor = w->f->scale;
        if (b->kind == SGM_BIAS_REL_POS) {
            w->loops->scale(dq, factor, w->d);
            factor = 1;
            relative_grads(w, b->sh, w->dbh, b->plain_h, (first + i) / run, i, w->t->sums.rel_h,
                           dq);
            relative_grads(w, b->sw, w->dbw, b->plain_w, (first + i) % run, i, w->t->sums.rel_w,
                           dq);
        }
        if (w->t->dq.data) sgm_put_row(w->d, &w->t->dq, first + i, factor, dq, w->t->accumulate_q);
    }
}

/* The first block of queries writes the sums; here there is none. */
static void clear_sums(const work *w)
{
    memset(w->dk, 0, sizeof(float) * (size_t)(w->nk * w->d_padded));
    memset(w->dv, 0, sizeof(float) * (size_t)(w->nk * w->d_padded));
}

sgm_even_tokens sgm_grad_rows(const sgm_tokens *t, int64_t first, int64_t n, int head_dim,
                              float *memory)
{
    if (t->dtype == SGM_F32) return sgm_evenly(t, first, n, head_dim, SGM_F32, memory);
    sgm_gather_tokens(t, first, n, head_dim, SGM_F32, memory, head_dim);
    return (sgm_even_tokens){memory, SGM_F32, 0, head_dim};
}

void sgm_put_row(int head_dim, const sgm_tokens *to, int64_t token, float factor, const float *row,
                 bool accumulate)
{
    float *out = (float *)to->data + sgm_token_offset(to, token);
    if (accumulate)
        sgm_loops()->axpy(out, factor, row, head_dim);
    else
        sgm_loops()->affine(row, SGM_F32, factor, 0, out, SGM_F32, 0, head_dim);
}

/* ------------------------------------------------------------------------------------- the task
 */

void sgm_attention_grad_run(const sgm_attention_grad_task *t, void *memory)
{
    const sgm_attention_task *f = &t->forward;
    work w = {.t = t, .f = f};
    if (sgm_attention_grad_in_bf16(f)) {
        sgm_attention_grad_bf16_run(t, memory);
        return;
    }
    lay_out(&w, f->nk, f->head_dim, f->bias.sh, f->bias.sw, memory);
    prepare_keys(&w);
    if (f->nq == 0) clear_sums(&w);
    for (int64_t first = 0; first < f->nq; first += QUERIES) {
        int n = f->nq - first < QUERIES ? (int)(f->nq - first) : QUERIES;
        load_queries(&w, first, n);
        log_sums(&w, first, n);
        key_grads(&w, first, n);
        finish_queries(&w, first, n);
    }
    for (int64_t i = 0; i < f->nk; i++) {
        if (t->dk.data)
            sgm_put_row(w.d, &t->dk, i, f->scale, w.dk + i * w.d_padded, t->accumulate_k);
        if (t->dv.data) sgm_put_row(w.d, &t->dv, i, 1, w.dv + i * w.d_padded, t->accumulate_v);
    }
}
