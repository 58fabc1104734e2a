#include "backend/cpu/kernels/attention_grad.h"

#include <math.h>

#define QUERIES 64 /* per block: two panels */
#define QUERY_CHUNKS (QUERIES / 16)
#define QUERY_PANELS (QUERIES / SGM_PANEL)

typedef struct work {
    const sgm_attention_grad_task *t;
    const sgm_attention_task *f;
    const sgm_micro *micro;
    const sgm_isa_table *loops;
    int d, strip, block; /* keys per strip, and per block: whole strips and whole chunks */
    int64_t nk, chunks, panels, d_padded, blocks;
    int64_t strip_bytes, block_bytes; /* of packed keys; of one block of transposed keys */
    char *keys, *values, *turned;     /* K and V in strips; K^T in strips, by blocks */
    float *gathered, *dk, *dv;        /* [nk padded][..] */
    float *q, *dout, *out, *scaled;   /* [QUERIES][d_padded] */
    char *q_rows, *dout_rows;         /* B: columns are queries */
    char *q_columns, *dout_columns;   /* B: columns are channels */
    float *s, *ds;                    /* [QUERY_CHUNKS][strip][16] */
    char *ds_block;                   /* B: a block of keys by 64 queries */
    float *dq;                        /* [d][QUERIES] */
    float *max, *sum, *lse, *delta;   /* [QUERIES] */
    float *bh, *bw;                   /* [side][QUERIES] */
    float *dbh, *dbw;
    float *parts; /* one query's bh, bw */
    float *line;  /* [QUERIES + 32] */
    float *pads;  /* scores of one query's padding keys */
} work;

static int64_t round_up(int64_t n, int64_t to)
{
    return sgm_div_up(n, to) * to;
}

static void *carve(char *memory, size_t *used, int64_t bytes)
{
    void *p = memory ? memory + *used : NULL;
    *used += (size_t)round_up(bytes, 64);
    return p;
}

static void lay_out_keys(work *w, char *memory, size_t *used)
{
    int64_t rows = w->blocks * w->block;
    w->keys = carve(memory, used, rows * w->chunks * SGM_CHUNK);
    w->values = carve(memory, used, rows * w->chunks * SGM_CHUNK);
    w->turned = carve(memory, used, w->blocks * w->block_bytes);
    w->gathered = carve(memory, used, rows * w->d * 4);
    w->dk = carve(memory, used, rows * w->d_padded * 4);
    w->dv = carve(memory, used, rows * w->d_padded * 4);
}

static void lay_out_queries(work *w, int64_t sh, int64_t sw, char *memory, size_t *used)
{
    int64_t rows = QUERIES * w->d_padded * 4, b_rows = QUERY_PANELS * w->chunks * SGM_B_CHUNK;
    int64_t b_columns = w->panels * QUERY_CHUNKS * SGM_B_CHUNK;
    float **plain[] = {&w->q, &w->dout, &w->out, &w->scaled};
    for (int i = 0; i < 4; i++)
        *plain[i] = carve(memory, used, rows);
    w->q_rows = carve(memory, used, b_rows);
    w->dout_rows = carve(memory, used, b_rows);
    w->q_columns = carve(memory, used, b_columns);
    w->dout_columns = carve(memory, used, b_columns);
    w->s = carve(memory, used, QUERIES * w->strip * 4);
    w->ds = carve(memory, used, QUERIES * w->strip * 4);
    w->ds_block = carve(memory, used, QUERY_PANELS * w->block / 16 * SGM_B_CHUNK);
    w->dq = carve(memory, used, round_up(w->d, w->strip) * QUERIES * 4);
    float **columns[] = {&w->max, &w->sum, &w->lse, &w->delta};
    for (int i = 0; i < 4; i++)
        *columns[i] = carve(memory, used, QUERIES * 4);
    w->bh = carve(memory, used, sh * QUERIES * 4);
    w->bw = carve(memory, used, sw * QUERIES * 4);
    w->dbh = carve(memory, used, sh * QUERIES * 4);
    w->dbw = carve(memory, used, sw * QUERIES * 4);
    w->parts = carve(memory, used, (round_up(sh, 16) + round_up(sw, 16) + 32) * 4);
    w->line = carve(memory, used, (QUERIES + 32) * 4);
    w->pads = carve(memory, used, round_up(sh * sw, 16) * 4);
}

static size_t lay_out(work *w, int64_t nk, int head_dim, int64_t sh, int64_t sw, char *memory)
{
    size_t used = 0;
    w->micro = sgm_micro_for(SGM_F32);
    w->loops = sgm_loops();
    w->d = head_dim;
    w->nk = nk;
    w->strip = w->micro->strip;
    w->block = 8 * w->strip;
    w->blocks = sgm_div_up(nk, w->block);
    w->chunks = sgm_chunks(head_dim, SGM_F32);
    w->panels = sgm_div_up(head_dim, SGM_PANEL);
    w->d_padded = w->panels * SGM_PANEL;
    w->strip_bytes = w->chunks * w->strip * SGM_CHUNK;
    w->block_bytes = round_up(head_dim, w->strip) * (w->block / 16) * SGM_CHUNK;
    lay_out_keys(w, memory, &used);
    lay_out_queries(w, sh, sw, memory, &used);
    return used;
}

size_t sgm_attention_grad_memory(int64_t nk, int head_dim, int64_t sh, int64_t sw)
{
    work w;
    return lay_out(&w, nk, head_dim, sh, sw, NULL);
}

/* ------------------------------------------------------------------------------ keys and values */

static void pack_strips(work *w, const sgm_tokens *tokens, char *packed)
{
    sgm_gather_tokens(tokens, 0, w->nk, w->d, SGM_F32, w->gathered, w->d);
    sgm_rows_source source = {{w->gathered, SGM_F32, w->d, NULL}, w->d};
    w->loops->pack_rows(&source, 0, (int)w->nk, w->chunks, SGM_F32, w->strip, packed);
}

static void prepare_keys(work *w)
{
    pack_strips(w, &w->f->v, w->values);
    pack_strips(w, &w->f->k, w->keys);
    for (int64_t b = 0; b < w->blocks; b++) {
        int64_t first = b * w->block, n = w->nk - first < w->block ? w->nk - first : w->block;
        char *to = w->turned + b * w->block_bytes;
        sgm_pack_transposed(w->gathered, SGM_F32, first * w->d, w->d, w->d, n, SGM_F32, w->strip,
                            to);
    }
    size_t size = sizeof(float) * (size_t)(w->blocks * w->block * w->d_padded);
    memset(w->dk, 0, size);
    memset(w->dv, 0, size);
}

/* -------------------------------------------------------------------------------------- queries */

static void pack_columns(const work *w, const float *rows, char *packed)
{
    for (int64_t p = 0; p < w->panels; p++) {
        int64_t n = p * SGM_PANEL;
        int cols = (int)(w->d - n < SGM_PANEL ? w->d - n : SGM_PANEL);
        sgm_packed_panel_columns(rows, SGM_F32, n, w->d_padded, cols, QUERIES, SGM_F32,
                                 packed + p * QUERY_CHUNKS * SGM_B_CHUNK);
    }
}

static void pack_rows(const work *w, const float *rows, char *packed)
{
    for (int64_t p = 0; p < QUERY_PANELS; p++)
        sgm_packed_panel_rows(rows, SGM_F32, p * SGM_PANEL * w->d_padded, w->d_padded, SGM_PANEL,
                              w->d, SGM_F32, packed + p * w->chunks * SGM_B_CHUNK);
}

static void scale_rows(const work *w, float factor)
{
    memcpy(w->scaled, w->q, sizeof(float) * (size_t)(QUERIES * w->d_padded));
    w->loops->scale(w->scaled, factor, QUERIES * w->d_padded);
}

/* The bias parts of the block's queries as columns. */
static void relative_columns(work *w, int64_t first, int n)
{
    const sgm_position_bias *b = &w->f->bias;
    float *along_h = w->parts, *along_w = w->parts + round_up(b->sh, 16) + 16;
    for (int i = 0; i < n; i++) {
        int64_t q = first + i, run = w->f->q.run;
        sgm_relative_parts(b, w->q + i * w->d_padded, w->d, q / run, q % run, along_h, along_w);
        for (int64_t y = 0; y < b->sh; y++)
            w->bh[y * QUERIES + i] = along_h[y];
        for (int64_t x = 0; x < b->sw; x++)
            w->bw[x * QUERIES + i] = along_w[x];
    }
}

static void load_queries(work *w, int64_t first, int n)
{
    size_t size = sizeof(float) * (size_t)(QUERIES * w->d_padded);
    memset(w->q, 0, size);
    memset(w->dout, 0, size);
    sgm_gather_tokens(&w->f->q, first, n, w->d, SGM_F32, w->q, w->d_padded);
    sgm_gather_tokens(&w->f->out, first, n, w->d, SGM_F32, w->out, w->d_padded);
    sgm_gather_tokens(&w->t->dout, first, n, w->d, SGM_F32, w->dout, w->d_padded);
    scale_rows(w, w->f->scale * SGM_LOG2E);
    pack_rows(w, w->scaled, w->q_rows);
    pack_rows(w, w->dout, w->dout_rows);
    pack_columns(w, w->dout, w->dout_columns);
    for (int i = 0; i < QUERIES; i++) {
        const float *o = w->out + i * w->d_padded, *g = w->dout + i * w->d_padded;
        w->delta[i] = i < n ? w->loops->dot(o, g, w->d) : 0;
        w->max[i] = -INFINITY;
        w->sum[i] = 0;
    }
    const sgm_position_bias *b = &w->f->bias;
    size_t h = sizeof(float) * (size_t)(b->sh * QUERIES),
           v = sizeof(float) * (size_t)(b->sw * QUERIES);
    memset(w->bh, 0, h);
    memset(w->bw, 0, v);
    memset(w->dbh, 0, h);
    memset(w->dbw, 0, v);
    memset(w->dq, 0, sizeof(float) * (size_t)(round_up(w->d, w->strip) * QUERIES));
    if (b->kind == SGM_BIAS_REL_POS) relative_columns(w, first, n);
}

/* ---------------------------------------------------------------------------------------- scores
 */

/* table[|dy|][sw - 1 + dx] of one key, along a run of queries in one row of the grid. */
static int64_t table_at(const sgm_position_bias *b, int64_t ky, int64_t kx, int64_t qy, int64_t qx)
{
    return (ky > qy ? ky - qy : qy - ky) * b->ld_w + b->sw - 1 + qx - kx;
}

/* The bias of a key for queries [first, first + n), into a line. */
static void table_line(const work *w, int64_t ky, int64_t kx, int64_t first, int n)
{
    int64_t run = w->f->q.run;
    for (int i = 0; i < n;) {
        int64_t qy = (first + i) / run, qx = (first + i) % run;
        int count = run - qx < n - i ? (int)(run - qx) : n - i;
        memcpy(w->line + i, w->f->bias.table + table_at(&w->f->bias, ky, kx, qy, qx),
               sizeof(float) * (size_t)count);
        i += count;
    }
}

static void fill_bias(const work *w, int64_t key, int rows, int64_t first, int n)
{
    int64_t run = w->f->k.run;
    const sgm_position_bias *b = &w->f->bias;
    for (int i = 0; i < rows; i++) {
        int64_t y = (key + i) / run, x = (key + i) % run;
        if (b->kind == SGM_BIAS_TABLE) table_line(w, y, x, first, n);
        const float *part = b->kind == SGM_BIAS_TABLE ? w->line : w->bh + y * QUERIES;
        w->loops->put_chunks(w->s + i * 16, w->strip * 16, QUERY_CHUNKS, part,
                             b->kind == SGM_BIAS_TABLE ? NULL : w->bw + x * QUERIES);
    }
}

/* A strip of keys or values times the block's queries: [QUERY_CHUNKS][strip][16]. */
static void strip_products(const work *w, const char *strips, const char *b, int64_t key, int rows,
                           bool accumulate, float *to)
{
    for (int64_t p = 0; p < QUERY_PANELS; p++)
        w->micro->run(strips + key / w->strip * w->strip_bytes, 0, b + p * w->chunks * SGM_B_CHUNK,
                      w->chunks, to + p * 2 * w->strip * 16, 16, w->strip * 16, rows, accumulate);
}

static void strip_scores(const work *w, int64_t key, int rows, int64_t first, int n)
{
    bool biased = w->f->bias.kind != SGM_BIAS_NONE;
    if (biased) fill_bias(w, key, rows, first, n);
    strip_products(w, w->keys, w->q_rows, key, rows, biased, w->s);
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
        f->pad_k ? w->loops->dot(w->q + i * w->d_padded, f->pad_k, w->d) * (f->scale * SGM_LOG2E)
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
    const float *g = w->dout + i * w->d_padded, *q = w->q + i * w->d_padded;
    float factor = (f->pad_v ? w->loops->dot(g, f->pad_v, w->d) : 0) - w->delta[i], mass = 0;
    int64_t n = 0, qy = (first + i) / f->q.run, qx = (first + i) % f->q.run;
    pad_scores(w, first, i);
    w->loops->exp2_shifted(w->pads, w->lse[i], round_up(f->pads, 16));
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

static void log_sums(work *w, int64_t first, int n)
{
    for (int64_t key = 0; key < w->nk; key += w->strip) {
        int rows = w->nk - key < w->strip ? (int)(w->nk - key) : w->strip;
        strip_scores(w, key, rows, first, n);
        w->loops->column_stats(w->s, w->strip, rows, QUERY_CHUNKS, w->max, w->sum);
    }
    for (int i = 0; i < QUERIES; i++) {
        if (w->f->pads > 0 && i < n) pad_stats(w, first, i);
        w->lse[i] = i < n ? w->max[i] + log2f(w->sum[i]) : INFINITY; /* no query: probability 0 */
    }
}

static void add_table(const work *w, const float *ds, int64_t y, int64_t x, int64_t first, int n)
{
    int64_t run = w->f->q.run;
    memset(w->line, 0, sizeof(float) * QUERIES);
    w->loops->add_chunks(w->line, ds, w->strip * 16, QUERY_CHUNKS);
    for (int i = 0; i < n;) {
        int64_t qy = (first + i) / run, qx = (first + i) % run;
        int count = run - qx < n - i ? (int)(run - qx) : n - i;
        w->loops->axpy(w->t->sums.table + table_at(&w->f->bias, y, x, qy, qx), 1, w->line + i,
                       count);
        i += count;
    }
}

static void add_bias(const work *w, int64_t key, int rows, int64_t first, int n)
{
    int64_t run = w->f->k.run, stride = w->strip * 16;
    for (int i = 0; i < rows; i++) {
        int64_t y = (key + i) / run, x = (key + i) % run;
        const float *ds = w->ds + i * 16;
        if (w->f->bias.kind == SGM_BIAS_REL_POS) {
            w->loops->add_chunks(w->dbh + y * QUERIES, ds, stride, QUERY_CHUNKS);
            w->loops->add_chunks(w->dbw + x * QUERIES, ds, stride, QUERY_CHUNKS);
        } else if (w->t->sums.table) {
            add_table(w, ds, y, x, first, n);
        }
    }
}

/* The strip's rows of dS^T into the block that is B of dQ^T. */
static void copy_strip(const work *w, int64_t in_block, int rows)
{
    for (int c = 0; c < QUERY_CHUNKS; c++)
        for (int i = 0; i < rows; i++) {
            int64_t k = in_block + i;
            float *to = (float *)(w->ds_block + (c / 2 * (w->block / 16) + k / 16) * SGM_B_CHUNK);
            memcpy(to + c % 2 * 256 + k % 16 * 16, w->ds + (c * w->strip + i) * 16, 64);
        }
}

static void add_products(const work *w, const float *a, const char *b, float *c, int rows)
{
    for (int64_t p = 0; p < w->panels; p++)
        w->micro->run(a, 0, b + p * QUERY_CHUNKS * SGM_B_CHUNK, QUERY_CHUNKS, c + p * SGM_PANEL,
                      w->d_padded, 16, rows, true);
}

static void strip_grads(const work *w, int64_t key, int64_t in_block, int64_t first, int n)
{
    int rows = w->nk - key < w->strip ? (int)(w->nk - key) : w->strip;
    strip_scores(w, key, rows, first, n);
    strip_products(w, w->values, w->dout_rows, key, rows, false, w->ds);
    w->loops->column_grad(w->s, w->ds, w->strip, rows, QUERY_CHUNKS, w->lse, w->delta);
    if (w->f->bias.kind != SGM_BIAS_NONE) add_bias(w, key, rows, first, n);
    copy_strip(w, in_block, rows);
    add_products(w, w->s, w->dout_columns, w->dv + key * w->d_padded, rows);
    add_products(w, w->ds, w->q_columns, w->dk + key * w->d_padded, rows);
}

/* dQ^T += K^T dS^T for one block of keys. */
static void block_queries(const work *w, int64_t b)
{
    int64_t n = w->nk - b * w->block < w->block ? w->nk - b * w->block : w->block;
    int64_t chunks = sgm_div_up(n, 16), stride = chunks * w->strip * SGM_CHUNK;
    for (int d = 0; d < w->d; d += w->strip) {
        int rows = w->d - d < w->strip ? w->d - d : w->strip;
        for (int64_t p = 0; p < QUERY_PANELS; p++)
            w->micro->run(w->turned + b * w->block_bytes + d / w->strip * stride, 0,
                          w->ds_block + p * (w->block / 16) * SGM_B_CHUNK, chunks,
                          w->dq + d * QUERIES + p * SGM_PANEL, QUERIES, 16, rows, true);
    }
}

static void key_grads(work *w, int64_t first, int n)
{
    scale_rows(w, w->f->scale);
    pack_columns(w, w->scaled, w->q_columns);
    for (int64_t b = 0; b < w->blocks; b++) {
        int64_t key = b * w->block;
        if (key + w->block > w->nk)
            memset(w->ds_block, 0, (size_t)(QUERY_PANELS * (w->block / 16) * SGM_B_CHUNK));
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
        if (rel) w->loops->axpy(rel + row, g, w->q + i * w->d_padded, w->d);
        w->loops->axpy(dq, g, plain + row, w->d);
    }
}

static void add_rows(const work *w, const sgm_tokens *to, int64_t token, float *row,
                     bool accumulate)
{
    float *out = (float *)to->data + sgm_token_offset(to, token);
    if (accumulate)
        w->loops->axpy(out, 1, row, w->d);
    else
        memcpy(out, row, sizeof(float) * (size_t)w->d);
}

static void finish_queries(work *w, int64_t first, int n)
{
    const sgm_position_bias *b = &w->f->bias;
    int64_t run = w->f->q.run;
    for (int i = 0; i < n; i++) {
        if (w->f->pads > 0) add_pads(w, first, i);
        float *dq = w->scaled; /* free by now */
        for (int d = 0; d < w->d; d++)
            dq[d] = w->dq[d * QUERIES + i] * w->f->scale;
        if (b->kind == SGM_BIAS_REL_POS) {
            relative_grads(w, b->sh, w->dbh, b->plain_h, (first + i) / run, i, w->t->sums.rel_h,
                           dq);
            relative_grads(w, b->sw, w->dbw, b->plain_w, (first + i) % run, i, w->t->sums.rel_w,
                           dq);
        }
        if (w->t->dq.data) add_rows(w, &w->t->dq, first + i, dq, w->t->accumulate_q);
    }
}

void sgm_attention_grad_run(const sgm_attention_grad_task *t, void *memory)
{
    const sgm_attention_task *f = &t->forward;
    work w = {.t = t, .f = f};
    lay_out(&w, f->nk, f->head_dim, f->bias.sh, f->bias.sw, memory);
    prepare_keys(&w);
    for (int64_t first = 0; first < f->nq; first += QUERIES) {
        int n = f->nq - first < QUERIES ? (int)(f->nq - first) : QUERIES;
        load_queries(&w, first, n);
        log_sums(&w, first, n);
        key_grads(&w, first, n);
        finish_queries(&w, first, n);
    }
    for (int64_t i = 0; i < f->nk; i++) {
        if (t->dk.data) add_rows(&w, &t->dk, i, w.dk + i * w.d_padded, t->accumulate_k);
        if (t->dv.data) add_rows(&w, &t->dv, i, w.dv + i * w.d_padded, t->accumulate_v);
    }
}
