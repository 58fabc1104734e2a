/* Edge maps against annotators' outlines, as BSDS counts (Martin et al. 2004, Arbelaez et al.
 * 2011). The official matcher adds outliers at random; ours finds the most pairs there are, so that
 * counts differ from it by a few pixels and never between two runs. */
#include "core/status.h"
#include "segmodel/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ----------------------------------------------------------------------------------- thinning */

static int pixel(const uint8_t *mask, int width, int height, int x, int y)
{
    return x >= 0 && y >= 0 && x < width && y < height &&
           mask[(size_t)y * (size_t)width + (size_t)x];
}

/* Neighbours counted from the right against the clock, as in Lam, Lee and Suen 1992. */
static int may_go(const uint8_t *mask, int width, int height, int x, int y, int second)
{
    static const int dx[8] = {1, 1, 0, -1, -1, -1, 0, 1}, dy[8] = {0, -1, -1, -1, 0, 1, 1, 1};
    int n[9], crossings = 0, first_pairs = 0, second_pairs = 0;
    for (int i = 0; i < 8; i++)
        n[i] = pixel(mask, width, height, x + dx[i], y + dy[i]);
    n[8] = n[0];
    for (int i = 0; i < 4; i++) {
        crossings += !n[2 * i] && (n[2 * i + 1] || n[2 * i + 2]);
        first_pairs += n[2 * i] || n[2 * i + 1];
        second_pairs += n[2 * i + 1] || n[2 * i + 2];
    }
    int pairs = first_pairs < second_pairs ? first_pairs : second_pairs;
    if (crossings != 1 || pairs < 2 || pairs > 3) return 0;
    return second ? !((n[5] || n[6] || !n[3]) && n[4]) : !((n[1] || n[2] || !n[7]) && n[0]);
}

static int thin_once(uint8_t *mask, uint8_t *kept, int width, int height, int second)
{
    int changed = 0;
    memcpy(kept, mask, (size_t)width * (size_t)height);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            if (pixel(kept, width, height, x, y) && may_go(kept, width, height, x, y, second))
                mask[(size_t)y * (size_t)width + (size_t)x] = 0, changed = 1;
    return changed;
}

sgm_status sgm_edge_thin(uint8_t *mask, int width, int height)
{
    uint8_t *kept = malloc((size_t)width * (size_t)height);
    if (!kept)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to thin %d x %d pixels", width, height);
    int changed = 1;
    while (changed) {
        changed = thin_once(mask, kept, width, height, 0);
        changed |= thin_once(mask, kept, width, height, 1);
    }
    free(kept);
    return SGM_OK;
}

/* ----------------------------------------------------------------------------------- matching */

/* What no search asks again: see give_up. */
#define DEAD UINT32_MAX

/* Augmenting paths between the pixels of a and those of b in reach. */
typedef struct matching {
    const uint8_t *b;
    int width, height;
    const int *reach; /* dx, dy pairs, nearest first */
    int reach_count;
    int64_t *partner_of_b, *partner_of_a; /* -1: none */
    int64_t *path;                        /* pixels of a that wait, and who asked for them */
    int64_t *asked_by;
    uint32_t *seen, turn; /* of b, by turn, or DEAD */
    int64_t *left;        /* pixels of a without a partner, in their order */
    int64_t left_count;
} matching;

static int64_t neighbour(const matching *m, int64_t at, int n)
{
    int64_t x = at % m->width + m->reach[2 * n], y = at / m->width + m->reach[2 * n + 1];
    if (x < 0 || y < 0 || x >= m->width || y >= m->height) return -1;
    int64_t to = y * m->width + x;
    return m->b[to] ? to : -1;
}

/* Gives every pixel of a on the path to `free_b` the partner it asked for. */
static void flip(matching *m, int64_t free_b)
{
    int64_t b = free_b;
    while (b >= 0) {
        int64_t a = m->asked_by[b], before = m->partner_of_a[a];
        m->partner_of_a[a] = b;
        m->partner_of_b[b] = a;
        b = before;
    }
}

/* Whoever was asked by a search that failed can only hand on to others of them. Later paths change
 * none of their partners, so that no search finds a free pixel through them any more. */
static void give_up(matching *m, int64_t last)
{
    for (int64_t i = 1; i < last; i++)
        m->seen[m->partner_of_a[m->path[i]]] = DEAD;
}

/* Breadth first from one unmatched pixel of a. */
static void augment(matching *m, int64_t start)
{
    int64_t first = 0, last = 0;
    m->turn++;
    m->path[last++] = start;
    while (first < last) {
        int64_t a = m->path[first++];
        for (int n = 0; n < m->reach_count; n++) {
            int64_t b = neighbour(m, a, n);
            if (b < 0 || m->seen[b] == m->turn || m->seen[b] == DEAD) continue;
            m->seen[b] = m->turn;
            m->asked_by[b] = a;
            if (m->partner_of_b[b] < 0) {
                flip(m, b);
                return;
            }
            m->path[last++] = m->partner_of_b[b];
        }
    }
    give_up(m, last);
}

static int compare_reach(const void *a, const void *b)
{
    const int *x = a, *y = b;
    int d = x[0] * x[0] + x[1] * x[1] - y[0] * y[0] - y[1] * y[1];
    if (d) return d;
    return x[1] != y[1] ? x[1] - y[1] : x[0] - y[0];
}

static int *make_reach(double reach, int *count)
{
    int side = (int)floor(reach), n = 0;
    int *out = malloc((size_t)(2 * side + 1) * (size_t)(2 * side + 1) * 2 * sizeof *out);
    for (int y = -side; out && y <= side; y++)
        for (int x = -side; x <= side; x++)
            if (x * x + y * y <= reach * reach) out[2 * n] = x, out[2 * n + 1] = y, n++;
    if (out) qsort(out, (size_t)n, 2 * sizeof *out, compare_reach);
    *count = n;
    return out;
}

/* Pairs that lie a given step apart; the rest stay in the list. */
static void match_apart(matching *m, int n)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < m->left_count; i++) {
        int64_t a = m->left[i], b = neighbour(m, a, n);
        if (b < 0 || m->partner_of_b[b] >= 0) {
            m->left[kept++] = a;
            continue;
        }
        m->partner_of_a[a] = b;
        m->partner_of_b[b] = a;
    }
    m->left_count = kept;
}

/* Near pairs first, then whoever is left asks others to move. Edges are few in a picture and steps
 * many: each step looks at what is left of them alone. */
static void match_all(matching *m, const uint8_t *a, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (a[i]) m->left[m->left_count++] = i;
    for (int n = 0; n < m->reach_count; n++)
        match_apart(m, n);
    for (int64_t i = 0; i < m->left_count; i++)
        augment(m, m->left[i]);
}

static sgm_status reserve(matching *m, size_t count)
{
    m->partner_of_a = malloc(count * sizeof *m->partner_of_a);
    m->partner_of_b = malloc(count * sizeof *m->partner_of_b);
    m->asked_by = malloc(count * sizeof *m->asked_by);
    m->path = malloc((count + 1) * sizeof *m->path);
    m->left = malloc(count * sizeof *m->left);
    m->seen = calloc(count, sizeof *m->seen);
    if (!m->partner_of_a || !m->partner_of_b || !m->asked_by || !m->path || !m->left || !m->seen ||
        !m->reach)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to match edges");
    for (size_t i = 0; i < count; i++)
        m->partner_of_a[i] = m->partner_of_b[i] = -1;
    return SGM_OK;
}

sgm_status sgm_edge_match(const uint8_t *a, const uint8_t *b, int width, int height, double reach,
                          uint8_t *matched_a, uint8_t *matched_b)
{
    size_t count = (size_t)width * (size_t)height;
    matching m = {.b = b, .width = width, .height = height};
    int *places = make_reach(reach, &m.reach_count);
    m.reach = places;
    sgm_status status = reserve(&m, count);
    if (status == SGM_OK) {
        match_all(&m, a, (int64_t)count);
        for (size_t i = 0; i < count; i++) {
            matched_a[i] = m.partner_of_a[i] >= 0;
            matched_b[i] = m.partner_of_b[i] >= 0;
        }
    }
    free(m.partner_of_a);
    free(m.partner_of_b);
    free(m.asked_by);
    free(m.path);
    free(m.left);
    free(m.seen);
    free(places);
    return status;
}

/* ------------------------------------------------------------------------------------ pictures */

static double sum_of(const uint8_t *mask, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += mask[i] != 0;
    return sum;
}

/* `room` holds three masks: matches of the prediction, of one annotator, and of any. */
static sgm_status compare_thin(const uint8_t *thin, const uint8_t *const *annotators,
                               size_t annotator_count, int width, int height, double reach,
                               uint8_t *room, sgm_edge_counts *out)
{
    size_t count = (size_t)width * (size_t)height;
    uint8_t *confirmed = room, *recalled = room + count, *any = room + 2 * count;
    memset(any, 0, count);
    *out = (sgm_edge_counts){.predicted = sum_of(thin, count)};
    for (size_t n = 0; n < annotator_count; n++) {
        SGM_TRY(sgm_edge_match(thin, annotators[n], width, height, reach, confirmed, recalled));
        for (size_t i = 0; i < count; i++)
            any[i] |= confirmed[i];
        out->recalled += sum_of(recalled, count);
        out->reference += sum_of(annotators[n], count);
    }
    out->confirmed = sum_of(any, count);
    return SGM_OK;
}

sgm_status sgm_edge_compare_at(const uint8_t *strength, const uint8_t *const *annotators,
                               size_t annotator_count, int width, int height, double share, int k,
                               sgm_edge_counts *out)
{
    if (width < 1 || height < 1 || !(share >= 0) || share > 1 || k < 1 || k > SGM_EDGE_THRESHOLDS)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "edges of %d x %d pixels within %g diagonals at %d %%", width, height,
                        share, k);
    double reach = share * sqrt((double)width * width + (double)height * height);
    size_t count = (size_t)width * (size_t)height;
    uint8_t *room = malloc(4 * count), *thin = room ? room + 3 * count : NULL;
    if (!room) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %d x %d pixels", width, height);
    for (size_t i = 0; i < count; i++)
        thin[i] = strength[i] / 255.0 >= k / 100.0;
    sgm_status status = sgm_edge_thin(thin, width, height);
    if (status == SGM_OK)
        status = compare_thin(thin, annotators, annotator_count, width, height, reach, room, out);
    free(room);
    return status;
}

sgm_status sgm_edge_compare(const uint8_t *strength, const uint8_t *const *annotators,
                            size_t annotator_count, int width, int height, double share,
                            sgm_edge_counts counts[SGM_EDGE_THRESHOLDS])
{
    for (int k = 1; k <= SGM_EDGE_THRESHOLDS; k++)
        SGM_TRY(sgm_edge_compare_at(strength, annotators, annotator_count, width, height, share, k,
                                    &counts[k - 1]));
    return SGM_OK;
}

/* ------------------------------------------------------------------------------------- summary */

typedef struct rates {
    double recall, precision;
} rates;

static rates rates_of(const sgm_edge_counts *c)
{
    return (rates){c->recalled / fmax(1e-300, c->reference),
                   c->confirmed / fmax(1e-300, c->predicted)};
}

static double f_of(rates r)
{
    double sum = r.recall + r.precision;
    return sum > 0 ? 2 * r.recall * r.precision / sum : 0;
}

static void add_counts(sgm_edge_counts *sum, const sgm_edge_counts *c)
{
    sum->recalled += c->recalled;
    sum->reference += c->reference;
    sum->confirmed += c->confirmed;
    sum->predicted += c->predicted;
}

/* The best F on the straight lines between neighbouring thresholds, in `steps` steps. */
static double best_between(rates a, rates b, int steps, double *share)
{
    double best = -1;
    for (int i = 0; i <= steps; i++) {
        double d = (double)i / steps;
        rates r = {a.recall + d * (b.recall - a.recall),
                   a.precision + d * (b.precision - a.precision)};
        if (f_of(r) > best) best = f_of(r), *share = d;
    }
    return best;
}

static void find_ods(const rates r[SGM_EDGE_THRESHOLDS], sgm_edge_metrics *out)
{
    out->ods = -1;
    for (int k = 0; k + 1 < SGM_EDGE_THRESHOLDS; k++) {
        double share = 0, f = best_between(r[k], r[k + 1], 100, &share);
        if (f <= out->ods) continue;
        out->ods = f;
        out->ods_threshold = (k + 1 + share) / 100;
        out->ods_recall = r[k].recall + share * (r[k + 1].recall - r[k].recall);
        out->ods_precision = r[k].precision + share * (r[k + 1].precision - r[k].precision);
    }
}

/* A place on a curve: y over ascending x. */
typedef struct place {
    double x, y;
} place;

/* Value on the polyline; NaN beyond its ends. */
static double interpolate(const place *curve, int count, double x)
{
    for (int i = 0; i + 1 < count; i++) {
        if (x < curve[i].x || x > curve[i + 1].x) continue;
        double gap = curve[i + 1].x - curve[i].x;
        double share = gap > 0 ? (x - curve[i].x) / gap : 0;
        return curve[i].y + share * (curve[i + 1].y - curve[i].y);
    }
    return NAN;
}

/* Sorts by x and keeps the first of equal ones: insertion keeps the order of the rest. */
static int keep_distinct(place *curve, int count)
{
    int kept = 0;
    for (int i = 1; i < count; i++)
        for (int j = i; j > 0 && curve[j - 1].x > curve[j].x; j--) {
            place t = curve[j];
            curve[j] = curve[j - 1];
            curve[j - 1] = t;
        }
    for (int i = 0; i < count; i++)
        if (!kept || curve[i].x > curve[kept - 1].x) curve[kept++] = curve[i];
    return kept;
}

/* Precision over recall, at recalls 0, 0.01 .. 1; where the curve does not reach, 0. The sum is
 * divided by 100 though there are 101, as in the toolbox. */
static double average_precision(const rates r[SGM_EDGE_THRESHOLDS])
{
    place curve[SGM_EDGE_THRESHOLDS];
    double sum = 0;
    for (int k = 0; k < SGM_EDGE_THRESHOLDS; k++)
        curve[k] = (place){r[k].recall, r[k].precision};
    int count = keep_distinct(curve, SGM_EDGE_THRESHOLDS);
    for (int i = 0; i <= 100; i++) {
        double p = interpolate(curve, count, i / 100.0);
        if (!isnan(p)) sum += p;
    }
    return sum / 100;
}

/* Recall over precision, at one half, or at the lowest precision above it. */
static double recall_at_half(const rates r[SGM_EDGE_THRESHOLDS])
{
    place curve[SGM_EDGE_THRESHOLDS];
    for (int k = 0; k < SGM_EDGE_THRESHOLDS; k++)
        curve[k] = (place){r[k].precision, r[k].recall};
    int count = keep_distinct(curve, SGM_EDGE_THRESHOLDS);
    return interpolate(curve, count, fmax(curve[0].x, 0.5));
}

static double best_of_each(const sgm_edge_counts *counts, size_t images)
{
    sgm_edge_counts sum = {0};
    for (size_t n = 0; n < images; n++) {
        const sgm_edge_counts *image = counts + n * SGM_EDGE_THRESHOLDS, *best = image;
        for (int k = 1; k < SGM_EDGE_THRESHOLDS; k++)
            if (f_of(rates_of(&image[k])) > f_of(rates_of(best))) best = &image[k];
        add_counts(&sum, best);
    }
    return f_of(rates_of(&sum));
}

sgm_status sgm_edge_summary(const sgm_edge_counts *counts, size_t images, sgm_edge_metrics *out)
{
    rates r[SGM_EDGE_THRESHOLDS];
    *out = (sgm_edge_metrics){0};
    if (!images) return sgm_fail(SGM_INVALID_ARGUMENT, "edges of no image");
    for (int k = 0; k < SGM_EDGE_THRESHOLDS; k++) {
        sgm_edge_counts sum = {0};
        for (size_t n = 0; n < images; n++)
            add_counts(&sum, &counts[n * SGM_EDGE_THRESHOLDS + (size_t)k]);
        r[k] = rates_of(&sum);
    }
    find_ods(r, out);
    out->ap = average_precision(r);
    out->r50 = recall_at_half(r);
    out->ois = best_of_each(counts, images);
    return SGM_OK;
}
