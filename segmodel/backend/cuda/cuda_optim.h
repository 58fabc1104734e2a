/* The optimiser's tables on the device: cuda_optim.cu, and cuda_muon.cu for matrices. */
#ifndef SEGMODEL_CUDA_OPTIM_H
#define SEGMODEL_CUDA_OPTIM_H

#include "cuda_internal.h"

extern "C" {
#include "backend/update.h"
}

enum { SGM_OPTIM_CHUNK = 4096 }; /* values of one block */

typedef struct optim_tensor {
    float *value, *gradient, *first, *second, *average;
    unsigned short *bf16;
    int count;
    bool matrix;
    float rate;
    /* Muon's matrices, else NULL: what the momentum points to, [shorter, longer] whichever of the
     * two its rows are; and the same made orthogonal. */
    float *direction, *turned;
    int rows;
    float reach; /* sgm_muon_reach */
} optim_tensor;

typedef struct optim_chunk {
    int tensor, start;
} optim_chunk;

static __device__ int sgm_chunk_end(const optim_tensor &t, const optim_chunk &c)
{
    return t.count - c.start < SGM_OPTIM_CHUNK ? t.count : c.start + SGM_OPTIM_CHUNK;
}

/* sgm_optim_keep of update.h on the device, for tensors that may not decay. */
static __device__ float sgm_kept(const sgm_optim_numbers &n, const optim_tensor &t)
{
    if (!t.matrix && !n.decay_vectors) return 1;
    return t.rate == 1 ? n.keep : 1 - t.rate * n.shrink;
}

static __device__ void sgm_take_value(const optim_tensor &t, int i, float value, float average)
{
    t.value[i] = value;
    if (t.average) t.average[i] = average * t.average[i] + (1 - average) * value;
    if (t.bf16) t.bf16[i] = sgm_to_bf16(value);
}

/* Matrices of one shape, side by side, so that one product serves all of them. */
typedef struct muon_group {
    int shorter, longer, count;
    size_t at; /* of the first one, in values */
} muon_group;

typedef struct sgm_muon {
    void *memory; /* on the device; the rest but `groups` points into it */
    float *x, *y, *gram, *polynomial;
    size_t values; /* of x, and of y */
    muon_group *groups;
    int group_count;
} sgm_muon;

/* Makes room for the matrices among `params` and tells `tensors`, still in host memory, where
 * theirs are. Without any it allocates nothing. Release it whatever the status. */
sgm_status sgm_cuda_muon_create(sgm_cuda *cuda, const sgm_trained *params, int count,
                                optim_tensor *tensors, sgm_muon *out);
void sgm_cuda_muon_release(sgm_cuda *cuda, sgm_muon *muon);
/* Directions become orthogonal: all arrays on the device; `partial` is work space of one value per
 * chunk. */
sgm_status sgm_cuda_muon_turn(sgm_cuda *cuda, const sgm_muon *muon, const optim_tensor *tensors,
                              const optim_chunk *chunks, int chunk_count, double *partial);

#endif
