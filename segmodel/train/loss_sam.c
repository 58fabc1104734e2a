/* SAM's loss: focal + dice + IoU regression, with the choice among several masks. */
#include <math.h>

#include "train/loss_rules.h"

static const float SAM_DICE[3] = {1, 1, 0}; /* plus-one smoothing, plain sums */
#define SAM_ALPHA 0.25
#define SAM_GAMMA 2

static double true_iou(const float *logits, const float *target, int64_t n)
{
    int64_t both = 0, either = 0;
    for (int64_t i = 0; i < n; i++) {
        bool a = logits[i] > 0, b = target[i] > 0.5f;
        both += a && b;
        either += a || b;
    }
    return either ? (double)both / (double)either : 1;
}

static double mask_loss(const sgm_loss_call *call, const float *logits, const float *target,
                        int64_t n, double scale, float *grad)
{
    double w0 = call->value[0], w1 = call->value[1];
    return w0 * sgm_part_focal(logits, target, n, SAM_ALPHA, SAM_GAMMA, scale * w0, grad) +
           w1 * sgm_part_dice(logits, target, n, SAM_DICE, scale * w1, grad);
}

/* Masks [first, end) of one sample compete; `scale` includes the sample's weight and 1 / B. */
static double sample_loss(const sgm_loss_call *call, int64_t sample, int64_t first, int64_t end,
                          double scale)
{
    int64_t masks = call->shape[0].dim[1];
    int64_t n = sgm_shape_count(call->shape[0]) / (call->shape[0].dim[0] * masks);
    const float *target = call->in[2] + sample * n, *iou = call->in[1] + sample * masks;
    double least = INFINITY, quality = 0;
    int64_t best = first;
    for (int64_t m = first; m < end; m++) {
        const float *logits = call->in[0] + (sample * masks + m) * n;
        double loss = mask_loss(call, logits, target, n, 0, NULL);
        double error = iou[m] - true_iou(logits, target, n);
        if (loss < least) {
            least = loss;
            best = m;
        }
        quality += error * error / (double)(end - first);
        if (call->grad[1])
            call->grad[1][sample * masks + m] +=
                (float)(scale * call->value[2] * 2 * error / (double)(end - first));
    }
    if (least == INFINITY) least = NAN; /* all of them NaN: the trainer must see it */
    if (call->grad[0]) {
        int64_t at = (sample * masks + best) * n;
        mask_loss(call, call->in[0] + at, target, n, scale, call->grad[0] + at);
    }
    return least + call->value[2] * quality;
}

double sgm_rule_sam(const sgm_loss_call *call)
{
    int64_t batch = call->shape[0].dim[0];
    bool multi = call->value[3] != 0;
    double sum = 0;
    for (int64_t b = 0; b < batch; b++) {
        double weight = (call->in[3] ? call->in[3][b] : 1) / (double)batch;
        if (weight == 0) continue;
        sum += weight * sample_loss(call, b, multi ? 1 : 0, multi ? call->shape[0].dim[1] : 1,
                                    call->scale * weight);
    }
    return sum;
}
