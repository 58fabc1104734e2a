#include "backend/update.h"

#include <stdlib.h>

#include "backend/backend.h"
#include "backend/muon.h"

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

/* What the momentum points to (Nesterov's), into turned[count], made orthogonal there. */
static sgm_status muon_direction(sgm_backend *backend, sgm_trained *p, float *turned)
{
    const float momentum = SGM_MUON_MOMENTUM;
    for (int64_t i = 0; i < p->count; i++) {
        p->first[i] = momentum * p->first[i] + p->gradient[i];
        turned[i] = p->gradient[i] + momentum * p->first[i];
    }
    return backend->ops->orthogonalize(backend, turned, p->rows, p->count / p->rows);
}

static sgm_status muon_step(sgm_backend *backend, const sgm_optim_numbers *n, float keep,
                            sgm_trained *p)
{
    if (!backend || !backend->ops->orthogonalize)
        return sgm_fail(SGM_DEVICE, "the optimiser muon is not to be had on this device");
    float *turned = malloc((size_t)p->count * sizeof *turned), size = n->rate * sgm_muon_reach(p);
    if (!turned) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the optimiser");
    sgm_status status = muon_direction(backend, p, turned);
    for (int64_t i = 0; status == SGM_OK && i < p->count; i++)
        p->value[i] = keep * p->value[i] - size * turned[i];
    free(turned);
    return status;
}

sgm_status sgm_optim_step(sgm_backend *backend, const sgm_optim_numbers *numbers,
                          sgm_trained *params, int count)
{
    for (int p = 0; p < count; p++) {
        bool decays = sgm_optim_decays(numbers, params[p].matrix);
        float decay = decays ? numbers->decay : 0;
        float keep = decays ? sgm_optim_keep(numbers, params[p].rate) : 1;
        if (numbers->kind == SGM_OPTIMIZER_SGD)
            sgd_step(numbers, decay, &params[p]);
        else if (params[p].rows)
            SGM_TRY(muon_step(backend, numbers, keep, &params[p]));
        else
            adam_step(numbers, decay, keep, &params[p]);
    }
    return SGM_OK;
}

void sgm_optim_average(const sgm_optim_numbers *numbers, sgm_trained *params, int count)
{
    float d = numbers->average;
    for (int p = 0; p < count; p++)
        for (int64_t i = 0; params[p].average && i < params[p].count; i++)
            params[p].average[i] = d * params[p].average[i] + (1 - d) * params[p].value[i];
}

sgm_status sgm_optim_update(sgm_backend *backend, const sgm_optim_numbers *numbers,
                            sgm_trained *params, int count, double *norm)
{
    *norm = sgm_optim_norm(params, count);
    if (!isfinite(*norm)) return SGM_OK;
    if (numbers->clip > 0) sgm_optim_clip(params, count, *norm, numbers->clip);
    SGM_TRY(sgm_optim_step(backend, numbers, params, count));
    sgm_optim_average(numbers, params, count);
    return SGM_OK;
}
