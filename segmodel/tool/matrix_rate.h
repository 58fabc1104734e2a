/* The machine's matrix rate with this library's own product, measured beside a benchmark. */
#ifndef SEGMODEL_TOOL_MATRIX_RATE_H
#define SEGMODEL_TOOL_MATRIX_RATE_H

#include "core/status.h"

typedef struct matrix_rate matrix_rate;

/* A product of 4096 x 768 x 3072 (the first MLP layer of ViT-B) on `threads` threads. */
sgm_status matrix_rate_create(int threads, int bf16, matrix_rate **out);
void matrix_rate_destroy(matrix_rate *rate);
/* FLOP/s of one product now. */
double matrix_rate_measure(matrix_rate *rate);
/* FLOP/s of the bare micro-kernel now, operands in the L1 cache: what no program can exceed. */
double matrix_rate_ceiling(matrix_rate *rate);

double now_seconds(void);

#endif
