/* Where voxels are. Inside PromptSeg everything is LPS millimetres in double; RAS exists only at a
 * file's edge. Voxel centres are at integer indices. */
#ifndef SGIO_GEOMETRY_H
#define SGIO_GEOMETRY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* index (i fastest, k slowest) -> LPS mm: p = matrix[.][0]*i + [1]*j + [2]*k + [3].
 * Left-handed, oblique and sheared matrices are all legal; columns are never zero or parallel. */
typedef struct sgio_geometry {
    int64_t size[3];     /* voxels along i, j, k; 2D images have size[2] == 1 */
    double matrix[3][4]; /* direction cosines times spacing, and the origin */
} sgio_geometry;

/* Length of each column in mm. */
void sgio_geometry_spacing(const sgio_geometry *geometry, double spacing[3]);

/* Unit columns: direction[r][c] is component r of axis c. */
void sgio_geometry_direction(const sgio_geometry *geometry, double direction[3][3]);

void sgio_geometry_index_to_lps(const sgio_geometry *geometry, const double index[3],
                                double lps[3]);

/* Continuous index of a point; returns 0, or -1 when the matrix is singular. */
int sgio_geometry_lps_to_index(const sgio_geometry *geometry, const double lps[3], double index[3]);

/* 1 when the axes stand at right angles, up to 1e-5 in their cosines; 0 for sheared grids. */
int sgio_geometry_is_orthogonal(const sgio_geometry *geometry);

/* The most that a voxel lies from its counterpart, in mm (checked at the eight corners); HUGE_VAL
 * when sizes differ. */
double sgio_geometry_distance(const sgio_geometry *a, const sgio_geometry *b);

/* 1 when sizes are equal and no voxel of the grid lies more than `tolerance_mm` from its
 * counterpart (checked at the eight corners). */
int sgio_geometry_equal(const sgio_geometry *a, const sgio_geometry *b, double tolerance_mm);

/* How many whole voxels `from` begins behind `grid` along each axis; either may reach beyond the
 * other. 0, or -1 when their voxels are not the same ones, up to `tolerance_mm`. */
int sgio_geometry_offset(const sgio_geometry *from, const sgio_geometry *grid, double tolerance_mm,
                         int64_t offset[3]);

/* The same where either may count its voxels along other axes or backwards: *turned is `from`
 * counted as `grid` is. */
int sgio_geometry_turned_offset(const sgio_geometry *from, const sgio_geometry *grid,
                                double tolerance_mm, sgio_geometry *turned, int64_t offset[3]);

/* The tolerance within which files are of one grid: a twentieth of its smallest spacing. Positions
 * in DICOM often have a decimal or two, and programs make their grids of the first two slices, or
 * of the first and the last. */
double sgio_geometry_rounding(const sgio_geometry *grid);

#ifdef __cplusplus
}
#endif
#endif
