/* Metrics of polyps and salient objects (Ji et al., "Video polyp segmentation"; PySODMetrics).
 * Sources: S-measure Fan et al. 2017, E-measure Fan et al. 2018, weighted F Margolin et al. 2014.
 * Where the toolboxes give NaN for lack of pixels, an empty quarter weighs nothing and the
 * deviation of a single value is 0. */
#include "core/status.h"
#include "metrics/distance_map.h"
#include "segmodel/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = SGM_SALIENCY_STEPS, BLUR = 7 };
static const double tiny = 0x1p-52;
static const double f_beta = 0.3;

/* A pair, prepared: p in 0..1, g 0 or 1. */
typedef struct pair {
    const double *p;
    const uint8_t *g;
    int width, height;
    int64_t count, inside;
} pair;

static int64_t at(const pair *m, int x, int y)
{
    return (int64_t)y * m->width + x;
}

/* --------------------------------------------------------------------------------- S-measure */

/* 2 mean / (mean^2 + 1 + deviation) of p (or 1 - p) over the pixels where g is `side`. */
static double object_score(const pair *m, int side)
{
    double sum = 0, squares = 0;
    int64_t n = side ? m->inside : m->count - m->inside;
    for (int64_t i = 0; i < m->count; i++)
        if (m->g[i] == side) sum += side ? m->p[i] : 1 - m->p[i];
    double mean = sum / (double)n;
    for (int64_t i = 0; i < m->count; i++) {
        double d = (side ? m->p[i] : 1 - m->p[i]) - mean;
        if (m->g[i] == side) squares += d * d;
    }
    double deviation = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
    return 2 * mean / (mean * mean + 1 + deviation + tiny);
}

/* Structural similarity of one quarter: columns x0..x1 - 1, rows y0..y1 - 1. */
static double quarter_score(const pair *m, int x0, int x1, int y0, int y1)
{
    double n = (double)(x1 - x0) * (y1 - y0), mp = 0, mg = 0, vp = 0, vg = 0, both = 0;
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            mp += m->p[at(m, x, y)];
            mg += m->g[at(m, x, y)];
        }
    mp /= n;
    mg /= n;
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            double dp = m->p[at(m, x, y)] - mp, dg = m->g[at(m, x, y)] - mg;
            vp += dp * dp;
            vg += dg * dg;
            both += dp * dg;
        }
    double d = n - 1 + (n == 1 ? tiny : 0);
    double above = 4 * mp * mg * (both / d);
    double below = (mp * mp + mg * mg) * (vp / d + vg / d);
    if (above != 0) return above / (below + tiny);
    return below == 0 ? 1 : 0;
}

/* Halves go to the even number, as numpy rounds. */
static void find_centre(const pair *m, int *cx, int *cy)
{
    double sx = 0, sy = 0;
    for (int y = 0; y < m->height; y++)
        for (int x = 0; x < m->width; x++)
            if (m->g[at(m, x, y)]) sx += x, sy += y;
    *cx = (int)nearbyint(sx / (double)m->inside) + 1;
    *cy = (int)nearbyint(sy / (double)m->inside) + 1;
}

static double region_score(const pair *m)
{
    int cx, cy;
    double sum = 0, left = 1;
    find_centre(m, &cx, &cy);
    for (int quarter = 0; quarter < 4; quarter++) {
        int x0 = quarter & 1 ? cx : 0, x1 = quarter & 1 ? m->width : cx;
        int y0 = quarter & 2 ? cy : 0, y1 = quarter & 2 ? m->height : cy;
        double pixels = (double)(x1 - x0) * (y1 - y0);
        double weight = quarter < 3 ? pixels / (double)m->count : left;
        left -= weight;
        if (pixels > 0) sum += weight * quarter_score(m, x0, x1, y0, y1);
    }
    return sum;
}

static double mean_p(const pair *m)
{
    double sum = 0;
    for (int64_t i = 0; i < m->count; i++)
        sum += m->p[i];
    return sum / (double)m->count;
}

static double s_measure(const pair *m)
{
    if (m->inside == 0) return 1 - mean_p(m);
    if (m->inside == m->count) return mean_p(m);
    double share = (double)m->inside / (double)m->count;
    double object = share * object_score(m, 1) + (1 - share) * object_score(m, 0);
    return fmax(0, 0.5 * object + 0.5 * region_score(m));
}

/* --------------------------------------------------------------------------------- weighted F */

static void make_blur(double blur[BLUR][BLUR])
{
    double sum = 0;
    for (int y = 0; y < BLUR; y++)
        for (int x = 0; x < BLUR; x++) {
            int dx = x - BLUR / 2, dy = y - BLUR / 2;
            sum += blur[y][x] = exp(-(dx * dx + dy * dy) / 50.0);
        }
    for (int i = 0; i < BLUR * BLUR; i++)
        blur[i / BLUR][i % BLUR] /= sum;
}

static double blurred(const pair *m, const double *error, int x, int y,
                      const double blur[BLUR][BLUR])
{
    double sum = 0;
    for (int v = 0; v < BLUR; v++)
        for (int u = 0; u < BLUR; u++) {
            int sx = x + u - BLUR / 2, sy = y + v - BLUR / 2;
            if (sx >= 0 && sy >= 0 && sx < m->width && sy < m->height)
                sum += blur[v][u] * error[at(m, sx, sy)];
        }
    return sum;
}

/* Errors, those outside the object taken from the object's nearest pixel. */
static void spread_errors(const pair *m, const int64_t *nearest, double *error)
{
    for (int64_t i = 0; i < m->count; i++) {
        int64_t from = m->g[i] ? i : nearest[i];
        error[i] = fabs(m->p[from] - m->g[from]);
    }
}

static double weigh(const pair *m, const double *error, const double *squared)
{
    double blur[BLUR][BLUR], inside = 0, outside = 0;
    make_blur(blur);
    for (int y = 0; y < m->height; y++)
        for (int x = 0; x < m->width; x++) {
            int64_t i = at(m, x, y);
            double own = fabs(m->p[i] - m->g[i]);
            if (m->g[i])
                inside += fmin(own, blurred(m, error, x, y, blur));
            else
                outside += own * (2 - exp(log(0.5) / 5 * sqrt(squared[i])));
        }
    double found = (double)m->inside - inside;
    double recall = 1 - inside / (double)m->inside;
    double precision = found / (found + outside + tiny);
    return 2 * recall * precision / (recall + precision + tiny);
}

static sgm_status weighted_f(const pair *m, double *out)
{
    *out = 0;
    if (m->inside == 0) return SGM_OK;
    size_t n = (size_t)m->count;
    const int64_t size[3] = {m->width, m->height, 1};
    double *squared = malloc(2 * n * sizeof *squared), *error = squared + n;
    int64_t *nearest = malloc(n * sizeof *nearest);
    uint8_t *off = malloc(n);
    sgm_status status = SGM_OK;
    if (!squared || !nearest || !off)
        status = sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the weighted F-measure");
    for (size_t i = 0; status == SGM_OK && i < n; i++)
        off[i] = !m->g[i];
    if (status == SGM_OK) status = sgm_distance_map(off, size, 0, squared, nearest);
    if (status == SGM_OK) {
        spread_errors(m, nearest, error);
        *out = weigh(m, error, squared);
    }
    free(squared);
    free(nearest);
    free(off);
    return status;
}

/* -------------------------------------------------------------------------------------- curves */

/* Pixels marked inside and outside the reference. */
typedef struct marked {
    int64_t right, wrong;
} marked;

/* Enhanced alignment of a binary marking. */
static double e_measure(const pair *m, marked k)
{
    double n = (double)m->count, a = (double)m->inside;
    double r = (double)k.right, w = (double)k.wrong, all = r + w, sum = 0;
    if (m->inside == 0) return (n - all) / (n - 1 + tiny);
    if (m->inside == m->count) return all / (n - 1 + tiny);
    double mp = all / n, mg = a / n;
    const double cell[4][3] = {
        {r, 1 - mp, 1 - mg}, {w, 1 - mp, -mg}, {a - r, -mp, 1 - mg}, {n - all - (a - r), -mp, -mg}};
    for (int i = 0; i < 4; i++) {
        double x = cell[i][1], y = cell[i][2];
        double aligned = 2 * x * y / (x * x + y * y + tiny) + 1;
        sum += cell[i][0] * aligned * aligned / 4;
    }
    return sum / (n - 1 + tiny);
}

static double f_measure(const pair *m, marked k)
{
    if (k.right == 0) return 0;
    double precision = (double)k.right / (double)(k.right + k.wrong);
    double recall = (double)k.right / (double)m->inside;
    return (1 + f_beta) * precision * recall / (f_beta * precision + recall);
}

static void medical(const pair *m, marked k, int step, sgm_saliency *out)
{
    double r = (double)k.right, all = (double)(k.right + k.wrong), a = (double)m->inside;
    double outside = (double)(m->count - m->inside);
    if (k.right == 0) return;
    out->sensitivity[step] = r / a;
    out->specificity[step] = outside > 0 ? (outside - (double)k.wrong) / outside : NAN;
    out->dice[step] = 2 * r / (a + all);
    out->iou[step] = r / (a + all - r);
}

static void count_at_or_above(const pair *m, double threshold, marked *k)
{
    *k = (marked){0, 0};
    for (int64_t i = 0; i < m->count; i++)
        if (m->p[i] >= threshold) *(m->g[i] ? &k->right : &k->wrong) += 1;
}

/* First step of the falling thresholds that marks p; numpy's linspace(1, 0, 256)[k] = 1 - k / 255
 * with the step rounded once. */
static int first_step(double p)
{
    int k = (int)(255 * (1 - p)) - 1;
    for (k = k < 0 ? 0 : k; k < STEPS - 1; k++)
        if (p >= 1 + k * (-1.0 / 255)) return k;
    return STEPS - 1;
}

static void curves(const pair *m, sgm_saliency *out)
{
    marked level[STEPS] = {{0, 0}}, step[STEPS] = {{0, 0}}, e = {0, 0}, s = {0, 0};
    for (int64_t i = 0; i < m->count; i++) {
        marked *l = &level[255 - (int)(m->p[i] * 255)], *t = &step[first_step(m->p[i])];
        *(m->g[i] ? &l->right : &l->wrong) += 1;
        *(m->g[i] ? &t->right : &t->wrong) += 1;
    }
    for (int k = 0; k < STEPS; k++) {
        e.right += level[k].right, e.wrong += level[k].wrong;
        s.right += step[k].right, s.wrong += step[k].wrong;
        out->e[k] = e_measure(m, e);
        out->f[k] = f_measure(m, e);
        medical(m, s, k, out);
    }
}

/* ------------------------------------------------------------------------------------ together */

static void prepare(const uint8_t *reference, const uint8_t *prediction, int64_t count, double *p,
                    uint8_t *g, int64_t *inside)
{
    double low = 1, high = 0;
    *inside = 0;
    for (int64_t i = 0; i < count; i++) {
        *inside += g[i] = reference[i] > 128;
        p[i] = prediction[i] / 255.0;
        low = fmin(low, p[i]);
        high = fmax(high, p[i]);
    }
    for (int64_t i = 0; i < count && high > low; i++)
        p[i] = (p[i] - low) / (high - low);
}

static sgm_status compare(const pair *m, sgm_saliency *out)
{
    marked k;
    double sum = 0;
    count_at_or_above(m, fmin(2 * mean_p(m), 1), &k);
    out->adaptive_e = e_measure(m, k);
    out->adaptive_f = f_measure(m, k);
    for (int64_t i = 0; i < m->count; i++)
        sum += fabs(m->p[i] - m->g[i]);
    out->mae = sum / (double)m->count;
    out->s_measure = s_measure(m);
    curves(m, out);
    return weighted_f(m, &out->weighted_f);
}

sgm_status sgm_saliency_compare(const uint8_t *reference, const uint8_t *prediction, int width,
                                int height, sgm_saliency *out)
{
    *out = (sgm_saliency){0};
    if (width < 1 || height < 1)
        return sgm_fail(SGM_INVALID_ARGUMENT, "a picture of %d x %d pixels", width, height);
    pair m = {.width = width, .height = height, .count = (int64_t)width * height};
    double *p = malloc((size_t)m.count * sizeof *p);
    uint8_t *g = malloc((size_t)m.count);
    sgm_status status = SGM_OK;
    if (!p || !g)
        status = sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %d x %d pixels", width, height);
    if (status == SGM_OK) {
        prepare(reference, prediction, m.count, p, g, &m.inside);
        m.p = p;
        m.g = g;
        status = compare(&m, out);
    }
    free(p);
    free(g);
    return status;
}

void sgm_saliency_mean(const sgm_saliency *items, size_t count, sgm_saliency *out)
{
    enum { NUMBERS = sizeof(sgm_saliency) / sizeof(double) };
    double sum[NUMBERS] = {0}, one[NUMBERS];
    for (size_t i = 0; i < count; i++) {
        memcpy(one, &items[i], sizeof one);
        for (int n = 0; n < NUMBERS; n++)
            sum[n] += one[n];
    }
    for (int n = 0; n < NUMBERS; n++)
        sum[n] /= (double)count;
    memcpy(out, sum, sizeof *out);
}

double sgm_curve_mean(const double curve[SGM_SALIENCY_STEPS])
{
    double sum = 0;
    for (int k = 0; k < STEPS; k++)
        sum += curve[k];
    return sum / STEPS;
}

double sgm_curve_max(const double curve[SGM_SALIENCY_STEPS])
{
    double most = curve[0];
    for (int k = 1; k < STEPS; k++)
        if (!(curve[k] <= most)) most = curve[k];
    return most;
}
