#include "train/optim.h"

#include <math.h>

sgm_optim_numbers sgm_optim_numbers_of(const sgm_optim_options *o, double rate, int64_t step,
                                       double clip, double ema)
{
    bool decoupled = o->kind == SGM_OPTIMIZER_ADAMW || o->kind == SGM_OPTIMIZER_MUON;
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
        .shrink = decoupled ? (float)(rate * decay) : 0,
        .clip = clip,
        .average = (float)fmin(ema, early),
    };
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
