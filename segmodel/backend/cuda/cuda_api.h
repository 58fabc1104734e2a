/* CUDA and cuBLAS, or their emulation on the host (tests/segmodel/cuda/emulation). */
#ifndef SEGMODEL_BACKEND_CUDA_CUDA_API_H
#define SEGMODEL_BACKEND_CUDA_CUDA_API_H

#ifdef SGM_CUDA_EMULATION
#include "cublas_emulation.h"
#else
#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_runtime.h>
/* SGM_LAUNCH: threads that never wait for each other; SGM_LAUNCH_TEAM: blocks with barriers. To a
 * GPU both are the same. */
#define SGM_LAUNCH(kernel, grid, block, stream, ...)                                               \
    kernel<<<(grid), (block), 0, (stream)>>>(__VA_ARGS__)
#define SGM_LAUNCH_TEAM SGM_LAUNCH
#endif

#endif
