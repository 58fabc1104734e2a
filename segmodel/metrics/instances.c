/* Average recall and precision of instances, as COCO's evaluation counts them without crowds. */
#include "core/status.h"
#include "segmodel/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 10, RECALLS = 101 };

/* A prediction that counts: found an object or not, at each level. */
typedef struct vote {
    double score;
    size_t order;         /* of equal scores the earlier one comes first */
    uint16_t hit, counts; /* bit per level */
} vote;

typedef struct ballot {
    vote *votes;
    size_t count;
    int64_t objects;
    double low, high;
} ballot;

/* Overlaps and recalls are ratios of small numbers and often lie on these steps: they are numpy's
 * linspace(0.5, 0.95, 10) and linspace(0, 1, 101) to the last bit, which 0.5 + 0.05 l and r / 100
 * are not. */
static double level(int l)
{
    return l == LEVELS - 1 ? 0.95 : 0.5 + l * ((0.95 - 0.5) / (LEVELS - 1));
}

static double recall_step(int r)
{
    return r * 0.01;
}

static int compare_votes(const void *a, const void *b)
{
    const vote *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return (x->order > y->order) - (x->order < y->order);
}

static int in_range(const ballot *b, double area)
{
    return area >= b->low && area <= b->high;
}

/* The object that a prediction finds: the best overlap of at least the level among those that are
 * still free, objects of the range before others; -1: none. */
static ptrdiff_t choose(const ballot *b, const sgm_instances *image, size_t prediction, int l,
                        const uint16_t *taken)
{
    double best[2] = {fmin(level(l), 1 - 1e-10), fmin(level(l), 1 - 1e-10)};
    ptrdiff_t found[2] = {-1, -1};
    for (size_t r = 0; r < image->references; r++) {
        double iou = image->iou[prediction * image->references + r];
        int other = !in_range(b, image->reference_area[r]);
        if ((taken[r] >> l & 1) || iou < best[other]) continue;
        best[other] = iou;
        found[other] = (ptrdiff_t)r;
    }
    return found[0] >= 0 ? found[0] : found[1];
}

static void cast(const ballot *b, const sgm_instances *image, size_t prediction, uint16_t *taken,
                 vote *v)
{
    for (int l = 0; l < LEVELS; l++) {
        ptrdiff_t found = choose(b, image, prediction, l, taken);
        int counts = found >= 0 ? in_range(b, image->reference_area[found])
                                : in_range(b, image->prediction_area[prediction]);
        if (found >= 0) taken[found] |= (uint16_t)(1 << l);
        if (counts) v->counts |= (uint16_t)(1 << l);
        if (counts && found >= 0) v->hit |= (uint16_t)(1 << l);
    }
}

static sgm_status add_image(ballot *b, const sgm_instances *image, size_t most)
{
    vote *order = calloc(image->predictions + 1, sizeof *order);
    uint16_t *taken = calloc(image->references + 1, sizeof *taken);
    if (!order || !taken) {
        free(order);
        free(taken);
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu instances", image->predictions);
    }
    for (size_t p = 0; p < image->predictions; p++)
        order[p] = (vote){.score = image->score[p], .order = p};
    qsort(order, image->predictions, sizeof *order, compare_votes);
    for (size_t n = 0; n < image->predictions && n < most; n++) {
        cast(b, image, order[n].order, taken, &order[n]);
        order[n].order = b->count;
        b->votes[b->count++] = order[n];
    }
    for (size_t r = 0; r < image->references; r++)
        b->objects += in_range(b, image->reference_area[r]);
    free(order);
    free(taken);
    return SGM_OK;
}

/* Votes are in falling order of score: precision at rising recall, made monotone from behind, at
 * 101 recalls. */
static double precision_at(const ballot *b, int l, double *recall)
{
    double best[RECALLS] = {0}, hits = 0, seen = 0, sum = 0, last = 0;
    for (size_t i = 0; i < b->count; i++) {
        if (!(b->votes[i].counts >> l & 1)) continue;
        seen++;
        hits += b->votes[i].hit >> l & 1;
        last = hits / (double)b->objects;
        for (int r = 0; r < RECALLS && recall_step(r) <= last; r++)
            best[r] = fmax(best[r], hits / seen);
    }
    for (int r = 0; r < RECALLS; r++)
        sum += best[r];
    *recall = last;
    return sum / RECALLS;
}

static void count_votes(ballot *b, sgm_instance_metrics *out)
{
    out->average_recall = out->average_precision = b->objects ? 0 : -1;
    qsort(b->votes, b->count, sizeof *b->votes, compare_votes);
    for (int l = 0; l < LEVELS; l++) {
        out->recall[l] = out->precision[l] = -1;
        if (!b->objects) continue;
        out->precision[l] = precision_at(b, l, &out->recall[l]);
        out->average_recall += out->recall[l] / LEVELS;
        out->average_precision += out->precision[l] / LEVELS;
    }
}

sgm_status sgm_instances_compare(const sgm_instances *images, size_t count, size_t most,
                                 double area_low, double area_high, sgm_instance_metrics *out)
{
    size_t predictions = 0;
    for (size_t i = 0; i < count; i++)
        predictions += images[i].predictions;
    ballot b = {
        .votes = malloc((predictions + 1) * sizeof *b.votes), .low = area_low, .high = area_high};
    *out = (sgm_instance_metrics){0};
    if (!b.votes) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu instances", predictions);
    sgm_status status = SGM_OK;
    for (size_t i = 0; i < count && status == SGM_OK; i++)
        status = add_image(&b, &images[i], most);
    if (status == SGM_OK) count_votes(&b, out);
    free(b.votes);
    return status;
}
