/* SAM's loss: focal + dice + IoU regression, with the choice among several masks.
 *
 * This is what a training step of ours evaluates some twenty times per image, so focal and dice
 * share one pass over the pixels and one exponential each; sums are in double. */
#include <math.h>
#include <stdlib.h>

#include "backend/ref/loss_rules.h"

#define SAM_DICE_SMOOTH 1.0

typedef struct mask_sums {
    double focal, overlap, sum; /* of alpha-weighted focal terms, p t, p + t */
    double both, either;        /* pixels of logit > 0 and target > 0.5 */
} mask_sums;

/* Sigmoid and softplus(-x) from one exponential. */
static inline float probability(float x, float *softplus)
{
    float e = expf(-fabsf(x)), q = 1 / (1 + e);
    *softplus = (x < 0 ? -x : 0) + log1pf(e);
    return x >= 0 ? q : e * q;
}

static void add_pixels(const float *x, const float *t, int64_t n, float alpha, double sums[5])
{
    for (int64_t i = 0; i < n; i++) {
        float softplus, p = probability(x[i], &softplus);
        float cross = (1 - t[i]) * x[i] + softplus;
        float miss = p + t[i] - 2 * p * t[i];
        float weight = alpha * t[i] + (1 - alpha) * (1 - t[i]);
        sums[0] += weight * cross * miss * miss;
        sums[1] += p * t[i];
        sums[2] += p + t[i];
        bool a = x[i] > 0, b = t[i] > 0.5f;
        sums[3] += a && b;
        sums[4] += a || b;
    }
}

static void add_slopes(const float *x, const float *t, int64_t n, float alpha, float w_focal,
                       float w_num, float w_den, float *grad)
{
    for (int64_t i = 0; i < n; i++) {
        float softplus, p = probability(x[i], &softplus);
        float cross = (1 - t[i]) * x[i] + softplus, slope = p * (1 - p);
        float miss = p + t[i] - 2 * p * t[i];
        float weight = alpha * t[i] + (1 - alpha) * (1 - t[i]);
        float focal = (p - t[i]) * miss * miss + 2 * cross * miss * slope * (1 - 2 * t[i]);
        grad[i] += w_focal * weight * focal + (w_num - w_den * t[i]) * slope;
    }
}

const sgm_loss_loops sgm_ref_loss_loops = {add_pixels, add_slopes};

/* The paper's 0.25 asks for three parts certainty of foreground in four, which leaves masks
 * under-filled as long as a network is unsure; 0.5 does not. */
static float alpha_of(const sgm_loss_call *call)
{
    return call->value[3] >= 2 ? 0.5f : 0.25f;
}

static double mask_loss(const sgm_loss_call *call, const mask_sums *s, int64_t n)
{
    double dice = 1 - (2 * s->overlap + SAM_DICE_SMOOTH) / (s->sum + SAM_DICE_SMOOTH);
    return call->value[0] * s->focal / (double)n + call->value[1] * dice;
}

static mask_sums sum_mask(const sgm_loss_call *call, const float *x, const float *t, int64_t n)
{
    double sums[5] = {0};
    call->loops->sam_sums(x, t, n, alpha_of(call), sums);
    return (mask_sums){sums[0], sums[1], sums[2], sums[3], sums[4]};
}

static void mask_gradient(const sgm_loss_call *call, const mask_sums *s, const float *x,
                          const float *t, int64_t n, double scale, float *grad)
{
    double num = 2 * s->overlap + SAM_DICE_SMOOTH, den = s->sum + SAM_DICE_SMOOTH;
    float w_focal = (float)(scale * call->value[0] / (double)n);
    float w_num = (float)(scale * call->value[1] * num / (den * den));
    float w_den = (float)(scale * call->value[1] * 2 / den);
    call->loops->sam_grad(x, t, n, alpha_of(call), w_focal, w_num, w_den, grad);
}

/* Masks [first, end) of one sample compete; `scale` includes the sample's weight and 1 / B. */
static double sample_loss(const sgm_loss_call *call, int64_t sample, int64_t first, int64_t end,
                          double scale)
{
    int64_t masks = call->shape[0].dim[1];
    int64_t n = sgm_shape_count(call->shape[0]) / (call->shape[0].dim[0] * masks);
    const float *target = call->in[2] + sample * n, *iou = call->in[1] + sample * masks;
    double least = INFINITY, quality = 0;
    mask_sums best_sums = {0};
    int64_t best = first;
    for (int64_t m = first; m < end; m++) {
        mask_sums sums = sum_mask(call, call->in[0] + (sample * masks + m) * n, target, n);
        double loss = mask_loss(call, &sums, n);
        double truth = sums.either > 0 ? sums.both / sums.either : 0;
        double error = iou[m] - truth;
        if (loss < least) {
            least = loss;
            best = m;
            best_sums = sums;
        }
        quality += error * error / (double)(end - first);
        if (call->grad[1])
            call->grad[1][sample * masks + m] +=
                (float)(scale * call->value[2] * 2 * error / (double)(end - first));
    }
    if (least == INFINITY) least = NAN; /* all of them NaN: the trainer must see it */
    int64_t at = (sample * masks + best) * n;
    if (call->grad[0])
        mask_gradient(call, &best_sums, call->in[0] + at, target, n, scale, call->grad[0] + at);
    return least + call->value[2] * quality;
}

double sgm_rule_sam(const sgm_loss_call *call)
{
    int64_t batch = call->shape[0].dim[0];
    bool multi = (int)call->value[3] % 2 != 0;
    double sum = 0;
    for (int64_t b = 0; b < batch; b++) {
        double weight = (call->in[3] ? call->in[3][b] : 1) / (double)batch;
        if (weight == 0) continue;
        sum += weight * sample_loss(call, b, multi ? 1 : 0, multi ? call->shape[0].dim[1] : 1,
                                    call->scale * weight);
    }
    return sum;
}
