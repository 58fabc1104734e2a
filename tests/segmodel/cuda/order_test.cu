/* order_test [race]: the emulation's check of orders. Memory that the host puts back to what it was
 * before a launch is no result of the next one; with "race" a kernel's result depends on the order,
 * which is to be refused. */
#include "backend/cuda/cuda_internal.h"

#include <stdio.h>

enum { COUNT = 5000 };

static __global__ void fill_kernel(float *x, int count, float value)
{
    SGM_ELEMENT(i, count);
    x[i] = value;
}

static __global__ void race_kernel(float *x, int count)
{
    SGM_ELEMENT(i, count);
    x[0] = (float)i;
}

int main(int argc, char **argv)
{
    (void)argv;
    float *x, *other, first = 1;
    if (cudaMalloc((void **)&x, COUNT * sizeof *x) != cudaSuccess ||
        cudaMalloc((void **)&other, COUNT * sizeof *x) != cudaSuccess)
        return 2;
    cudaStream_t stream = (cudaStream_t)0;
    cudaMemsetAsync(x, 0, COUNT * sizeof *x, stream);
    for (int round = 0; round < 2; round++) {
        SGM_LAUNCH(fill_kernel, sgm_blocks(COUNT), SGM_THREADS, stream, x, COUNT, 3.0f);
        cudaMemsetAsync(x, 0, COUNT * sizeof *x, stream);
        SGM_LAUNCH(fill_kernel, sgm_blocks(COUNT), SGM_THREADS, stream, other, COUNT, 4.0f);
    }
    if (argc > 1) SGM_LAUNCH(race_kernel, sgm_blocks(COUNT), SGM_THREADS, stream, x, COUNT);
    cudaMemcpyAsync(&first, x, sizeof first, cudaMemcpyDeviceToHost, stream);
    bool accepted =
        cudaStreamSynchronize(stream) == cudaSuccess && cudaGetLastError() == cudaSuccess;
    bool right = argc > 1 ? !accepted : accepted && first == 0;
    printf("%s\n", right ? "orders are told apart" : "failed");
    return !right;
}
