/* golden_train sam|medsam|samus|samihs WEIGHTS.safetensors GOLDEN.safetensors [cpu|ref|cuda]
 *
 * Three optimiser steps of the narrow networks beside the official code (SAM: the paper's losses):
 * the loss of every step, all sampled gradients of the first, parameters after steps 1 and 3.
 *
 * Tolerances: the official code against itself with another number of threads differs by 1e-6 of
 * the first loss, 3e-5 of a gradient's standard deviation, 3e-4 of the losses after two steps of
 * Adam, and 2e-3 (0.3) learning rates of the parameters after step 1 (3). Another library sums in
 * another order throughout: gradients here differ by 5e-5 to 3e-4 deviations.
 *
 * Two updates of Adam carry the order of summation further than that for SAM's losses: the third
 * loss was off by 4e-4 with the portable kernels, 3.3e-4 with AVX2, 1.8e-4 with AVX-512, and by
 * 4e-4 there too when sums were cut elsewhere; parameters by 0.58 learning rates when another
 * compiler ordered them. So that run is first made with the portable kernels; what differs between
 * the two is not determined by the settings, and the last update may lie off by that too.
 * Elsewhere, as on a GPU, nothing says how far noise carries, and two updates are compared. */
#include "../golden/golden_file.h"
#include "../golden/small_case.h"

#include "../check.h"
#include "../hash_weights.h"

#include "core/cpu_features.h"
#include "predict/session/model.h"
#include "predict/session/prompt_tokens.h"
#include "train/loss.h"
#include "train/train_weights.h"

#include <stdlib.h>

int check_count, check_failures;

enum { STEPS = 3, SAMPLES = 256 };

#define LOSS_TOLERANCE 5e-6     /* of the first loss, relative */
#define CURVE_TOLERANCE 3e-4    /* of the later ones */
#define GRADIENT_TOLERANCE 1e-3 /* largest error, in standard deviations of the gradient */
#define GRADIENT_NOISE 3e-4     /* what order of summation explains, in the same unit */
#define NOISE 1e-6              /* a gradient below this share of its tensor's largest is noise */
#define EPSILON 1e-8            /* Adam's */

typedef struct disc {
    int x, y, radius;
} disc;

typedef struct train_case {
    const char *name;
    disc target[2]; /* one per image */
    int side;       /* of targets */
    sgm_optimizer optimizer;
    double rate, weight_decay;
    const char *trained; /* of the encoder; what has none of it is frozen. NULL: all */
    bool prompts_frozen, decoder_frozen;
    bool noisy; /* two updates may carry the order of summation beyond the tolerances */
} train_case;

static const train_case cases[] = {
    {"sam", {{25, 35, 13}}, 64, SGM_OPTIMIZER_ADAMW, 8e-4, 0.1, NULL, false, false, true},
    {"medsam",
     {{100, 140, 52}, {100, 180, 40}},
     256,
     SGM_OPTIMIZER_ADAMW,
     1e-4,
     0.01,
     NULL,
     true,
     false,
     false},
    {"samus",
     {{50, 70, 26}, {50, 90, 20}},
     128,
     SGM_OPTIMIZER_ADAM,
     5e-4,
     0,
     "*cnn_embed*,*post_pos_embed*,*Adapter*,*2.attn.rel_pos*,*upneck*",
     true,
     true,
     false},
    {"samihs",
     {{100, 140, 52}},
     256,
     SGM_OPTIMIZER_ADAM,
     5e-4,
     0,
     "*down_projection*,*Adapter*,*adapter*",
     false,
     false,
     false},
};

typedef struct train_run {
    const train_case *c;
    const small_case *small;
    sgm_model *model;
    const sgm_model_config *config;
    golden_file file;
    sgm_backend *backend;
    sgm_first_values first;
    sgm_params *params;
    sgm_graph *graph;
    sgm_node *image, *target, *coordinates, *labels, *loss;
    sgm_train_plan *plan;
    sgm_master master;
    sgm_host_master host;
    int noise;             /* samples not compared, see worst_parameter */
    float portable[STEPS]; /* losses of the first run */
    float *last_values;    /* its parameters after the last step, all trained ones in their order */
} train_run;

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool is_trained(void *user, const char *name)
{
    const train_case *c = user;
    if (strstr(name, "gaussian_matrix")) return false;
    if (starts_with(name, "prompt_encoder.")) return !c->prompts_frozen;
    if (starts_with(name, "mask_decoder.")) return !c->decoder_frozen;
    return !c->trained || sgm_name_matches(c->trained, name);
}

/* ------------------------------------------------------------------------------------- network */

/* Small inputs have the same losses: their protocol differs in what is asked of crops. */
static bool is_sam(const sgm_model_config *config)
{
    return config->protocol == &sgm_protocol_sam || config->protocol == &sgm_protocol_sam_crops;
}

/* low_res: [B, tokens, side, side]. */
static sgm_node *loss_of(train_run *r, sgm_decoder_output out)
{
    sgm_graph *g = r->graph;
    if (is_sam(r->config))
        return sgm_loss_sam(g, out.low_res, out.iou, r->target, NULL,
                            (sgm_sam_shares){20, 1, 1, false}, true);
    sgm_node *logits = sgm_slice(g, out.low_res, 1, 0, 1);
    if (r->config->protocol == &sgm_protocol_samus) return sgm_loss_samus(g, logits, r->target);
    if (r->config->protocol == &sgm_protocol_samihs)
        return sgm_loss_samihs(g, logits, r->target, false);
    /* MedSAM's losses are taken at image size; resizing wants channels last. */
    int64_t images = logits->shape.dim[0], low = logits->shape.dim[2], side = r->c->side;
    logits = sgm_reshape(g, logits, SGM_SHAPE(images, low, low, 1));
    logits = sgm_resize(g, logits, side, side, false);
    return sgm_loss_medsam(g, sgm_reshape(g, logits, SGM_SHAPE(images, 1, side, side)), r->target);
}

static bool build(train_run *r)
{
    const sgm_model_config *m = r->config;
    int64_t images = r->small->images, tokens = sgm_prompt_token_count(&r->small->prompt[0]);
    sgm_graph *g = r->graph = sgm_graph_create(NULL, NULL);
    sgm_net net = {.graph = g};
    bool sam = is_sam(m);
    int64_t size = m->image_size, side = r->c->side;
    r->image = sgm_input(g, "image", SGM_F32, SGM_SHAPE(images, size, size, 3));
    r->target = sgm_input(g, "target", SGM_F32,
                          sam ? SGM_SHAPE(images, side, side) : SGM_SHAPE(images, 1, side, side));
    r->coordinates = sgm_input(g, "coordinates", SGM_F32, SGM_SHAPE(images, tokens, 2));
    r->labels = sgm_input(g, "labels", SGM_I32, SGM_SHAPE(images, tokens));
    sgm_features features = sgm_encode(&net, m, r->image);
    sgm_prompt_input in = {.coordinates = r->coordinates, .labels = r->labels};
    sgm_prompt_embedding prompt = sgm_encode_prompt(&net, m, &in, &features);
    r->loss = loss_of(r, sgm_decode(&net, m, &features, &prompt, images));
    return CHECK_OK(sgm_graph_status(g)) &&
           CHECK_OK(sgm_params_create(r->backend, sgm_first_values_read, &r->first, is_trained,
                                      (void *)r->c, &r->params)) &&
           CHECK_OK(sgm_train_plan_create(g, r->params, r->loss, 0, NULL, false, &r->plan)) &&
           CHECK(r->first.made == 0) &&
           CHECK_OK(sgm_master_create(r->backend, r->params, false, NULL, &r->master));
}

static void feed(train_run *r)
{
    size_t values = (size_t)r->config->image_size * (size_t)r->config->image_size * 3;
    size_t cells = (size_t)r->c->side * (size_t)r->c->side, images = (size_t)r->small->images;
    size_t tokens = (size_t)sgm_prompt_token_count(&r->small->prompt[0]);
    float *image = malloc(images * values * sizeof *image), coordinates[16];
    float *target = malloc(images * cells * sizeof *target);
    uint8_t *mask = malloc(cells);
    int32_t labels[8];
    for (size_t i = 0; i < images; i++) {
        const disc *d = &r->c->target[i];
        sgm_frame frame;
        small_case_input(r->config, (int)i, &frame, image + i * values);
        sgm_prompt_tokens(r->config, &frame, &r->small->prompt[i], coordinates + 2 * tokens * i,
                          labels + tokens * i);
        hash_disc_mask(r->c->side, d->x, d->y, d->radius, mask);
        for (size_t k = 0; k < cells; k++)
            target[i * cells + k] = mask[k];
    }
    CHECK_OK(sgm_train_plan_set(r->plan, r->image, image));
    CHECK_OK(sgm_train_plan_set(r->plan, r->target, target));
    CHECK_OK(sgm_train_plan_set(r->plan, r->coordinates, coordinates));
    CHECK_OK(sgm_train_plan_set(r->plan, r->labels, labels));
    free(image);
    free(target);
    free(mask);
}

/* ---------------------------------------------------------------------------------- comparison */

typedef struct samples {
    size_t count;
    int64_t index[SAMPLES];
    float value[SAMPLES];
    double stats[6]; /* mean, standard deviation, norm, min, max, count of the whole tensor */
} samples;

static const sgm_stored_tensor *part_of(const train_run *r, const char *group, const char *name,
                                        const char *part)
{
    char key[192];
    snprintf(key, sizeof key, "%s.%s.%s", group, name, part);
    return sgm_checkpoint_find(r->file.checkpoint, key);
}

/* False if the golden does not sample this tensor. */
static bool read_samples(const train_run *r, const char *group, const char *name, samples *s)
{
    const sgm_stored_tensor *value = part_of(r, group, name, "val");
    const sgm_stored_tensor *index = part_of(r, group, name, "idx");
    const sgm_stored_tensor *stats = part_of(r, group, name, "stats");
    if (!value || !index || !stats) return false;
    if (!CHECK(value->count > 0 && value->count <= SAMPLES && index->count == value->count &&
               index->type == SGM_STORED_I64 && stats->count == 6))
        return false;
    s->count = value->count;
    sgm_stored_tensor_read_f32(value, s->value);
    sgm_stored_tensor_read_raw(index, 0, index->count, s->index);
    sgm_stored_tensor_read_raw(stats, 0, 6, s->stats);
    return true;
}

static double largest(const float *values, int64_t count)
{
    double most = 0;
    for (int64_t i = 0; i < count; i++)
        most = fmax(most, fabs((double)values[i]));
    return most;
}

static double largest_gradient(const train_run *r)
{
    double most = 0;
    for (int i = 0; i < r->master.trained_count; i++)
        most = fmax(most, largest(r->host.trained[i].gradient, r->host.trained[i].count));
    return most;
}

/* A tensor all of whose gradients are zero in exact arithmetic (the bias of keys: softmax does not
 * see it; the heads of masks that were not the best) holds nothing but rounding. */
static bool is_noise(const train_run *r, const sgm_trained *t)
{
    return !(largest(t->gradient, t->count) > 1e-7 * largest_gradient(r));
}

static void check_gradients(const train_run *r)
{
    double worst = 0;
    int tensors = 0;
    samples s;
    for (int i = 0; i < r->master.trained_count; i++) {
        const sgm_trained *t = &r->host.trained[i];
        if (!read_samples(r, "grad", t->name, &s) || !CHECK(s.stats[5] == (double)t->count))
            continue;
        double scale = is_noise(r, t) ? 1e-7 * largest_gradient(r) : s.stats[1], error = 0;
        for (size_t k = 0; k < s.count; k++) {
            double e = fabs((double)t->gradient[s.index[k]] - s.value[k]) / scale;
            if (!(e <= error)) error = e;
        }
        if (!CHECK(error <= GRADIENT_TOLERANCE || (is_noise(r, t) && error <= 1)))
            fprintf(stderr, "    %s: %.2e deviations\n", t->name, error);
        if (!is_noise(r, t)) worst = fmax(worst, error);
        tensors++;
    }
    CHECK(tensors >= 10);
    printf("  %-28s %d tensors, worst %.1e standard deviations\n", "gradients", tensors, worst);
}

/* How far noise of the gradient moves Adam's first update, gradient / (|gradient| + epsilon). */
static double update_noise(double gradient, double noise)
{
    double update = gradient / (fabs(gradient) + EPSILON), most = 0;
    for (int sign = -1; sign <= 1; sign += 2) {
        double other = gradient + sign * noise;
        most = fmax(most, fabs(other / (fabs(other) + EPSILON) - update));
    }
    return most;
}

/* The largest error of a tensor in learning rates. Adam's first steps are rate * sign(gradient), so
 * where a gradient is rounding noise (the third of qkv.bias that belongs to the keys) the result
 * cannot be reproduced by anyone: samples below NOISE of the tensor's largest gradient are left
 * out, gradients being those of the first step. The others may differ by what noise of the gradient
 * does to the update beside the tolerance, and by as much as any of them differs from `other`
 * (the first run's; NULL: nothing). */
static double worst_parameter(train_run *r, const sgm_trained *t, const float *first_gradient,
                              const float *other, const samples *s)
{
    samples gradients = {0};
    double least = NOISE * largest(first_gradient, t->count), worst = 0;
    CHECK(read_samples(r, "grad", t->name, &gradients));
    double noise = GRADIENT_NOISE * gradients.stats[1], spread = 0;
    for (size_t k = 0; other && k < s->count; k++)
        spread = fmax(spread, fabs((double)t->value[s->index[k]] - other[s->index[k]]));
    for (size_t k = 0; k < s->count; k++) {
        int64_t at = s->index[k];
        if (fabs((double)first_gradient[at]) < least) {
            r->noise++;
            continue;
        }
        double e = (fabs((double)t->value[at] - s->value[k]) - spread) / r->c->rate;
        e -= update_noise(first_gradient[at], noise);
        if (!(e <= worst)) worst = e;
    }
    return worst;
}

static void check_parameters(train_run *r, const char *group, const float *first_gradients,
                             const float *others, const bool *noise, double tolerance)
{
    double worst = 0;
    int tensors = 0, left_out = 0;
    samples s;
    r->noise = 0;
    for (int i = 0; i < r->master.trained_count; i++) {
        const sgm_trained *t = &r->host.trained[i];
        const float *gradient = first_gradients, *other = others;
        first_gradients += t->count;
        if (others) others += t->count;
        if (!read_samples(r, group, t->name, &s)) continue;
        if (noise[i]) {
            left_out++;
            continue;
        }
        double error = worst_parameter(r, t, gradient, other, &s);
        if (!CHECK(error <= tolerance))
            fprintf(stderr, "    %s %s: %.2e learning rates\n", group, t->name, error);
        if (!(error <= worst)) worst = error;
        tensors++;
    }
    CHECK(tensors >= 10);
    printf("  %-28s %d tensors, worst %.1e learning rates; %d tensors and %d samples are noise\n",
           group, tensors, worst, left_out, r->noise);
}

static void check_loss(const train_run *r, int step, float loss)
{
    const sgm_stored_tensor *losses = sgm_checkpoint_find(r->file.checkpoint, "losses");
    if (!CHECK(losses && losses->rank == 2 && losses->shape[0] == STEPS)) return;
    double row[16];
    size_t columns = (size_t)losses->shape[1];
    if (!CHECK(columns <= 16)) return;
    sgm_stored_tensor_read_raw(losses, (size_t)step * columns, columns, row);
    double error = fabs((double)loss - row[0]) / fabs(row[0]);
    double spread = 0;
    if (r->last_values && step == STEPS - 1)
        spread = fabs((double)loss - (double)r->portable[step]) / fabs(row[0]);
    if (!CHECK(error <= (step ? CURVE_TOLERANCE : LOSS_TOLERANCE) + spread))
        fprintf(stderr, "    step %d: wanted a loss of %.8g, got %.8g\n", step, row[0],
                (double)loss);
    printf("  loss of step %d %-13s %.8g, relative error %.1e, of which noise may be %.1e\n", step,
           "", (double)loss, error, spread);
}

/* ---------------------------------------------------------------------------------------- steps */

/* All trained tensors one behind the other: their gradients or their values. */
static float *copy_all(const train_run *r, bool gradients)
{
    int64_t count = 0;
    for (int i = 0; i < r->master.trained_count; i++)
        count += r->host.trained[i].count;
    float *copy = malloc((size_t)count * sizeof *copy), *to = copy;
    for (int i = 0; i < r->master.trained_count; i++) {
        const sgm_trained *t = &r->host.trained[i];
        memcpy(to, gradients ? t->gradient : t->value, (size_t)t->count * sizeof *to);
        to += t->count;
    }
    return copy;
}

/* Weights and gradients as they are now. */
static bool copy_to_host(train_run *r)
{
    sgm_host_master_clear(&r->host);
    return CHECK_OK(sgm_master_read(&r->master, &r->host));
}

static bool gradients_of(train_run *r, float *loss)
{
    *loss = NAN;
    if (!CHECK_OK(sgm_params_clear_grads(r->params)) || !CHECK_OK(sgm_train_plan_step(r->plan, 1)))
        return false;
    return CHECK_OK(sgm_train_plan_get(r->plan, r->loss, loss)) && copy_to_host(r);
}

static bool update(train_run *r, int step)
{
    sgm_optim_options options = {.kind = r->c->optimizer,
                                 .beta1 = 0.9,
                                 .beta2 = 0.999,
                                 .epsilon = EPSILON,
                                 .weight_decay = r->c->weight_decay,
                                 .decay_vectors = true};
    sgm_optim_numbers numbers = sgm_optim_numbers_of(&options, r->c->rate, step + 1, 0, 0);
    return CHECK_OK(sgm_master_update(&r->master, &numbers)) && copy_to_host(r);
}

static void forget(train_run *r)
{
    sgm_host_master_clear(&r->host);
    sgm_master_clear(&r->master);
    sgm_train_plan_destroy(r->plan);
    sgm_params_destroy(r->params);
    sgm_graph_destroy(r->graph);
    r->plan = NULL;
    r->params = NULL;
    r->graph = NULL;
}

/* The first run where there are several kernels, with the portable ones. */
static void rehearse(train_run *r)
{
    if (!r->c->noisy || !r->backend->ops->host_memory || sgm_cpu()->isa < SGM_ISA_AVX2) return;
    sgm_cpu_limit(SGM_ISA_BASE, SGM_BF16_NONE);
    bool done = build(r);
    if (done) feed(r);
    for (int step = 0; done && step < STEPS; step++)
        done = gradients_of(r, &r->portable[step]) && update(r, step);
    if (done) r->last_values = copy_all(r, false);
    forget(r);
    sgm_cpu_limit(SGM_ISA_AVX512_BF16, SGM_BF16_AMX);
}

/* The run that is compared. */
static void train(train_run *r)
{
    float *first = NULL, loss;
    bool *noise = calloc((size_t)r->master.trained_count + 1, sizeof *noise);
    bool exact = r->backend->ops->host_memory && !r->c->noisy;
    int steps = exact || r->last_values ? STEPS : STEPS - 1;
    feed(r);
    for (int step = 0; step < steps && gradients_of(r, &loss); step++) {
        check_loss(r, step, loss);
        if (step == 0) {
            check_gradients(r);
            first = copy_all(r, true);
            for (int i = 0; i < r->master.trained_count; i++)
                noise[i] = is_noise(r, &r->host.trained[i]);
        }
        if (!update(r, step)) break;
        if (step == 0) check_parameters(r, "param_after1", first, NULL, noise, 2e-3);
        if (step == STEPS - 1)
            check_parameters(r, "param_after3", first, r->last_values, noise, 0.3);
    }
    free(first);
    free(noise);
}

static void run(train_run *r, sgm_context *context, const char *weights, const char *golden)
{
    snprintf(r->file.label, sizeof r->file.label, "%s", r->c->name);
    if (!CHECK_OK(sgm_model_load(context, weights, r->small->variant, &r->model)) ||
        !CHECK_OK(sgm_checkpoint_open(golden, &r->file.checkpoint)))
        return;
    r->config = sgm_model_get_config(r->model);
    r->backend = sgm_context_backend(context);
    r->first.checkpoint = sgm_model_checkpoint(r->model);
    rehearse(r);
    if (build(r)) train(r);
    forget(r);
    free(r->last_values);
}

int main(int argc, char **argv)
{
    train_run r = {0};
    for (size_t i = 0; argc >= 4 && i < sizeof cases / sizeof *cases; i++)
        if (!strcmp(cases[i].name, argv[1])) r.c = &cases[i];
    if (!r.c) {
        fprintf(stderr, "usage: golden_train sam|medsam|samus|samihs WEIGHTS GOLDEN "
                        "[cpu|ref|cuda]\n");
        return 1;
    }
    r.small = small_case_find(r.c->name);
    sgm_context *context = NULL;
    sgm_status status = small_case_context(argc > 4 ? argv[4] : "cpu", &context);
    if (status == SGM_DEVICE) {
        printf("left out: %s\n", sgm_last_message());
        return 77;
    }
    if (CHECK_OK(status)) run(&r, context, argv[2], argv[3]);
    sgm_model_destroy(r.model);
    sgm_context_destroy(context);
    golden_close(&r.file);
    return check_report();
}
