/* The pieces of surface between voxels: their area for each neighbourhood of 2 x 2 x 2 voxels. */
#ifndef SEGMODEL_METRICS_SURFACE_PIECES_H
#define SEGMODEL_METRICS_SURFACE_PIECES_H

enum { SGM_NEIGHBOURHOODS = 256 };

/* area[code]: of the surface that a neighbourhood holds; bit i + 2 j + 4 k of the code is the voxel
 * at (i, j, k). axes as in sgm_surface_compare. Codes 0 and 255 hold none. */
void sgm_surface_areas(const double axes[3][3], double area[SGM_NEIGHBOURHOODS]);

/* The same in a plane: neighbourhoods of 2 x 2, lengths; a and b are the steps along its axes. */
void sgm_contour_lengths(const double a[3], const double b[3], double length[16]);

#endif
