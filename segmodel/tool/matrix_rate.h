/* The matrix rate of a machine, measured beside a benchmark: the share of it means more than a time
 * alone, and a machine's rate changes from minute to minute. */
#ifndef SEGMODEL_TOOL_MATRIX_RATE_H
#define SEGMODEL_TOOL_MATRIX_RATE_H

#include "backend/backend.h"

typedef struct matrix_rate matrix_rate;

/* On the CPU: a product of 4096 x 768 x 3072 (the first MLP layer of ViT-B) by this library. On a
 * GPU: products of side x side x side by the vendor's library (device_rate.h); side 0: 8192 in
 * BF16, 4096 in FP32. */
sgm_status matrix_rate_create(sgm_backend *backend, bool bf16, int side, matrix_rate **out);
void matrix_rate_destroy(matrix_rate *rate);
/* FLOP/s of one product now; NaN after a failure. */
double matrix_rate_measure(matrix_rate *rate);
/* FLOP/s of the bare micro-kernel now, operands in the L1 cache: what no program on this CPU can
 * exceed. 0 on a GPU. */
double matrix_rate_ceiling(matrix_rate *rate);

#endif
