/* The same voxels counted along other axes or backwards: a NIfTI file of a DICOM series has its
 * rows upside down more often than not. */
#ifndef SGIO_SEGMENTATION_TURN_H
#define SGIO_SEGMENTATION_TURN_H

#include "sgio/labelmap.h"

/* Axis a of the wanted grid runs along axis[a] of the given one. */
typedef struct sgio_turn {
    int axis[3], backwards[3];
} sgio_turn;

enum { SGIO_TURNS = 48 };

/* One of them; that of way 0 leaves all as it is. */
sgio_turn sgio_turn_way(int way);

/* The grid of the same voxels, turned. */
sgio_geometry sgio_turned_geometry(const sgio_geometry *from, const sgio_turn *turn);

/* How `from` has to be turned so that its voxels lie nearest to those of `to`, and how far from
 * them they then lie at most, in mm; HUGE_VAL when no turn gives the size of `to`. */
double sgio_turn_nearest(const sgio_geometry *from, const sgio_geometry *to, sgio_turn *turn);

/* How `from` has to be turned so that each of its voxels is the one of `to`, up to `tolerance_mm`.
 * 1, or 0 when there is no such way. */
int sgio_turn_find(const sgio_geometry *from, const sgio_geometry *to, double tolerance_mm,
                   sgio_turn *turn);

/* How `from` has to be turned so that its voxels are some of those of `to` or of its continuation,
 * and how many voxels behind the first one it then begins. 1, or 0 when there is no such way. */
int sgio_turn_find_offset(const sgio_geometry *from, const sgio_geometry *to, double tolerance_mm,
                          sgio_turn *turn, int64_t offset[3]);

/* Where the first voxel of the wanted grid lies in the given one, whose size is `size`, and how far
 * apart there its neighbours along axis a are; in voxels. */
void sgio_turn_steps(const int64_t size[3], const sgio_turn *turn, int64_t *start, int64_t step[3]);

/* *out: the segmentation on the grid `to`. Its layers are its own, its texts are borrowed from
 * `from`. Release with sgio_turned_clear, also after a failure (SGIO_OUT_OF_MEMORY). */
sgio_status sgio_segmentation_turn(const sgio_segmentation *from, const sgio_geometry *to,
                                   const sgio_turn *turn, sgio_segmentation *out);
void sgio_turned_clear(sgio_segmentation *turned);

#endif
