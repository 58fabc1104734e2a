/* From the positions of a volume's slices to a grid. */
#ifndef SGIO_DICOM_STACK_H
#define SGIO_DICOM_STACK_H

#include "dicom_sort.h"
#include "sgio/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sgio_dicom_stack {
    sgio_geometry geometry;
    int sheared;   /* the step from slice to slice is not along the normal (gantry tilt) */
    int assumed;   /* 1 mm is taken along some axis, because the files do not say */
    double *place; /* uneven slices: where each lies along k of the even grid; else NULL. Owned */
} sgio_dicom_stack;

/* The step between slices comes from ImagePositionPatient alone: SliceThickness and
 * SpacingBetweenSlices are often wrong, and thickness serves a single slice only. Uneven slices are
 * SGIO_UNREADABLE unless options->allow_gaps. `path` is for messages. */
sgio_status sgio_dicom_stack_plan(const char *path, const sgio_dicom_slices *slices,
                                  const sgio_dicom_volume *volume, const sgio_read_options *options,
                                  sgio_dicom_stack *stack);

void sgio_dicom_stack_clear(sgio_dicom_stack *stack);

#ifdef __cplusplus
}
#endif
#endif
