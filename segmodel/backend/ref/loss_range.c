/* AutoSAM's loss: of masks that are stretched between their extremes. */
#include <math.h>

#include "backend/ref/loss_rules.h"

/* One sample: p = (x - least) / range. */
typedef struct stretched {
    const float *x, *t;
    int64_t n, least, most; /* the latter two: where the extremes are */
    double low, range;
    double overlap, mask, target; /* sums of p t, p, t */
} stretched;

static double share(const stretched *s, int64_t i)
{
    return (s->x[i] - s->low) / s->range;
}

static stretched stretch(const float *x, const float *t, int64_t n)
{
    stretched s = {.x = x, .t = t, .n = n};
    for (int64_t i = 1; i < n; i++) {
        if (x[i] < x[s.least]) s.least = i;
        if (x[i] > x[s.most]) s.most = i;
    }
    s.low = x[s.least];
    s.range = (double)x[s.most] - s.low + 1e-6;
    for (int64_t i = 0; i < n; i++) {
        double p = share(&s, i);
        s.overlap += p * t[i];
        s.mask += p;
        s.target += t[i];
    }
    return s;
}

static double entropy(const stretched *s)
{
    double sum = 0;
    for (int64_t i = 0; i < s->n; i++) {
        double p = share(s, i);
        sum -= s->t[i] * fmax(log(p), -100) + (1 - s->t[i]) * fmax(log1p(-p), -100);
    }
    return sum;
}

/* I + (T - I) / 2 + (P - I) / 2 + 1 */
static double below_line(const stretched *s)
{
    return (s->mask + s->target) / 2 + 1;
}

/* scale_bce, scale_overlap: what a pixel's entropy and a sample's Tversky term count. */
static void gradient(const stretched *s, double scale_bce, double scale_overlap, float *grad)
{
    double den = below_line(s), num = s->overlap + 1, at_least = 0, at_most = 0;
    for (int64_t i = 0; i < s->n; i++) {
        double p = share(s, i), t = s->t[i];
        double slope = scale_bce * (p - t) / fmax(p * (1 - p), 1e-12);
        slope += scale_overlap * (num / 2 - t * den) / (den * den);
        grad[i] += (float)(slope / s->range);
        at_least += slope * (p - 1);
        at_most -= slope * p;
    }
    grad[s->least] += (float)(at_least / s->range);
    grad[s->most] += (float)(at_most / s->range);
}

double sgm_rule_range(const sgm_loss_call *call)
{
    int64_t batch = call->shape[0].dim[0], n = sgm_shape_count(call->shape[0]) / batch;
    double loss = 0, pixels = (double)batch * (double)n;
    for (int64_t b = 0; b < batch; b++) {
        stretched s = stretch(call->in[0] + b * n, call->in[1] + b * n, n);
        loss += entropy(&s) / pixels;
        loss += (1 - (s.overlap + 1) / below_line(&s)) / (double)batch;
        if (call->grad[0])
            gradient(&s, call->scale / pixels, call->scale / (double)batch, call->grad[0] + b * n);
    }
    return loss;
}
