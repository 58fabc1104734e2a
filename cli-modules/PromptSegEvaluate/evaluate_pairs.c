#include "evaluate_pairs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"
#include "segmodel/metrics.h"

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

/* First free segment with this name (name != NULL) or label (0: any); -1: none. */
static int take_partner(side *s, const char *name, int label)
{
    for (size_t i = 0; i < s->segmentation->segment_count; i++) {
        if (s->taken[i]) continue;
        const int fits = name ? strcmp(s->segmentation->segments[i].name, name) == 0
                              : label == 0 || s->labels[i] == label;
        if (!fits) continue;
        s->taken[i] = 1;
        return (int)i;
    }
    return -1;
}

/* Names where both files have them, else labels. */
static void match_all(side *reference, side *prediction, evaluate_pairs *pairs)
{
    const sgio_segment *wanted = reference->segmentation->segments;
    const int by_name = has_own_names(reference->segmentation, reference->labels) &&
                        has_own_names(prediction->segmentation, prediction->labels);
    for (size_t i = 0; i < reference->segmentation->segment_count; i++) {
        const char *name = wanted[i].name;
        const int label = reference->labels[i];
        evaluate_pair pair = {.reference = (int)i, .label = label, .name = name};
        pair.prediction = take_partner(prediction, by_name ? name : NULL, label);
        if (pair.prediction >= 0) pair.prediction_label = prediction->labels[pair.prediction];
        pairs->items[pairs->count++] = pair;
    }
}

/* The one segment that marks anything; -1: there is none, or several. */
static int only_marked(const sgio_segmentation *s)
{
    int found = -1;
    for (size_t i = 0; i < s->segment_count; i++) {
        if (s->segments[i].voxels == 0) continue;
        if (found >= 0) return -1;
        found = (int)i;
    }
    return found;
}

/* A mask is often 255 in one file and 1 in the other, "Liver" here and "liver" there: where each
 * file marks but one object and neither has found a partner, these two are one. */
static void match_only_ones(const side *reference, side *prediction, evaluate_pairs *pairs)
{
    const int wanted = only_marked(reference->segmentation),
              found = only_marked(prediction->segmentation);
    if (wanted < 0 || found < 0 || prediction->taken[found]) return;
    evaluate_pair *pair = &pairs->items[wanted]; /* pairs so far are the reference's segments */
    if (pair->prediction >= 0) return;
    pair->prediction = found;
    pair->prediction_label = prediction->labels[found];
    pair->are_only_ones = 1;
    prediction->taken[found] = 1;
}

static void add_unmatched(const side *prediction, evaluate_pairs *pairs)
{
    const sgio_segment *found = prediction->segmentation->segments;
    for (size_t i = 0; i < prediction->segmentation->segment_count; i++)
        if (!prediction->taken[i])
            pairs->items[pairs->count++] =
                (evaluate_pair){.reference = -1,
                                .prediction = (int)i,
                                .label = prediction->labels[i],
                                .prediction_label = prediction->labels[i],
                                .name = found[i].name};
}

static int is_of_reference(const evaluate_pair *pair, int label)
{
    return pair->reference >= 0 && pair->label == label;
}

static int is_of_prediction(const evaluate_pair *pair, int label)
{
    return pair->prediction >= 0 && pair->prediction_label == label;
}

/* The value is the reference's. An object of the prediction that has it too is another one, unless
 * the reference has none of that value; then it is this one, whatever value its partner has. */
static void keep_label(evaluate_pairs *pairs, int label)
{
    size_t kept = 0;
    int wanted = 0;
    for (size_t i = 0; i < pairs->count; i++)
        wanted |= is_of_reference(&pairs->items[i], label);
    for (size_t i = 0; i < pairs->count; i++)
        if (wanted ? is_of_reference(&pairs->items[i], label)
                   : is_of_prediction(&pairs->items[i], label))
            pairs->items[kept++] = pairs->items[i];
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
    match_only_ones(&r, &p, pairs);
    add_unmatched(&p, pairs);
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

static double voxel_ml(const double a[3][3])
{
    const double determinant = a[0][0] * (a[1][1] * a[2][2] - a[1][2] * a[2][1]) -
                               a[0][1] * (a[1][0] * a[2][2] - a[1][2] * a[2][0]) +
                               a[0][2] * (a[1][0] * a[2][1] - a[1][1] * a[2][0]);
    return fabs(determinant) / 1000;
}

static int64_t voxels_of(const int64_t size[3])
{
    return size[0] * size[1] * size[2];
}

/* Both masks of a pair in a box: the reference's, then the prediction's. NULL without memory. */
static uint8_t *both_masks(const sgio_segmentation *reference, const sgio_segmentation *prediction,
                           const evaluate_pair *pair, const box *b, int64_t cut[3])
{
    for (int axis = 0; axis < 3; axis++)
        cut[axis] = b->high[axis] - b->low[axis] + 1;
    const size_t voxels = (size_t)voxels_of(cut);
    uint8_t *masks = calloc(2, voxels);
    if (!masks) return NULL;
    cut_out(reference, pair->reference, b, cut, masks);
    cut_out(prediction, pair->prediction, b, cut, masks + voxels);
    return masks;
}

int evaluate_is_set(const sgio_segmentation *reference, const sgio_segmentation *prediction)
{
    return reference->is_sequence || prediction->is_sequence;
}

static int compare_in_box(const sgio_segmentation *reference, const sgio_segmentation *prediction,
                          const evaluate_how *how, evaluate_pair *pair)
{
    const sgio_geometry *grid = &reference->geometry;
    box b = {{INT64_MAX, INT64_MAX, INT64_MAX}, {-1, -1, -1}};
    double axes[3][3];
    int64_t cut[3];
    int failed = 0;
    include_segment(&b, reference, pair->reference);
    include_segment(&b, prediction, pair->prediction);
    add_margin(&b, grid->size);
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++)
            axes[r][c] = grid->matrix[r][c];
    uint8_t *masks = both_masks(reference, prediction, pair, &b, cut);
    if (!masks) return no_memory();
    evaluate_counts(masks, masks + voxels_of(cut), voxels_of(cut), voxels_of(grid->size),
                    voxel_ml((const double(*)[3])axes), &pair->values);
    if (evaluate_set_needs(how->metrics, EVALUATE_SURFACE))
        failed =
            (evaluate_is_set(reference, prediction) ? evaluate_surfaces_of_set : evaluate_surfaces)(
                masks, masks + voxels_of(cut), cut, (const double(*)[3])axes, how->tolerance_mm,
                &pair->values);
    free(masks);
    return failed;
}

/* As grey pictures have it: inside is white. */
static uint8_t *white_mask(const uint8_t *mask, int64_t count)
{
    uint8_t *white = malloc((size_t)count);
    for (int64_t i = 0; white && i < count; i++)
        white[i] = mask[i] ? 255 : 0;
    return white;
}

static int compare_pictures(const sgio_segmentation *reference, const sgio_segmentation *prediction,
                            const uint8_t *map, evaluate_pair *pair)
{
    const int64_t *size = reference->geometry.size;
    const box all = {{0, 0, 0}, {size[0] - 1, size[1] - 1, size[2] - 1}};
    int64_t cut[3];
    uint8_t *masks = both_masks(reference, prediction, pair, &all, cut);
    uint8_t *white = masks && !map ? white_mask(masks + voxels_of(cut), voxels_of(cut)) : NULL;
    int failed = masks && (map || white) ? 0 : no_memory();
    if (!failed)
        failed =
            evaluate_pictures(masks, masks + voxels_of(cut), map ? map : white, cut, &pair->values);
    free(white);
    free(masks);
    return failed;
}

int evaluate_compare(const sgio_segmentation *reference, const sgio_segmentation *prediction,
                     const evaluate_how *how, evaluate_pair *pair)
{
    const int failed = compare_in_box(reference, prediction, how, pair);
    if (failed || !evaluate_set_needs(how->metrics, EVALUATE_FRAMES)) return failed;
    return compare_pictures(reference, prediction, how->map, pair);
}

/* -------------------------------------------------------------------------- all classes at once */

/* Class c, the pair's number from 1, into a map of the whole grid. */
static void paint(const sgio_segmentation *s, int index, uint8_t c, uint8_t *map)
{
    if (index < 0 || s->segments[index].voxels == 0) return;
    const sgio_segment *segment = &s->segments[index];
    const int64_t *e = segment->extent, *size = s->geometry.size;
    for (int64_t k = e[4]; k <= e[5]; k++)
        for (int64_t j = e[2]; j <= e[3]; j++)
            for (int64_t i = e[0]; i <= e[1]; i++) {
                const int64_t at = (k * size[1] + j) * size[0] + i;
                if (is_label(&s->layers[segment->layer], at, segment->label)) map[at] = c;
            }
}

static sgm_status add_frames(sgm_class_iou *sums, const uint8_t *maps, const int64_t size[3])
{
    const int64_t pixels = size[0] * size[1], voxels = pixels * size[2];
    for (int64_t at = 0; at < voxels; at += pixels) {
        const sgm_status status =
            sgm_class_iou_add(sums, maps + at, maps + voxels + at, (size_t)pixels);
        if (status != SGM_OK) return status;
    }
    return SGM_OK;
}

int evaluate_classes(const sgio_segmentation *reference, const sgio_segmentation *prediction,
                     evaluate_pairs *pairs, evaluate_class_means *out)
{
    const int64_t *size = reference->geometry.size, voxels = voxels_of(size);
    sgm_class_iou sums = {.classes = (int)pairs->count};
    *out = (evaluate_class_means){NAN, NAN, NAN, NAN};
    if (pairs->count < 1 || pairs->count > EVALUATE_MOST_CLASSES) return 0;
    uint8_t *maps = calloc(2, (size_t)voxels);
    if (!maps) return no_memory();
    for (size_t i = 0; i < pairs->count; i++) {
        paint(reference, pairs->items[i].reference, (uint8_t)(i + 1), maps);
        paint(prediction, pairs->items[i].prediction, (uint8_t)(i + 1), maps + voxels);
    }
    const sgm_status status = add_frames(&sums, maps, size);
    free(maps);
    if (status != SGM_OK)
        return cli_fail(cli_exit_from_model_status(status), "%s", sgm_last_message());
    *out = (evaluate_class_means){sgm_class_iou_challenge(&sums), sgm_class_iou_mean(&sums),
                                  sgm_class_iou_per_class(&sums), sgm_class_iou_total(&sums)};
    for (size_t i = 0; i < pairs->count; i++)
        pairs->items[i].values.value[EVALUATE_FRAME_IOU] = sgm_class_iou_of(&sums, (int)i + 1);
    return 0;
}
