/* How well a prediction agrees with a reference: the metrics of the field, each in the convention
 * of the code that its papers were evaluated with. Plain arrays in, numbers out.
 *
 * Masks are uint8, any non-zero value is inside; x (or i) runs fastest. A number that is not
 * defined is NaN, a distance to an empty mask is infinite; nothing is left out silently. Functions
 * are pure and may be called by any number of threads. They fail only for want of memory
 * (SGM_OUT_OF_MEMORY) or for sizes that cannot be (SGM_INVALID_ARGUMENT).
 *
 * Conventions, and the code that they agree with: segmodel/metrics/README.md. */
#ifndef SEGMODEL_METRICS_H
#define SEGMODEL_METRICS_H

#include "segmodel/segmodel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ----------------------------------------------------------------------------------- overlap */

typedef struct sgm_overlap {
    int64_t both, only_reference, only_prediction, neither; /* TP, FN, FP, TN */
} sgm_overlap;

SGM_API sgm_overlap sgm_overlap_of(const uint8_t *reference, const uint8_t *prediction,
                                   size_t count);

/* `smooth` is added to numerator and denominator: 0 for the plain share (0/0 is NaN), 1e-5 for what
 * SAMUS and SAMIHS report (nothing on nothing is 1). */
SGM_API double sgm_overlap_dice(const sgm_overlap *overlap, double smooth);
SGM_API double sgm_overlap_iou(const sgm_overlap *overlap, double smooth);
SGM_API double sgm_overlap_accuracy(const sgm_overlap *overlap, double smooth);
SGM_API double sgm_overlap_sensitivity(const sgm_overlap *overlap, double smooth);
SGM_API double sgm_overlap_specificity(const sgm_overlap *overlap, double smooth);

/* ---------------------------------------------------------------------------------- surfaces */

#define SGM_MOST_TOLERANCES 8

/* In the unit of `axes` (mm). [0]: from the reference to the prediction, [1]: back. */
typedef struct sgm_surface_metrics {
    /* Surface voxels, as MedPy: inside, with a face neighbour outside; beyond the grid is outside.
     * hd95 is the 95th percentile (linear between ranks), assd the mean, of both directions'
     * distances together. */
    double hd, hd95, assd, mean_distance[2];
    /* Surface elements, as DeepMind's surface-distance: between eight voxels that are neither all
     * inside nor all outside lies a piece of surface with an area. Percentiles and means weigh with
     * it; element_hd95 is the larger of the two directions'. */
    double element_hd95, element_hd100, element_mean[2], area[2];
    /* Share of both surfaces' area within the tolerance of the other surface, and of each. */
    double surface_dice[SGM_MOST_TOLERANCES], overlap[SGM_MOST_TOLERANCES][2];
} sgm_surface_metrics;

/* Masks of size[0] * size[1] * size[2] voxels. axes[r][c]: component r of the step along index axis
 * c (direction times spacing; may be oblique or sheared). A slice (one axis of length 1, the last
 * one if there are several) is a plane figure, with lengths instead of areas. One mask empty:
 * distances infinite, surface Dice 0; both empty: NaN. Memory and time grow with the surfaces. */
SGM_API sgm_status sgm_surface_compare(const uint8_t *reference, const uint8_t *prediction,
                                       const int64_t size[3], const double axes[3][3],
                                       const double *tolerances, size_t tolerance_count,
                                       sgm_surface_metrics *out);

/* What SAMUS (power 1) and SAMIHS (power 2) print as "HD" of a plane mask: the Hausdorff distance
 * between its rows, each taken as a point of `width` coordinates. No distance between outlines. */
SGM_API double sgm_rows_distance(const uint8_t *reference, const uint8_t *prediction, int width,
                                 int height, int power);

/* ---------------------------------------------------------------------------------- saliency */

#define SGM_SALIENCY_STEPS 256

/* Of polyps and other salient objects, as VPS and PySODMetrics count. Curves run over falling
 * thresholds: e and f mark values >= (255 - k)/255, the other four values >= 1 - k/255. */
typedef struct sgm_saliency {
    double s_measure, weighted_f, mae, adaptive_e, adaptive_f;
    double e[SGM_SALIENCY_STEPS], f[SGM_SALIENCY_STEPS];
    double sensitivity[SGM_SALIENCY_STEPS], specificity[SGM_SALIENCY_STEPS];
    double dice[SGM_SALIENCY_STEPS], iou[SGM_SALIENCY_STEPS];
} sgm_saliency;

/* Grey pictures, width * height bytes. Inside the reference: above 128. The prediction is stretched
 * to its own range first, unless it is constant. */
SGM_API sgm_status sgm_saliency_compare(const uint8_t *reference, const uint8_t *prediction,
                                        int width, int height, sgm_saliency *out);
/* Mean of each number and each place of each curve: frames of a sequence first, then sequences. */
SGM_API void sgm_saliency_mean(const sgm_saliency *items, size_t count, sgm_saliency *out);
SGM_API double sgm_curve_mean(const double curve[SGM_SALIENCY_STEPS]);
SGM_API double sgm_curve_max(const double curve[SGM_SALIENCY_STEPS]);

/* ------------------------------------------------------------------ classes of a label map */

#define SGM_MOST_CLASSES 64

/* The EndoVis challenges' IoU as SurgicalSAM counts it. Zero-initialise, set `classes`, add frames,
 * ask. */
typedef struct sgm_class_iou {
    int classes; /* labels 1..classes */
    double sum_present, sum_reference, intersection, together;
    int64_t frames_present, frames_reference;
    double sum[SGM_MOST_CLASSES + 1];
    int64_t count[SGM_MOST_CLASSES + 1];
} sgm_class_iou;

/* Label maps of `count` pixels. SGM_INVALID_ARGUMENT for a label above `classes`. */
SGM_API sgm_status sgm_class_iou_add(sgm_class_iou *sums, const uint8_t *reference,
                                     const uint8_t *prediction, size_t count);
/* Per frame the mean over classes in either map, then over frames. */
SGM_API double sgm_class_iou_mean(const sgm_class_iou *sums);
/* Over classes in the reference; frames without any do not count. */
SGM_API double sgm_class_iou_challenge(const sgm_class_iou *sums);
/* Per class the mean over its frames (NaN: never seen), then over the classes that were seen. */
SGM_API double sgm_class_iou_of(const sgm_class_iou *sums, int label);
SGM_API double sgm_class_iou_per_class(const sgm_class_iou *sums);
/* All intersections over all unions. */
SGM_API double sgm_class_iou_total(const sgm_class_iou *sums);

/* --------------------------------------------------------------------- instances, proposals */

/* One image: its reference objects and its predictions, with their overlaps. */
typedef struct sgm_instances {
    size_t references, predictions;
    const double *iou;            /* [prediction][reference] */
    const double *reference_area; /* pixels */
    const double *prediction_area;
    const double *score; /* of the predictions */
} sgm_instances;

/* As COCO counts, without crowds: IoU 0.50, 0.55 .. 0.95, the `most` best predictions of an image,
 * objects of area_low <= area <= area_high. -1 where there is no such object. */
typedef struct sgm_instance_metrics {
    double average_recall, average_precision;
    double recall[10], precision[10]; /* by IoU */
} sgm_instance_metrics;

SGM_API sgm_status sgm_instances_compare(const sgm_instances *images, size_t count, size_t most,
                                         double area_low, double area_high,
                                         sgm_instance_metrics *out);

/* ------------------------------------------------------------------------------- interaction */

typedef struct sgm_click {
    int64_t index[3];
    int label;       /* SGM_FOREGROUND, SGM_BACKGROUND, or -1: there is no error left */
    double distance; /* to the error's border, voxels */
} sgm_click;

/* The click of RITM's evaluation, in a plane or a volume: the deepest place of what is missing and
 * of what is too much; what is missing wins only if it is strictly deeper. `taken` places (count of
 * offsets) are never chosen again. The border of the array counts as right. Among equally deep
 * places the first one. */
SGM_API sgm_status sgm_click_deepest(const uint8_t *reference, const uint8_t *prediction,
                                     const int64_t size[3], const int64_t *taken,
                                     size_t taken_count, sgm_click *out);
/* The click of the interactive 3D challenge of CVPR 2025: the deepest place of the largest
 * component (voxels sharing a corner are connected) of the error. */
SGM_API sgm_status sgm_click_component(const uint8_t *reference, const uint8_t *prediction,
                                       const int64_t size[3], sgm_click *out);
/* That challenge's area under the curve: trapezoids of unit width over the last five of six values
 * (a box, then five clicks); 0..4. */
SGM_API double sgm_interaction_area(const double values[6]);

/* ------------------------------------------------------------------------------------- edges */

#define SGM_EDGE_THRESHOLDS 99

/* Pixels of an edge map that find a partner, one to one. */
typedef struct sgm_edge_counts {
    double recalled, reference;  /* matches and pixels, summed over annotators */
    double confirmed, predicted; /* predicted pixels that any annotator confirms, and all */
} sgm_edge_counts;

/* Thins a mask to lines of one pixel (Guo and Hall 1989, as skimage's thin). In place. */
SGM_API sgm_status sgm_edge_thin(uint8_t *mask, int width, int height);
/* How many pixels of both masks can be matched one to one within `reach` pixels (`<=`). */
SGM_API sgm_status sgm_edge_match(const uint8_t *a, const uint8_t *b, int width, int height,
                                  double reach, uint8_t *matched_a, uint8_t *matched_b);
/* One image: strengths 0..255 against annotators' 0/1 maps, at strength >= k/100, k = 1..99, each
 * thinned; reach = share * diagonal (0.0075 in BSDS). */
SGM_API sgm_status sgm_edge_compare(const uint8_t *strength, const uint8_t *const *annotators,
                                    size_t annotator_count, int width, int height, double share,
                                    sgm_edge_counts counts[SGM_EDGE_THRESHOLDS]);
/* One of these thresholds, for callers who want to be able to stop between them. */
SGM_API sgm_status sgm_edge_compare_at(const uint8_t *strength, const uint8_t *const *annotators,
                                       size_t annotator_count, int width, int height, double share,
                                       int k, sgm_edge_counts *out);

/* BSDS: sums over images first. ODS: one threshold for all, OIS: each image's best, AP: area as
 * pdollar's toolbox counts it, r50: recall at precision one half. */
typedef struct sgm_edge_metrics {
    double ods, ods_threshold, ods_recall, ods_precision;
    double ois, ap, r50;
} sgm_edge_metrics;

/* counts: images * SGM_EDGE_THRESHOLDS. */
SGM_API sgm_status sgm_edge_summary(const sgm_edge_counts *counts, size_t images,
                                    sgm_edge_metrics *out);

/* --------------------------------------------------------------------------------- intervals */

typedef struct sgm_interval {
    double mean, low, high, deviation; /* 95 %, and of the replicates; NaN but for the mean where
                                          fewer than two values or groups say nothing of a spread */
} sgm_interval;

/* Bootstrap of the mean: 2,000 replicates, percentiles 2.5 and 97.5, drawn from `name`, so that the
 * same name and values give the same interval anywhere. groups[i] >= 0 (or NULL: every value its
 * own): values of one group (a patient) are drawn together. For a comparison give the differences
 * of pairs. SGM_INVALID_ARGUMENT without values. */
SGM_API sgm_status sgm_bootstrap(const char *name, const double *values, const int *groups,
                                 size_t count, sgm_interval *out);

#ifdef __cplusplus
}
#endif
#endif
