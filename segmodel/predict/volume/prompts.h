/* An object's prompts, checked and sorted out by slice. */
#ifndef SEGMODEL_PREDICT_VOLUME_PROMPTS_H
#define SEGMODEL_PREDICT_VOLUME_PROMPTS_H

#include "predict/picture/plane.h"
#include "predict/volume/initial.h"

/* SGM_BAD_PROMPT names object and prompt when there is no object, an object has no foreground, a
 * seed is not a number or outside, or a ROI is not finite, has no extent or misses the volume;
 * with the volume's bounds in millimetres. SGM_INVALID_ARGUMENT for NULL where there should be
 * data. The volume has passed sgm_volume_check. */
sgm_status sgm_prompts_check(const sgm_volume *volume, const sgm_object *objects, size_t count);

/* SGM_BAD_PROMPT when nothing but an initial label was given and that turned out to be empty. */
sgm_status sgm_prompts_check_initial(const sgm_object *object, const sgm_initial *initial);

/* What an object says about one slice, in picture coordinates. */
typedef struct sgm_slice_prompt {
    sgm_point *points; /* room for the object's seeds, owned by the caller */
    size_t point_count, foreground_count;
    int has_roi; /* 1: `roi` is the bounding box of the ROIs' cross-section */
    sgm_box roi;
    sgm_box core; /* the same of the ellipsoids inscribed in ROIs of several slices: what a box
                     tight around the object on this slice is likely to be */
} sgm_slice_prompt;

/* Fills all but the pointer `points`, which may be NULL when only has_roi and the boxes are wanted.
 * They are grown to hold the foreground points, clipped to the picture and at least a pixel wide.
 */
void sgm_slice_prompt_of(const sgm_plane *plane, const sgm_object *object, int64_t slice,
                         sgm_slice_prompt *prompt);

/* Where a seed lies in the picture of its slice. */
sgm_point sgm_slice_point(const sgm_plane *plane, const sgm_seed *seed);

/* Whether the object may have voxels on a slice: where it has ROIs, one of them meets the picture
 * there. */
int sgm_rois_allow(const sgm_plane *plane, const sgm_object *object, int64_t slice);

/* The slice in the middle of those that a ROI crosses or, where a leaning one lies beside the
 * picture there, the nearest one that it meets. -1: there is none. */
int64_t sgm_roi_middle(const sgm_plane *plane, const sgm_roi *roi);

/* Sets prompted[slice] to 1 for each slice that is to be decoded from the object's own prompts:
 * those with foreground seeds, if its ROIs allow them, or with the initial mask (NULL: none); if
 * there are none, those its ROIs cross, or (`middles`) the one in the middle of each. */
void sgm_prompted_slices(const sgm_plane *plane, const sgm_object *object,
                         const sgm_initial *initial, int middles, uint8_t *prompted);

#endif
