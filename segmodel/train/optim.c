#include "train/optim.h"

#include <math.h>

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

sgm_optim_numbers sgm_optim_numbers_of(const sgm_optim_options *o, double rate, int64_t step,
                                       double clip, double ema)
{
    bool decoupled = o->kind == SGM_OPTIMIZER_ADAMW;
    float decay = (float)o->weight_decay;
    double early = (1 + (double)step) / (10 + (double)step);
    return (sgm_optim_numbers){
        .kind = o->kind,
        .decay_vectors = o->decay_vectors,
        .start = step == 1,
        .rate = (float)rate,
        .b1 = (float)o->beta1,
        .c1 = (float)(1 - o->beta1),
        .b2 = (float)o->beta2,
        .c2 = (float)(1 - o->beta2),
        .epsilon = (float)o->epsilon,
        .size = (float)(rate / (1 - pow(o->beta1, (double)step))),
        .root = (float)sqrt(1 - pow(o->beta2, (double)step)),
        .decay = decoupled ? 0 : decay,
        .keep = decoupled ? (float)(1 - rate * decay) : 1,
        .clip = clip,
        .average = (float)fmin(ema, early),
    };
}

static void sgd_step(const sgm_optim_numbers *n, float decay, sgm_trained *p)
{
    for (int64_t i = 0; i < p->count; i++) {
        float g = p->gradient[i] + decay * p->value[i];
        p->first[i] = n->start ? g : n->b1 * p->first[i] + g;
        p->value[i] -= n->rate * p->first[i];
    }
}

static void adam_step(const sgm_optim_numbers *n, float decay, float keep, sgm_trained *p)
{
    for (int64_t i = 0; i < p->count; i++) {
        float g = p->gradient[i] + decay * p->value[i];
        float m = n->b1 * p->first[i] + n->c1 * g, v = n->b2 * p->second[i] + n->c2 * g * g;
        p->first[i] = m;
        p->second[i] = v;
        p->value[i] = keep * p->value[i] - n->size * m / (sqrtf(v) / n->root + n->epsilon);
    }
}

void sgm_optim_step(const sgm_optim_numbers *numbers, sgm_trained *params, int count)
{
    for (int p = 0; p < count; p++) {
        bool decays = sgm_optim_decays(numbers, params[p].matrix);
        float decay = decays ? numbers->decay : 0, keep = decays ? numbers->keep : 1;
        if (numbers->kind == SGM_OPTIMIZER_SGD)
            sgd_step(numbers, decay, &params[p]);
        else
            adam_step(numbers, decay, keep, &params[p]);
    }
}

void sgm_optim_average(const sgm_optim_numbers *numbers, sgm_trained *params, int count)
{
    float d = numbers->average;
    for (int p = 0; p < count; p++)
        for (int64_t i = 0; params[p].average && i < params[p].count; i++)
            params[p].average[i] = d * params[p].average[i] + (1 - d) * params[p].value[i];
}

void sgm_optim_update(const sgm_optim_numbers *numbers, sgm_trained *params, int count,
                      double *norm)
{
    *norm = sgm_optim_norm(params, count);
    if (!isfinite(*norm)) return;
    if (numbers->clip > 0) sgm_optim_clip(params, count, *norm, numbers->clip);
    sgm_optim_step(numbers, params, count);
    sgm_optim_average(numbers, params, count);
}

double sgm_schedule_progress(const sgm_schedule *s, int64_t step, int64_t steps)
{
    int64_t after = step - s->warmup, left = steps > s->warmup ? steps - s->warmup : 1;
    return s->span > 0 ? (double)(after - 1) / (double)s->span : (double)after / (double)left;
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
