#include "mask_prompts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "cli_exit.h"

enum { MOST_LABELS = MASK_PROMPTS_MOST_LABELS, VALUES = 65536 };

/* Masks as they were read, and where they go. */
typedef struct mask_job {
    const char *path, *name;
    const sgio_volume *sequence;
    cli_warnings *warnings;
    sgio_volume masks;
    sgio_volume labels; /* of the sequence's size, u16 */
    int64_t *frame;     /* of each mask */
} mask_job;

static size_t pixels_of(const sgio_volume *volume)
{
    return (size_t)(volume->geometry.size[0] * volume->geometry.size[1]);
}

static int check_size(const mask_job *job)
{
    const int64_t *found = job->masks.geometry.size, *wanted = job->sequence->geometry.size;
    if (found[0] == wanted[0] && found[1] == wanted[1]) return 0;
    return cli_fail(
        CLI_EXIT_PROMPT,
        "--maskPrompts %s: masks of %lld x %lld pixels do not fit frames of %lld x %lld", job->path,
        (long long)found[0], (long long)found[1], (long long)wanted[0], (long long)wanted[1]);
}

static int64_t frame_numbered(const sgio_volume *sequence, long number)
{
    for (int64_t k = 0; k < sequence->geometry.size[2]; k++)
        if (sgio_volume_frame_number(sequence, k) == number) return k;
    return -1;
}

/* By number where both have names, else one for each in order. */
static int match_frames(mask_job *job)
{
    const int64_t masks = job->masks.geometry.size[2], frames = job->sequence->geometry.size[2];
    const int named = job->masks.frame_names && job->sequence->frame_names;
    job->frame = calloc((size_t)masks, sizeof *job->frame);
    if (!job->frame) return cli_fail(CLI_EXIT_MEMORY, "no memory for mask prompts");
    if (!named && masks != frames)
        return cli_fail(CLI_EXIT_PROMPT, "--maskPrompts %s: %lld masks for %lld frames", job->path,
                        (long long)masks, (long long)frames);
    for (int64_t m = 0; m < masks; m++) {
        job->frame[m] =
            named ? frame_numbered(job->sequence, sgio_volume_frame_number(&job->masks, m)) : m;
        if (job->frame[m] < 0)
            return cli_fail(CLI_EXIT_PROMPT,
                            "--maskPrompts %s: there is no frame for the mask %s (frames are "
                            "numbered %ld to %ld)",
                            job->path, job->masks.frame_names[m],
                            sgio_volume_frame_number(job->sequence, 0),
                            sgio_volume_frame_number(job->sequence, frames - 1));
    }
    return 0;
}

/* What a pixel holds; colours must be grey. NaN: they are not. */
static double value_at(const sgio_volume *masks, size_t pixel)
{
    if (masks->channels == 1) return sgio_volume_value(masks, pixel);
    const double red = sgio_volume_value(masks, 3 * pixel);
    const int is_grey = red == sgio_volume_value(masks, 3 * pixel + 1) &&
                        red == sgio_volume_value(masks, 3 * pixel + 2);
    return is_grey ? red : NAN;
}

/* The values that occur, up to one more than labels may be; *highest of them. */
static int count_values(const mask_job *job, double seen[MOST_LABELS + 1], double *highest)
{
    const size_t all = pixels_of(&job->masks) * (size_t)job->masks.geometry.size[2];
    int count = 0;
    *highest = 0;
    for (size_t i = 0; i < all; i++) {
        const double value = value_at(&job->masks, i);
        int known = 0;
        if (isnan(value)) return -1;
        if (value > *highest) *highest = value;
        for (int k = 0; k < count && !known; k++)
            known = seen[k] == value;
        if (!known && value != 0 && count <= MOST_LABELS) seen[count++] = value;
    }
    return count;
}

/* What a value stands for. threshold > 0: a grey map, or a mask of one value. */
static int label_of(double value, double threshold)
{
    if (threshold > 0) return value >= threshold;
    return value > 0 && value < VALUES && value == floor(value) ? (int)value : 0;
}

static void fill_labels(const mask_job *job, double threshold)
{
    const size_t pixels = pixels_of(&job->masks);
    uint16_t *labels = job->labels.data;
    for (int64_t m = 0; m < job->masks.geometry.size[2]; m++)
        for (size_t i = 0; i < pixels; i++)
            labels[(size_t)job->frame[m] * pixels + i] =
                (uint16_t)label_of(value_at(&job->masks, (size_t)m * pixels + i), threshold);
}

static int is_sum_of_labels(const mask_job *job, int values)
{
    return values <= MOST_LABELS && job->masks.type != SGIO_F32 && job->masks.type != SGIO_F64;
}

/* The values, *count of them, and from where on they are inside; *threshold 0: they are labels. */
static int judge_values(const mask_job *job, double seen[MOST_LABELS + 1], int *count,
                        double *threshold)
{
    double highest;
    char sentence[512];
    const int values = *count = count_values(job, seen, &highest);
    *threshold = values == 1 ? highest : 0;
    if (values < 0)
        return cli_fail(CLI_EXIT_PROMPT,
                        "--maskPrompts %s: a mask has colours; wanted are grey "
                        "values or labels",
                        job->path);
    if (values == 0)
        return cli_fail(CLI_EXIT_PROMPT, "--maskPrompts %s: no mask marks anything", job->path);
    if (values > 1 && !is_sum_of_labels(job, values)) {
        *threshold = job->masks.type == SGIO_U8 ? 128 : highest / 2;
        snprintf(sentence, sizeof sentence,
                 "--maskPrompts %.300s: grey maps; what is at least %g is inside", job->path,
                 *threshold);
        cli_warn(job->warnings, sentence);
    }
    return 0;
}

static int make_labels(mask_job *job)
{
    double seen[MOST_LABELS + 1], threshold;
    int count;
    const int failed = judge_values(job, seen, &count, &threshold);
    if (failed) return failed;
    job->labels =
        (sgio_volume){.geometry = job->sequence->geometry, .type = SGIO_U16, .channels = 1};
    job->labels.data =
        calloc(pixels_of(job->sequence) * (size_t)job->sequence->geometry.size[2], 2);
    if (!job->labels.data) return cli_fail(CLI_EXIT_MEMORY, "no memory for mask prompts");
    fill_labels(job, threshold);
    return 0;
}

static void name_only_one(const mask_job *job, sgio_segmentation *out)
{
    char *name = out->segment_count == 1 ? strdup(job->name) : NULL;
    if (!name) return;
    free(out->segments[0].name);
    out->segments[0].name = name;
}

static int read_volume(mask_job *job)
{
    const sgio_read_options how = {.warn = cli_warn,
                                   .warn_user = job->warnings,
                                   .progress = bridge_stop,
                                   .palette_indices = 1};
    return bridge_from_io(sgio_volume_read(job->path, &how, &job->masks));
}

static int read_masks(mask_job *job, sgio_segmentation *out)
{
    const sgio_segmentation_read_options same = {.warn = cli_warn, .warn_user = job->warnings};
    int failed = read_volume(job);
    if (!failed) failed = check_size(job);
    if (!failed) failed = match_frames(job);
    if (!failed) failed = make_labels(job);
    if (!failed)
        failed = bridge_from_io(sgio_segmentation_from_volume(&job->labels, job->path, &same, out));
    if (!failed && job->labels.data) name_only_one(job, out);
    return failed;
}

int mask_prompts_read(const char *path, const char *name, const sgio_volume *sequence,
                      cli_warnings *warnings, sgio_segmentation *out)
{
    mask_job job = {.path = path, .name = name, .sequence = sequence, .warnings = warnings};
    const int failed = read_masks(&job, out);
    sgio_volume_clear(&job.masks);
    free(job.labels.data);
    free(job.frame);
    return failed;
}

static int compare_labels(const void *left, const void *right)
{
    const int a = *(const int *)left, b = *(const int *)right;
    return (a > b) - (a < b);
}

int mask_prompts_values(const char *path, cli_warnings *warnings,
                        int values[MASK_PROMPTS_MOST_LABELS], size_t *count)
{
    mask_job job = {.path = path, .warnings = warnings};
    double seen[MOST_LABELS + 1], threshold = 0;
    int found = 0;
    *count = 0;
    int failed = read_volume(&job);
    if (!failed) failed = judge_values(&job, seen, &found, &threshold);
    if (!failed && threshold > 0) values[(*count)++] = 1;
    for (int i = 0; !failed && threshold <= 0 && i < found; i++) {
        const int label = label_of(seen[i], 0);
        if (label) values[(*count)++] = label;
    }
    qsort(values, *count, sizeof *values, compare_labels);
    sgio_volume_clear(&job.masks);
    return failed;
}
