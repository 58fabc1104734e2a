/* The grid for contours (an RT structure set), which have none of their own. */
#ifndef PROMPTSEG_EVALUATE_CONTOURS_H
#define PROMPTSEG_EVALUATE_CONTOURS_H

#include "sgio/labelmap.h"

typedef struct evaluate_contours {
    const char *path, *other_path; /* the structure set, and what it is compared with */
    const sgio_segmentation *other;
    int are_reference; /* 0: the other file is */
    int label;         /* as of evaluate_match */
} evaluate_contours;

/* The other file's grid and the voxels around it that structures reach of those that are compared:
 * where it is a cut-out, what lies beyond is a difference. The other file's grid for what is no
 * structure set: reading says so. 0, CLI_EXIT_INPUT for a vast grid, or CLI_EXIT_MEMORY. */
int evaluate_contours_grid(const evaluate_contours *contours, sgio_geometry *grid);

#endif
