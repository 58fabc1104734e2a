/* A few training steps of a narrow network on the CUDA backend and on the CPU: the same settings
 * and images give the same losses and, within rounding, the same weights, moments and averages,
 * whatever the update consists of. On the device alone: going on from a saved state to the bit, and
 * stopping at a loss that is no number. Runs in the current folder. */
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "../check.h"
#include "checkpoint/checkpoint.h"
#include "core/status.h"
#include "segmodel/train.h"
#include "train/pack.h"
#include "train/synth.h"

#define NETWORK                                                                                    \
    "architecture = tiny_vit protocol=sam norm=layer image=32 decoder_dim=32 decoder_heads=4 "     \
    "decoder_depth=2 decoder_mlp=64 mask_tokens=4 stem_kernel=3 stem_strides=2,1 "                 \
    "dims=16,24,32,32 "                                                                            \
    "depths=1,1,1,1 heads=1,1,1,1 windows=8,8,8,8 merge_strides=2,1,1 expand=2 mlp_ratio=2\n"      \
    "batch = 1\nsynthetic = 1\n"

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
    {"bf16", UNSEEN "steps = 3\nrate = 1e-3\nbf16 = 1\nema = 0.9\n", 3e-2, 1e-3, 0.3},
};

enum { STEPS = 10, SIDE = 64, PIXELS = SIDE * SIDE };

#define PACK "cuda_train.pack"
#define SETTINGS "cuda_train.cfg"

/* ------------------------------------------------------------------------------------- runs */

typedef struct run {
    sgm_device device;
    const char *out;
    int resume;
    int64_t stop_at; /* the cancel callback says stop after this step; 0: never */
    int64_t step;
    double loss[STEPS];
    int count;
    sgm_train_result result;
} run;

static int stops(void *user)
{
    run *r = user;
    return r->stop_at && r->step >= r->stop_at;
}

static void note(void *user, const sgm_train_report *report)
{
    run *r = user;
    r->step = report->step;
    if (!report->event && r->count < STEPS) r->loss[r->count++] = report->loss;
}

/* Two images that the network never sees, to validate on. */
static void make_pack(void)
{
    static float image[3 * PIXELS], scratch[SGM_SYNTH_SCRATCH(SIDE)];
    static uint8_t pixels[3 * PIXELS], mask[PIXELS];
    sgm_pack_writer *writer;
    sgm_pack_set set = {"synthetic", "none", "", false, false, false};
    int index;
    CHECK_OK(sgm_pack_writer_open(PACK, 0, &writer));
    CHECK_OK(sgm_pack_writer_set(writer, &set, &index));
    for (int k = 0; k < 4; k++) {
        sgm_synth(11, (uint64_t)k, SIDE, image, mask, scratch);
        for (int i = 0; i < 3 * PIXELS; i++)
            pixels[i] = (uint8_t)image[i];
        sgm_pack_item item = {"item", 0,      k < 2 ? SGM_SPLIT_TRAIN : SGM_SPLIT_VALIDATION,
                              SIDE,   SIDE,   3,
                              1,      pixels, mask};
        CHECK_OK(sgm_pack_writer_item(writer, &item));
    }
    CHECK_OK(sgm_pack_writer_finish(writer));
}

static void write_settings(const char *rhythm, const char *settings)
{
    FILE *stream = fopen(SETTINGS, "w");
    CHECK(stream && fprintf(stream, NETWORK "%s%s", rhythm, settings) > 0 && fclose(stream) == 0);
}

static void remove_folder(const char *path)
{
    DIR *list = opendir(path);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        char file[512];
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        unlink(file);
    }
    if (list) closedir(list);
    rmdir(path);
}

static sgm_status train(run *r)
{
    sgm_context *context;
    sgm_context_options how = {.device = r->device,
                               .precision = SGM_PRECISION_FP32,
                               .threads = 2,
                               .cancel = stops,
                               .cancel_user = r};
    SGM_TRY(sgm_context_create(&how, &context));
    sgm_train_options options = {SETTINGS, PACK, r->out, r->resume, note, r};
    if (!r->resume) remove_folder(r->out);
    sgm_status status = sgm_train(context, &options, &r->result);
    sgm_context_destroy(context);
    return status;
}

/* ------------------------------------------------------------------------------- comparisons */

static sgm_checkpoint *open_file(const run *r, const char *name)
{
    char path[512];
    sgm_checkpoint *file;
    snprintf(path, sizeof path, "%s/%s", r->out, name);
    return CHECK_OK(sgm_checkpoint_open(path, &file)) ? file : NULL;
}

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
    sgm_checkpoint *a = open_file(want, "state.safetensors");
    sgm_checkpoint *b = open_file(got, "state.safetensors");
    if (!a || !b) return;
    CHECK(sgm_checkpoint_count(a) == sgm_checkpoint_count(b) && sgm_checkpoint_count(a) > 50);
    for (int i = 0; i < 4; i++)
        compare_kind(c, a, b, KINDS[i], i < 2 ? c->values : c->moments);
    sgm_checkpoint_close(a);
    sgm_checkpoint_close(b);
    a = open_file(want, "last.safetensors");
    b = open_file(got, "last.safetensors");
    if (!a || !b) return;
    compare_kind(c, a, b, "", c->values);
    sgm_checkpoint_close(a);
    sgm_checkpoint_close(b);
}

static void check_same(const run *x, const run *y, const char *name)
{
    sgm_checkpoint *a = open_file(x, name), *b = open_file(y, name);
    if (!a || !b) return;
    CHECK(sgm_checkpoint_count(a) == sgm_checkpoint_count(b) && sgm_checkpoint_count(a) > 50);
    for (size_t i = 0; i < sgm_checkpoint_count(a); i++) {
        const sgm_stored_tensor *t = sgm_checkpoint_tensor(a, i);
        const sgm_stored_tensor *u = sgm_checkpoint_find(b, t->name);
        if (CHECK(u && t->byte_size == u->byte_size) &&
            !CHECK(!memcmp(t->data, u->data, t->byte_size)))
            fprintf(stderr, "    %s %s\n", name, t->name);
    }
    sgm_checkpoint_close(a);
    sgm_checkpoint_close(b);
}

/* ------------------------------------------------------------------------------------- tests */

static sgm_status check_case(const train_case *c)
{
    run cuda = {.device = SGM_DEVICE_CUDA, .out = "cuda_train_gpu"};
    run cpu = {.device = SGM_DEVICE_CPU, .out = "cuda_train_cpu"};
    write_settings(EVERY_STEP, c->settings);
    sgm_status status = train(&cuda);
    if (status == SGM_DEVICE) return status;
    CHECK_OK(status);
    CHECK_OK(train(&cpu));
    CHECK(cuda.count == cpu.count && cpu.count == (int)cpu.result.step && cpu.count >= 3);
    for (int i = 0; i < cpu.count; i++) { /* grows with the weights' differences */
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
    run whole = {.device = SGM_DEVICE_CUDA, .out = "cuda_train_whole"};
    run broken = {.device = SGM_DEVICE_CUDA, .out = "cuda_train_broken", .stop_at = 3};
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
    check_same(&whole, &broken, "state.safetensors");
    check_same(&whole, &broken, "best.safetensors");
    remove_folder(whole.out);
    remove_folder(broken.out);
}

/* The host learns of a loss that is no number while the next step is computed: the message must
 * name the step it belongs to and its image, and nothing later may be saved. */
static void check_nan(void)
{
    run r = {.device = SGM_DEVICE_CUDA, .out = "cuda_train_nan"};
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
    sgm_checkpoint *state = access(file, F_OK) == 0 ? open_file(&r, "state.safetensors") : NULL;
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
    make_pack();
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
