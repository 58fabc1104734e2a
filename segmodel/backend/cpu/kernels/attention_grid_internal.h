/* The windows of a grid and the layout of q, k, v: shared by forward and backward. */
#ifndef SEGMODEL_CPU_KERNELS_ATTENTION_GRID_INTERNAL_H
#define SEGMODEL_CPU_KERNELS_ATTENTION_GRID_INTERNAL_H

#include "backend/cpu/kernels/attention_core.h"

typedef struct sgm_grid_place {
    int64_t b, y, x;       /* image, first row and column */
    int64_t height, width; /* of its real part */
} sgm_grid_place;

typedef struct sgm_grid_geometry {
    int64_t sh, sw;        /* sides of a window */
    int64_t rows, columns; /* windows per image */
} sgm_grid_geometry;

sgm_status sgm_grid_check(const sgm_attention_grid_args *args);
sgm_grid_geometry sgm_grid_geometry_of(const sgm_attention_grid_args *args);
sgm_grid_place sgm_grid_window(const sgm_attention_grid_args *args, const sgm_grid_geometry *g,
                               int64_t index);
/* First channel of a head's q (0), k (1) or v (2). */
int64_t sgm_grid_channel(const sgm_attention_grid_args *args, int64_t head, int which);
/* A head's tokens of a window in a tensor with `channels` per token. */
sgm_tokens sgm_grid_tokens(const sgm_attention_grid_args *args, const sgm_grid_place *w,
                           const void *data, sgm_dtype dtype, int64_t channels, int64_t channel);

/* Floats of the tables in the form sgm_position_bias wants, and the tables themselves. */
size_t sgm_grid_bias_floats(const sgm_attention_grid_args *args);
void sgm_grid_bias_fill(const sgm_attention_grid_args *args, float *memory);
sgm_position_bias sgm_grid_bias_of(const sgm_attention_grid_args *args, const float *memory,
                                   int64_t head);

#endif
