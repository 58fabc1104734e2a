/* What PromptSegEvaluate measures: one row per number, computed by segmodel/metrics. */
#ifndef PROMPTSEG_EVALUATE_METRICS_H
#define PROMPTSEG_EVALUATE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* In the order of the tables. */
typedef enum evaluate_metric {
    EVALUATE_DICE,
    EVALUATE_IOU,
    EVALUATE_HD,
    EVALUATE_HD95,
    EVALUATE_ASSD,
    EVALUATE_SURFACE_DICE,
    EVALUATE_ELEMENT_HD95,
    EVALUATE_SENSITIVITY,
    EVALUATE_SPECIFICITY,
    EVALUATE_S_MEASURE,
    EVALUATE_WEIGHTED_F,
    EVALUATE_MEAN_E,
    EVALUATE_MAX_E,
    EVALUATE_MAE,
    EVALUATE_FRAME_DICE,
    EVALUATE_PICTURE_IOU,
    EVALUATE_PICTURE_SENSITIVITY,
    EVALUATE_PICTURE_SPECIFICITY,
    EVALUATE_FRAME_IOU,
    EVALUATE_METRIC_COUNT
} evaluate_metric;

/* What a number is computed from. */
typedef enum evaluate_source {
    EVALUATE_COUNTS,  /* voxels of the whole grid */
    EVALUATE_SURFACE, /* the box around both masks */
    EVALUATE_FRAMES,  /* pictures: the slices along k */
    EVALUATE_CLASSES  /* all labels together, per frame */
} evaluate_source;

typedef struct evaluate_metric_row {
    const char *option;  /* of --metrics; several rows may share one */
    const char *column;  /* of CSV and JSON */
    const char *heading; /* of the table on the screen */
    int decimals;        /* there */
    evaluate_source source;
    const char *convention; /* what exactly it is, in a sentence */
} evaluate_metric_row;

extern const evaluate_metric_row evaluate_metric_rows[EVALUATE_METRIC_COUNT];

/* Bit i stands for row i. */
typedef uint32_t evaluate_set;

/* "usual" (the first six), "all", or names of rows with commas. Returns 0, or CLI_EXIT_USAGE with a
 * sentence that lists the names. */
int evaluate_set_parse(const char *text, evaluate_set *out);
int evaluate_set_has(evaluate_set set, evaluate_metric metric);
/* Whether any number of the set comes from there. */
int evaluate_set_needs(evaluate_set set, evaluate_source source);

typedef struct evaluate_values {
    int64_t reference_voxels, prediction_voxels, common_voxels;
    double reference_ml, prediction_ml;
    double value[EVALUATE_METRIC_COUNT]; /* NaN: not asked for, or not defined */
} evaluate_values;

/* Counts, millilitres and what follows from them. Masks (0/1) of `voxels` voxels hold all of both
 * objects; the grid has `all` voxels of voxel_ml each. Everything else becomes NaN. */
void evaluate_counts(const uint8_t *reference, const uint8_t *prediction, int64_t voxels,
                     int64_t all, double voxel_ml, evaluate_values *out);

/* The distances, of masks as sgm_surface_compare takes them. 0 or CLI_EXIT_MEMORY. */
int evaluate_surfaces(const uint8_t *reference, const uint8_t *prediction, const int64_t size[3],
                      const double axes[3][3], double tolerance_mm, evaluate_values *out);

/* The same picture by picture along k, whose places mean nothing to each other: means over the
 * pictures that show the object in either mask. Of a picture where one mask is empty distances are
 * infinite and the surface Dice is 0. 0 or CLI_EXIT_MEMORY. */
int evaluate_surfaces_of_set(const uint8_t *reference, const uint8_t *prediction,
                             const int64_t size[3], const double axes[3][3], double tolerance_mm,
                             evaluate_values *out);

/* The picture measures, averaged over the slices along k. Masks are 0/1; `map` is the prediction in
 * grey, 0..255. 0 or CLI_EXIT_MEMORY. */
int evaluate_pictures(const uint8_t *reference, const uint8_t *prediction, const uint8_t *map,
                      const int64_t size[3], evaluate_values *out);

#ifdef __cplusplus
}
#endif
#endif
