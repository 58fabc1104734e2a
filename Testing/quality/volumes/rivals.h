/* What needs no network: from the same prompts. Masks: 0/1, the volume's size, the caller's. */
#ifndef QUALITY_VOLUMES_RIVALS_H
#define QUALITY_VOLUMES_RIVALS_H

#include "prompts.h"

/* The ellipsoid that touches the box's faces; on one slice alone (flat box) an ellipse. */
void rival_ellipsoid(const volume_case *c, const sgm_roi *box, uint8_t *mask);

/* Confidence-connected region growing, as ITK's filter of that name: mean and deviation of the
 * voxels around the foreground seeds (radius 2), then what is connected to the seeds within 2.5
 * deviations, three times over. */
void rival_grow(const volume_case *c, const prompt_list *prompts, uint8_t *mask);

/* Watershed of the steps between neighbouring voxels (Meyer's flooding). Markers: the foreground
 * seeds, or without any the middle third of the box; against the background seeds and what lies
 * outside the box, or without a box the volume's faces. */
void rival_watershed(const volume_case *c, const prompt_list *prompts, uint8_t *mask);

/* The volume's first channel as one byte per voxel, between its 0.5th and 99.5th percentile. */
uint8_t *rival_grey(const volume_case *c);

#endif
