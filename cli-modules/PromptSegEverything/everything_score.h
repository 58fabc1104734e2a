/* Masks and edges against a label map: average recall of proposals, average precision of a
 * detector's instances (COCO's rules), ODS and OIS of edges (BSDS's). Every slice is a picture. */
#ifndef PROMPTSEG_EVERYTHING_SCORE_H
#define PROMPTSEG_EVERYTHING_SCORE_H

#include "cli_warnings.h"
#include "segmodel/metrics.h"
#include "segmodel/slices.h"
#include "sgio/labelmap.h"
#include "slice_masks.h"

typedef struct everything_score {
    sgio_segmentation labels; /* on the volume's grid */
    int whole_labels;
    sgm_instances *images; /* one per slice that was added; with their arrays owned */
    size_t image_count;
    sgm_edge_counts *edges; /* SGM_EDGE_THRESHOLDS per slice */
    size_t edge_count;      /* slices */
    size_t objects;         /* in all slices */
} everything_score;

/* What it comes to. Recall at 1, 10, 100 and 1000 proposals, precision at 100 (COCO's rule), each
 * -1 where there is no object. */
typedef struct everything_figures {
    double recall[4];
    double recall_small, recall_medium, recall_large; /* of 1000; below 32^2, 96^2, above */
    double precision, precision_50, precision_75;
    sgm_edge_metrics edges;
} everything_figures;

extern const size_t everything_proposals[4]; /* 1, 10, 100, 1000 */

/* Reads the label map that the next slices are compared with, onto its volume's grid; what was
 * added stays. The score is zero-initialised, but for whole_labels, before its first. 0 or an exit
 * code with a message. */
int everything_score_read(everything_score *score, const char *path, const sgio_volume *volume,
                          cli_warnings *warnings);
void everything_score_clear(everything_score *score);

/* The masks of a slice. */
int everything_score_masks(everything_score *score, const sgm_slices *slices,
                           const slice_masks *masks);
/* The edges of a slice, strength 0..255 of the picture's size. */
int everything_score_edges(everything_score *score, const sgm_slices *slices, int64_t slice,
                           const uint8_t *strength);

int everything_score_sum(const everything_score *score, everything_figures *figures);

#endif
