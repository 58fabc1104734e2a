/* A matrix made nearly orthogonal, for the optimiser Muon. */
#ifndef SEGMODEL_CPU_KERNELS_ORTHOGONALIZE_H
#define SEGMODEL_CPU_KERNELS_ORTHOGONALIZE_H

#include "core/status.h"
#include "core/threads.h"

/* matrix[rows, columns] in place: five steps of a polynomial of Newton and Schulz' kind (Jordan
 * 2024) on the matrix over its norm. They take singular values above a thousandth of the norm to
 * between .68 and 1.13 and leave the vectors: quicker than exact, which a step needs not be. A
 * matrix of zeros stays. FP32, the same bits for any number of threads. SGM_OUT_OF_MEMORY. */
sgm_status sgm_orthogonalize_run(sgm_threads *pool, float *matrix, int64_t rows, int64_t columns);

#endif
