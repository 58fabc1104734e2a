/* Slices of a volume on a GPU against FP32 on the CPU, before a benchmark times all of it. */
#ifndef SEGMODEL_TOOL_BENCH_VOLUME_CHECK_H
#define SEGMODEL_TOOL_BENCH_VOLUME_CHECK_H

#include "segmodel/volume.h"

typedef struct bench_volume_check {
    const char *path, *variant;
    int threads;
    const sgm_volume *volume;
    sgm_roi roi; /* its middle slices are looked at */
    const sgm_volume_options *options;
} bench_volume_check;

/* SGM_INTERNAL when too many voxels differ. Prints what was found. */
sgm_status bench_check_volume(const bench_volume_check *check, sgm_model *model);

#endif
