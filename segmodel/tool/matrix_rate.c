#include "matrix_rate.h"

#include "device_rate.h"

#include "backend/cpu/kernels/gemm.h"
#include "backend/cpu/kernels/isa.h"
#include "core/clock.h"

#include <math.h>
#include <stdlib.h>

enum { M = 4096, K = 768, N = 3072 };

struct matrix_rate {
    device_rate *device; /* or NULL, and the rest is for the CPU */
    sgm_threads *pool;
    sgm_packed *pack;
    float *a, *c;
    bool bf16;
};

void matrix_rate_destroy(matrix_rate *rate)
{
    if (!rate) return;
    device_rate_destroy(rate->device);
    sgm_packed_destroy(rate->pack);
    sgm_threads_destroy(rate->pool);
    free(rate->a);
    free(rate->c);
    free(rate);
}

/* Activations are FP32 in both modes, stored as the mode stores them: BF16 halves the traffic. */
static sgm_status fill(matrix_rate *rate, int threads)
{
    size_t a = (size_t)M * K, w = (size_t)N * K;
    rate->a = calloc(a, sizeof *rate->a);
    rate->c = malloc((size_t)M * N * sizeof *rate->c);
    float *weight = malloc(w * sizeof *weight);
    if (!rate->a || !rate->c || !weight) {
        free(weight);
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to measure the matrix rate");
    }
    for (size_t i = 0; i < w; i++)
        weight[i] = (float)(i % 17) / 17;
    for (size_t i = 0; !rate->bf16 && i < a; i++)
        rate->a[i] = (float)(i % 13) / 13;
    sgm_status status = sgm_threads_create(threads, &rate->pool);
    if (status == SGM_OK)
        status = sgm_packed_create(weight, N, K, K, false, rate->bf16 ? SGM_BF16 : SGM_F32, NULL,
                                   &rate->pack);
    free(weight);
    return status;
}

sgm_status matrix_rate_create(sgm_backend *backend, bool bf16, int side, matrix_rate **out)
{
    matrix_rate *rate = calloc(1, sizeof *rate);
    *out = NULL;
    if (!rate) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to measure the matrix rate");
    rate->bf16 = bf16;
    sgm_status status = backend->ops->host_memory
                            ? fill(rate, backend->threads)
                            : device_rate_create(backend, bf16, side, &rate->device);
    if (status != SGM_OK) {
        matrix_rate_destroy(rate);
        return status;
    }
    *out = rate;
    return SGM_OK;
}

double matrix_rate_measure(matrix_rate *rate)
{
    if (rate->device) return device_rate_measure(rate->device);
    sgm_dtype type = rate->bf16 ? SGM_BF16 : SGM_F32;
    sgm_rows rows = {.data = rate->a, .dtype = type, .ld = K};
    sgm_epilogue epilogue = {.out = rate->c, .out_dtype = type, .out_ld = N};
    double start = sgm_clock();
    if (sgm_gemm(rate->pool, rate->pack, &rows, M, &epilogue) != SGM_OK) return NAN;
    return 2.0 * M * N * K / (sgm_clock() - start);
}

/* One micro-kernel call after the other on operands that stay in the L1 cache: of some tries the
 * best, because one takes a millisecond, in which threads that slept have hardly all begun. */
typedef struct probe {
    const sgm_micro *micro;
    char *a, *b;
} probe;

enum { CHUNKS = 8, ROUNDS = 3000, TRIES = 16 };

static void probe_items(void *context, int64_t begin, int64_t end, int thread)
{
    const probe *p = context;
    float c[SGM_MAX_STEP * SGM_PANEL];
    (void)begin, (void)end, (void)thread;
    if (p->micro->begin) p->micro->begin();
    for (int i = 0; i < ROUNDS; i++)
        p->micro->run(p->a, (size_t)(CHUNKS * p->micro->strip * SGM_CHUNK), p->b, CHUNKS, c,
                      SGM_PANEL, 16, p->micro->step, false);
    if (p->micro->end) p->micro->end();
}

double matrix_rate_ceiling(matrix_rate *rate)
{
    if (rate->device) return 0;
    static char a[SGM_MAX_STEP * CHUNKS * SGM_CHUNK] __attribute__((aligned(64)));
    static char b[CHUNKS * SGM_B_CHUNK] __attribute__((aligned(64)));
    probe p = {sgm_micro_for(rate->bf16 ? SGM_BF16 : SGM_F32), a, b};
    int threads = sgm_threads_count(rate->pool);
    double depth = (double)CHUNKS * SGM_CHUNK / (rate->bf16 ? 2 : 4);
    double best = 0;
    for (int i = 0; i < TRIES; i++) {
        double start = sgm_clock();
        sgm_parallel_for(rate->pool, threads, 1, probe_items, &p);
        double seconds = sgm_clock() - start;
        double found = 2 * p.micro->step * SGM_PANEL * depth * ROUNDS * threads / seconds;
        if (found > best) best = found;
    }
    return best;
}
