#include "predict/picture/window.h"

#include "core/call.h"
#include "core/status.h"
#include "predict/picture/voxel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = 65536, CHUNK = 1024, MAX_PASSES = 8, LEAST_WHITE = 64 };
#define MAX_SAMPLES ((int64_t)32 << 20)

int sgm_window_is_padding(const sgm_volume *volume, double value)
{
    /* 0.1 is no float: voxels that were given it hold what it is rounded to. */
    const double as_voxel =
        volume->type == SGM_VOXEL_F32 ? (double)(float)volume->padding : volume->padding;
    return isnan(value) || (volume->has_padding && value == as_voxel);
}

/* --------------------------------------------------------------------- passes over the volume */

typedef struct histogram {
    double low, high;         /* bins cover low..high, both ends included */
    double smallest, largest; /* of all valid values */
    int64_t below, total;     /* values below low; all valid ones */
    int is_whole;             /* all valid values are whole numbers */
    int64_t bins[BINS];
} histogram;

static void count_value(void *into, double value)
{
    histogram *h = into;
    h->total++;
    if (value < h->smallest) h->smallest = value;
    if (value > h->largest) h->largest = value;
    if (value != floor(value)) h->is_whole = 0;
    if (value < h->low) {
        h->below++;
        return;
    }
    if (value > h->high) return;
    double bin = (value - h->low) / (h->high - h->low) * BINS;
    h->bins[bin < BINS ? (int)bin : BINS - 1]++;
}

typedef void (*count_fn)(void *into, double value);

/* Hands all valid voxels to `count`; rows are skipped evenly in very large volumes. Inlined, so
 * that each use has a loop of its own. */
static inline sgm_status for_valid(const sgm_volume *volume, count_fn count, void *into)
{
    int64_t length = volume->size[0], rows = volume->size[1] * volume->size[2];
    int64_t step = 1 + (length * rows - 1) / MAX_SAMPLES;
    double values[CHUNK];
    for (int64_t row = 0; row < rows; row += step) {
        SGM_TRY(sgm_call_cancelled());
        for (int64_t start = 0; start < length; start += CHUNK) {
            int64_t n = length - start < CHUNK ? length - start : CHUNK;
            sgm_voxel_read(volume, row * length + start, 1, n, values);
            for (int64_t i = 0; i < n; i++)
                if (!sgm_window_is_padding(volume, values[i]) && isfinite(values[i]))
                    count(into, values[i]);
        }
    }
    return SGM_OK;
}

static sgm_status count_between(const sgm_volume *volume, double low, double high, histogram *h)
{
    memset(h, 0, sizeof *h);
    h->low = low;
    h->high = high;
    h->smallest = INFINITY;
    h->largest = -INFINITY;
    h->is_whole = 1;
    return for_valid(volume, count_value, h);
}

/* ------------------------------------------------------------------------- Hounsfield units */

/* Three numbers and no histogram: this question must not depend on whether there is memory. */
typedef struct tissue_count {
    int64_t air, water, total;
} tissue_count;

static void count_tissue(void *into, double value)
{
    tissue_count *n = into;
    n->total++;
    n->air += value >= -1150 && value < -850;
    n->water += value >= -150 && value < 150;
}

sgm_status sgm_window_looks_hounsfield(const sgm_volume *volume, int *looks)
{
    tissue_count n = {0};
    *looks = 0;
    if (volume->channels != 1) return SGM_OK;
    SGM_TRY(for_valid(volume, count_tissue, &n));
    const double total = (double)n.total;
    *looks = n.total && (double)n.air / total >= 0.05 && (double)n.water / total >= 0.1;
    return SGM_OK;
}

int sgm_volume_looks_hounsfield(const sgm_volume *volume)
{
    int looks;
    return volume && sgm_window_looks_hounsfield(volume, &looks) == SGM_OK && looks;
}

/* ------------------------------------------------------------------------------- quantiles */

/* The bin that holds the value of this rank. */
static int bin_of_rank(const histogram *h, int64_t rank)
{
    int64_t seen = h->below;
    for (int bin = 0; bin < BINS; bin++) {
        seen += h->bins[bin];
        if (seen > rank) return bin;
    }
    return BINS - 1;
}

static int bin_of_quantile(const histogram *h, double q)
{
    return bin_of_rank(h, (int64_t)(q * (double)(h->total - 1) + 0.5));
}

static double bin_edge(const histogram *h, int bin)
{
    return h->low + (h->high - h->low) * bin / BINS;
}

/* Fills the histogram over the range of the data: of the type for up to 16 bits, which saves a
 * pass, else as found. Where all values are whole numbers every bin then holds one of them at most,
 * or will after narrowing, so that the quantiles do not depend on the way. */
static sgm_status count_all(const sgm_volume *volume, histogram *h)
{
    static const double range[][2] = {[SGM_VOXEL_U8] = {-0.5, 255.5},
                                      [SGM_VOXEL_I8] = {-128.5, 127.5},
                                      [SGM_VOXEL_U16] = {-0.5, 65535.5},
                                      [SGM_VOXEL_I16] = {-32768.5, 32767.5}};
    if (volume->type <= SGM_VOXEL_I16)
        return count_between(volume, range[volume->type][0], range[volume->type][1], h);
    SGM_TRY(count_between(volume, 0, 1, h));
    double half = h->is_whole ? 0.5 : 0; /* whole numbers lie inside their bins */
    if (h->smallest < h->largest && isfinite(h->largest - h->smallest))
        SGM_TRY(count_between(volume, h->smallest - half, h->largest + half, h));
    return SGM_OK;
}

/* Narrows the bins to the quantiles' neighbourhood until these lie far apart in bins, or the bins
 * are finer than the data: one far-off voxel must not decide how exact percentiles are. */
static sgm_status narrow(const sgm_volume *volume, const double q[2], histogram *h)
{
    for (int pass = 0; pass < MAX_PASSES; pass++) {
        int low = bin_of_quantile(h, q[0]), high = bin_of_quantile(h, q[1]);
        if (h->is_whole && h->high - h->low <= BINS) return SGM_OK;
        if (high - low > BINS / 16) return SGM_OK;
        double from = bin_edge(h, low), to = bin_edge(h, high + 1);
        if (!(from < to) || (from <= h->low && to >= h->high)) return SGM_OK;
        SGM_TRY(count_between(volume, from, to, h));
    }
    return SGM_OK;
}

static sgm_status quantiles_of(const sgm_volume *volume, const double q[2], histogram *h,
                               double *low, double *high)
{
    SGM_TRY(count_all(volume, h));
    *low = h->total ? h->smallest : 0;
    *high = h->total ? h->largest : 0;
    if (!(*low < *high && isfinite(*high - *low))) return SGM_OK;
    SGM_TRY(narrow(volume, q, h));
    double from = bin_edge(h, bin_of_quantile(h, q[0]));
    double to = bin_edge(h, bin_of_quantile(h, q[1]) + 1);
    if (h->is_whole) {
        from = ceil(from - 1e-9);
        to = ceil(to - 1e-9) - 1;
    }
    if (q[0] > 0) *low = fmax(*low, from);
    if (q[1] < 1) *high = fmin(*high, fmax(to, *low));
    return SGM_OK;
}

sgm_status sgm_window_quantiles(const sgm_volume *volume, const double q[2], double *low,
                                double *high)
{
    histogram *h = malloc(sizeof *h);
    if (!h) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a histogram");
    sgm_status status = quantiles_of(volume, q, h, low, high);
    free(h);
    return status;
}

/* Whether the values are those of a picture of 8 bits, whatever their type: whole numbers of
 * 0..255. Where the largest is small they are rather something else's, and dark. */
static sgm_status looks_like_bytes(const sgm_volume *volume, int *looks)
{
    histogram *h = malloc(sizeof *h);
    if (!h) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a histogram");
    sgm_status status = count_between(volume, 0, 255, h);
    *looks = status == SGM_OK && h->total && h->is_whole && h->smallest >= 0 && h->largest <= 255 &&
             h->largest >= LEAST_WHITE;
    free(h);
    return status;
}

/* ---------------------------------------------------------------------------------- windows */

static sgm_status set(double level, double width, double *low, double *high)
{
    *low = level - width / 2;
    *high = level + width / 2;
    return SGM_OK;
}

static sgm_status of_quantiles(const sgm_volume *volume, double from, double to, double *low,
                               double *high)
{
    double q[2] = {from, to};
    SGM_TRY(sgm_window_quantiles(volume, q, low, high));
    if (!(*low < *high)) *high = *low + fmax(1, fabs(*low) * 1e-6);
    return SGM_OK;
}

sgm_status sgm_window_check(sgm_window window, const double manual[2])
{
    if (window != SGM_WINDOW_MANUAL) return SGM_OK;
    double low = manual[0], high = manual[1];
    if (low < high && isfinite(low) && isfinite(high)) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT, "a window needs two numbers, low < high; got %g and %g",
                    low, high);
}

static sgm_status automatic(const sgm_volume *volume, double *low, double *high)
{
    int looks;
    if (volume->hounsfield == SGM_HOUNSFIELD_ON) return set(40, 400, low, high);
    SGM_TRY(looks_like_bytes(volume, &looks));
    if (looks) return set(127.5, 255, low, high);
    return of_quantiles(volume, 0.005, 0.995, low, high);
}

sgm_status sgm_window_choose(const sgm_volume *volume, sgm_window window, const double manual[2],
                             double *low, double *high)
{
    if (volume->channels == 3) return set(127.5, 255, low, high);
    switch (window) {
    case SGM_WINDOW_AUTO:
        return automatic(volume, low, high);
    case SGM_WINDOW_NONE:
        return of_quantiles(volume, 0, 1, low, high);
    case SGM_WINDOW_PERCENTILE:
        return of_quantiles(volume, 0.005, 0.995, low, high);
    case SGM_WINDOW_BRAIN:
        return set(40, 80, low, high);
    case SGM_WINDOW_LUNG:
        return set(-600, 1500, low, high);
    case SGM_WINDOW_ABDOMEN:
        return set(40, 400, low, high);
    case SGM_WINDOW_BONE:
        return set(400, 1800, low, high);
    case SGM_WINDOW_MEDIASTINUM:
        return set(50, 350, low, high);
    case SGM_WINDOW_MANUAL:
        SGM_TRY(sgm_window_check(window, manual));
        *low = manual[0];
        *high = manual[1];
        return SGM_OK;
    }
    return sgm_fail(SGM_INVALID_ARGUMENT, "unknown window %d", (int)window);
}

static const char *const taken_for_ct =
    "Nothing says whether the voxels are CT numbers; their values look like Hounsfield units and "
    "are shown to the model as such (a percentile window shows the whole range).";

sgm_status sgm_window_settle(sgm_volume *volume, sgm_window window, const double manual[2],
                             double *low, double *high, const char **doubt)
{
    *doubt = NULL;
    if (volume->hounsfield == SGM_HOUNSFIELD_AUTO) {
        int looks;
        SGM_TRY(sgm_window_looks_hounsfield(volume, &looks));
        if (looks) *doubt = taken_for_ct;
        volume->hounsfield = looks ? SGM_HOUNSFIELD_ON : SGM_HOUNSFIELD_OFF;
    }
    return sgm_window_choose(volume, window, manual, low, high);
}
