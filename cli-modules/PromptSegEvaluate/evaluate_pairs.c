#include "evaluate_pairs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"

typedef struct box {
    int64_t low[3], high[3]; /* inclusive */
} box;

static int no_memory(void)
{
    return cli_fail(CLI_EXIT_MEMORY, "out of memory while comparing labels");
}

static int has_own_names(const sgio_segmentation *s, const int *labels)
{
    char usual[32];
    for (size_t i = 0; i < s->segment_count; i++) {
        snprintf(usual, sizeof usual, "Segment_%d", labels[i]);
        if (strcmp(s->segments[i].name, usual) != 0) return 1;
    }
    return 0;
}

/* One side of the comparison. `taken` tells which segments have found a partner. */
typedef struct side {
    const sgio_segmentation *segmentation;
    int *labels;
    int *taken;
} side;

/* First free segment with this name (name != NULL) or label; -1: none. */
static int take_partner(side *s, const char *name, int label)
{
    for (size_t i = 0; i < s->segmentation->segment_count; i++) {
        if (s->taken[i]) continue;
        const int fits =
            name ? strcmp(s->segmentation->segments[i].name, name) == 0 : s->labels[i] == label;
        if (!fits) continue;
        s->taken[i] = 1;
        return (int)i;
    }
    return -1;
}

static void match_all(side *reference, side *prediction, evaluate_pairs *pairs)
{
    const sgio_segment *wanted = reference->segmentation->segments;
    const sgio_segment *found = prediction->segmentation->segments;
    const int by_name = has_own_names(reference->segmentation, reference->labels) &&
                        has_own_names(prediction->segmentation, prediction->labels);
    for (size_t i = 0; i < reference->segmentation->segment_count; i++) {
        const char *name = wanted[i].name;
        const int label = reference->labels[i];
        pairs->items[pairs->count++] =
            (evaluate_pair){.reference = (int)i,
                            .prediction = take_partner(prediction, by_name ? name : NULL, label),
                            .label = label,
                            .name = name};
    }
    for (size_t i = 0; i < prediction->segmentation->segment_count; i++)
        if (!prediction->taken[i])
            pairs->items[pairs->count++] = (evaluate_pair){.reference = -1,
                                                           .prediction = (int)i,
                                                           .label = prediction->labels[i],
                                                           .name = found[i].name};
}

static void keep_label(evaluate_pairs *pairs, int label)
{
    size_t kept = 0;
    for (size_t i = 0; i < pairs->count; i++)
        if (pairs->items[i].label == label) pairs->items[kept++] = pairs->items[i];
    pairs->count = kept;
}

int evaluate_match(const sgio_segmentation *reference, const sgio_segmentation *prediction,
                   int only_label, evaluate_pairs *pairs)
{
    const size_t total = reference->segment_count + prediction->segment_count;
    int *numbers = calloc(2 * total + 1, sizeof *numbers);
    memset(pairs, 0, sizeof *pairs);
    pairs->items = calloc(total + 1, sizeof *pairs->items);
    if (!numbers || !pairs->items) {
        free(numbers);
        free(pairs->items);
        pairs->items = NULL;
        return no_memory();
    }
    side r = {reference, numbers, numbers + total};
    side p = {prediction, r.labels + reference->segment_count, r.taken + reference->segment_count};
    sgio_segmentation_flat_labels(reference, r.labels);
    sgio_segmentation_flat_labels(prediction, p.labels);
    match_all(&r, &p, pairs);
    if (only_label > 0) keep_label(pairs, only_label);
    free(numbers);
    return 0;
}

/* Grows `b` by the segment's extent; an empty segment leaves it alone. */
static void include_segment(box *b, const sgio_segmentation *s, int index)
{
    if (index < 0 || s->segments[index].voxels == 0) return;
    const int64_t *extent = s->segments[index].extent;
    for (int axis = 0; axis < 3; axis++) {
        if (extent[2 * axis] < b->low[axis]) b->low[axis] = extent[2 * axis];
        if (extent[2 * axis + 1] > b->high[axis]) b->high[axis] = extent[2 * axis + 1];
    }
}

/* A margin of one voxel, which may lie beyond the grid: the box must not look like the grid's own
 * axis of length 1. */
static void add_margin(box *b, const int64_t size[3])
{
    for (int axis = 0; axis < 3; axis++) {
        if (b->low[axis] > b->high[axis]) b->low[axis] = b->high[axis] = 0;
        if (size[axis] == 1) continue;
        b->low[axis]--;
        b->high[axis]++;
    }
}

static int is_label(const sgio_layer *layer, int64_t at, int label)
{
    if (layer->bytes == 1) return ((const uint8_t *)layer->data)[at] == label;
    return ((const uint16_t *)layer->data)[at] == label;
}

/* The part of the segment in the box, as 0/1; the mask comes zeroed. */
static void cut_out(const sgio_segmentation *s, int index, const box *b, const int64_t cut[3],
                    uint8_t *mask)
{
    if (index < 0 || s->segments[index].voxels == 0) return;
    const sgio_segment *segment = &s->segments[index];
    const sgio_layer *layer = &s->layers[segment->layer];
    const int64_t *e = segment->extent, *size = s->geometry.size;
    for (int64_t k = e[4]; k <= e[5]; k++)
        for (int64_t j = e[2]; j <= e[3]; j++) {
            const int64_t from = (k * size[1] + j) * size[0];
            const int64_t to = ((k - b->low[2]) * cut[1] + j - b->low[1]) * cut[0] - b->low[0];
            for (int64_t i = e[0]; i <= e[1]; i++)
                mask[to + i] = (uint8_t)is_label(layer, from + i, segment->label);
        }
}

int evaluate_compare(const sgio_segmentation *reference, const sgio_segmentation *prediction,
                     double tolerance_mm, evaluate_pair *pair)
{
    box b = {{INT64_MAX, INT64_MAX, INT64_MAX}, {-1, -1, -1}};
    double axes[3][3];
    int64_t cut[3];
    include_segment(&b, reference, pair->reference);
    include_segment(&b, prediction, pair->prediction);
    add_margin(&b, reference->geometry.size);
    for (int r = 0; r < 3; r++) {
        cut[r] = b.high[r] - b.low[r] + 1;
        for (int c = 0; c < 3; c++)
            axes[r][c] = reference->geometry.matrix[r][c];
    }
    const size_t voxels = (size_t)(cut[0] * cut[1] * cut[2]);
    uint8_t *masks = calloc(2, voxels);
    if (!masks) return no_memory();
    cut_out(reference, pair->reference, &b, cut, masks);
    cut_out(prediction, pair->prediction, &b, cut, masks + voxels);
    const int failed = cli_compare_masks(masks, masks + voxels, cut, (const double(*)[3])axes,
                                         tolerance_mm, &pair->metrics);
    free(masks);
    return failed;
}
