/* Boxes in space and the slices they cross. A ROI in continuous voxel indices is a parallelepiped:
 * rotation and anisotropic spacing shear it. */
#ifndef SEGMODEL_PREDICT_PICTURE_ROI_H
#define SEGMODEL_PREDICT_PICTURE_ROI_H

#include "predict/picture/touching.h"
#include "segmodel/volume.h"

/* Slices first..last of 0..size-1 along `axis` that the ROI crosses: those whose centre plane meets
 * it; a ROI between two planes counts for the slice nearest to its centre. last < first: none. */
void sgm_roi_slices(const sgm_roi *roi, int axis, int64_t size, int64_t *first, int64_t *last);

/* Bounding box, along the other two axes, of the cut with the plane at `index` along `axis`
 * (clamped into the ROI's extent): low[a], high[a] are set for the two axes a != axis. */
void sgm_roi_section(const sgm_roi *roi, int axis, double index, double low[3], double high[3]);

/* The same of the ellipsoid inscribed in the ROI, which touches each face in its middle; near its
 * tips and beyond them a small box there. A ROI that is flat along the axis has the whole cut. */
void sgm_roi_core(const sgm_roi *roi, int axis, double index, double low[3], double high[3]);

/* The ROI's extent along an axis. */
void sgm_roi_span(const sgm_roi *roi, int axis, double *low, double *high);

#endif
