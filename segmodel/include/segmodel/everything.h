/* Masks of everything on a picture, without a prompt: a grid of points is asked, on the picture and
 * on crops of it, and what comes out often, sharply and once is kept. The rules and the names of
 * the numbers are those of the official SamAutomaticMaskGenerator (segment-anything, MobileSAM):
 *
 *  1. A grid of points_per_side x points_per_side points is asked on the whole picture; with
 *     crop_n_layers also on 4, 16, ... overlapping crops of it, with fewer points by layer. Each
 *     point has as many answers as the decoder has masks for an ambiguous prompt (three).
 *  2. An answer goes if its predicted IoU is not above pred_iou_thresh, if its stability (the IoU
 * of the masks at the threshold +- stability_score_offset) is below stability_score_thresh, if it
 * is empty, or if it runs into the side of its crop that is not one of the picture's.
 *  3. Of masks whose boxes overlap by more than box_nms_thresh the one of highest predicted IoU
 *     stays; between crops, by crop_nms_thresh, the one of the smaller crop.
 *  4. Holes and islands below min_mask_region_area pixels are filled and dropped, and doubles that
 *     arise by that.
 *
 * Networks must be asked by places (sgm_model_info.classes is 0). Those that answer with one mask
 * have one answer per point. Networks of small input (the bundled model) see more with crops.
 *
 * Boxes hold the first and the last column and row, so that a mask of one pixel has a box of width
 * 0, as in the official code. */
#ifndef SEGMODEL_EVERYTHING_H
#define SEGMODEL_EVERYTHING_H

#include "segmodel/segmodel.h"

#include <math.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Start from sgm_everything_options_init(): zeros are not the defaults. */
typedef struct sgm_everything_options {
    size_t size;            /* sizeof(sgm_everything_options) */
    int points_per_side;    /* 1 to 1024 */
    double pred_iou_thresh; /* 0 or less: all */
    double stability_score_thresh;
    double stability_score_offset; /* logits */
    double box_nms_thresh;         /* 1: all stay */
    int crop_n_layers;             /* 0 to 4 */
    double crop_nms_thresh;
    double crop_overlap_ratio; /* of the picture's shorter side */
    int crop_n_points_downscale_factor;
    int64_t min_mask_region_area; /* pixels; 0: masks stay as they are */
    double mask_threshold;        /* logits; NaN: the model's own (0 for SAM) */
    int rank_by_both;             /* 1: the best first by the mean of predicted IoU and stability */
    size_t most;                  /* masks at most, the first ones; 0: all */
    sgm_embedding_store store;    /* of the crops' embeddings; borrowed for the call */
} sgm_everything_options;

/* The official defaults. */
static inline sgm_everything_options sgm_everything_options_init(void)
{
    sgm_everything_options options = {
        sizeof options,    32, 0.88, 0.95, 1.0, 0.7, 0, 0.7, 512.0 / 1500.0, 1, 0, NAN, 0, 0,
        {NULL, NULL, NULL}};
    return options;
}

/* The same for this model: networks that were trained on crops (sgm_zoom_applies) see one object at
 * a time and rate themselves lower than SAM does; for them the defaults are 16 points per side, one
 * layer of crops with as many, predicted IoU above 0.3 and stability of 0.6. A file may say other
 * thresholds in its metadata (`pred_iou_thresh`, `stability_score_thresh`: numbers from 0 to 1). */
SGM_API sgm_everything_options sgm_everything_options_of(const sgm_model *model);

/* Object proposals as in the SAM paper (D.3): 64 x 64 points, nothing filtered by its scores, boxes
 * may overlap by 0.9, and of what is left the 1000 best by the mean of both scores. Their average
 * recall: sgm_instances_compare of segmodel/metrics.h, with that mean as score. */
static inline sgm_everything_options sgm_everything_proposals_init(void)
{
    sgm_everything_options options = {
        sizeof options,    64, 0, 0, 1.0, 0.9, 0, 0.7, 512.0 / 1500.0, 1, 0, NAN, 1, 1000,
        {NULL, NULL, NULL}};
    return options;
}

/* One mask of what was found. */
typedef struct sgm_found {
    int64_t area;                          /* pixels */
    int box[4];                            /* x0, y0, x1, y1: first and last column and row */
    double predicted_iou, stability_score; /* of the mask before regions were removed */
    double point[2];                       /* the point that was asked */
    int crop_box[4];                       /* x0, y0, x1, y1 of its crop; x1, y1 lie behind it */
    int token;                             /* which of the decoder's masks */
} sgm_found;

/* What was found on one picture. */
typedef struct sgm_everything sgm_everything;

/* `options` (NULL: sgm_everything_options_of the model) and `call` may be NULL. *out is the
 * caller's, to be given back with sgm_everything_destroy; NULL after a failure.
 * SGM_INVALID_ARGUMENT names an option that cannot be; SGM_BAD_PROMPT: the network is not asked by
 * places. A model may work for several threads. Order: by predicted IoU; with crops the smallest
 * crops' first; after removal of regions masks that were not changed first. */
SGM_API sgm_status sgm_everything_find(sgm_model *model, const sgm_image *image,
                                       const sgm_everything_options *options, const sgm_call *call,
                                       sgm_everything **out);
SGM_API void sgm_everything_destroy(sgm_everything *everything);
SGM_API size_t sgm_everything_count(const sgm_everything *everything);
SGM_API void sgm_everything_get(const sgm_everything *everything, size_t index, sgm_found *found);
/* The mask: width * height of the picture, 0 or 1. */
SGM_API void sgm_everything_mask(const sgm_everything *everything, size_t index, uint8_t *mask);

/* Edges as the SAM paper draws them (D.2): a grid of 16 x 16 points is asked, doubles are dropped
 * by box_nms_thresh, nothing else is; Sobel's gradient of each mask's probabilities, kept on the
 * mask's outer boundary; the largest of all masks at each pixel, stretched to 0..1; ridges are
 * thinned across their direction. strength: width * height of the picture. `options` NULL: those
 * numbers; else the grid, the crops' layers (which must be 0), box_nms_thresh, mask_threshold and
 * store are taken from it. Compare with annotators: sgm_edge_compare of segmodel/metrics.h. */
SGM_API sgm_status sgm_edge_map(sgm_model *model, const sgm_image *image,
                                const sgm_everything_options *options, const sgm_call *call,
                                float *strength);

#ifdef __cplusplus
}
#endif

#endif
