/* CUDA on the host, as far as segmodel's kernels use it: the same .cu files compile as plain C++,
 * so that indices, masks, gradients and barriers are checked where there is no GPU. It says nothing
 * about speed, nor about what two warps do to each other between barriers beyond the check below.
 *
 * A kernel launched with SGM_LAUNCH runs thread after thread; one launched with SGM_LAUNCH_TEAM
 * runs a block's threads as fibers that switch at __syncthreads().
 *
 * With the environment variable SGM_EMULATION_CHECK set, every launch runs twice on the same
 * memory, blocks and threads once in ascending and once in descending order. Results that differ
 * in a single bit mean a race, and become the launch's error. Device memory starts as NaN. */
#ifndef SEGMODEL_TESTS_CUDA_EMULATION_H
#define SEGMODEL_TESTS_CUDA_EMULATION_H

#include <math.h>
#include <memory>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* --------------------------------------------------------------------------------- the language */

#define __global__
#define __device__ inline
#define __shared__ static /* blocks run one after the other */
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

#include "runtime_emulation.h"

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

void __syncthreads(void);

/* Runs `thread` for every thread of the grid; `kernel` is its name for messages. */
class emulated_kernel
{
  public:
    virtual void thread() const = 0;
    virtual ~emulated_kernel() {}
};
void emulate_launch(cudaStream_t stream, std::shared_ptr<const emulated_kernel> kernel,
                    const char *name, dim3 grid, dim3 block, bool team);

template <typename F> class emulated_lambda final : public emulated_kernel
{
  public:
    explicit emulated_lambda(const F &f) : f_(f) {}
    void thread() const override { f_(); }

  private:
    F f_;
};

/* Arguments are evaluated once and copied, as a launch does. */
template <typename... P, typename... A>
void emulate(cudaStream_t stream, void (*kernel)(P...), const char *name, dim3 grid, dim3 block,
             bool team, A... args)
{
    auto thread = [=] { kernel(args...); };
    emulate_launch(stream, std::make_shared<emulated_lambda<decltype(thread)>>(thread), name, grid,
                   block, team);
}

#define SGM_LAUNCH(kernel, grid, block, stream, ...)                                               \
    emulate((stream), kernel, #kernel, (grid), (block), false, __VA_ARGS__)
#define SGM_LAUNCH_TEAM(kernel, grid, block, stream, ...)                                          \
    emulate((stream), kernel, #kernel, (grid), (block), true, __VA_ARGS__)

#include "mma_emulation.h"

#endif
