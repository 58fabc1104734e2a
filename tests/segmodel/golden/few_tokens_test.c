/* few_tokens_test VARIANT WEIGHTS
 *
 * A decoder written for few tokens (models/few_tokens.h) against the same decoder as the official
 * code has it, on features that are not of any picture: with and without a mask prompt, two prompt
 * sets at once. */
#include "../check.h"

#include "plan/weights.h"
#include "predict/session/model.h"

#include <stdlib.h>

int check_count, check_failures;

enum { SETS = 2, TOKENS = 2 };

static float *random_floats(int64_t count, uint32_t seed)
{
    float *values = malloc(sizeof *values * (size_t)count);
    for (int64_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)(seed >> 8) / 8388608.0f - 1;
    }
    return values;
}

static bool set_random(sgm_workspace *workspace, const sgm_node *input, uint32_t seed)
{
    if (!input) return true;
    float *values = random_floats(sgm_shape_count(input->shape), seed);
    bool ok = CHECK_OK(sgm_workspace_set(workspace, input, values));
    free(values);
    return ok;
}

static bool set_inputs(sgm_workspace *workspace, const sgm_program *p)
{
    static const int32_t labels[SETS * TOKENS] = {1, 4, 2, 3}, classes[SETS] = {0, 1};
    for (int i = 0; i < p->in.count; i++)
        if (!set_random(workspace, p->in.node[i], 10 + (uint32_t)i)) return false;
    if (p->prompt.labels && !CHECK_OK(sgm_workspace_set(workspace, p->prompt.labels, labels)))
        return false;
    if (p->prompt.classes && !CHECK_OK(sgm_workspace_set(workspace, p->prompt.classes, classes)))
        return false;
    return set_random(workspace, p->prompt.coordinates, 1) &&
           set_random(workspace, p->prompt.mask, 2);
}

/* Layers that project every token of the picture. */
static int picture_layers(const sgm_program *p, int64_t places)
{
    int count = 0;
    for (int i = 0; i < sgm_graph_size(p->graph); i++) {
        const sgm_node *node = sgm_graph_node(p->graph, i);
        if (node->op != SGM_OP_LINEAR || node->constant || node->shape.ndim != 3) continue;
        count += node->shape.dim[1] == places;
    }
    return count;
}

/* All logits of both sets; NULL after a failure. */
static float *decode(sgm_model *model, sgm_program_key key, bool few)
{
    const sgm_model_config *config = sgm_model_get_config(model);
    sgm_plan_options options = sgm_model_plan_options(model);
    sgm_net net = {.few_tokens = few};
    sgm_program *p = NULL;
    sgm_workspace *workspace = NULL;
    float *low = NULL;
    if (CHECK_OK(sgm_program_build(config, key, NULL, NULL, &net, &p)) &&
        CHECK((picture_layers(p, (int64_t)config->grid * config->grid) == 0) == few) &&
        CHECK_OK(sgm_program_plan(p, sgm_model_weights(model), &options)) &&
        CHECK_OK(sgm_workspace_create(p->plan, &workspace)) && set_inputs(workspace, p) &&
        CHECK_OK(sgm_plan_run(p->plan, workspace))) {
        low = malloc(sizeof *low * (size_t)sgm_shape_count(p->low_res->shape));
        CHECK_OK(sgm_workspace_get(workspace, p->low_res, low));
    }
    sgm_workspace_destroy(workspace);
    sgm_program_destroy(p);
    return low;
}

static void compare(sgm_model *model, sgm_program_key key)
{
    const sgm_model_config *config = sgm_model_get_config(model);
    size_t count = SETS * 16 * (size_t)config->grid * (size_t)config->grid *
                   (size_t)config->decoder.mask_tokens;
    float *want = decode(model, key, false), *got = decode(model, key, true);
    double error = 0, size = 0;
    for (size_t i = 0; want && got && i < count; i++) {
        error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        size += (double)want[i] * want[i];
    }
    printf("%s, %s mask prompt: normalised error %.2g\n", config->variant,
           key.mask ? "with" : "without", sqrt(error / size));
    CHECK(size > 0 && sqrt(error / size) <= 2e-5);
    free(want);
    free(got);
}

int main(int argc, char **argv)
{
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    sgm_context_options options = {
        .size = sizeof options, .device = SGM_DEVICE_CPU, .precision = SGM_PRECISION_FP32};
    if (argc != 3) return 1;
    if (CHECK_OK(sgm_context_create(&options, &context)) &&
        CHECK_OK(sgm_model_load(context, argv[2], argv[1], &model))) {
        const sgm_model_config *config = sgm_model_get_config(model);
        bool listens = sgm_config_listens(config);
        sgm_program_key key = {.stage = SGM_STAGE_DECODE,
                               .batch = SETS,
                               .tokens = listens ? TOKENS : 0,
                               .classes = !listens && config->classes > 0};
        compare(model, key);
        key.mask = true;
        if (listens) compare(model, key);
    }
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    return check_report();
}
