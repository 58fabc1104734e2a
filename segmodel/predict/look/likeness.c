#include "predict/look/likeness.h"

#include "core/call.h"
#include "core/status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of the mean square of a feature: neighbouring slices look a little different, so that a sharper
 * fit to the first one (.01) tells them worse; more (.3) levels differences. */
static const double ridge = 0.1;

size_t sgm_likeness_count(const sgm_feature_map *maps, int count)
{
    size_t channels = 1;
    for (int m = 0; m < count; m++)
        channels += (size_t)maps[m].channels;
    return channels;
}

/* Between which two of `length` samples cell n of `cells` lies, and how far from the first. */
static void place(int n, int cells, int length, int *low, int *high, float *fraction)
{
    float at = ((float)n + 0.5f) * (float)length / (float)cells - 0.5f;
    at = at < 0 ? 0 : at > (float)(length - 1) ? (float)(length - 1) : at;
    *low = (int)at;
    *high = *low < length - 1 ? *low + 1 : *low;
    *fraction = at - (float)*low;
}

/* A map's channels at a cell of the grid, bilinear. */
static void read_place(const sgm_feature_map *map, int row, int column, int rows, int columns,
                       float *out)
{
    int top, bottom, left, right;
    float fy, fx;
    place(row, rows, map->rows, &top, &bottom, &fy);
    place(column, columns, map->columns, &left, &right, &fx);
    size_t channels = (size_t)map->channels, width = (size_t)map->columns;
    const float *a = map->values + ((size_t)top * width + (size_t)left) * channels;
    const float *b = map->values + ((size_t)top * width + (size_t)right) * channels;
    const float *c = map->values + ((size_t)bottom * width + (size_t)left) * channels;
    const float *d = map->values + ((size_t)bottom * width + (size_t)right) * channels;
    float wa = (1 - fy) * (1 - fx), wb = (1 - fy) * fx, wc = fy * (1 - fx), wd = fy * fx;
    for (size_t i = 0; i < channels; i++)
        out[i] = wa * a[i] + wb * b[i] + wc * c[i] + wd * d[i];
}

/* All channels at a cell, and the constant. */
static void read_features(const sgm_feature_map *maps, int count, int row, int column, int rows,
                          int columns, float *out)
{
    for (int m = 0; m < count; m++) {
        read_place(&maps[m], row, column, rows, columns, out);
        out += maps[m].channels;
    }
    *out = 1;
}

/* Cells that are added together, so that a sum is fetched once for all of them. */
enum { TOGETHER = 4 };

/* Adds weight * f f' of these cells to the lower half of `gram`, and weight * side * f to `moment`.
 */
static void add_cells(const float *f, size_t n, const float weight[TOGETHER],
                      const float side[TOGETHER], float *restrict gram, float *restrict moment)
{
    const float *f0 = f, *f1 = f + n, *f2 = f + 2 * n, *f3 = f + 3 * n;
    for (size_t a = 0; a < n; a++) {
        float s0 = weight[0] * f0[a], s1 = weight[1] * f1[a];
        float s2 = weight[2] * f2[a], s3 = weight[3] * f3[a];
        float *restrict row = gram + a * n;
        for (size_t b = 0; b <= a; b++)
            row[b] += (s0 * f0[b] + s1 * f1[b]) + (s2 * f2[b] + s3 * f3[b]);
        moment[a] += (s0 * side[0] + s1 * side[1]) + (s2 * side[2] + s3 * side[3]);
    }
}

/* a becomes its Cholesky factor (lower half); 0 if it has none. */
static int factorize(double *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = a[i * n + j];
            for (size_t k = 0; k < j; k++)
                sum -= a[i * n + k] * a[j * n + k];
            if (i == j && !(sum > 0 && isfinite(sum))) return 0;
            a[i * n + j] = i == j ? sqrt(sum) : sum / a[j * n + j];
        }
    return 1;
}

/* b becomes the solution of l l' x = b. */
static void substitute(const double *l, size_t n, double *b)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            b[i] -= l[i * n + k] * b[k];
        b[i] /= l[i * n + i];
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t k = i + 1; k < n; k++)
            b[i] -= l[k * n + i] * b[k];
        b[i] /= l[i * n + i];
    }
}

/* The ridge regression of these moments; `work` holds n * n + n numbers. 0: there is none. */
static int solve(const float *gram, const float *moment, size_t n, double *work, float *weights)
{
    double trace = 0, *right = work + n * n;
    for (size_t i = 0; i < n; i++)
        trace += gram[i * n + i];
    for (size_t i = 0; i < n * n; i++)
        work[i] = gram[i];
    for (size_t i = 0; i < n; i++) {
        work[i * n + i] += ridge * trace / (double)n;
        right[i] = moment[i];
    }
    if (!factorize(work, n)) return 0;
    substitute(work, n, right);
    for (size_t i = 0; i < n; i++)
        weights[i] = (float)right[i];
    return 1;
}

/* `features` holds TOGETHER cells' channels. Looks whether the user wants to stop. */
static sgm_status add_picture(const sgm_feature_map *maps, int count, const float *logits, int rows,
                              int columns, const float weight[2], float *features, float *gram,
                              float *moment)
{
    size_t n = sgm_likeness_count(maps, count);
    for (int row = 0; row < rows; row++) {
        SGM_TRY(sgm_call_cancelled());
        for (int first = 0; first < columns; first += TOGETHER) {
            float weights[TOGETHER] = {0}, sides[TOGETHER] = {0};
            for (int i = 0; i < TOGETHER && first + i < columns; i++) {
                if (isnan(logits[first + i])) continue;
                int inside = logits[first + i] > 0;
                weights[i] = weight[inside];
                sides[i] = inside ? 1 : -1;
                read_features(maps, count, row, first + i, rows, columns, features + (size_t)i * n);
            }
            add_cells(features, n, weights, sides, gram, moment);
        }
        logits += columns;
    }
    return SGM_OK;
}

sgm_status sgm_likeness_fit(const sgm_feature_map *maps, int count, const float *logits, int rows,
                            int columns, float *weights, int *fitted)
{
    size_t n = sgm_likeness_count(maps, count), cells = (size_t)rows * (size_t)columns;
    size_t inside = 0, outside = 0;
    *fitted = 0;
    memset(weights, 0, n * sizeof *weights);
    for (size_t i = 0; i < cells; i++) {
        inside += logits[i] > 0;
        outside += logits[i] <= 0; /* false for NAN */
    }
    if (!inside || !outside) return SGM_OK;
    const float weight[2] = {0.5f / (float)outside, 0.5f / (float)inside};
    float *sums = calloc(n * n + (1 + TOGETHER) * n, sizeof *sums);
    double *work = malloc((n * n + n) * sizeof *work);
    sgm_status status =
        sums && work ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an object's likeness");
    if (status == SGM_OK) {
        float *moment = sums + n * n, *features = moment + n;
        status = add_picture(maps, count, logits, rows, columns, weight, features, sums, moment);
        if (status == SGM_OK) *fitted = solve(sums, moment, n, work, weights);
    }
    free(sums);
    free(work);
    return status;
}

/* A map's share of the score at each of its own places: interpolating that is the same as
 * interpolating channels first. */
static void score_map(const sgm_feature_map *map, const float *weights, float *out)
{
    size_t channels = (size_t)map->channels, places = (size_t)map->rows * (size_t)map->columns;
    for (size_t i = 0; i < places; i++) {
        const float *f = map->values + i * channels;
        float sum = 0;
        for (size_t c = 0; c < channels; c++)
            sum += weights[c] * f[c];
        out[i] = sum;
    }
}

static void add_scores(const sgm_feature_map *map, const float *own, int rows, int columns,
                       float *scores)
{
    sgm_feature_map one = {map->rows, map->columns, 1, own};
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++) {
            float value;
            read_place(&one, row, column, rows, columns, &value);
            *scores++ += value;
        }
}

sgm_status sgm_likeness_scores(const sgm_feature_map *maps, int count, const float *weights,
                               int rows, int columns, float *scores)
{
    size_t cells = (size_t)rows * (size_t)columns, most = 0;
    for (int m = 0; m < count; m++) {
        size_t places = (size_t)maps[m].rows * (size_t)maps[m].columns;
        most = places > most ? places : most;
    }
    float *own = malloc((most ? most : 1) * sizeof *own);
    if (!own) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an object's likeness");
    float constant = weights[sgm_likeness_count(maps, count) - 1];
    for (size_t i = 0; i < cells; i++)
        scores[i] = constant;
    for (int m = 0; m < count; m++) {
        score_map(&maps[m], weights, own);
        add_scores(&maps[m], own, rows, columns, scores);
        weights += maps[m].channels;
    }
    free(own);
    return SGM_OK;
}
