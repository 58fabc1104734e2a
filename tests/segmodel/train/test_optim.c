/* Optimisers against PyTorch's parameters after each of five steps, schedules, clipping, averages.
 * argv[1]: folder of losses.safetensors. */
#include <stdlib.h>

#include "../check.h"
#include "../hash_weights.h"
#include "checkpoint/checkpoint.h"
#include "train/optim.h"

enum { COUNT = 64 };

typedef struct holder {
    float value[COUNT], gradient[COUNT], first[COUNT], second[COUNT], average[COUNT];
    sgm_trained trained;
} holder;

static void reset(holder *h)
{
    memset(h, 0, sizeof *h);
    hash_uniform("synthetic:opt_p", COUNT, h->value);
    memcpy(h->average, h->value, sizeof h->value);
    h->trained = (sgm_trained){"p",      COUNT,     false,      h->value, h->gradient,
                               h->first, h->second, h->average, NULL,     1};
}

static void check_run(const sgm_checkpoint *file, const char *name, sgm_optim_options options)
{
    holder h;
    reset(&h);
    for (int s = 0; s < 5; s++) {
        char text[64];
        float want[COUNT];
        snprintf(text, sizeof text, "synthetic:opt_g:%d", s);
        hash_uniform(text, COUNT, h.gradient);
        for (int i = 0; i < COUNT; i++)
            h.gradient[i] = (float)(h.gradient[i] * pow(10, s - 3));
        sgm_optim_numbers numbers = sgm_optim_numbers_of(&options, 1e-2, s + 1, 0, 0);
        CHECK_OK(sgm_optim_step(NULL, &numbers, &h.trained, 1));
        snprintf(text, sizeof text, "opt.%s.step%d", name, s + 1);
        const sgm_stored_tensor *t = sgm_checkpoint_find(file, text);
        if (!CHECK(t && t->count == COUNT)) return;
        sgm_stored_tensor_read_f32(t, want);
        check_close(text, h.value, want, COUNT, 2e-7, 2e-7); /* two roundings of values near 1 */
    }
}

static void check_goldens(const char *folder)
{
    char path[4096];
    sgm_checkpoint *file;
    snprintf(path, sizeof path, "%s/losses.safetensors", folder);
    if (!CHECK_OK(sgm_checkpoint_open(path, &file))) return;
    check_run(file, "adam", (sgm_optim_options){SGM_OPTIMIZER_ADAM, 0.9, 0.999, 1e-8, 0, true});
    check_run(file, "adam_wd",
              (sgm_optim_options){SGM_OPTIMIZER_ADAM, 0.9, 0.999, 1e-8, 1e-2, true});
    check_run(file, "adamw", (sgm_optim_options){SGM_OPTIMIZER_ADAMW, 0.9, 0.999, 1e-8, 0.1, true});
    check_run(file, "sgd_mom", (sgm_optim_options){SGM_OPTIMIZER_SGD, 0.9, 0, 0, 1e-4, true});
    sgm_checkpoint_close(file);
}

/* Biases keep their size unless decay_vectors asks for it. */
static void check_decay_of_vectors(void)
{
    holder h;
    reset(&h);
    sgm_optim_options o = {SGM_OPTIMIZER_ADAMW, 0.9, 0.999, 1e-8, 0.5, false};
    float before = h.value[3];
    sgm_optim_numbers numbers = sgm_optim_numbers_of(&o, 0.1, 1, 0, 0);
    CHECK_OK(sgm_optim_step(NULL, &numbers, &h.trained, 1));
    CHECK(h.value[3] == before);
    h.trained.matrix = true;
    numbers = sgm_optim_numbers_of(&o, 0.1, 2, 0, 0);
    CHECK_OK(sgm_optim_step(NULL, &numbers, &h.trained, 1));
    CHECK_NEAR(h.value[3], before * 0.95, 1e-6);
}

static void check_clipping(void)
{
    holder h;
    reset(&h);
    for (int i = 0; i < COUNT; i++)
        h.gradient[i] = 3;
    double norm = sgm_optim_norm(&h.trained, 1);
    CHECK_NEAR(norm, 24, 1e-9);
    sgm_optim_clip(&h.trained, 1, norm, 100);
    CHECK(h.gradient[0] == 3);
    sgm_optim_clip(&h.trained, 1, norm, 6);
    CHECK_NEAR(sgm_optim_norm(&h.trained, 1), 6, 1e-5);
    /* a gradient that is no number changes nothing */
    const sgm_optim_options adam = {SGM_OPTIMIZER_ADAM, 0.9, 0.999, 1e-8, 0.1, true};
    sgm_optim_numbers numbers = sgm_optim_numbers_of(&adam, 0.1, 1, 1, 0.9);
    holder before = h;
    before.gradient[7] = h.gradient[7] = NAN;
    CHECK_OK(sgm_optim_update(NULL, &numbers, &h.trained, 1, &norm));
    CHECK(isnan(norm));
    CHECK(!memcmp(h.value, before.value, sizeof h.value));
    CHECK(!memcmp(h.first, before.first, sizeof h.first));
    CHECK(!memcmp(h.average, before.average, sizeof h.average));
}

static void check_average(void)
{
    holder h;
    reset(&h);
    float before = h.average[0];
    h.value[0] = before + 1;
    const sgm_optim_options adam = {SGM_OPTIMIZER_ADAM, 0.9, 0.999, 1e-8, 0, false};
    sgm_optim_numbers numbers = sgm_optim_numbers_of(&adam, 0.1, 0, 0, 0.999);
    sgm_optim_average(&numbers, &h.trained, 1); /* early: one tenth old */
    CHECK_NEAR(h.average[0], before + 0.9, 1e-6);
    before = h.average[0];
    numbers = sgm_optim_numbers_of(&adam, 0.1, 1000000, 0, 0.5);
    sgm_optim_average(&numbers, &h.trained, 1);
    CHECK_NEAR(h.average[0], (before + h.value[0]) / 2, 1e-6);
}

static void check_schedules(void)
{
    sgm_schedule s = {SGM_SCHEDULE_COSINE, 1, 10, 5, 0.5, 0.9, 0.1};
    CHECK_NEAR(sgm_schedule_rate(&s, 1, 0), 0.1, 1e-12);
    CHECK_NEAR(sgm_schedule_rate(&s, 10, 0), 1, 1e-12);
    CHECK_NEAR(sgm_schedule_rate(&s, 11, 0), 1, 1e-12);
    CHECK_NEAR(sgm_schedule_rate(&s, 60, 0.5), 0.55, 1e-12);
    CHECK_NEAR(sgm_schedule_rate(&s, 110, 1.7), 0.1, 1e-12);
    s.kind = SGM_SCHEDULE_STEP;
    CHECK_NEAR(sgm_schedule_rate(&s, 15, 0), 1, 1e-12);
    CHECK_NEAR(sgm_schedule_rate(&s, 16, 0), 0.5, 1e-12);
    CHECK_NEAR(sgm_schedule_rate(&s, 21, 0), 0.25, 1e-12);
    s.kind = SGM_SCHEDULE_POLYNOMIAL;
    CHECK_NEAR(sgm_schedule_rate(&s, 50, 0.25), pow(0.75, 0.9), 1e-12);
    CHECK_NEAR(sgm_schedule_rate(&s, 50, 1), 0.1, 1e-12);
}

int main(int argc, char **argv)
{
    check_goldens(argc > 1 ? argv[1] : ".");
    check_decay_of_vectors();
    check_clipping();
    check_average();
    check_schedules();
    return check_report();
}
