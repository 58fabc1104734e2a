/* Files of goldens: sampled tensors computed by the official PyTorch code. Of a tensor T they hold
 * T.shape, T.idx (flat row-major places) and T.val (values there), T.bits (values > 0 packed, most
 * significant bit first); small tensors are stored whole. */
#ifndef SEGMODEL_TESTS_GOLDEN_FILE_H
#define SEGMODEL_TESTS_GOLDEN_FILE_H

#include "checkpoint/checkpoint.h"
#include "graph/graph.h"

typedef struct golden_file {
    sgm_checkpoint *checkpoint;
    char label[64]; /* what checks call it: "sam_vit_b prompt_p1" */
} golden_file;

/* Opens <folder>/<name>.safetensors and counts a failed check if it cannot. */
bool golden_open(const char *folder, const char *name, golden_file *out);
void golden_close(golden_file *file);

bool golden_has(const golden_file *file, const char *tensor);

/* A small tensor as floats, malloc'ed; its count. NULL and a failed check if it is not there. */
float *golden_floats(const golden_file *file, const char *tensor, size_t *count);

/* The shape of a sampled tensor; ndim 0 if there is none. */
sgm_shape golden_shape(const golden_file *file, const char *name);

/* Where the golden's place `index` lies in values of shape `ours`, which is [B, H, W, C] where the
 * golden is [B, C, H, W] or [B, N, C] or the same; -1 if the shapes cannot be matched. */
int64_t golden_place(sgm_shape golden, sgm_shape ours, int64_t index);

/* Checks the sampled values of `name` against `values` by normalised RMS error, and prints it. */
void golden_check(const golden_file *file, const char *name, sgm_shape ours, const float *values,
                  double limit);

/* Compares T.bits of `name` (count places) with values > threshold; places where |value -
 * threshold| is below `unsure` do not count. Checks that the rest agrees. Returns the IoU. */
double golden_check_bits(const golden_file *file, const char *name, const float *values,
                         size_t count, float threshold, double unsure, bool must_agree);

#endif
