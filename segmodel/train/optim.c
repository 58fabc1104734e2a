#include "train/optim.h"

#include <math.h>

void sgm_optim_accumulate(sgm_trained *params, int count, const float *const gradients[],
                          double scale)
{
    float s = (float)scale;
    for (int p = 0; p < count; p++)
        for (int64_t i = 0; i < params[p].count; i++)
            params[p].gradient[i] += s * gradients[p][i];
}

double sgm_optim_norm(const sgm_trained *params, int count)
{
    double sum = 0;
    for (int p = 0; p < count; p++)
        for (int64_t i = 0; i < params[p].count; i++)
            sum += (double)params[p].gradient[i] * params[p].gradient[i];
    return sqrt(sum);
}

void sgm_optim_clip(sgm_trained *params, int count, double norm, double limit)
{
    if (!(norm > limit)) return;
    float scale = (float)(limit / norm);
    for (int p = 0; p < count; p++)
        for (int64_t i = 0; i < params[p].count; i++)
            params[p].gradient[i] *= scale;
}

static void sgd_step(const sgm_optim_options *o, float rate, int64_t step, float decay,
                     sgm_trained *p)
{
    float momentum = (float)o->beta1;
    for (int64_t i = 0; i < p->count; i++) {
        float g = p->gradient[i] + decay * p->value[i];
        p->first[i] = step == 1 ? g : momentum * p->first[i] + g;
        p->value[i] -= rate * p->first[i];
    }
}

static void adam_step(const sgm_optim_options *o, double rate, int64_t step, float decay,
                      sgm_trained *p)
{
    bool decoupled = o->kind == SGM_OPTIMIZER_ADAMW;
    float b1 = (float)o->beta1, c1 = (float)(1 - o->beta1);
    float b2 = (float)o->beta2, c2 = (float)(1 - o->beta2), epsilon = (float)o->epsilon;
    float size = (float)(rate / (1 - pow(o->beta1, (double)step)));
    float root = (float)sqrt(1 - pow(o->beta2, (double)step));
    float keep = decoupled ? (float)(1 - rate * decay) : 1;
    for (int64_t i = 0; i < p->count; i++) {
        float g = p->gradient[i] + (decoupled ? 0 : decay * p->value[i]);
        float m = b1 * p->first[i] + c1 * g, v = b2 * p->second[i] + c2 * g * g;
        p->first[i] = m;
        p->second[i] = v;
        p->value[i] = keep * p->value[i] - size * m / (sqrtf(v) / root + epsilon);
    }
}

void sgm_optim_step(const sgm_optim_options *options, double rate, int64_t step,
                    sgm_trained *params, int count)
{
    for (int p = 0; p < count; p++) {
        bool decays = params[p].matrix || options->decay_vectors;
        float decay = decays ? (float)options->weight_decay : 0;
        if (options->kind == SGM_OPTIMIZER_SGD)
            sgd_step(options, (float)rate, step, decay, &params[p]);
        else
            adam_step(options, rate, step, decay, &params[p]);
    }
}

void sgm_optim_average(double decay, int64_t step, sgm_trained *params, int count)
{
    double early = (1 + (double)step) / (10 + (double)step);
    float d = (float)fmin(decay, early);
    for (int p = 0; p < count; p++)
        for (int64_t i = 0; params[p].average && i < params[p].count; i++)
            params[p].average[i] = d * params[p].average[i] + (1 - d) * params[p].value[i];
}

double sgm_schedule_rate(const sgm_schedule *s, int64_t step, double progress)
{
    if (step <= s->warmup) return s->rate * (double)step / (double)s->warmup;
    double t = fmin(fmax(progress, 0), 1);
    switch (s->kind) {
    case SGM_SCHEDULE_STEP:
        return s->rate * pow(s->gamma, (double)((step - s->warmup - 1) / s->step_size));
    case SGM_SCHEDULE_COSINE:
        return s->rate * (s->floor + (1 - s->floor) * 0.5 * (1 + cos(3.14159265358979323846 * t)));
    case SGM_SCHEDULE_POLYNOMIAL:
        return s->rate * fmax(s->floor, pow(1 - t, s->power));
    case SGM_SCHEDULE_CONSTANT:
        break;
    }
    return s->rate;
}
