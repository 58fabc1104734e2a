#include "backend/update.h"

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

static void sgd_step(const sgm_optim_numbers *n, float decay, sgm_trained *p)
{
    float rate = p->rate * n->rate;
    for (int64_t i = 0; i < p->count; i++) {
        float g = p->gradient[i] + decay * p->value[i];
        p->first[i] = n->start ? g : n->b1 * p->first[i] + g;
        p->value[i] -= rate * p->first[i];
    }
}

static void adam_step(const sgm_optim_numbers *n, float decay, float keep, sgm_trained *p)
{
    float size = p->rate * n->size;
    for (int64_t i = 0; i < p->count; i++) {
        float g = p->gradient[i] + decay * p->value[i];
        float m = n->b1 * p->first[i] + n->c1 * g, v = n->b2 * p->second[i] + n->c2 * g * g;
        p->first[i] = m;
        p->second[i] = v;
        p->value[i] = keep * p->value[i] - size * m / (sqrtf(v) / n->root + n->epsilon);
    }
}

void sgm_optim_step(const sgm_optim_numbers *numbers, sgm_trained *params, int count)
{
    for (int p = 0; p < count; p++) {
        bool decays = sgm_optim_decays(numbers, params[p].matrix);
        float decay = decays ? numbers->decay : 0;
        float keep = decays ? sgm_optim_keep(numbers, params[p].rate) : 1;
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
