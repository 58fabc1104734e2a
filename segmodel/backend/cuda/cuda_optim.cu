/* The optimiser on the device: backend/update.c's formulas over all tensors at once.
 *
 * A table on the device lists the tensors and cuts them into chunks, a block each. An update is
 * three launches whatever the number of tensors: sums of squares per chunk, their total by one
 * block, and one pass that clips, steps, averages and rounds to BF16. Sums run in a fixed order, so
 * that the same gradients give the same norm. Muon's matrices only get their direction there;
 * cuda_muon.cu makes it orthogonal by some more launches per shape, and a last one moves them. */
#include "cuda_optim.h"

extern "C" {
#include "backend/muon.h"
}

#include <stdlib.h>

typedef struct optim_table {
    void *memory; /* on the device; the rest points into it */
    optim_tensor *tensors;
    optim_chunk *chunks;
    double *partial; /* sum of squares per chunk */
    int tensor_count, chunk_count;
    sgm_muon muon;
} optim_table;

/* -------------------------------------------------------------------------------------- kernels */

static __global__ void clear_gradients_kernel(const optim_tensor *tensors,
                                              const optim_chunk *chunks)
{
    optim_chunk c = chunks[blockIdx.x];
    optim_tensor t = tensors[c.tensor];
    for (int i = c.start + (int)threadIdx.x; i < sgm_chunk_end(t, c); i += SGM_THREADS)
        t.gradient[i] = 0;
}

static __global__ void square_sums_kernel(const optim_tensor *tensors, const optim_chunk *chunks,
                                          double *partial)
{
    __shared__ double board[SGM_TEAM + 32];
    optim_chunk c = chunks[blockIdx.x];
    optim_tensor t = tensors[c.tensor];
    double mine = 0;
    for (int i = c.start + (int)threadIdx.x; i < sgm_chunk_end(t, c); i += SGM_TEAM)
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

/* Where value i of a matrix[rows, columns] lies in [shorter, longer]. */
static __device__ int turned_at(const optim_tensor &t, int i)
{
    int columns = t.count / t.rows;
    return t.rows <= columns ? i : i % columns * t.rows + i / columns;
}

/* A norm that is not finite changes nothing: the host finds out later, and weights stay good. Of
 * Muon's matrices only the momentum and where it points to. */
static __global__ void update_kernel(const optim_tensor *tensors, const optim_chunk *chunks,
                                     sgm_optim_numbers n, const double *norm)
{
    optim_chunk c = chunks[blockIdx.x];
    optim_tensor t = tensors[c.tensor];
    double size = *norm;
    if (!(size < INFINITY)) return;
    float scale = n.clip > 0 && size > n.clip ? (float)(n.clip / size) : 1;
    float decay = t.matrix || n.decay_vectors ? n.decay : 0, keep = sgm_kept(n, t);
    for (int i = c.start + (int)threadIdx.x; i < sgm_chunk_end(t, c); i += SGM_THREADS) {
        float value = t.value[i], g = scale * t.gradient[i] + decay * value;
        if (t.direction) {
            t.first[i] = SGM_MUON_MOMENTUM * t.first[i] + g;
            t.direction[turned_at(t, i)] = g + SGM_MUON_MOMENTUM * t.first[i];
            continue;
        }
        value = n.kind == SGM_OPTIMIZER_SGD
                    ? sgd_value(n, t.rate, g, value, &t.first[i])
                    : adam_value(n, t.rate, g, keep, value, &t.first[i], &t.second[i]);
        sgm_take_value(t, i, value, n.average);
    }
}

static __global__ void matrices_kernel(const optim_tensor *tensors, const optim_chunk *chunks,
                                       sgm_optim_numbers n, const double *norm)
{
    optim_chunk c = chunks[blockIdx.x];
    optim_tensor t = tensors[c.tensor];
    if (!t.direction || !(*norm < INFINITY)) return;
    float size = n.rate * t.reach, keep = sgm_kept(n, t);
    for (int i = c.start + (int)threadIdx.x; i < sgm_chunk_end(t, c); i += SGM_THREADS)
        sgm_take_value(t, i, keep * t.value[i] - size * t.turned[turned_at(t, i)], n.average);
}

/* ------------------------------------------------------------------------------------ the table */

static sgm_status count_chunks(sgm_cuda *cuda, const sgm_trained *params, int count, int *chunks)
{
    int64_t sum = 0;
    for (int i = 0; i < count; i++) {
        if (params[i].count > INT32_MAX - SGM_OPTIM_CHUNK)
            return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY,
                                 "CUDA: %s: a tensor of more than 2^31 values", params[i].name);
        sum += (params[i].count + SGM_OPTIM_CHUNK - 1) / SGM_OPTIM_CHUNK;
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

/* The table's contents, in host memory cut in the same way; without Muon's. */
static void fill_table(const optim_table *host, const sgm_trained *params)
{
    int chunk = 0;
    for (int i = 0; i < host->tensor_count; i++) {
        const sgm_trained *p = &params[i];
        optim_tensor t = {};
        t.value = p->value, t.gradient = p->gradient;
        t.first = p->first, t.second = p->second, t.average = p->average;
        t.bf16 = (unsigned short *)p->bf16;
        t.count = (int)p->count, t.matrix = p->matrix, t.rate = p->rate;
        host->tensors[i] = t;
        for (int start = 0; start < t.count; start += SGM_OPTIM_CHUNK) {
            optim_chunk c = {i, start};
            host->chunks[chunk++] = c;
        }
    }
}

static sgm_status send_table(sgm_cuda *cuda, optim_table *table, const sgm_trained *params)
{
    optim_table host = *table;
    size_t size = cut_table(&host, NULL);
    char *memory = (char *)calloc(size + 1, 1);
    if (!memory) return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY, "no memory for the optimiser");
    cut_table(&host, memory);
    fill_table(&host, params);
    sgm_status status =
        sgm_cuda_muon_create(cuda, params, table->tensor_count, host.tensors, &table->muon);
    if (status == SGM_OK) status = cuda->base.ops->upload(&cuda->base, table->memory, memory, size);
    free(memory);
    return status;
}

void sgm_cuda_optim_release(sgm_backend *backend, void *table)
{
    optim_table *t = (optim_table *)table;
    if (!t) return;
    sgm_cuda_muon_release((sgm_cuda *)backend, &t->muon);
    backend->ops->free(backend, t->memory);
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

/* Inside enter and leave. */
static sgm_status move_matrices(sgm_cuda *cuda, const optim_table *t,
                                const sgm_optim_numbers *numbers, const double *norm)
{
    if (!t->muon.group_count) return SGM_OK;
    SGM_TRY(sgm_cuda_muon_turn(cuda, &t->muon, t->tensors, t->chunks, t->chunk_count, t->partial));
    SGM_LAUNCH(matrices_kernel, (unsigned)t->chunk_count, SGM_THREADS, cuda->stream, t->tensors,
               t->chunks, *numbers, norm);
    return sgm_cuda_launched(cuda, "the optimiser");
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
    if (status == SGM_OK) status = move_matrices(cuda, t, numbers, norm);
    sgm_cuda_leave(cuda);
    return status;
}
