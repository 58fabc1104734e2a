/* Which label of the reference is compared with which of the prediction, and the comparison. */
#ifndef PROMPTSEG_EVALUATE_PAIRS_H
#define PROMPTSEG_EVALUATE_PAIRS_H

#include "evaluate_metrics.h"
#include "sgio/labelmap.h"

typedef struct evaluate_pair {
    int reference, prediction; /* index of the segment, -1: there is none */
    int label;                 /* value in the reference; in the prediction where that has none */
    const char *name;          /* borrowed from the segmentation */
    int are_only_ones;         /* neither file marks anything else; names and labels differ */
    int prediction_label;      /* value in the prediction, where that has it */
    evaluate_values values;
} evaluate_pair;

typedef struct evaluate_pairs {
    evaluate_pair *items;
    size_t count;
} evaluate_pairs;

/* Pairs by name when both files carry names of their own (not just "Segment_<label>"), else by
 * label value; where each marks but one object that finds no partner so, these two; segments
 * without counterpart are paired with nothing. With only_label > 0 only that label of the reference
 * is kept (of the prediction where the reference has none). Returns 0 or CLI_EXIT_MEMORY; release
 * with free(pairs->items). */
int evaluate_match(const sgio_segmentation *reference, const sgio_segmentation *prediction,
                   int only_label, evaluate_pairs *pairs);

/* How pairs are compared. */
typedef struct evaluate_how {
    evaluate_set metrics;
    double tolerance_mm; /* of the surface Dice */
    const uint8_t *map; /* grey, 0..255, on the grid: the prediction as the picture measures see it;
                         * NULL: the pair's own mask */
} evaluate_how;

/* 1 when slices along k are pictures, of which none has another beside it: distances are measured
 * in each, as means over pictures (evaluate_surfaces_of_set). */
int evaluate_is_set(const sgio_segmentation *reference, const sgio_segmentation *prediction);

/* Fills pair->values, but for what needs all classes at once. Both segmentations are on the
 * reference's grid. Works on the box that holds both segments, so that many small labels in a large
 * volume are cheap; picture measures take the whole grid. 0 or CLI_EXIT_MEMORY. */
int evaluate_compare(const sgio_segmentation *reference, const sgio_segmentation *prediction,
                     const evaluate_how *how, evaluate_pair *pair);

/* The EndoVis challenges' IoU, in shares; NaN: not defined. Frames are slices along k. */
typedef struct evaluate_class_means {
    double challenge; /* mean over frames of the mean over classes in the reference */
    double frames;    /* the same over classes in either */
    double classes;   /* "mc": mean over classes of their mean over frames */
    double total;     /* all intersections over all unions */
} evaluate_class_means;

enum { EVALUATE_MOST_CLASSES = 64 };

/* All pairs together, of at most EVALUATE_MOST_CLASSES (else everything is NaN); where segments
 * overlap the later one counts. Fills EVALUATE_FRAME_IOU of each pair too. 0 or CLI_EXIT_MEMORY. */
int evaluate_classes(const sgio_segmentation *reference, const sgio_segmentation *prediction,
                     evaluate_pairs *pairs, evaluate_class_means *out);

#endif
