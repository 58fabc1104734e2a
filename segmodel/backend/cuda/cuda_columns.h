/* Sums over the rows of a matrix: blocks of threads side by side on groups of columns and, in
 * `lanes`, one below the other on rows. Every thread sums its rows, a block's lanes are added up in
 * shared memory, and what chunks of rows give is folded by a second pass (sgm_cuda_fold). The order
 * of all of it depends on the matrix's size, and on whether it lies in groups of four, alone. */
#ifndef SEGMODEL_BACKEND_CUDA_CUDA_COLUMNS_H
#define SEGMODEL_BACKEND_CUDA_CUDA_COLUMNS_H

#include "cuda_vector.h"

/* A block per so many values, so that its threads have some rows each; and blocks that fill every
 * multiprocessor of a large GPU several times. */
enum { SGM_VALUES_PER_BLOCK = 8 * SGM_THREADS * SGM_VECTOR, SGM_MOST_BLOCKS = 1024 };
/* Groups side by side in a block: 512 bytes of a row. */
enum { SGM_ACROSS = 32 };

static inline int sgm_at_least(int value, int least)
{
    return value > least ? value : least;
}

static inline int sgm_at_most(int value, int most)
{
    return value < most ? value : most;
}

/* Chunks of rows, each with blocks of its own. */
static inline int sgm_column_chunks(int rows, int columns)
{
    const int wide = SGM_ACROSS * SGM_VECTOR;
    int64_t blocks = (int64_t)rows * columns / SGM_VALUES_PER_BLOCK;
    if (blocks > SGM_MOST_BLOCKS) blocks = SGM_MOST_BLOCKS;
    return sgm_at_least((int)blocks / ((columns + wide - 1) / wide), 1);
}

/* The grid and the blocks of a pass. */
typedef struct sgm_sheet {
    dim3 grid, block; /* blocks side by side, chunks; threads side by side, lanes */
} sgm_sheet;

static inline sgm_sheet sgm_sheet_of(int rows, int groups, int chunks, int most_across)
{
    int blocks = (groups + most_across - 1) / most_across, across = (groups + blocks - 1) / blocks;
    sgm_sheet s;
    s.grid = dim3((unsigned)blocks, (unsigned)chunks);
    s.block = dim3((unsigned)across, (unsigned)sgm_at_most(SGM_THREADS / across, rows));
    return s;
}

/* This thread's group of columns, its first row and the step to the next. */
typedef struct sgm_strand {
    int group, row, step;
} sgm_strand;

static __device__ sgm_strand sgm_strand_here(void)
{
    sgm_strand s;
    s.group = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    s.row = (int)(blockIdx.y * blockDim.y + threadIdx.y);
    s.step = (int)(gridDim.y * blockDim.y);
    return s;
}

template <int V, int N>
static __device__ __forceinline__ void sgm_load_rows_of(sgm_floats x, sgm_strand at, int64_t first,
                                                        int rows, int groups, float to[N][V])
{
    SGM_UNROLL
    for (int n = 0; n < N; n++) {
        int64_t r = first + (int64_t)n * at.step;
        SGM_UNROLL
        for (int k = 0; k < V; k++)
            to[n][k] = 0;
        if (r < rows) sgm_load_group<V>(x, r * groups + at.group, to[n]);
    }
}

/* N of the strand's rows from `first` on, zeros behind the last. Their loads do not wait for each
 * other, which they would if the loop over rows were left to be unrolled: it could end between any
 * two. For the same reason the type is asked for once. */
template <int V, int N>
static __device__ __forceinline__ void sgm_load_rows(sgm_floats x, sgm_strand at, int64_t first,
                                                     int rows, int groups, float to[N][V])
{
    sgm_floats f32 = {x.data, 0}, bf16 = {x.data, 1};
    if (x.bf16)
        sgm_load_rows_of<V, N>(bf16, at, first, rows, groups, to);
    else
        sgm_load_rows_of<V, N>(f32, at, first, rows, groups, to);
}

/* Adds up the lanes' sums, pair by pair; lane 0 has the result. Every thread of the block calls it,
 * as often as there are sums: a thread reads none but its own values after the last barrier. */
template <int N> static __device__ void sgm_lane_sum(float sum[N], float board[N][SGM_THREADS])
{
    int lane = (int)threadIdx.y, across = (int)blockDim.x, half;
    int me = lane * across + (int)threadIdx.x;
    SGM_UNROLL
    for (int k = 0; k < N; k++)
        board[k][me] = sum[k];
    __syncthreads();
    for (int left = (int)blockDim.y; left > 1; left = half) {
        half = (left + 1) / 2;
        if (lane + half < left) {
            SGM_UNROLL
            for (int k = 0; k < N; k++)
                board[k][me] += board[k][me + half * across];
        }
        __syncthreads();
    }
    SGM_UNROLL
    for (int k = 0; k < N; k++)
        sum[k] = board[k][me];
}

#endif
