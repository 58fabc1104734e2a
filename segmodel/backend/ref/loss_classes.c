/* Losses over classes: softmax of mask logits, and prototypes. */
#include <math.h>
#include <stdlib.h>

#include "backend/ref/loss_rules.h"

typedef struct class_layout {
    int64_t batch, classes, pixels;
} class_layout;

static class_layout layout_of(sgm_shape shape)
{
    class_layout l = {shape.dim[0], shape.dim[1], 1};
    for (int i = 2; i < shape.ndim; i++)
        l.pixels *= shape.dim[i];
    return l;
}

/* max + log sum exp over the classes of one pixel; stride between classes is l.pixels. */
static double log_sum_exp(const float *x, class_layout l)
{
    double top = x[0], sum = 0;
    for (int64_t c = 1; c < l.classes; c++)
        top = fmax(top, x[c * l.pixels]);
    for (int64_t c = 0; c < l.classes; c++)
        sum += exp(x[c * l.pixels] - top);
    return top + log(sum);
}

/* A class number outside the range counts as background (0): labels are data from outside. */
static int64_t class_of(float label, int64_t classes)
{
    return label >= 0 && label < (float)classes ? (int64_t)label : 0;
}

double sgm_rule_cross_entropy(const sgm_loss_call *call)
{
    class_layout l = layout_of(call->shape[0]);
    int64_t n = l.batch * l.pixels;
    double sum = 0, scale = call->scale / (double)n;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = i / l.pixels * l.classes * l.pixels + i % l.pixels;
        const float *x = call->in[0] + at;
        int64_t label = class_of(call->in[1][i], l.classes);
        double norm = log_sum_exp(x, l);
        sum += norm - x[label * l.pixels];
        for (int64_t c = 0; call->grad[0] && c < l.classes; c++)
            call->grad[0][at + c * l.pixels] +=
                (float)(scale * (exp(x[c * l.pixels] - norm) - (c == label)));
    }
    return sum / (double)n;
}

/* Overlap and sum of squares per class. */
static void class_sums(const sgm_loss_call *call, class_layout l, double *overlap, double *sum)
{
    for (int64_t i = 0; i < l.batch * l.pixels; i++) {
        const float *x = call->in[0] + i / l.pixels * l.classes * l.pixels + i % l.pixels;
        int64_t label = class_of(call->in[1][i], l.classes);
        double norm = log_sum_exp(x, l);
        for (int64_t c = 0; c < l.classes; c++) {
            double p = exp(x[c * l.pixels] - norm), t = c == label;
            overlap[c] += p * t;
            sum[c] += p * p + t;
        }
    }
}

/* d loss / d p of one class at one pixel. */
static double dice_slope(double p, double t, double overlap, double sum, double smooth)
{
    double den = sum + smooth;
    return ((2 * overlap + smooth) * 2 * p - 2 * t * den) / (den * den);
}

static void dice_softmax_gradient(const sgm_loss_call *call, class_layout l, const double *overlap,
                                  const double *sum)
{
    double scale = call->scale / (double)l.classes;
    for (int64_t i = 0; i < l.batch * l.pixels; i++) {
        int64_t at = i / l.pixels * l.classes * l.pixels + i % l.pixels;
        const float *x = call->in[0] + at;
        int64_t label = class_of(call->in[1][i], l.classes);
        double norm = log_sum_exp(x, l), mean = 0;
        for (int64_t c = 0; c < l.classes; c++) {
            double p = exp(x[c * l.pixels] - norm);
            mean += p * dice_slope(p, c == label, overlap[c], sum[c], call->value[0]);
        }
        for (int64_t c = 0; c < l.classes; c++) {
            double p = exp(x[c * l.pixels] - norm);
            double slope = dice_slope(p, c == label, overlap[c], sum[c], call->value[0]);
            call->grad[0][at + c * l.pixels] += (float)(scale * p * (slope - mean));
        }
    }
}

double sgm_rule_dice_softmax(const sgm_loss_call *call)
{
    class_layout l = layout_of(call->shape[0]);
    double *overlap = calloc((size_t)l.classes * 2, sizeof *overlap), *sum, loss = 0;
    if (!overlap) return NAN;
    sum = overlap + l.classes;
    class_sums(call, l, overlap, sum);
    double s = call->value[0];
    for (int64_t c = 0; c < l.classes; c++)
        loss += 1 - (2 * overlap[c] + s) / (sum[c] + s);
    if (call->grad[0]) dice_softmax_gradient(call, l, overlap, sum);
    free(overlap);
    return loss / (double)l.classes;
}

static double cosine(const float *a, const float *b, int64_t n, double *norm_a, double *norm_b)
{
    double ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < n; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    *norm_a = fmax(sqrt(aa), 1e-12);
    *norm_b = fmax(sqrt(bb), 1e-12);
    return ab / (*norm_a * *norm_b);
}

/* Adds slope * d cos(a, b) to the gradients of a and b. */
static void cosine_gradient(const float *a, const float *b, int64_t n, double slope, float *ga,
                            float *gb)
{
    double na, nb, c = cosine(a, b, n, &na, &nb);
    for (int64_t i = 0; i < n; i++) {
        if (ga) ga[i] += (float)(slope * (b[i] / nb - c * a[i] / na) / na);
        if (gb) gb[i] += (float)(slope * (a[i] / na - c * b[i] / nb) / nb);
    }
}

typedef struct prototype_pair {
    const sgm_loss_call *call;
    int64_t prototype, embedding;
    double slope; /* scale / (pairs * temperature) */
} prototype_pair;

static double pair_cosine(const prototype_pair *pair, int64_t embedding)
{
    int64_t d = pair->call->shape[0].dim[1];
    double na, nb;
    return cosine(pair->call->in[0] + pair->prototype * d, pair->call->in[1] + embedding * d, d,
                  &na, &nb);
}

static void pair_gradient(const prototype_pair *pair, int64_t embedding, double slope)
{
    const sgm_loss_call *call = pair->call;
    int64_t d = call->shape[0].dim[1], p = pair->prototype * d, e = embedding * d;
    cosine_gradient(call->in[0] + p, call->in[1] + e, d, slope,
                    call->grad[0] ? call->grad[0] + p : NULL,
                    call->grad[1] ? call->grad[1] + e : NULL);
}

static double pair_loss(const prototype_pair *pair)
{
    const float *label = pair->call->in[2];
    int64_t batch = pair->call->shape[1].dim[0], mine = pair->embedding;
    double temperature = pair->call->value[0];
    double own = pair_cosine(pair, mine) / temperature, sum = 1;
    for (int64_t b = 0; b < batch; b++)
        if (label[b] != label[mine]) sum += exp(pair_cosine(pair, b) / temperature - own);
    if (pair->call->grad[0] || pair->call->grad[1]) {
        for (int64_t b = 0; b < batch; b++)
            if (label[b] != label[mine])
                pair_gradient(pair, b,
                              pair->slope * exp(pair_cosine(pair, b) / temperature - own) / sum);
        pair_gradient(pair, mine, pair->slope * (1 / sum - 1));
    }
    return log(sum);
}

double sgm_rule_prototype(const sgm_loss_call *call)
{
    int64_t classes = call->shape[0].dim[0], batch = call->shape[1].dim[0], pairs = 0;
    for (int64_t b = 0; b < batch; b++)
        pairs += call->in[2][b] >= 0 && call->in[2][b] < (float)classes;
    double loss = 0;
    for (int64_t b = 0; b < batch; b++) {
        if (!(call->in[2][b] >= 0 && call->in[2][b] < (float)classes)) continue;
        prototype_pair pair = {call, (int64_t)call->in[2][b], b,
                               call->scale / ((double)pairs * call->value[0])};
        loss += pair_loss(&pair);
    }
    return pairs ? loss / (double)pairs : 0;
}
