/* The optimiser on the device: backend/update.c's formulas over all tensors at once.
 *
 * A table on the device lists the tensors and cuts them into chunks; each launch has a block per
 * chunk. An update is three launches whatever the number of tensors: sums of squares per chunk,
 * their total, and one pass that clips, steps, averages and rounds to BF16. Sums run in a fixed
 * order, so that the same gradients give the same norm. */
#include "cuda_internal.h"

extern "C" {
#include "backend/update.h"
}

#include <stdlib.h>

enum { CHUNK = 4096 }; /* values of one block */

typedef struct optim_tensor {
    float *value, *gradient, *first, *second, *average;
    unsigned short *bf16;
    int count;
    bool matrix;
    float rate;
} optim_tensor;

typedef struct optim_chunk {
    int tensor, start;
} optim_chunk;

typedef struct optim_table {
    void *memory; /* on the device; the rest points into it */
    optim_tensor *tensors;
    optim_chunk *chunks;
    double *partial; /* sum of squares per chunk */
    int tensor_count, chunk_count;
} optim_table;

/* -------------------------------------------------------------------------------------- kernels */

static __device__ int chunk_end(const optim_tensor &t, const optim_chunk &c)
{
    return t.count - c.start < CHUNK ? t.count : c.start + CHUNK;
}

static __global__ void clear_gradients_kernel(const optim_tensor *tensors,
                                              const optim_chunk *chunks)
{
    optim_chunk c = chunks[blockIdx.x];
    optim_tensor t = tensors[c.tensor];
    for (int i = c.start + (int)threadIdx.x; i < chunk_end(t, c); i += SGM_THREADS)
        t.gradient[i] = 0;
}

static __global__ void square_sums_kernel(const optim_tensor *tensors, const optim_chunk *chunks,
                                          double *partial)
{
    __shared__ double board[SGM_TEAM + 32];
    optim_chunk c = chunks[blockIdx.x];
    optim_tensor t = tensors[c.tensor];
    double mine = 0;
    for (int i = c.start + (int)threadIdx.x; i < chunk_end(t, c); i += SGM_TEAM)
        mine += (double)t.gradient[i] * t.gradient[i];
    double sum = sgm_team_sum(mine, board);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

/* One block. */
static __global__ void norm_kernel(const double *partial, int count, double *norm)
{
    __shared__ double board[SGM_TEAM + 32];
    double mine = 0;
    for (int i = (int)threadIdx.x; i < count; i += SGM_TEAM)
        mine += partial[i];
    double sum = sgm_team_sum(mine, board);
    if (threadIdx.x == 0) *norm = sqrt(sum);
}

static __device__ float sgd_value(const sgm_optim_numbers &n, float rate, float g, float value,
                                  float *first)
{
    *first = n.start ? g : n.b1 * *first + g;
    return value - rate * n.rate * *first;
}

static __device__ float adam_value(const sgm_optim_numbers &n, float rate, float g, float keep,
                                   float value, float *first, float *second)
{
    float m = n.b1 * *first + n.c1 * g, v = n.b2 * *second + n.c2 * g * g;
    *first = m;
    *second = v;
    return keep * value - rate * n.size * m / (sqrtf(v) / n.root + n.epsilon);
}

/* sgm_optim_keep of update.h on the device. */
static __device__ float kept(const sgm_optim_numbers &n, float rate)
{
    return rate == 1 ? n.keep : 1 - rate * n.shrink;
}

/* A norm that is not finite changes nothing: the host finds out later, and weights stay good. */
static __global__ void update_kernel(const optim_tensor *tensors, const optim_chunk *chunks,
                                     sgm_optim_numbers n, const double *norm)
{
    optim_chunk c = chunks[blockIdx.x];
    optim_tensor t = tensors[c.tensor];
    double size = *norm;
    if (!(size < INFINITY)) return;
    float scale = n.clip > 0 && size > n.clip ? (float)(n.clip / size) : 1;
    bool decays = t.matrix || n.decay_vectors;
    float decay = decays ? n.decay : 0, keep = decays ? kept(n, t.rate) : 1;
    for (int i = c.start + (int)threadIdx.x; i < chunk_end(t, c); i += SGM_THREADS) {
        float value = t.value[i], g = scale * t.gradient[i] + decay * value;
        value = n.kind == SGM_OPTIMIZER_SGD
                    ? sgd_value(n, t.rate, g, value, &t.first[i])
                    : adam_value(n, t.rate, g, keep, value, &t.first[i], &t.second[i]);
        t.value[i] = value;
        if (t.average) t.average[i] = n.average * t.average[i] + (1 - n.average) * value;
        if (t.bf16) t.bf16[i] = sgm_to_bf16(value);
    }
}

/* ------------------------------------------------------------------------------------ the table */

static sgm_status count_chunks(sgm_cuda *cuda, const sgm_trained *params, int count, int *chunks)
{
    int64_t sum = 0;
    for (int i = 0; i < count; i++) {
        if (params[i].count > INT32_MAX - CHUNK)
            return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY,
                                 "CUDA: %s: a tensor of more than 2^31 values", params[i].name);
        sum += (params[i].count + CHUNK - 1) / CHUNK;
    }
    if (sum > INT32_MAX) return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY, "CUDA: too many parameters");
    *chunks = (int)sum;
    return SGM_OK;
}

/* With base NULL only the size counts. */
static size_t cut_table(optim_table *table, char *base)
{
    sgm_cursor cursor = {base, 0};
    size_t tensors = (size_t)table->tensor_count, chunks = (size_t)table->chunk_count;
    table->tensors = (optim_tensor *)sgm_take(&cursor, tensors * sizeof(optim_tensor));
    table->chunks = (optim_chunk *)sgm_take(&cursor, chunks * sizeof(optim_chunk));
    table->partial = (double *)sgm_take(&cursor, chunks * sizeof(double));
    return cursor.used;
}

/* The table's contents, in host memory cut in the same way. */
static void fill_table(const optim_table *host, const sgm_trained *params)
{
    int chunk = 0;
    for (int i = 0; i < host->tensor_count; i++) {
        const sgm_trained *p = &params[i];
        optim_tensor t = {p->value,      p->gradient, p->first,
                          p->second,     p->average,  (unsigned short *)p->bf16,
                          (int)p->count, p->matrix,   p->rate};
        host->tensors[i] = t;
        for (int start = 0; start < t.count; start += CHUNK) {
            optim_chunk c = {i, start};
            host->chunks[chunk++] = c;
        }
    }
}

static sgm_status send_table(sgm_cuda *cuda, const optim_table *table, const sgm_trained *params)
{
    optim_table host = *table;
    size_t size = cut_table(&host, NULL);
    char *memory = (char *)calloc(size + 1, 1);
    if (!memory) return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY, "no memory for the optimiser");
    cut_table(&host, memory);
    fill_table(&host, params);
    sgm_status status = cuda->base.ops->upload(&cuda->base, table->memory, memory, size);
    free(memory);
    return status;
}

void sgm_cuda_optim_release(sgm_backend *backend, void *table)
{
    optim_table *t = (optim_table *)table;
    if (t) backend->ops->free(backend, t->memory);
    free(t);
}

sgm_status sgm_cuda_optim_bind(sgm_backend *backend, const sgm_trained *params, int count,
                               void **out)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    int chunks = 0;
    SGM_TRY(count_chunks(cuda, params, count, &chunks));
    optim_table *table = (optim_table *)calloc(1, sizeof *table);
    if (!table) return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY, "no memory for the optimiser");
    table->tensor_count = count;
    table->chunk_count = chunks;
    table->memory = backend->ops->alloc(backend, cut_table(table, NULL));
    sgm_status status = SGM_OK;
    if (!table->memory)
        status = sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY, "CUDA: no GPU memory for the optimiser");
    cut_table(table, (char *)table->memory);
    if (status == SGM_OK) status = send_table(cuda, table, params);
    if (status == SGM_OK)
        *out = table;
    else
        sgm_cuda_optim_release(backend, table);
    return status;
}

sgm_status sgm_cuda_optim_clear(sgm_backend *backend, void *table)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    const optim_table *t = (const optim_table *)table;
    if (!t->chunk_count) return SGM_OK;
    sgm_cuda_enter(cuda);
    SGM_LAUNCH(clear_gradients_kernel, (unsigned)t->chunk_count, SGM_THREADS, cuda->stream,
               t->tensors, t->chunks);
    sgm_status status = sgm_cuda_launched(cuda, "clearing gradients");
    sgm_cuda_leave(cuda);
    return status;
}

sgm_status sgm_cuda_optim_update(sgm_backend *backend, void *table,
                                 const sgm_optim_numbers *numbers, double *norm)
{
    sgm_cuda *cuda = (sgm_cuda *)backend;
    const optim_table *t = (const optim_table *)table;
    unsigned chunks = (unsigned)t->chunk_count;
    if (!chunks) return backend->ops->clear(backend, norm, sizeof *norm);
    sgm_cuda_enter(cuda);
    SGM_LAUNCH_TEAM(square_sums_kernel, chunks, SGM_TEAM, cuda->stream, t->tensors, t->chunks,
                    t->partial);
    SGM_LAUNCH_TEAM(norm_kernel, 1, SGM_TEAM, cuda->stream, t->partial, t->chunk_count, norm);
    SGM_LAUNCH(update_kernel, chunks, SGM_THREADS, cuda->stream, t->tensors, t->chunks, *numbers,
               norm);
    sgm_status status = sgm_cuda_launched(cuda, "the optimiser");
    sgm_cuda_leave(cuda);
    return status;
}
