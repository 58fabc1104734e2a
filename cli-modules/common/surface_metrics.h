/* How well two masks agree: overlap and distances between their surfaces.
 *
 * Definitions, for reference R and prediction P (Maier-Hein, Reinke et al., "Metrics reloaded",
 * Nature Methods 2024; Nikolov et al. 2018 for the surface Dice):
 *
 *   Dice  2 |R and P| / (|R| + |P|)             IoU  |R and P| / |R or P|
 *   S(M)  surface of a mask: the centres of its voxels that have a face neighbour outside the mask.
 *         Beyond the grid is outside. Along an axis of length 1 there are no neighbours, so that a
 *         single slice is measured as a plane figure by its outline.
 *   d     distance in millimetres from each point of one surface to the nearest point of the other,
 *         exact, with the full index-to-space matrix (anisotropic, oblique, sheared).
 *   HD    the largest d of both directions
 *   HD95  the larger of the two directions' 95th percentiles (linear between ranks, as numpy)
 *   ASSD  the sum of all d of both directions over the number of surface points of both
 *   surface Dice at tolerance t: the share of the surface points of both with d <= t
 *
 * Surfaces are voxel centres, without the area weights of DeepMind's surface-distance package: the
 * values differ from that package's by less than a voxel, and agree with MedPy's and MONAI's
 * surface points.
 *
 * One mask empty: Dice, IoU, surface Dice 0; distances infinite. Both empty: all of them NaN. */
#ifndef PROMPTSEG_SURFACE_METRICS_H
#define PROMPTSEG_SURFACE_METRICS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cli_mask_metrics {
    int64_t reference_voxels, prediction_voxels, common_voxels;
    double reference_ml, prediction_ml; /* voxels times |det(axes)| */
    double dice, iou;
    double hd_mm, hd95_mm, assd_mm;
    double surface_dice;
} cli_mask_metrics;

/* Both masks: u8, size[0] * size[1] * size[2] voxels, i fastest, not 0 is inside; size[2] == 1 for
 * plane figures. axes[r][c]: component r, in mm, of the step along index axis c (direction times
 * spacing); for pixels the identity. tolerance_mm >= 0. Memory and time grow with the surfaces, not
 * with the grid. Returns 0, or CLI_EXIT_MEMORY with cli_last_message(). */
int cli_compare_masks(const uint8_t *reference, const uint8_t *prediction, const int64_t size[3],
                      const double axes[3][3], double tolerance_mm, cli_mask_metrics *out);

#ifdef __cplusplus
}
#endif
#endif
