/* Which label of the reference is compared with which of the prediction, and the comparison. */
#ifndef PROMPTSEG_EVALUATE_PAIRS_H
#define PROMPTSEG_EVALUATE_PAIRS_H

#include "sgio/labelmap.h"
#include "surface_metrics.h"

typedef struct evaluate_pair {
    int reference, prediction; /* index of the segment, -1: there is none */
    int label;                 /* value in the reference; in the prediction where that has none */
    const char *name;          /* borrowed from the segmentation */
    cli_mask_metrics metrics;
} evaluate_pair;

typedef struct evaluate_pairs {
    evaluate_pair *items;
    size_t count;
} evaluate_pairs;

/* Pairs by name when both files carry names of their own (not just "Segment_<label>"), else by
 * label value; segments without counterpart are paired with nothing. With only_label > 0 only that
 * label is kept. Returns 0 or CLI_EXIT_MEMORY; release with free(pairs->items). */
int evaluate_match(const sgio_segmentation *reference, const sgio_segmentation *prediction,
                   int only_label, evaluate_pairs *pairs);

/* Fills pair->metrics. Both segmentations are on the reference's grid. Works on the box that holds
 * both segments, so that many small labels in a large volume are cheap. 0 or CLI_EXIT_MEMORY. */
int evaluate_compare(const sgio_segmentation *reference, const sgio_segmentation *prediction,
                     double tolerance_mm, evaluate_pair *pair);

#endif
