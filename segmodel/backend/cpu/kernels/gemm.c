#include "backend/cpu/kernels/gemm.h"

#include "backend/cpu/kernels/gemm_internal.h"

#define LEAST_ROWS 336 /* see LABBOOK.md of Testing/bench */
#define LINE 64
#define SERIAL_FLOPS 4e5 /* below this, waking a worker costs more than it brings */

typedef struct gemm_job {
    const sgm_packed *w;
    const sgm_micro *micro;
    const sgm_isa_table *loops;
    sgm_pack_a_fn pack_a;
    const void *source;
    const sgm_rows_source *in_place; /* instead of packing */
    const sgm_epilogue *epilogues;
    sgm_threads *pool;
    int64_t m;
    int64_t block;  /* rows per block of A */
    int64_t splits; /* parts the panels are split into, for few rows */
    int64_t strip_bytes, block_bytes;
    int64_t depth; /* chunks of K per pass over a block's rows */
} gemm_job;

/* Asks for the lines of rows of an output that are about to be written: a store that misses holds
 * up all stores behind it. */
static void fetch_outputs(const sgm_epilogue *e, int64_t row, int rows, int64_t n, int cols)
{
    int64_t size = e->out_dtype == SGM_F32 ? 4 : 2;
    int64_t block = e->group > 0 ? row / e->group : 0, in_block = row - block * e->group;
    for (int i = 0; i < rows; i++) {
        int64_t at = block * e->group_ld + in_block * e->out_ld + n;
        const char *out = (const char *)e->out + at * size;
        for (int64_t byte = 0; byte < cols * size; byte += LINE)
            __builtin_prefetch(out + byte, 1);
        const char *slope = (const char *)(e->slope + at);
        for (int64_t byte = 0; e->slope && byte < cols * size; byte += LINE)
            __builtin_prefetch(slope + byte, 1);
        if (++in_block != e->group) continue;
        in_block = 0;
        block++;
    }
}

/* The part of B that follows comes from L3 or memory: a share of its lines is asked for with every
 * call of the micro-kernel on this part. */
static void fetch_lines(const char *from, int64_t bytes)
{
    for (int64_t at = 0; at < bytes; at += LINE)
        __builtin_prefetch(from + at, 0, 2);
}

/* Asks for the strip after row `row` of A in place, while the first panel passes: nobody has read
 * it. */
static void fetch_rows(const gemm_job *j, int64_t row)
{
    const sgm_rows_source *s = j->in_place;
    for (int64_t i = row; i < row + j->micro->step && i < j->m; i++)
        fetch_lines((const char *)((const float *)s->rows.data + i * s->rows.ld), s->k * 4);
}

/* Chunks [first, first + depth) of K: rows [i, i + count) of the block that begins at `row`
 * (packed: `a`) times `cols` columns of a panel, into sums[count][32]. */
static void multiply_rows(const gemm_job *j, const char *a, int64_t row, int64_t i, int count,
                          const char *b, int cols, int64_t first, int64_t depth, float *sums)
{
    const sgm_micro *micro = j->micro;
    b += first * SGM_B_CHUNK;
    if (j->in_place) {
        const sgm_rows_source *s = j->in_place;
        int64_t k = first * 16, n = s->k - k < depth * 16 ? s->k - k : depth * 16;
        sgm_micro_rows(micro, cols)((const float *)s->rows.data + (row + i) * s->rows.ld + k,
                                    s->rows.ld, b, n, sums, SGM_PANEL, 16, count, first > 0);
        return;
    }
    const char *part = a + first * micro->strip * SGM_CHUNK;
    sgm_micro_columns(micro, cols)(part + i / micro->strip * j->strip_bytes, (size_t)j->strip_bytes,
                                   b, depth, sums, SGM_PANEL, 16, count, first > 0);
}

/* A block of rows against one panel, part by part of K, so that a part of the panel stays in the L1
 * cache for all rows. `sums` holds the block's [rows, 32] between the parts. */
static void multiply_panel(const gemm_job *j, int64_t panel, int64_t row, int64_t rows,
                           const char *a, float *sums)
{
    const sgm_packed *w = j->w;
    const sgm_micro *micro = j->micro;
    int64_t n = panel % w->panels * SGM_PANEL;
    int cols = (int)(w->n - n < SGM_PANEL ? w->n - n : SGM_PANEL);
    const char *b = w->data + panel * w->chunks * SGM_B_CHUNK;
    const sgm_epilogue *e = &j->epilogues[panel / w->panels];
    int64_t calls = sgm_div_up(rows, micro->step);
    bool ends = panel + 1 == w->panels * w->segments;
    for (int64_t first = 0; first < w->chunks; first += j->depth) {
        int64_t depth = w->chunks - first < j->depth ? w->chunks - first : j->depth;
        bool last = first + depth == w->chunks;
        const char *next = b + (first + depth) * SGM_B_CHUNK;
        int64_t share = ends && last ? 0 : sgm_div_up(depth * SGM_B_CHUNK / LINE, calls) * LINE;
        for (int64_t i = 0; i < rows; i += micro->step) {
            int count = (int)(rows - i < micro->step ? rows - i : micro->step);
            fetch_lines(next, share);
            next += share;
            if (last) fetch_outputs(e, row + i, count, n, cols);
            if (j->in_place && panel == 0 && first == 0) fetch_rows(j, row + i + count);
            multiply_rows(j, a, row, i, count, b, cols, first, depth, sums + i * SGM_PANEL);
            if (last) j->loops->epilogue(sums + i * SGM_PANEL, count, cols, row + i, n, e);
        }
    }
}

static void gemm_items(void *context, int64_t begin, int64_t end, int thread)
{
    const gemm_job *j = context;
    char *a = sgm_threads_scratch(j->pool, thread);
    float *sums = (float *)(a + j->block_bytes);
    int64_t panels = j->w->panels * j->w->segments, packed = -1;
    if (j->micro->begin) j->micro->begin();
    for (int64_t item = begin; item < end; item++) {
        int64_t block = item / j->splits, part = item % j->splits;
        int64_t row = block * j->block;
        int64_t rows = j->m - row < j->block ? j->m - row : j->block;
        if (block != packed && !j->in_place)
            j->pack_a(j->source, row, (int)rows, j->w->chunks, j->w->dtype, j->micro->strip, a);
        packed = block;
        int64_t last = panels * (part + 1) / j->splits;
        for (int64_t p = panels * part / j->splits; p < last; p++)
            multiply_panel(j, p, row, rows, a, sums);
    }
    if (j->micro->end) j->micro->end();
}

/* Rows per block: what half of L2 holds, but not so few that B's panels come from L3 for too little
 * work each; an equal share for each thread. */
static int64_t block_rows(int64_t m, int64_t row_bytes, const sgm_micro *micro, int threads)
{
    int64_t fit = sgm_cpu()->l2_bytes / 2 / row_bytes;
    if (fit < LEAST_ROWS) fit = LEAST_ROWS;
    if (fit > 1024) fit = 1024;
    int64_t blocks = sgm_div_up(sgm_div_up(m, fit), threads) * threads;
    int64_t rows = sgm_div_up(sgm_div_up(m, blocks), micro->step) * micro->step;
    int64_t least = 2 * micro->step;
    return rows < least ? least : rows;
}

/* The rows that can be read where they lie, or NULL. */
static const sgm_rows_source *rows_in_place(const sgm_packed *w, const sgm_micro *micro,
                                            sgm_pack_a_fn pack_a, const void *source)
{
    const sgm_rows_source *s = source;
    if (pack_a != sgm_loops()->pack_rows || w->dtype != SGM_F32 || !micro->in_place.rows)
        return NULL;
    bool plain = s->rows.dtype == SGM_F32 && !s->rows.index;
    return plain && sgm_in_place_pays(w->panels * w->segments, s->rows.ld) ? s : NULL;
}

sgm_status sgm_gemm_run(sgm_threads *pool, const sgm_packed *w, sgm_pack_a_fn pack_a,
                        const void *source, int64_t m, const sgm_epilogue *epilogues)
{
    if (m <= 0) return SGM_OK;
    const sgm_micro *micro = sgm_micro_for(w->dtype);
    if (!micro) return sgm_fail(SGM_DEVICE, "weight packed as BF16, but no BF16 products here");
    int threads = sgm_threads_count(pool);
    double flops = 2.0 * (double)m * (double)w->n * (double)w->k * w->segments;
    gemm_job job = {.w = w,
                    .micro = micro,
                    .loops = sgm_loops(),
                    .pack_a = pack_a,
                    .source = source,
                    .in_place = rows_in_place(w, micro, pack_a, source),
                    .epilogues = epilogues,
                    .pool = pool,
                    .m = m,
                    .block = block_rows(m, w->chunks * SGM_CHUNK, micro, threads),
                    .splits = 1,
                    .strip_bytes = w->chunks * micro->strip * SGM_CHUNK,
                    .depth = sgm_depth(micro, w->chunks)};
    int64_t blocks = sgm_div_up(m, job.block), panels = w->panels * w->segments;
    if (blocks < 2 * threads && threads > 1 && flops > SERIAL_FLOPS) {
        job.splits = sgm_div_up(2 * threads, blocks);
        if (job.splits > panels) job.splits = panels;
    }
    int64_t items = blocks * job.splits;
    int64_t block_steps = sgm_div_up(job.block, micro->step);
    job.block_bytes = job.in_place ? 0 : block_steps * micro->step / micro->strip * job.strip_bytes;
    int64_t sums_bytes = block_steps * micro->step * SGM_PANEL * 4;
    sgm_threads_lock(pool);
    sgm_status status = sgm_threads_reserve(pool, (size_t)(job.block_bytes + sums_bytes), 0);
    if (status == SGM_OK)
        sgm_parallel_for(pool, items, flops > SERIAL_FLOPS ? 1 : items, gemm_items, &job);
    sgm_threads_unlock(pool);
    return status;
}

sgm_status sgm_gemm(sgm_threads *pool, const sgm_packed *w, const sgm_rows *a, int64_t m,
                    const sgm_epilogue *epilogue)
{
    sgm_rows_source source = {*a, w->k};
    return sgm_gemm_run(pool, w, sgm_loops()->pack_rows, &source, m, epilogue);
}
