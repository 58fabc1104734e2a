/* Products of two operands that are packed on the way: the gradients of linear layers and
 * convolutions. The sum over K is cut into parts of PART_K, added up in order. */
#include "backend/cpu/kernels/gemm_internal.h"

#define PART_K 1024
#define FEW_ROWS 128 /* up to here all of A is packed once and the panels of B are shared out */

typedef struct product_job {
    const sgm_cpu_product *p;
    const sgm_micro *micro;
    const sgm_isa_table *loops;
    sgm_threads *pool;
    int64_t k0, k, chunks; /* this part of K */
    int64_t depth;         /* chunks per pass over the rows */
    size_t sums_bytes;     /* of a thread, before its operand */
    int64_t panels, block, splits, strip_bytes;
    char *shared; /* B's panels, or A when there are few rows */
    bool accumulate, in_place;
} product_job;

static void store(const product_job *j, const float *tile, int rows, int cols, int64_t row,
                  int64_t n)
{
    const sgm_cpu_product *p = j->p;
    if (!p->residual && !p->factor) {
        j->loops->store_scaled(tile, rows, cols, p->alpha, j->accumulate, p->c, p->c_dtype,
                               p->c_at + row * p->ldc + n, p->ldc);
        return;
    }
    sgm_epilogue sum = {.residual = p->residual,
                        .residual_ld = p->ldc,
                        .factor = p->factor,
                        .out = (char *)p->c + p->c_at * (p->c_dtype == SGM_F32 ? 4 : 2),
                        .out_dtype = p->c_dtype,
                        .out_ld = p->ldc};
    j->loops->epilogue(tile, rows, cols, row, n, &sum);
}

/* Chunks [first, first + depth) of this part of K: rows [i, i + count) of the block that begins at
 * `row` (packed: `a`) times `cols` columns of a panel, into tile[count][32]. */
static void multiply_rows(const product_job *j, const char *a, int64_t row, int64_t i, int count,
                          const char *b, int cols, int64_t first, int64_t depth, float *tile)
{
    const sgm_cpu_product *p = j->p;
    const sgm_micro *micro = j->micro;
    b += first * SGM_B_CHUNK;
    if (!j->in_place) {
        const char *part = a + first * micro->strip * SGM_CHUNK;
        sgm_micro_columns(micro, cols)(part + i / micro->strip * j->strip_bytes,
                                       (size_t)j->strip_bytes, b, depth, tile, SGM_PANEL, 16, count,
                                       first > 0);
        return;
    }
    int64_t k = first * 16, n = j->k - k < depth * 16 ? j->k - k : depth * 16;
    int64_t at = p->turned_a ? (j->k0 + k) * p->lda + row + i : (row + i) * p->lda + j->k0 + k;
    (p->turned_a ? sgm_micro_turned : sgm_micro_rows)(micro, cols)(
        p->plain_a + at, p->lda, b, n, tile, SGM_PANEL, 16, count, first > 0);
}

/* A block of rows against a panel; `sums` holds their [rows, 32] between the parts of K. */
static void multiply(const product_job *j, int64_t row, int64_t rows, const char *a, int64_t panel,
                     const char *b, float *sums)
{
    const sgm_cpu_product *p = j->p;
    int64_t n = panel * SGM_PANEL;
    int cols = (int)(p->n - n < SGM_PANEL ? p->n - n : SGM_PANEL);
    const sgm_micro *micro = j->micro;
    for (int64_t first = 0; first < j->chunks; first += j->depth) {
        int64_t depth = j->chunks - first < j->depth ? j->chunks - first : j->depth;
        for (int64_t i = 0; i < rows; i += micro->step) {
            int count = (int)(rows - i < micro->step ? rows - i : micro->step);
            float *tile = sums + (j->depth < j->chunks ? i * SGM_PANEL : 0);
            multiply_rows(j, a, row, i, count, b, cols, first, depth, tile);
            if (first + depth == j->chunks) store(j, tile, count, cols, row + i, n);
        }
    }
}

static void pack_panels(void *context, int64_t begin, int64_t end, int thread)
{
    const product_job *j = context;
    (void)thread;
    for (int64_t panel = begin; panel < end; panel++)
        j->p->pack_b(j->p->b, panel, j->k0, j->k, j->p->compute,
                     j->shared + panel * j->chunks * SGM_B_CHUNK);
}

/* Blocks of rows against all of B, which is packed. */
static void row_items(void *context, int64_t begin, int64_t end, int thread)
{
    const product_job *j = context;
    float *sums = sgm_threads_scratch(j->pool, thread);
    char *a = (char *)sums + j->sums_bytes;
    int64_t packed = -1;
    if (j->micro->begin) j->micro->begin();
    for (int64_t item = begin; item < end; item++) {
        int64_t block = item / j->splits, part = item % j->splits, row = block * j->block;
        int64_t rows = j->p->m - row < j->block ? j->p->m - row : j->block;
        if (block != packed && !j->in_place)
            j->p->pack_a(j->p->a, row, (int)rows, j->k0, j->k, j->p->compute, j->micro->strip, a);
        packed = block;
        int64_t last = j->panels * (part + 1) / j->splits;
        for (int64_t panel = j->panels * part / j->splits; panel < last; panel++)
            multiply(j, row, rows, a, panel, j->shared + panel * j->chunks * SGM_B_CHUNK, sums);
    }
    if (j->micro->end) j->micro->end();
}

/* Panels of B, packed on the spot, against all of A, which is packed. */
static void panel_items(void *context, int64_t begin, int64_t end, int thread)
{
    const product_job *j = context;
    float *sums = sgm_threads_scratch(j->pool, thread);
    char *b = (char *)sums + j->sums_bytes;
    if (j->micro->begin) j->micro->begin();
    for (int64_t panel = begin; panel < end; panel++) {
        j->p->pack_b(j->p->b, panel, j->k0, j->k, j->p->compute, b);
        multiply(j, 0, j->p->m, j->shared, panel, b, sums);
    }
    if (j->micro->end) j->micro->end();
}

static void run_few_rows(product_job *j)
{
    const sgm_cpu_product *p = j->p;
    if (!j->in_place)
        p->pack_a(p->a, 0, (int)p->m, j->k0, j->k, p->compute, j->micro->strip, j->shared);
    bool serial = 2.0 * (double)p->m * (double)p->n * (double)j->k < 4e5;
    sgm_parallel_for(j->pool, j->panels, serial ? j->panels : 0, panel_items, j);
}

static void run_many_rows(product_job *j)
{
    sgm_parallel_for(j->pool, j->panels, 0, pack_panels, j);
    sgm_parallel_for(j->pool, sgm_div_up(j->p->m, j->block) * j->splits, 1, row_items, j);
}

static void plan_blocks(product_job *j)
{
    int64_t threads = sgm_threads_count(j->pool), m = j->p->m, step = j->micro->step;
    int64_t most_chunks = sgm_chunks(j->p->k < PART_K ? j->p->k : PART_K, j->p->compute);
    int64_t fit = sgm_cpu()->l2_bytes / 2 / (most_chunks * SGM_CHUNK);
    int64_t blocks = sgm_div_up(sgm_div_up(m, fit), threads) * threads;
    j->block = sgm_div_up(sgm_div_up(m, blocks), step) * step;
    if (j->block < 2 * step) j->block = 2 * step;
    blocks = sgm_div_up(m, j->block);
    j->splits = blocks < 2 * threads && threads > 1 ? sgm_div_up(2 * threads, blocks) : 1;
    if (j->splits > j->panels) j->splits = j->panels;
}

static sgm_status reserve(product_job *j, bool few)
{
    const sgm_cpu_product *p = j->p;
    int64_t k = p->k < PART_K ? p->k : PART_K, chunks = sgm_chunks(k, p->compute);
    int64_t step = j->micro->step, a_rows = few ? p->m : j->block;
    size_t a = j->in_place ? 0 : (size_t)(sgm_div_up(a_rows, step) * step * chunks * SGM_CHUNK);
    size_t panel = (size_t)(chunks * SGM_B_CHUNK);
    int64_t kept = sgm_depth(j->micro, chunks) < chunks ? sgm_div_up(a_rows, step) * step : step;
    j->sums_bytes = sizeof(float) * (size_t)(kept * SGM_PANEL);
    return few ? sgm_threads_reserve(j->pool, j->sums_bytes + panel, a)
               : sgm_threads_reserve(j->pool, j->sums_bytes + a, panel * (size_t)j->panels);
}

sgm_status sgm_product_run(sgm_threads *pool, const sgm_cpu_product *p)
{
    const sgm_micro *micro = sgm_micro_for(p->compute);
    if (!micro) return sgm_fail(SGM_DEVICE, "product: no BF16 products on this processor");
    if (p->m <= 0 || p->n <= 0 || p->k <= 0) return SGM_OK;
    product_job job = {.p = p,
                       .micro = micro,
                       .loops = sgm_loops(),
                       .pool = pool,
                       .panels = sgm_div_up(p->n, SGM_PANEL),
                       .in_place = p->plain_a && p->compute == SGM_F32 && micro->in_place.rows &&
                                   sgm_in_place_pays(sgm_div_up(p->n, SGM_PANEL), p->lda)};
    bool few = p->m <= FEW_ROWS;
    plan_blocks(&job);
    sgm_threads_lock(pool);
    sgm_status status = reserve(&job, few);
    job.shared = sgm_threads_shared(pool);
    for (int64_t k0 = 0; status == SGM_OK && k0 < p->k; k0 += PART_K) {
        job.k0 = k0;
        job.k = p->k - k0 < PART_K ? p->k - k0 : PART_K;
        job.chunks = sgm_chunks(job.k, p->compute);
        job.depth = sgm_depth(micro, job.chunks);
        job.strip_bytes = job.chunks * micro->strip * SGM_CHUNK;
        job.accumulate = p->accumulate || k0 > 0;
        if (few)
            run_few_rows(&job);
        else
            run_many_rows(&job);
    }
    sgm_threads_unlock(pool);
    return status;
}
