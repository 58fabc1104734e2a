#include "evaluate_metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"
#include "segmodel/metrics.h"

#define OF_VOXELS "between surface voxels' centres, as MedPy 0.5.2"
#define OF_EITHER "mean over the slices along k that show the label in either"
#define OF_FRAMES "mean over pictures (slices along k), as PySODMetrics and VPS"

const evaluate_metric_row evaluate_metric_rows[EVALUATE_METRIC_COUNT] = {
    {"dice", "dice", "Dice", 4, EVALUATE_COUNTS, "2 |both| / (|reference| + |prediction|)"},
    {"iou", "iou", "IoU", 4, EVALUATE_COUNTS, "|both| / |either|"},
    {"hd", "hd_mm", "HD mm", 3, EVALUATE_SURFACE, "largest distance " OF_VOXELS},
    {"hd95", "hd95_mm", "HD95 mm", 3, EVALUATE_SURFACE,
     "95th percentile of both directions' distances together, " OF_VOXELS},
    {"assd", "assd_mm", "ASSD mm", 3, EVALUATE_SURFACE,
     "mean of both directions' distances together, " OF_VOXELS},
    {"surface", "surface_dice", "sDice", 4, EVALUATE_SURFACE,
     "share of both surfaces' area within the tolerance, as DeepMind's surface-distance"},
    {"elementhd95", "element_hd95_mm", "eHD95 mm", 3, EVALUATE_SURFACE,
     "larger of the directions' 95th percentiles by area, as DeepMind's surface-distance"},
    {"sensitivity", "sensitivity", "Sens", 4, EVALUATE_COUNTS, "|both| / |reference|"},
    {"specificity", "specificity", "Spec", 4, EVALUATE_COUNTS,
     "|neither| / (all voxels - |reference|)"},
    {"smeasure", "s_measure", "S", 4, EVALUATE_FRAMES, "S-measure, alpha 0.5; " OF_FRAMES},
    {"weightedf", "weighted_f", "wF", 4, EVALUATE_FRAMES, "weighted F, beta 1; " OF_FRAMES},
    {"emeasure", "mean_e", "meanE", 4, EVALUATE_FRAMES,
     "E-measure, mean over 256 thresholds; " OF_FRAMES},
    {"emeasure", "max_e", "maxE", 4, EVALUATE_FRAMES,
     "E-measure, best of 256 thresholds after the mean over pictures; " OF_FRAMES},
    {"mae", "mae", "MAE", 4, EVALUATE_FRAMES, "mean absolute error; " OF_FRAMES},
    {"framedice", "frame_dice", "frDice", 4, EVALUATE_FRAMES, "Dice, " OF_EITHER},
    {"frameiou", "picture_iou", "pIoU", 4, EVALUATE_FRAMES, "IoU, " OF_EITHER},
    {"framesensitivity", "picture_sensitivity", "pSens", 4, EVALUATE_FRAMES,
     "sensitivity, mean over the slices along k that show the label in the reference"},
    {"framespecificity", "picture_specificity", "pSpec", 4, EVALUATE_FRAMES,
     "specificity, " OF_EITHER},
    {"classes", "frame_iou", "frIoU", 4, EVALUATE_CLASSES,
     "IoU, mean over the slices along k that show the class in either, as SurgicalSAM"},
};

enum { USUAL = (1 << (EVALUATE_SURFACE_DICE + 1)) - 1, ALL = (1 << EVALUATE_METRIC_COUNT) - 1 };

static int unknown(const char *word, size_t length)
{
    char names[320] = "";
    for (int i = 0; i < EVALUATE_METRIC_COUNT; i++) {
        const char *name = evaluate_metric_rows[i].option;
        if (i && !strcmp(name, evaluate_metric_rows[i - 1].option)) continue;
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", name);
    }
    return cli_fail(CLI_EXIT_USAGE, "--metrics knows no '%.*s'; it knows usual, all, %s",
                    (int)(length < 64 ? length : 64), word, names);
}

/* The rows of one name; 0: there is none. */
static evaluate_set rows_named(const char *word, size_t length)
{
    evaluate_set found = 0;
    if (length == 5 && !memcmp(word, "usual", 5)) return USUAL;
    if (length == 3 && !memcmp(word, "all", 3)) return ALL;
    for (int i = 0; i < EVALUATE_METRIC_COUNT; i++) {
        const char *name = evaluate_metric_rows[i].option;
        if (strlen(name) == length && !memcmp(name, word, length)) found |= 1u << i;
    }
    return found;
}

int evaluate_set_parse(const char *text, evaluate_set *out)
{
    *out = 0;
    for (;;) {
        const size_t length = strcspn(text, ",");
        const evaluate_set found = rows_named(text, length);
        if (!found) return unknown(text, length);
        *out |= found;
        if (!text[length]) return 0;
        text += length + 1;
    }
}

int evaluate_set_has(evaluate_set set, evaluate_metric metric)
{
    return (int)(set >> metric & 1);
}

int evaluate_set_needs(evaluate_set set, evaluate_source source)
{
    for (int i = 0; i < EVALUATE_METRIC_COUNT; i++)
        if (evaluate_set_has(set, (evaluate_metric)i) && evaluate_metric_rows[i].source == source)
            return 1;
    return 0;
}

void evaluate_counts(const uint8_t *reference, const uint8_t *prediction, int64_t voxels,
                     int64_t all, double voxel_ml, evaluate_values *out)
{
    sgm_overlap o = sgm_overlap_of(reference, prediction, (size_t)voxels);
    o.neither = all - o.both - o.only_reference - o.only_prediction;
    for (int i = 0; i < EVALUATE_METRIC_COUNT; i++)
        out->value[i] = NAN;
    out->common_voxels = o.both;
    out->reference_voxels = o.both + o.only_reference;
    out->prediction_voxels = o.both + o.only_prediction;
    out->reference_ml = (double)out->reference_voxels * voxel_ml;
    out->prediction_ml = (double)out->prediction_voxels * voxel_ml;
    out->value[EVALUATE_DICE] = sgm_overlap_dice(&o, 0);
    out->value[EVALUATE_IOU] = sgm_overlap_iou(&o, 0);
    out->value[EVALUATE_SENSITIVITY] = sgm_overlap_sensitivity(&o, 0);
    out->value[EVALUATE_SPECIFICITY] = sgm_overlap_specificity(&o, 0);
}

/* What a single picture has, averaged over those that show the label in either; pictures of which a
 * share is not defined do not count in its mean. */
static void average_overlaps(const uint8_t *reference, const uint8_t *prediction, size_t pixels,
                             size_t frames, evaluate_values *out)
{
    double sums[4] = {0};
    size_t counts[4] = {0};
    for (size_t k = 0; k < frames; k++) {
        sgm_overlap o = sgm_overlap_of(reference + k * pixels, prediction + k * pixels, pixels);
        if (o.neither == (int64_t)pixels) continue;
        const double shares[4] = {sgm_overlap_dice(&o, 0), sgm_overlap_iou(&o, 0),
                                  sgm_overlap_sensitivity(&o, 0), sgm_overlap_specificity(&o, 0)};
        for (int i = 0; i < 4; i++)
            if (!isnan(shares[i])) {
                sums[i] += shares[i];
                counts[i]++;
            }
    }
    for (int i = 0; i < 4; i++)
        out->value[EVALUATE_FRAME_DICE + i] = counts[i] ? sums[i] / (double)counts[i] : NAN;
}

static int failed_with(sgm_status status)
{
    return status == SGM_OK
               ? 0
               : cli_fail(cli_exit_from_model_status(status), "%s", sgm_last_message());
}

int evaluate_surfaces(const uint8_t *reference, const uint8_t *prediction, const int64_t size[3],
                      const double axes[3][3], double tolerance_mm, evaluate_values *out)
{
    sgm_surface_metrics m;
    const sgm_status status =
        sgm_surface_compare(reference, prediction, size, axes, &tolerance_mm, 1, &m);
    if (status != SGM_OK) return failed_with(status);
    out->value[EVALUATE_HD] = m.hd;
    out->value[EVALUATE_HD95] = m.hd95;
    out->value[EVALUATE_ASSD] = m.assd;
    out->value[EVALUATE_SURFACE_DICE] = m.surface_dice[0];
    out->value[EVALUATE_ELEMENT_HD95] = m.element_hd95;
    return 0;
}

static int is_empty(const uint8_t *mask, size_t pixels)
{
    return memchr(mask, 1, pixels) == NULL;
}

int evaluate_surfaces_of_set(const uint8_t *reference, const uint8_t *prediction,
                             const int64_t size[3], const double axes[3][3], double tolerance_mm,
                             evaluate_values *out)
{
    const int64_t plane[3] = {size[0], size[1], 1};
    const size_t pixels = (size_t)(size[0] * size[1]);
    double sums[EVALUATE_METRIC_COUNT] = {0};
    int64_t pictures = 0;
    for (int64_t k = 0; k < size[2]; k++) {
        const uint8_t *r = reference + (size_t)k * pixels, *p = prediction + (size_t)k * pixels;
        if (is_empty(r, pixels) && is_empty(p, pixels)) continue;
        const int failed = evaluate_surfaces(r, p, plane, axes, tolerance_mm, out);
        if (failed) return failed;
        for (int m = EVALUATE_HD; m <= EVALUATE_ELEMENT_HD95; m++)
            sums[m] += out->value[m];
        pictures++;
    }
    for (int m = EVALUATE_HD; m <= EVALUATE_ELEMENT_HD95; m++)
        out->value[m] = pictures ? sums[m] / (double)pictures : NAN;
    return 0;
}

/* As grey pictures have it: inside is white. */
static void whiten(const uint8_t *mask, size_t count, uint8_t *picture)
{
    for (size_t i = 0; i < count; i++)
        picture[i] = mask[i] ? 255 : 0;
}

int evaluate_pictures(const uint8_t *reference, const uint8_t *prediction, const uint8_t *map,
                      const int64_t size[3], evaluate_values *out)
{
    const size_t pixels = (size_t)(size[0] * size[1]), frames = (size_t)size[2];
    sgm_saliency *all = calloc(frames + 1, sizeof *all);
    uint8_t *white = malloc(pixels);
    sgm_status status = SGM_OK;
    int failed = 0;
    average_overlaps(reference, prediction, pixels, frames, out);
    if (!all || !white) failed = cli_fail(CLI_EXIT_MEMORY, "out of memory for picture measures");
    for (size_t k = 0; k < frames && !failed && status == SGM_OK; k++) {
        whiten(reference + k * pixels, pixels, white);
        status = sgm_saliency_compare(white, map + k * pixels, (int)size[0], (int)size[1], &all[k]);
    }
    if (!failed) failed = failed_with(status);
    if (!failed) {
        sgm_saliency *mean = &all[frames];
        sgm_saliency_mean(all, frames, mean);
        out->value[EVALUATE_S_MEASURE] = mean->s_measure;
        out->value[EVALUATE_WEIGHTED_F] = mean->weighted_f;
        out->value[EVALUATE_MEAN_E] = sgm_curve_mean(mean->e);
        out->value[EVALUATE_MAX_E] = sgm_curve_max(mean->e);
        out->value[EVALUATE_MAE] = mean->mae;
    }
    free(all);
    free(white);
    return failed;
}
