#include "predict/look/logits.h"

#include "predict/session/mask.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* Standard deviation of a click's reach, as a share of the low-res grid's side. */
static const double faded_share = 0.06;
/* So many deviations away a click fades by less than half of a float's last digit: exp(-18) is
 * below 2^-25. */
static const double no_fading = 6;

/* Low-res pixels per picture pixel. The picture's pixel x of a view lies at
 * (x - view.x + 0.5) * scale - 0.5 in the low-res grid. */
static void low_res_scale(const sgm_predictor *predictor, sgm_view view, double *sx, double *sy)
{
    int longest = view.width > view.height ? view.width : view.height;
    *sx = (double)predictor->low_res_shape[1] / (predictor->stretches ? view.width : longest);
    *sy = (double)predictor->low_res_shape[0] / (predictor->stretches ? view.height : longest);
}

static int is_padding(sgm_view view, double sx, double sy, int row, int column)
{
    return (column + 0.5) / sx > view.width || (row + 0.5) / sy > view.height;
}

static float at_or_background(const float *logits, int rows, int columns, int row, int column)
{
    if (row < 0 || row >= rows || column < 0 || column >= columns) return -SGM_SURE_LOGIT;
    return logits[(size_t)row * (size_t)columns + (size_t)column];
}

static float interpolate(const float *logits, int rows, int columns, double y, double x)
{
    if (!(x > -1 && y > -1 && x < columns && y < rows)) return -SGM_SURE_LOGIT;
    int column = (int)floor(x), row = (int)floor(y);
    float fx = (float)(x - column), fy = (float)(y - row);
    float top = (1 - fx) * at_or_background(logits, rows, columns, row, column) +
                fx * at_or_background(logits, rows, columns, row, column + 1);
    float bottom = (1 - fx) * at_or_background(logits, rows, columns, row + 1, column) +
                   fx * at_or_background(logits, rows, columns, row + 1, column + 1);
    return (1 - fy) * top + fy * bottom;
}

void sgm_logits_move(const sgm_predictor *predictor, const float *source, sgm_view from,
                     float *result, sgm_view to)
{
    int rows = predictor->low_res_shape[0], columns = predictor->low_res_shape[1];
    if (sgm_view_equal(from, to)) {
        memcpy(result, source, sizeof *result * (size_t)rows * (size_t)columns);
        return;
    }
    double from_x, from_y, to_x, to_y;
    low_res_scale(predictor, from, &from_x, &from_y);
    low_res_scale(predictor, to, &to_x, &to_y);
    for (int row = 0; row < rows; row++) {
        double y = ((row + 0.5) / to_y + to.y - from.y) * from_y - 0.5;
        for (int column = 0; column < columns; column++) {
            double x = ((column + 0.5) / to_x + to.x - from.x) * from_x - 0.5;
            *result++ = is_padding(to, to_x, to_y, row, column)
                            ? -SGM_SURE_LOGIT
                            : interpolate(source, rows, columns, y, x);
        }
    }
}

/* Pixels start..end-1 of 0..length that low..high touches. */
static void touched(double low, double high, int length, int *start, int *end)
{
    *start = low > 0 ? (int)fmin(floor(low), length) : 0;
    *end = high > 0 ? (int)fmin(ceil(high), length) : 0;
}

/* How much of low..high lies in pixel n. */
static double part_in(double low, double high, int n)
{
    return (high < n + 1 ? high : n + 1) - (low > n ? low : n);
}

/* Share of the cell x0..x1, y0..y1 (pixel edges, pixel n spans n..n+1) that the mask covers. */
static double coverage(const uint8_t *mask, int width, int height, double x0, double x1, double y0,
                       double y1)
{
    int left, right, top, bottom;
    touched(x0, x1, width, &left, &right);
    touched(y0, y1, height, &top, &bottom);
    double sum = 0;
    for (int y = top; y < bottom; y++) {
        double covered = 0;
        for (int x = left; x < right; x++)
            if (mask[(size_t)y * (size_t)width + (size_t)x]) covered += part_in(x0, x1, x);
        sum += covered * part_in(y0, y1, y);
    }
    return sum / ((x1 - x0) * (y1 - y0));
}

void sgm_logits_from_mask(const sgm_predictor *predictor, const uint8_t *mask, int width,
                          int height, sgm_view view, float *result)
{
    double sx, sy;
    sgm_box extent = {0};
    int64_t area = sgm_mask_measure(mask, width, height, &extent);
    low_res_scale(predictor, view, &sx, &sy);
    for (int row = 0; row < predictor->low_res_shape[0]; row++) {
        double y0 = view.y + row / sy, y1 = view.y + (row + 1) / sy;
        bool meets = area && y1 > extent.y0 && y0 < extent.y1 + 1;
        for (int column = 0; column < predictor->low_res_shape[1]; column++) {
            double x0 = view.x + column / sx, x1 = view.x + (column + 1) / sx;
            double share = 0; /* as where the mask is not, or there is padding */
            if (meets && x1 > extent.x0 && x0 < extent.x1 + 1 &&
                !is_padding(view, sx, sy, row, column))
                share = coverage(mask, width, height, x0, x1, y0, y1);
            *result++ = (float)(2 * share - 1) * SGM_SURE_LOGIT;
        }
    }
}

void sgm_logits_weaken(const sgm_predictor *predictor, float *logits, sgm_view view, double x,
                       double y)
{
    int rows = predictor->low_res_shape[0], columns = predictor->low_res_shape[1];
    double sx, sy, reach = faded_share * (rows > columns ? rows : columns);
    low_res_scale(predictor, view, &sx, &sy);
    double column = (x - view.x + 0.5) * sx - 0.5, row = (y - view.y + 0.5) * sy - 0.5;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++, logits++) {
            if (fabs(r - row) > no_fading * reach || fabs(c - column) > no_fading * reach) continue;
            double d = hypot(r - row, c - column) / reach;
            *logits *= (float)(1 - exp(-0.5 * d * d));
        }
}

void sgm_logits_pack(const float *logits, size_t count, int8_t *packed)
{
    for (size_t i = 0; i < count; i++)
        packed[i] = (int8_t)lrintf(fmaxf(-127, fminf(127, 4 * logits[i])));
}

void sgm_logits_unpack(const int8_t *packed, size_t count, float *logits)
{
    for (size_t i = 0; i < count; i++)
        logits[i] = 0.25f * packed[i];
}
