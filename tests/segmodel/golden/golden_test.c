/* golden_test VARIANT WEIGHTS.safetensors FOLDER [fp32|bf16] [cpu|ref|cuda]
 *
 * Compares a network with what the official PyTorch code computed from the same weights: every
 * stage of the encoder, every kind of prompt, and the way from a picture to masks. Prints the
 * normalised RMS error of each comparison.
 *
 * Limits: FP32 1e-4 for embeddings, 5e-4 for logits (the official code's own FP32 noise is 3e-6 and
 * 3e-5), 1e-3 for predicted IoU. BF16 keeps 8 bits of mantissa, so 2e-2, 3e-2, and 0.1 for the IoU
 * predictions, whose random-weight heads amplify. */
#include "golden_model.h"

#include "../check.h"

#include <stdlib.h>

int check_count, check_failures;

static sgm_context_options options_for(const char *precision, const char *device)
{
    sgm_context_options options = {.precision = SGM_PRECISION_FP32, .device = SGM_DEVICE_CPU};
    if (!strcmp(precision, "bf16")) options.precision = SGM_PRECISION_BF16;
    if (!strcmp(device, "ref")) options.device = SGM_DEVICE_REFERENCE;
    if (!strcmp(device, "cuda")) options.device = SGM_DEVICE_CUDA;
    return options;
}

static void set_limits(golden_model *m)
{
    m->exact = sgm_context_precision(m->context) == SGM_PRECISION_FP32;
    m->embedding_limit = m->exact ? 1e-4 : 2e-2;
    m->logit_limit = m->exact ? 5e-4 : 3e-2;
    m->iou_limit = m->exact ? 1e-3 : 0.1;
    m->upsampled_limit = m->exact ? 5e-4 : 6e-2;
}

static void check_encoder(golden_model *m)
{
    size_t side = (size_t)m->config->image_size, grid = (size_t)m->config->grid;
    golden_file stages = {0};
    m->input = malloc(side * side * 3 * sizeof *m->input);
    m->embedding = calloc(grid * grid * (size_t)m->config->decoder.dim, sizeof *m->embedding);
    golden_make_input(m, 0, m->input);
    if (golden_open(m->folder, "encoder", &stages))
        golden_encode(m, m->input, &stages, m->embedding);
    golden_close(&stages);
}

static void run(golden_model *m, const char *weights, const char *variant)
{
    if (!CHECK_OK(sgm_model_load(m->context, weights, variant, &m->model))) return;
    m->config = sgm_model_get_config(m->model);
    set_limits(m);
    check_encoder(m);
    golden_prompts(m);
    bool has_predictor = !strcmp(variant, "sam_vit_b") || !strcmp(variant, "mobile_sam");
    if (has_predictor) golden_predictor(m);
    bool first_of_points =
        m->config->protocol->answer == SGM_ANSWER_FIRST && m->config->protocol->walk.points;
    if (first_of_points) golden_answers(m);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: golden_test VARIANT WEIGHTS FOLDER [fp32|bf16] [cpu|ref|cuda]\n");
        return 1;
    }
    golden_model m = {.folder = argv[3]};
    sgm_context_options options =
        options_for(argc > 4 ? argv[4] : "fp32", argc > 5 ? argv[5] : "cpu");
    sgm_status status = sgm_context_create(&options, &m.context);
    if (status == SGM_DEVICE) {
        printf("left out: %s\n", sgm_last_message());
        return 77; /* ctest's SKIP_RETURN_CODE */
    }
    if (CHECK_OK(status)) {
        printf("%s on %s\n", argv[1], sgm_context_device(m.context));
        run(&m, argv[2], argv[1]);
    }
    sgm_model_destroy(m.model);
    sgm_context_destroy(m.context);
    free(m.input);
    free(m.embedding);
    return check_report();
}
