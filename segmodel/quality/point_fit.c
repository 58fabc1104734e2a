/* Weights that choose among looks. */
#include "quality/point_fit.h"

#include <math.h>
#include <stdlib.h>

/* Ratings that differ by it are e to 1. */
static const double temperature = 0.1;
/* Of the squares of the weights of standardised terms: terms that say the same share the weight. */
static const double ridge = 2e-3;
enum { UPDATES = 800 };
static const double rate = 0.01;

/* Mean and deviation of each term over all looks. */
typedef struct standard {
    double mean[SGM_POINT_TERMS], deviation[SGM_POINT_TERMS];
} standard;

static standard standard_of(const sgm_point_cases *cases)
{
    standard s = {{0}, {0}};
    double count = 0;
    for (int i = 0; i < cases->count; i++)
        for (int k = 0; k < cases->cases[i].count; k++, count++)
            for (int t = 0; t < SGM_POINT_TERMS; t++)
                s.mean[t] += cases->cases[i].looks[k].terms[t];
    for (int t = 0; t < SGM_POINT_TERMS; t++)
        s.mean[t] /= fmax(1, count);
    for (int i = 0; i < cases->count; i++)
        for (int k = 0; k < cases->cases[i].count; k++)
            for (int t = 0; t < SGM_POINT_TERMS; t++) {
                double d = cases->cases[i].looks[k].terms[t] - s.mean[t];
                s.deviation[t] += d * d;
            }
    for (int t = 0; t < SGM_POINT_TERMS; t++)
        s.deviation[t] = sqrt(s.deviation[t] / fmax(1, count)) + 1e-9;
    return s;
}

/* Sets weigh alike: one over the objects of a case's set and the number of sets. */
static double *weights_of(const sgm_point_cases *cases)
{
    int sets = 0, *objects = calloc((size_t)cases->set_count, sizeof *objects);
    double *weights = malloc((size_t)cases->count * sizeof *weights);
    if (objects && weights) {
        for (int i = 0; i < cases->count; i++)
            sets += objects[cases->cases[i].set]++ == 0;
        for (int i = 0; i < cases->count; i++)
            weights[i] = 1.0 / objects[cases->cases[i].set] / sets;
    } else {
        free(weights);
        weights = NULL;
    }
    free(objects);
    return weights;
}

/* Adds the gradient of one case's expected Dice, times its weight. */
static void add_gradient(const sgm_point_case *c, const standard *s,
                         const double w[SGM_POINT_TERMS], double weight,
                         double gradient[SGM_POINT_TERMS])
{
    double rating[SGM_MOST_VIEWS], most = -INFINITY, sum = 0, expected = 0;
    for (int k = 0; k < c->count; k++) {
        rating[k] = 0;
        for (int t = 0; t < SGM_POINT_TERMS; t++)
            rating[k] += w[t] * (c->looks[k].terms[t] - s->mean[t]) / s->deviation[t];
        most = fmax(most, rating[k]);
    }
    for (int k = 0; k < c->count; k++) {
        rating[k] = exp((rating[k] - most) / temperature);
        sum += rating[k];
    }
    for (int k = 0; k < c->count; k++)
        expected += rating[k] / sum * c->looks[k].dice;
    for (int k = 0; k < c->count; k++) {
        double pull = weight * rating[k] / sum * (c->looks[k].dice - expected) / temperature;
        for (int t = 0; t < SGM_POINT_TERMS; t++)
            gradient[t] += pull * (c->looks[k].terms[t] - s->mean[t]) / s->deviation[t];
    }
}

/* Adam (Kingma and Ba 2015) uphill on all cases at once, its rate falling as half a cosine. */
static void climb(const sgm_point_cases *cases, const double *weights, const standard *s,
                  double w[SGM_POINT_TERMS])
{
    double first[SGM_POINT_TERMS] = {0}, second[SGM_POINT_TERMS] = {0};
    for (int update = 1; update <= UPDATES; update++) {
        double gradient[SGM_POINT_TERMS] = {0};
        for (int i = 0; i < cases->count; i++)
            add_gradient(&cases->cases[i], s, w, weights[i], gradient);
        double now = rate * 0.5 * (1 + cos(acos(-1) * (update - 1) / UPDATES));
        for (int t = 0; t < SGM_POINT_TERMS; t++) {
            double g = gradient[t] - 2 * ridge * w[t];
            first[t] += 0.1 * (g - first[t]);
            second[t] += 0.01 * (g * g - second[t]);
            double mean = first[t] / (1 - pow(0.9, update));
            double spread = sqrt(second[t] / (1 - pow(0.99, update)));
            w[t] += now * mean / (spread + 1e-8);
        }
    }
}

sgm_status sgm_point_rating_fit(const sgm_point_cases *cases, sgm_point_rating *out)
{
    double w[SGM_POINT_TERMS] = {0};
    standard s = standard_of(cases);
    double *weights = weights_of(cases);
    if (!weights) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to fit weights");
    climb(cases, weights, &s, w);
    free(weights);
    for (int t = 0; t < SGM_POINT_TERMS; t++)
        out->weights[t] = w[t] / s.deviation[t];
    return SGM_OK;
}

sgm_point_score sgm_point_cases_score(const sgm_point_cases *cases, const sgm_point_rating *rating)
{
    sgm_point_score score = {NAN, NAN};
    double *weights = weights_of(cases);
    if (!weights) return score;
    score = (sgm_point_score){0, 0};
    for (int i = 0; i < cases->count; i++) {
        const sgm_point_case *c = &cases->cases[i];
        double most = -INFINITY, chosen = 0, best = 0;
        for (int k = 0; k < c->count; k++) {
            const sgm_point_look *look = &c->looks[k];
            double now = rating ? sgm_point_rating_of(rating, look->terms)
                                : look->terms[SGM_TERM_PREDICTED_IOU] -
                                      1000 * look->terms[SGM_TERM_TOUCHES_VIEW];
            if (now > most) most = now, chosen = look->dice;
            best = fmax(best, look->dice);
        }
        score.chosen += weights[i] * chosen;
        score.best += weights[i] * best;
    }
    free(weights);
    return score;
}
