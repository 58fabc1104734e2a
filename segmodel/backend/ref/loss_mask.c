/* Losses of single masks: sigmoid probabilities against a target. */
#include <math.h>

#include "backend/ref/loss_rules.h"

double sgm_rule_bce(const sgm_loss_call *call)
{
    const float *x = call->in[0], *t = call->in[1];
    int64_t n = sgm_shape_count(call->shape[0]);
    double weight = call->value[0], sum = 0, scale = call->scale / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double positive = 1 + (weight - 1) * t[i];
        sum += (1 - t[i]) * (double)x[i] + positive * sgm_softplus_neg(x[i]);
        if (call->grad[0])
            call->grad[0][i] += (float)(scale * (1 - t[i] - positive * sgm_sigmoid(-x[i])));
    }
    return sum / (double)n;
}

static double part_dice(const float *x, const float *t, int64_t n, const float value[3],
                        double scale, float *grad)
{
    bool squared = value[2] != 0;
    double overlap = 0, sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double p = sgm_sigmoid(x[i]);
        overlap += p * t[i];
        sum += squared ? p * p + (double)t[i] * t[i] : p + t[i];
    }
    double num = 2 * overlap + value[0], den = sum + value[1];
    if (den <= 0) return 0; /* no smoothing and nothing there */
    for (int64_t i = 0; grad && i < n; i++) {
        double p = sgm_sigmoid(x[i]);
        double d_den = squared ? 2 * p : 1;
        grad[i] += (float)(scale * (num * d_den - 2 * t[i] * den) / (den * den) * p * (1 - p));
    }
    return 1 - num / den;
}

double sgm_rule_dice(const sgm_loss_call *call)
{
    int64_t parts = call->value[3] != 0 ? call->shape[0].dim[0] : 1;
    int64_t n = sgm_shape_count(call->shape[0]) / parts;
    double sum = 0;
    for (int64_t b = 0; b < parts; b++)
        sum += part_dice(call->in[0] + b * n, call->in[1] + b * n, n, call->value,
                         call->scale / (double)parts, call->grad[0] ? call->grad[0] + b * n : NULL);
    return sum / (double)parts;
}

double sgm_rule_focal(const sgm_loss_call *call)
{
    const float *x = call->in[0], *t = call->in[1];
    int64_t n = sgm_shape_count(call->shape[0]);
    double alpha = call->value[0], gamma = call->value[1], sum = 0, scale = call->scale / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double p = sgm_sigmoid(x[i]);
        double cross = (1 - t[i]) * (double)x[i] + sgm_softplus_neg(x[i]);
        double miss = p * (1 - t[i]) + (1 - p) * t[i]; /* 1 - p_t */
        double weight = alpha * t[i] + (1 - alpha) * (1 - t[i]);
        double power = pow(miss, gamma);
        sum += weight * cross * power;
        if (!call->grad[0]) continue;
        double d_power = miss > 0 ? gamma * power / miss : 0;
        double d_miss = p * (1 - p) * (1 - 2 * (double)t[i]);
        call->grad[0][i] +=
            (float)(scale * weight * ((p - t[i]) * power + cross * d_power * d_miss));
    }
    return sum / (double)n;
}

/* Foreground pixels, and those of them with a background 4-neighbour or on the image's edge. */
static void count_boundary(const float *t, int64_t images, int64_t h, int64_t w, double *boundary,
                           double *size)
{
    *boundary = *size = 0;
    for (int64_t i = 0; i < images * h * w; i++) {
        if (t[i] == 0) continue;
        int64_t y = i / w % h, x = i % w;
        bool inside = y > 0 && y < h - 1 && x > 0 && x < w - 1 && t[i - w] != 0 && t[i + w] != 0 &&
                      t[i - 1] != 0 && t[i + 1] != 0;
        *size += 1;
        *boundary += !inside;
    }
}

/* The form of the paper. */
static double boundary_of_paper(const sgm_loss_call *call, double boundary, double size, int64_t n)
{
    const float *x = call->in[0], *t = call->in[1];
    double share = size > 0 ? 1 - boundary / size : 0, sum = 0, overlap = 0;
    for (int64_t i = 0; i < n; i++) {
        double p = sgm_sigmoid(x[i]);
        sum += p + t[i];
        overlap += p * t[i];
    }
    double num = 2 * share * overlap, den = sum - 2 * (1 - share) * overlap;
    if (size <= 0) return 1;
    for (int64_t i = 0; call->grad[0] && i < n; i++) {
        double p = sgm_sigmoid(x[i]);
        double d = num - t[i] * (2 * share * den + 2 * (1 - share) * num);
        call->grad[0][i] += (float)(call->scale * d / (den * den) * p * (1 - p));
    }
    return 1 - num / den;
}

double sgm_rule_boundary(const sgm_loss_call *call)
{
    const float *x = call->in[0], *t = call->in[1];
    const sgm_shape *shape = &call->shape[0];
    int64_t n = sgm_shape_count(*shape), w = shape->dim[shape->ndim - 1];
    int64_t h = shape->ndim > 1 ? shape->dim[shape->ndim - 2] : 1;
    double s = call->value[0], boundary, size, z = 0, y = 0, overlap = 0;
    count_boundary(t, n / (h * w), h, w, &boundary, &size);
    if (call->value[1] != 0) return boundary_of_paper(call, boundary, size, n);
    double gamma = fmin(2 * (1 - (boundary + s) / (size + s)) - 1, 0.8);
    for (int64_t i = 0; i < n; i++) {
        double p = sgm_sigmoid(x[i]);
        z += p * p;
        y += (double)t[i] * t[i];
        overlap += p * t[i];
    }
    double num = z + y - 2 * overlap + s, den = z + y - (1 + gamma) * overlap + s;
    for (int64_t i = 0; call->grad[0] && i < n; i++) {
        double p = sgm_sigmoid(x[i]);
        double d = (2 * p - 2 * t[i]) * den - num * (2 * p - (1 + gamma) * t[i]);
        call->grad[0][i] += (float)(call->scale * d / (den * den) * p * (1 - p));
    }
    return num / den;
}

double sgm_rule_mse(const sgm_loss_call *call)
{
    int64_t n = sgm_shape_count(call->shape[0]);
    double sum = 0, scale = 2 * call->scale / (double)n;
    for (int64_t i = 0; i < n; i++) {
        double d = (double)call->in[0][i] - call->in[1][i];
        sum += d * d;
        if (call->grad[0]) call->grad[0][i] += (float)(scale * d);
    }
    return sum / (double)n;
}
