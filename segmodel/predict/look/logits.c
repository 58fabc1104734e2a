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

void sgm_logits_clear_padding(const sgm_predictor *predictor, float *logits, sgm_view view)
{
    int rows = predictor->low_res_shape[0], columns = predictor->low_res_shape[1];
    double sx, sy;
    low_res_scale(predictor, view, &sx, &sy);
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++, logits++)
            if (is_padding(view, sx, sy, row, column)) *logits = NAN;
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

/* Pixels start..end-1 of 0..length that low..high touches, and how much of it lies in the first and
 * in the last of them; all of a pixel in between does. */
typedef struct span {
    int start, end;
    double first, last;
} span;

/* How much of low..high lies in pixel n. */
static double part_in(double low, double high, int n)
{
    return (high < n + 1 ? high : n + 1) - (low > n ? low : n);
}

static span touched(double low, double high, int length)
{
    span s = {0};
    if (!(high > 0)) return s;
    s.start = low >= length ? length : low > 0 ? (int)low : 0;
    s.end = high >= length ? length : (int)high + ((int)high < high);
    s.first = part_in(low, high, s.start);
    s.last = part_in(low, high, s.end - 1);
    return s;
}

/* Pixels, of a row of ones and zeros. */
static double row_coverage(const uint8_t *row, const span *x)
{
    double covered = row[x->start] ? x->first : 0;
    for (int n = x->start + 1; n < x->end - 1; n++)
        covered += row[n];
    if (x->end - 1 > x->start && row[x->end - 1]) covered += x->last;
    return covered;
}

/* How many pixels of the mask, in parts of pixels too, lie in a cell. */
static double coverage(const uint8_t *mask, int width, const span *x, const span *y)
{
    double sum = 0;
    if (x->start >= x->end) return 0;
    for (int n = y->start; n < y->end; n++) {
        double part = n == y->start ? y->first : n == y->end - 1 ? y->last : 1;
        sum += row_coverage(mask + (size_t)n * (size_t)width, x) * part;
    }
    return sum;
}

/* Cells low..high of 0..count whose span, `start` + n / scale and the next, overlaps first..last.
 */
static void overlapping(double start, double scale, int count, double first, double last, int *low,
                        int *high)
{
    *low = 0;
    *high = count - 1;
    while (*low <= *high && start + (*low + 1) / scale <= first)
        ++*low;
    while (*low <= *high && start + *high / scale >= last)
        --*high;
}

void sgm_logits_from_mask(const sgm_predictor *predictor, const uint8_t *mask, int width,
                          int height, sgm_view view, float *result)
{
    int rows = predictor->low_res_shape[0], columns = predictor->low_res_shape[1];
    int top, bottom, left, right;
    double sx, sy;
    sgm_box extent = {0};
    /* as where the mask is not, or there is padding */
    for (size_t i = 0; i < (size_t)rows * (size_t)columns; i++)
        result[i] = -SGM_SURE_LOGIT;
    if (!sgm_mask_measure(mask, width, height, &extent)) return;
    low_res_scale(predictor, view, &sx, &sy);
    overlapping(view.y, sy, rows, extent.y0, extent.y1 + 1, &top, &bottom);
    overlapping(view.x, sx, columns, extent.x0, extent.x1 + 1, &left, &right);
    for (int row = top; row <= bottom; row++) {
        double y0 = view.y + row / sy, y1 = view.y + (row + 1) / sy;
        span y = touched(y0, y1, height);
        for (int column = left; column <= right; column++) {
            double x0 = view.x + column / sx, x1 = view.x + (column + 1) / sx;
            span x = touched(x0, x1, width);
            if (is_padding(view, sx, sy, row, column)) continue;
            double share = coverage(mask, width, &x, &y) / ((x1 - x0) * (y1 - y0));
            result[(size_t)row * (size_t)columns + (size_t)column] =
                (float)(2 * share - 1) * SGM_SURE_LOGIT;
        }
    }
}

/* Cells of 0..count that lie within `reach` of `centre`. */
static void cells_within(double centre, double reach, int count, int *first, int *last)
{
    *first = (int)fmin(fmax(0, ceil(centre - reach)), count);
    *last = (int)fmax(fmin(count - 1, floor(centre + reach)), -1);
}

/* exp(-d^2 / 2) of a distance of `cells`, in standard deviations. */
static double bell(double cells, double deviation)
{
    return exp(-0.5 * (cells / deviation) * (cells / deviation));
}

void sgm_logits_weaken(const sgm_predictor *predictor, float *logits, sgm_view view, double x,
                       double y)
{
    enum { STRIP = 64 }; /* columns whose part of the bell is kept while rows go by */
    int rows = predictor->low_res_shape[0], columns = predictor->low_res_shape[1];
    int left, right, top, bottom;
    double sx, sy, reach = faded_share * (rows > columns ? rows : columns), across[STRIP];
    low_res_scale(predictor, view, &sx, &sy);
    double column = (x - view.x + 0.5) * sx - 0.5, row = (y - view.y + 0.5) * sy - 0.5;
    cells_within(column, no_fading * reach, columns, &left, &right);
    cells_within(row, no_fading * reach, rows, &top, &bottom);
    for (int start = left; start <= right; start += STRIP) {
        int count = right + 1 - start < STRIP ? right + 1 - start : STRIP;
        for (int c = 0; c < count; c++)
            across[c] = bell(start + c - column, reach);
        for (int r = top; r <= bottom; r++) {
            double down = bell(r - row, reach);
            float *at = logits + (size_t)r * (size_t)columns + (size_t)start;
            for (int c = 0; c < count; c++)
                at[c] *= (float)(1 - down * across[c]);
        }
    }
}

sgm_logits_summary sgm_logits_summarize(const sgm_predictor *predictor, const float *logits,
                                        sgm_view view, double x, double y, float threshold,
                                        float offset)
{
    int rows = predictor->low_res_shape[0], columns = predictor->low_res_shape[1];
    int64_t inside = 0, surely = 0, perhaps = 0;
    double sx, sy, sum = 0;
    low_res_scale(predictor, view, &sx, &sy);
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++) {
            float logit = logits[(size_t)row * (size_t)columns + (size_t)column];
            if (is_padding(view, sx, sy, row, column)) continue;
            surely += logit > threshold + offset;
            perhaps += logit > threshold - offset;
            if (!(logit > threshold)) continue;
            inside++;
            sum += logit;
        }
    double column = (x - view.x + 0.5) * sx - 0.5, row = (y - view.y + 0.5) * sy - 0.5;
    return (sgm_logits_summary){
        .mean_inside = inside ? sum / (double)inside : 0,
        .at_point = interpolate(logits, rows, columns, row, column),
        .stability = perhaps ? (double)surely / (double)perhaps : 0,
    };
}

/* As lrintf of a value within -127..127 (a NaN counts as 127), but for many at once: what is added
 * leaves whole numbers in a float's last digits. */
static int8_t rounded(float value)
{
    const float whole = 0x1.8p23f;
    float limited = value < 127 ? value : 127;
    limited = limited > -127 ? limited : -127;
    union {
        float value;
        int32_t bits;
    } sum = {limited + whole}, zero = {whole};
    return (int8_t)(sum.bits - zero.bits);
}

void sgm_logits_pack(const float *logits, size_t count, int8_t *packed)
{
    for (size_t i = 0; i < count; i++)
        packed[i] = rounded(4 * logits[i]);
}

void sgm_logits_unpack(const int8_t *packed, size_t count, float *logits)
{
    for (size_t i = 0; i < count; i++)
        logits[i] = 0.25f * packed[i];
}
