/* A few training steps of a narrow network on the CUDA backend and on the CPU: the same settings
 * and images give the same losses and, within rounding, the same weights, moments and averages,
 * whatever the update consists of. On the device alone: going on from a saved state to the bit, and
 * stopping at a loss that is no number. Runs in the current folder. */
#include "../train/train_run.h"

#include <stdlib.h>

#define ONE_IMAGE "batch = 1\nsynthetic = 1\n"
#define EVERY_STEP "report_every = 1\nsave_every = 0\n"
#define UNSEEN "validate_every = 0\nvalidate_objects = 0\n"

/* Limits of relative differences: of a step's loss, of all values of a kind in the state by norm.
 */
typedef struct train_case {
    const char *name, *settings;
    double loss, values, moments;
} train_case;

/* Both sum in another order, and AdamW's first steps divide a gradient by its own size: where a
 * gradient is nothing but rounding noise its sign is arbitrary and a weight moves by up to the
 * learning rate either way. Hence all values are compared at once, by norm: 2e-6 was seen for F32.
 * BF16 has 8 bits. The part of the gradient that is noise is larger there. */
static const train_case cases[] = {
    {"adamw", UNSEEN "steps = 10\nrate = 1e-3\n", 1e-4, 1e-4, 1e-3},
    {"accumulated, clipped, averaged, partly frozen, validated",
     "steps = 4\nrate = 1e-3\naccumulate = 2\nclip = 0.5\nema = 0.9\nfreeze = image_encoder.l*\n"
     "weight_decay = 0.1\nvalidate_every = 2\nvalidate_objects = 2\ninteraction = 0.5\n",
     1e-4, 1e-4, 1e-3},
    {"adam, every tensor decays",
     UNSEEN "steps = 3\nrate = 1e-3\noptimizer = adam\nweight_decay = 0.1\ndecay_vectors = 1\n"
            "clip = 0\nloss = samihs\n",
     1e-4, 1e-4, 1e-3},
    {"sgd", UNSEEN "steps = 3\nrate = 1e-2\noptimizer = sgd\nweight_decay = 0.1\nwarmup = 0\n",
     1e-4, 1e-4, 1e-3},
    {"muon", UNSEEN "steps = 4\nrate = 1e-3\noptimizer = muon\nclip = 0.5\nema = 0.9\n", 1e-4, 1e-4,
     1e-3},
    {"bf16", UNSEEN "steps = 3\nrate = 1e-3\nbf16 = 1\nema = 0.9\n", 3e-2, 1e-3, 0.3},
};

#define PACK "cuda_train.pack"
#define SETTINGS "cuda_train.cfg"

static run new_run(sgm_device device, const char *out)
{
    remove_folder(out);
    return (run){.device = device, .config = SETTINGS, .pack = PACK, .out = out};
}

static void write_settings(const char *rhythm, const char *settings)
{
    char text[2048];
    snprintf(text, sizeof text, "%s%s%s", NETWORK ONE_IMAGE, rhythm, settings);
    write_config(SETTINGS, text);
}

/* ------------------------------------------------------------------------------- comparisons */

typedef struct distance {
    double error, norm;
    int tensors;
} distance;

static void add_tensor(const sgm_stored_tensor *x, const sgm_stored_tensor *y, distance *d)
{
    float *u = malloc(x->count * sizeof *u), *v = malloc(x->count * sizeof *v);
    sgm_stored_tensor_read_f32(x, u);
    sgm_stored_tensor_read_f32(y, v);
    for (size_t k = 0; k < x->count; k++) {
        d->error += ((double)u[k] - v[k]) * ((double)u[k] - v[k]);
        d->norm += (double)u[k] * u[k];
    }
    d->tensors++;
    free(u);
    free(v);
}

/* Tensors whose names begin with `kind`. */
static void compare_kind(const train_case *c, sgm_checkpoint *a, sgm_checkpoint *b,
                         const char *kind, double limit)
{
    distance d = {0};
    for (size_t i = 0; i < sgm_checkpoint_count(a); i++) {
        const sgm_stored_tensor *x = sgm_checkpoint_tensor(a, i);
        if (strncmp(x->name, kind, strlen(kind)) != 0) continue;
        const sgm_stored_tensor *y = sgm_checkpoint_find(b, x->name);
        if (CHECK(y && x->count == y->count)) add_tensor(x, y, &d);
    }
    if (!d.tensors) return;
    char what[160];
    double relative = d.norm > 0 ? sqrt(d.error / d.norm) : d.error;
    snprintf(what, sizeof what, "%s: %s of %d tensors: relative difference %.3g", c->name,
             kind[0] ? kind : "model", d.tensors, relative);
    check_that(relative <= limit, what, __FILE__, __LINE__);
    printf("%s\n", what);
}

static void compare_files(const train_case *c, const run *want, const run *got)
{
    static const char *const KINDS[] = {"value/", "average/", "first/", "second/"};
    sgm_checkpoint *a = open_saved(want, "state.safetensors");
    sgm_checkpoint *b = open_saved(got, "state.safetensors");
    if (!a || !b) return;
    CHECK(sgm_checkpoint_count(a) == sgm_checkpoint_count(b) && sgm_checkpoint_count(a) > 50);
    for (int i = 0; i < 4; i++)
        compare_kind(c, a, b, KINDS[i], i < 2 ? c->values : c->moments);
    sgm_checkpoint_close(a);
    sgm_checkpoint_close(b);
    a = open_saved(want, "last.safetensors");
    b = open_saved(got, "last.safetensors");
    if (!a || !b) return;
    compare_kind(c, a, b, "", c->values);
    sgm_checkpoint_close(a);
    sgm_checkpoint_close(b);
}

/* ------------------------------------------------------------------------------------- tests */

static sgm_status check_case(const train_case *c)
{
    run cuda = new_run(SGM_DEVICE_CUDA, "cuda_train_gpu");
    run cpu = new_run(SGM_DEVICE_CPU, "cuda_train_cpu");
    write_settings(EVERY_STEP, c->settings);
    sgm_status status = train(&cuda);
    if (status == SGM_DEVICE) return status;
    CHECK_OK(status);
    CHECK_OK(train(&cpu));
    CHECK(cuda.losses == cpu.losses && cpu.losses == (int)cpu.result.step && cpu.losses >= 3);
    for (int i = 0; i < cpu.losses; i++) { /* grows with the weights' differences */
        double limit = i || c->loss > 1e-3 ? c->loss : 1e-5;
        CHECK_NEAR(cuda.loss[i], cpu.loss[i], limit * fabs(cpu.loss[i]));
    }
    /* a pixel at logit 0 may fall to either side */
    CHECK_NEAR(cuda.result.best_score, cpu.result.best_score, 0.02);
    compare_files(c, &cpu, &cuda);
    remove_folder(cuda.out);
    remove_folder(cpu.out);
    return SGM_OK;
}

/* Stopped in the middle and resumed: the same bits as without. */
static void check_resume(void)
{
    run whole = new_run(SGM_DEVICE_CUDA, "cuda_train_whole");
    run broken = new_run(SGM_DEVICE_CUDA, "cuda_train_broken");
    broken.stop_at = 3;
    write_settings(EVERY_STEP,
                   "steps = 5\naccumulate = 2\nema = 0.9\nvalidate_every = 4\nwarmup = 2\n"
                   "validate_objects = 2\ninteraction = 0.5\nrate = 1e-3\nbf16 = 1\n");
    CHECK_OK(train(&whole));
    CHECK_STATUS(train(&broken), SGM_CANCELLED, NULL);
    CHECK(broken.result.step == 3);
    broken.stop_at = 0;
    broken.resume = 1;
    CHECK_OK(train(&broken));
    CHECK(broken.result.step == 5);
    check_same_file(&whole, &broken, "state.safetensors");
    check_same_file(&whole, &broken, "best.safetensors");
    remove_folder(whole.out);
    remove_folder(broken.out);
}

/* The host learns of a loss that is no number while the next step is computed: the message must
 * name the step it belongs to and its image, and nothing later may be saved. */
static void check_nan(void)
{
    run r = new_run(SGM_DEVICE_CUDA, "cuda_train_nan");
    write_settings("report_every = 99\nsave_every = 2\n",
                   UNSEEN "steps = 60\nrate = 10\nclip = 0\nwarmup = 0\noptimizer = sgd\n"
                          "interaction = 0\n");
    char file[64];
    CHECK_STATUS(train(&r), SGM_INTERNAL, "the last saved state is kept");
    printf("%s\n", sgm_last_message());
    int step = 0, image = -1;
    const char *name = strstr(sgm_last_message(), "on synthetic ");
    CHECK(sscanf(sgm_last_message(), "step %d", &step) == 1);
    CHECK(name && sscanf(name, "on synthetic %d", &image) == 1);
    CHECK(step > 1 && image == step - 1 && r.result.step == step - 1);
    snprintf(file, sizeof file, "%s/state.safetensors", r.out);
    if (step > 2) CHECK(access(file, F_OK) == 0);
    sgm_checkpoint *state = access(file, F_OK) == 0 ? open_saved(&r, "state.safetensors") : NULL;
    for (size_t i = 0; state && i < sgm_checkpoint_count(state); i++) {
        distance d = {0};
        const sgm_stored_tensor *t = sgm_checkpoint_tensor(state, i);
        add_tensor(t, t, &d);
        CHECK(isfinite(d.norm));
    }
    if (state) sgm_checkpoint_close(state);
    remove_folder(r.out);
}

int main(void)
{
    make_pack(PACK, 2, true);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (check_case(&cases[i]) == SGM_DEVICE) {
            printf("skipped: %s\n", sgm_last_message());
            return 77;
        }
    check_resume();
    check_nan();
    unlink(PACK);
    unlink(SETTINGS);
    return check_report();
}
