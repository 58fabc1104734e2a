/* Muon's directions on the device: the formulas of kernels/orthogonalize.c, matrices of one shape
 * together. Products are FP32; nothing waits. */
#include "cuda_optim.h"

extern "C" {
#include "backend/muon.h"
}

#include <stdlib.h>

/* partial[block]: the sum of squares of a chunk of a matrix' direction. */
static __global__ void direction_squares_kernel(const optim_tensor *tensors,
                                                const optim_chunk *chunks, double *partial)
{
    __shared__ double board[SGM_TEAM + 32];
    optim_chunk c = chunks[blockIdx.x];
    optim_tensor t = tensors[c.tensor];
    if (!t.direction) return;
    double mine = 0;
    for (int i = c.start + (int)threadIdx.x; i < sgm_chunk_end(t, c); i += SGM_TEAM)
        mine += (double)t.direction[i] * t.direction[i];
    double sum = sgm_team_sum(mine, board);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

/* A chunk over the norm of its whole matrix, whose chunks are neighbours. */
static __global__ void normalize_kernel(const optim_tensor *tensors, const optim_chunk *chunks,
                                        const double *partial)
{
    optim_chunk c = chunks[blockIdx.x];
    optim_tensor t = tensors[c.tensor];
    if (!t.direction) return;
    const double *first = partial + (int)blockIdx.x - c.start / SGM_OPTIM_CHUNK;
    double sum = 0;
    for (int k = 0; k * SGM_OPTIM_CHUNK < t.count; k++)
        sum += first[k];
    float scale = (float)(1 / (sqrt(sum) + SGM_MUON_EPSILON));
    for (int i = c.start + (int)threadIdx.x; i < sgm_chunk_end(t, c); i += SGM_THREADS)
        t.direction[i] *= scale;
}

static sgm_status copy(sgm_cuda *cuda, float *to, const float *from, size_t values)
{
    return sgm_cuda_check(
        cuda,
        cudaMemcpyAsync(to, from, values * sizeof *to, cudaMemcpyDeviceToDevice, cuda->stream),
        "copying a direction");
}

/* y = A x + (B g + C g g) x for each matrix x of a group and its Gram matrix g. */
static sgm_status newton_schulz(sgm_cuda *cuda, const sgm_muon *muon, const muon_group *group,
                                const float *x, float *y)
{
    int r = group->shorter, c = group->longer;
    long long square = (long long)r * r, whole = (long long)r * c;
    sgm_product gram = {};
    gram.m = gram.n = r, gram.k = c;
    gram.transpose_b = true;
    gram.a = gram.b = x, gram.lda = gram.ldb = c, gram.a_step = gram.b_step = whole;
    gram.c = muon->gram, gram.ldc = r, gram.c_step = square;
    gram.alpha = 1;
    gram.batch = group->count;
    SGM_TRY(sgm_cuda_product(cuda, &gram));
    SGM_TRY(copy(cuda, muon->polynomial, muon->gram, (size_t)(square * group->count)));
    sgm_product second = gram;
    second.k = r;
    second.transpose_b = false;
    second.a = second.b = muon->gram, second.lda = second.ldb = r;
    second.a_step = second.b_step = square;
    second.c = muon->polynomial;
    second.alpha = SGM_MUON_C, second.beta = SGM_MUON_B;
    SGM_TRY(sgm_cuda_product(cuda, &second));
    SGM_TRY(copy(cuda, y, x, (size_t)(whole * group->count)));
    sgm_product step = second;
    step.n = c;
    step.a = muon->polynomial;
    step.b = x, step.ldb = c, step.b_step = whole;
    step.c = y, step.ldc = c, step.c_step = whole;
    step.alpha = 1, step.beta = SGM_MUON_A;
    return sgm_cuda_product(cuda, &step);
}

sgm_status sgm_cuda_muon_turn(sgm_cuda *cuda, const sgm_muon *muon, const optim_tensor *tensors,
                              const optim_chunk *chunks, int chunk_count, double *partial)
{
    unsigned blocks = (unsigned)chunk_count;
    if (!muon->group_count) return SGM_OK;
    SGM_LAUNCH_TEAM(direction_squares_kernel, blocks, SGM_TEAM, cuda->stream, tensors, chunks,
                    partial);
    SGM_LAUNCH(normalize_kernel, blocks, SGM_THREADS, cuda->stream, tensors, chunks, partial);
    SGM_TRY(sgm_cuda_launched(cuda, "the directions of an update"));
    for (int i = 0; i < muon->group_count; i++) {
        const muon_group *group = &muon->groups[i];
        float *x = muon->x + group->at, *y = muon->y + group->at;
        for (int step = 0; step < SGM_MUON_STEPS; step++) {
            SGM_TRY(newton_schulz(cuda, muon, group, x, y));
            float *last = x;
            x = y;
            y = last;
        }
    }
    return SGM_OK;
}

/* ------------------------------------------------------------------------------------- memory */

static muon_group shape_of(const sgm_trained *p)
{
    int rows = (int)p->rows, columns = (int)(p->count / p->rows);
    muon_group group = {rows < columns ? rows : columns, rows < columns ? columns : rows, 0, 0};
    return group;
}

static muon_group *find_group(const sgm_muon *muon, const sgm_trained *p)
{
    muon_group shape = shape_of(p);
    for (int i = 0; i < muon->group_count; i++)
        if (muon->groups[i].shorter == shape.shorter && muon->groups[i].longer == shape.longer)
            return &muon->groups[i];
    return NULL;
}

static void gather_groups(sgm_muon *muon, const sgm_trained *params, int count)
{
    for (int i = 0; i < count; i++) {
        if (!params[i].rows) continue;
        if (!find_group(muon, &params[i])) muon->groups[muon->group_count++] = shape_of(&params[i]);
        find_group(muon, &params[i])->count++;
    }
    for (int i = 0; i < muon->group_count; i++) {
        muon_group *group = &muon->groups[i];
        group->at = muon->values;
        size_t values = (size_t)group->shorter * (size_t)group->longer * (size_t)group->count;
        muon->values += (values + 63) / 64 * 64; /* products like addresses of 256 bytes */
    }
}

/* Values of the largest group's Gram matrices. */
static size_t square_values(const sgm_muon *muon)
{
    size_t most = 0;
    for (int i = 0; i < muon->group_count; i++) {
        const muon_group *g = &muon->groups[i];
        size_t values = (size_t)g->shorter * (size_t)g->shorter * (size_t)g->count;
        if (values > most) most = values;
    }
    return most;
}

/* With base NULL only the size counts. */
static size_t cut(sgm_muon *muon, char *base)
{
    sgm_cursor cursor = {base, 0};
    size_t squares = square_values(muon) * sizeof(float), values = muon->values * sizeof(float);
    muon->x = (float *)sgm_take(&cursor, values);
    muon->y = (float *)sgm_take(&cursor, values);
    muon->gram = (float *)sgm_take(&cursor, squares);
    muon->polynomial = (float *)sgm_take(&cursor, squares);
    return cursor.used;
}

static void assign(const sgm_muon *muon, const sgm_trained *params, int count,
                   optim_tensor *tensors)
{
    for (int g = 0; g < muon->group_count; g++) {
        size_t at = muon->groups[g].at;
        for (int i = 0; i < count; i++) {
            if (!params[i].rows || find_group(muon, &params[i]) != &muon->groups[g]) continue;
            tensors[i].direction = muon->x + at;
            tensors[i].turned = (SGM_MUON_STEPS % 2 ? muon->y : muon->x) + at;
            tensors[i].rows = (int)params[i].rows;
            tensors[i].reach = sgm_muon_reach(&params[i]);
            at += (size_t)params[i].count;
        }
    }
}

sgm_status sgm_cuda_muon_create(sgm_cuda *cuda, const sgm_trained *params, int count,
                                optim_tensor *tensors, sgm_muon *out)
{
    sgm_backend *backend = &cuda->base;
    memset(out, 0, sizeof *out);
    out->groups = (muon_group *)calloc((size_t)count + 1, sizeof *out->groups);
    if (!out->groups) return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY, "no memory for the optimiser");
    gather_groups(out, params, count);
    if (!out->group_count) return SGM_OK;
    out->memory = backend->ops->alloc(backend, cut(out, NULL));
    if (!out->memory)
        return sgm_cuda_fail(cuda, SGM_OUT_OF_MEMORY, "CUDA: no GPU memory for the optimiser");
    cut(out, (char *)out->memory);
    assign(out, params, count, tensors);
    return SGM_OK;
}

void sgm_cuda_muon_release(sgm_cuda *cuda, sgm_muon *muon)
{
    if (muon->memory) cuda->base.ops->free(&cuda->base, muon->memory);
    free(muon->groups);
    memset(muon, 0, sizeof *muon);
}
