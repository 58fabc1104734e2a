/* The gradient of one head's attention with products in BF16: queries in rows, as in the forward
 * pass, a block of them against all keys. Scores, probabilities and their gradients stay FP32 until
 * they are packed. P and dS are packed as they are for dQ, and turned over for dV and dK. */
#include "backend/cpu/kernels/attention_grad.h"

#include <math.h>

#define QUERIES 64 /* per block, at most */
#define QUERY_CHUNKS (QUERIES / 32)
#define LEAST 32 /* queries, and keys, below which tiles would be mostly empty */

typedef struct work {
    const sgm_attention_grad_task *t;
    const sgm_attention_task *f;
    const sgm_micro *micro;
    const sgm_isa_table *loops;
    int d;
    int64_t nk, keys_padded, d_padded; /* to whole panels */
    int64_t d_chunks, key_chunks, key_panels, d_panels;
    char *k_rows, *v_rows; /* B: columns are keys */
    char *k_columns;       /* B: columns are channels */
    float *gathered;       /* [nk][d] */
    float *dk, *dv;        /* [nk][d_padded] */
    sgm_even_tokens q, dout, out;
    float *q_memory, *dout_memory, *out_memory; /* [QUERIES][d] */
    float *scaled;                              /* [QUERIES][d]: q in units of the scores */
    char *q_strips, *dout_strips;               /* A: rows are queries */
    char *q_columns, *dout_columns;             /* B: columns are channels */
    float *scores, *ds;                         /* [QUERIES][keys_padded] */
    char *turned;                               /* A: P or dS transposed, rows are keys */
    char *ds_strips;                            /* A: rows are queries */
    float *dq;                                  /* [QUERIES][d_padded] */
    float *line;                                /* [run + keys_padded + 32] of biases */
} work;

static void lay_out_keys(work *w, char *memory, size_t *used)
{
    int64_t rows = w->key_panels * w->d_chunks * SGM_B_CHUNK;
    w->k_rows = sgm_carve(memory, used, rows);
    w->v_rows = sgm_carve(memory, used, rows);
    w->k_columns = sgm_carve(memory, used, w->d_panels * w->key_chunks * SGM_B_CHUNK);
    w->gathered = sgm_carve(memory, used, w->nk * w->d * 4);
    w->dk = sgm_carve(memory, used, w->nk * w->d_padded * 4);
    w->dv = sgm_carve(memory, used, w->nk * w->d_padded * 4);
}

static void lay_out_queries(work *w, char *memory, size_t *used)
{
    int64_t columns = w->d_panels * QUERY_CHUNKS * SGM_B_CHUNK;
    float **plain[] = {&w->q_memory, &w->dout_memory, &w->out_memory, &w->scaled};
    for (int i = 0; i < 4; i++)
        *plain[i] = sgm_carve(memory, used, (int64_t)QUERIES * w->d * 4);
    w->q_strips = sgm_carve(memory, used, QUERIES * w->d_chunks * SGM_CHUNK);
    w->dout_strips = sgm_carve(memory, used, QUERIES * w->d_chunks * SGM_CHUNK);
    w->q_columns = sgm_carve(memory, used, columns);
    w->dout_columns = sgm_carve(memory, used, columns);
    w->scores = sgm_carve(memory, used, QUERIES * w->keys_padded * 4);
    w->ds = sgm_carve(memory, used, QUERIES * w->keys_padded * 4);
    w->turned = sgm_carve(memory, used, w->keys_padded * QUERY_CHUNKS * SGM_CHUNK);
    w->ds_strips = sgm_carve(memory, used, QUERIES * w->key_chunks * SGM_CHUNK);
    w->dq = sgm_carve(memory, used, QUERIES * w->d_padded * 4);
    w->line = sgm_carve(memory, used, (2 * w->keys_padded + 64) * 4);
}

static size_t lay_out(work *w, int64_t nk, int head_dim, char *memory)
{
    size_t used = 0;
    w->micro = sgm_micro_for(SGM_BF16);
    w->loops = sgm_loops();
    w->d = head_dim;
    w->nk = nk;
    w->d_chunks = sgm_chunks(head_dim, SGM_BF16);
    w->key_chunks = sgm_chunks(nk, SGM_BF16);
    w->key_panels = sgm_div_up(nk, SGM_PANEL);
    w->d_panels = sgm_div_up(head_dim, SGM_PANEL);
    w->keys_padded = w->key_panels * SGM_PANEL;
    w->d_padded = w->d_panels * SGM_PANEL;
    lay_out_keys(w, memory, &used);
    lay_out_queries(w, memory, &used);
    return used;
}

bool sgm_attention_grad_in_bf16(const sgm_attention_task *forward)
{
    return forward->compute == SGM_BF16 && sgm_micro_for(SGM_BF16) && forward->pads == 0 &&
           forward->bias.kind != SGM_BIAS_REL_POS && forward->nq >= LEAST && forward->nk >= LEAST;
}

size_t sgm_attention_grad_bf16_memory(int64_t nk, int head_dim)
{
    work w;
    return sgm_micro_for(SGM_BF16) ? lay_out(&w, nk, head_dim, NULL) : 0;
}

/* ------------------------------------------------------------------------------------- packing */

/* Columns are the tokens. */
static void pack_as_rows(const work *w, const sgm_even_tokens *from, int64_t n, char *panels)
{
    for (int64_t p = 0; p * SGM_PANEL < n; p++) {
        int64_t first = p * SGM_PANEL;
        int cols = (int)(n - first < SGM_PANEL ? n - first : SGM_PANEL);
        sgm_packed_panel_rows(from->data, from->dtype, from->at + first * from->ld, from->ld, cols,
                              w->d, SGM_BF16, panels + p * w->d_chunks * SGM_B_CHUNK);
    }
}

/* Columns are the channels; `chunks`: of a whole panel. */
static void pack_as_columns(const work *w, const sgm_even_tokens *from, int64_t n, int64_t chunks,
                            char *panels)
{
    for (int64_t p = 0; p < w->d_panels; p++) {
        int64_t first = p * SGM_PANEL;
        int cols = (int)(w->d - first < SGM_PANEL ? w->d - first : SGM_PANEL);
        sgm_packed_panel_columns(from->data, from->dtype, from->at + first, from->ld, cols, n,
                                 SGM_BF16, panels + p * chunks * SGM_B_CHUNK);
    }
}

static void pack_strips(const work *w, const float *x, int64_t ld, int rows, int64_t k, char *to)
{
    sgm_rows_source source = {{x, SGM_F32, ld, NULL}, k};
    w->loops->pack_rows(&source, 0, rows, sgm_chunks(k, SGM_BF16), SGM_BF16, w->micro->strip, to);
}

static void prepare_keys(work *w)
{
    sgm_even_tokens v = sgm_evenly(&w->f->v, 0, w->nk, w->d, SGM_F32, w->gathered);
    pack_as_rows(w, &v, w->nk, w->v_rows);
    sgm_even_tokens k = sgm_evenly(&w->f->k, 0, w->nk, w->d, SGM_F32, w->gathered);
    pack_as_rows(w, &k, w->nk, w->k_rows);
    pack_as_columns(w, &k, w->nk, w->key_chunks, w->k_columns);
}

static void load_queries(work *w, int64_t first, int n)
{
    w->q = sgm_grad_rows(&w->f->q, first, n, w->d, w->q_memory);
    w->out = sgm_grad_rows(&w->f->out, first, n, w->d, w->out_memory);
    w->dout = sgm_grad_rows(&w->t->dout, first, n, w->d, w->dout_memory);
    for (int i = 0; i < n; i++)
        w->loops->affine(sgm_even_row(&w->q, i), SGM_F32, w->f->scale * SGM_LOG2E, 0,
                         w->scaled + (int64_t)i * w->d, SGM_F32, 0, w->d);
    pack_strips(w, w->scaled, w->d, n, w->d, w->q_strips);
    pack_strips(w, sgm_even_row(&w->dout, 0), w->dout.ld, n, w->d, w->dout_strips);
    pack_as_columns(w, &w->q, n, QUERY_CHUNKS, w->q_columns);
    pack_as_columns(w, &w->dout, n, QUERY_CHUNKS, w->dout_columns);
}

/* ------------------------------------------------------------------------------------ products */

/* c[rows][ld] (+)= A B, `chunks` of K of panels that have `panel_chunks`. */
static void multiply(const work *w, const char *a, const char *b, int64_t chunks,
                     int64_t panel_chunks, int64_t rows, int64_t cols, float *c, int64_t ld,
                     bool accumulate)
{
    const sgm_micro *m = w->micro;
    int64_t strip_bytes = chunks * m->strip * SGM_CHUNK;
    for (int64_t p = 0; p * SGM_PANEL < cols; p++)
        for (int64_t i = 0; i < rows; i += m->step)
            sgm_micro_columns(m, cols - p * SGM_PANEL)(
                a + i / m->strip * strip_bytes, (size_t)strip_bytes,
                b + p * panel_chunks * SGM_B_CHUNK, chunks, c + i * ld + p * SGM_PANEL, ld, 16,
                (int)(rows - i < m->step ? rows - i : m->step), accumulate);
}

static void turn(const work *w, const float *x, int n)
{
    w->loops->pack_turned(x, SGM_F32, 0, w->keys_padded, (int)w->nk, n, SGM_BF16, w->micro->strip,
                          w->turned);
}

/* -------------------------------------------------------------------------------------- a block */

static void fill_bias(const work *w, int64_t first, int n)
{
    const sgm_position_bias *b = &w->f->bias;
    int64_t run = w->f->k.run, columns = sgm_round_up(w->nk, 16);
    for (int i = 0; i < n; i++) {
        int64_t qy = (first + i) / w->f->q.run, qx = (first + i) % w->f->q.run;
        w->loops->bias_row(NULL, b->table + b->sw - 1 - qx, b->ld_w, qy, run, w->nk / run, 0,
                           columns, w->line, w->scores + i * w->keys_padded, 16);
    }
}

/* Scores become 2^(score - maximum); returns what they sum to. */
static float row_softmax(const work *w, float *row)
{
    float max = -INFINITY, sum = 0, rescale;
    for (int64_t k = w->nk; k < w->keys_padded; k++)
        row[k] = -INFINITY;
    sgm_softmax_strip s = {.scores = row,
                           .score_strip = 1,
                           .strip = 1,
                           .rows = 1,
                           .chunks = w->keys_padded / 16,
                           .max = &max,
                           .sum = &sum,
                           .rescale = &rescale};
    w->loops->softmax_strip(&s);
    return sum;
}

/* P and dS of a block, and what the table of biases owes to dS. */
static void probabilities(const work *w, int64_t first, int n)
{
    bool biased = w->f->bias.kind != SGM_BIAS_NONE;
    const sgm_position_bias *b = &w->f->bias;
    if (biased) fill_bias(w, first, n);
    multiply(w, w->q_strips, w->k_rows, w->d_chunks, w->d_chunks, n, w->nk, w->scores,
             w->keys_padded, biased);
    multiply(w, w->dout_strips, w->v_rows, w->d_chunks, w->d_chunks, n, w->nk, w->ds,
             w->keys_padded, false);
    for (int i = 0; i < n; i++) {
        float *p = w->scores + i * w->keys_padded, *ds = w->ds + i * w->keys_padded;
        float sum = row_softmax(w, p);
        float delta = w->loops->dot(sgm_even_row(&w->out, i), sgm_even_row(&w->dout, i), w->d);
        w->loops->softmax_grad(p, ds, 1.0f / sum, delta, w->keys_padded);
        int64_t qy = (first + i) / w->f->q.run, qx = (first + i) % w->f->q.run;
        if (w->t->sums.table)
            w->loops->bias_row_grad(w->t->sums.table + b->sw - 1 - qx, b->ld_w, qy, w->f->k.run, 0,
                                    w->nk, ds, 16);
    }
}

static void block_grads(const work *w, int64_t first, int n)
{
    int64_t chunks = sgm_chunks(n, SGM_BF16);
    probabilities(w, first, n);
    turn(w, w->scores, n);
    multiply(w, w->turned, w->dout_columns, chunks, QUERY_CHUNKS, w->nk, w->d, w->dv, w->d_padded,
             first > 0);
    turn(w, w->ds, n);
    multiply(w, w->turned, w->q_columns, chunks, QUERY_CHUNKS, w->nk, w->d, w->dk, w->d_padded,
             first > 0);
    if (!w->t->dq.data) return;
    pack_strips(w, w->ds, w->keys_padded, n, w->nk, w->ds_strips);
    multiply(w, w->ds_strips, w->k_columns, w->key_chunks, w->key_chunks, n, w->d, w->dq,
             w->d_padded, false);
    for (int i = 0; i < n; i++)
        sgm_put_row(w->d, &w->t->dq, first + i, w->f->scale, w->dq + i * w->d_padded,
                    w->t->accumulate_q);
}

void sgm_attention_grad_bf16_run(const sgm_attention_grad_task *t, void *memory)
{
    const sgm_attention_task *f = &t->forward;
    work w = {.t = t, .f = f};
    lay_out(&w, f->nk, f->head_dim, memory);
    prepare_keys(&w);
    if (w.micro->begin) w.micro->begin();
    for (int64_t first = 0; first < f->nq; first += QUERIES) {
        int n = f->nq - first < QUERIES ? (int)(f->nq - first) : QUERIES;
        load_queries(&w, first, n);
        block_grads(&w, first, n);
    }
    if (w.micro->end) w.micro->end();
    for (int64_t i = 0; i < f->nk; i++) {
        if (t->dk.data)
            sgm_put_row(w.d, &t->dk, i, f->scale, w.dk + i * w.d_padded, t->accumulate_k);
        if (t->dv.data) sgm_put_row(w.d, &t->dv, i, 1, w.dv + i * w.d_padded, t->accumulate_v);
    }
}
