/* The encoder against its golden, stage by stage: the first stage that fails names the layer. */
#include "golden_model.h"

#include "../check.h"
#include "../hash_weights.h"

#include <stdlib.h>

enum { MAX_STAGES = 96 };

typedef struct stage_list {
    const golden_file *file;
    int count;
    char name[MAX_STAGES][64];
    sgm_node *node[MAX_STAGES];
} stage_list;

/* A tap: keeps the stages that the golden file has. */
static void keep_stage(void *user, const char *stage, sgm_node *value)
{
    stage_list *list = user;
    char key[80];
    snprintf(key, sizeof key, "%.63s.val", stage);
    if (list->count == MAX_STAGES || !golden_has(list->file, key)) return;
    snprintf(list->name[list->count], sizeof list->name[0], "%.63s", stage);
    list->node[list->count++] = value;
}

/* Attention inside windows was captured per window in some goldens; those cannot be compared. */
static bool captured_in_windows(const golden_file *file, const char *name, sgm_shape ours)
{
    bool inside = strstr(name, ".attn") != NULL;
    return inside && sgm_shape_count(golden_shape(file, name)) > sgm_shape_count(ours);
}

static void check_stages(const golden_model *m, const stage_list *list, sgm_workspace *workspace)
{
    for (int i = 0; i < list->count; i++) {
        sgm_node *node = list->node[i];
        if (captured_in_windows(list->file, list->name[i], node->shape)) continue;
        float *values = malloc((size_t)sgm_shape_count(node->shape) * sizeof *values);
        if (values && CHECK_OK(sgm_workspace_get(workspace, node, values)))
            golden_check(list->file, list->name[i], node->shape, values,
                         m->exact ? m->embedding_limit : 1);
        free(values);
    }
}

/* Every stage in the file must have met a tap, so that none is left out unseen. */
static void check_coverage(const stage_list *list)
{
    for (size_t i = 0; i < sgm_checkpoint_count(list->file->checkpoint); i++) {
        const char *key = sgm_checkpoint_tensor(list->file->checkpoint, i)->name;
        size_t length = strlen(key);
        bool met = length < 4 || strcmp(key + length - 4, ".val") != 0 ||
                   strcmp(key, "input.val") == 0 || strcmp(key, "embedding.val") == 0;
        for (int k = 0; k < list->count && !met; k++)
            met =
                strlen(list->name[k]) == length - 4 && strncmp(key, list->name[k], length - 4) == 0;
        check_that(met, key, "no tap for this stage", 0);
    }
}

static void run_encoder(golden_model *m, sgm_program *program, stage_list *list, const float *input,
                        float *embedding)
{
    sgm_node *outputs[MAX_STAGES + 1] = {program->features.node[0]};
    sgm_plan_options options = sgm_model_plan_options(m->model);
    sgm_workspace *workspace = NULL;
    memcpy(outputs + 1, list->node, (size_t)list->count * sizeof *outputs);
    if (CHECK_OK(sgm_plan_create(program->graph, sgm_model_weights(m->model), list->count + 1,
                                 outputs, &options, &program->plan)) &&
        CHECK_OK(sgm_workspace_create(program->plan, &workspace)) &&
        CHECK_OK(sgm_workspace_set(workspace, program->image, input)) &&
        CHECK_OK(sgm_plan_run(program->plan, workspace)) &&
        CHECK_OK(sgm_workspace_get(workspace, program->features.node[0], embedding)) &&
        list->file) {
        check_stages(m, list, workspace);
        check_coverage(list);
        golden_check(list->file, "embedding", program->features.node[0]->shape, embedding,
                     m->embedding_limit);
    }
    sgm_workspace_destroy(workspace);
}

void golden_encode(golden_model *m, const float *input, const golden_file *stages, float *embedding)
{
    stage_list *list = calloc(1, sizeof *list);
    list->file = stages;
    sgm_net net = {.tap = stages ? keep_stage : NULL, .tap_user = list};
    sgm_program *program = NULL;
    sgm_shape shape = SGM_SHAPE(1, m->config->image_size, m->config->image_size, 3);
    if (stages) golden_check(stages, "input", shape, input, 1e-6);
    if (CHECK_OK(sgm_program_build(m->config,
                                   (sgm_program_key){.stage = SGM_STAGE_ENCODE, .batch = 1}, NULL,
                                   NULL, &net, &program)))
        run_encoder(m, program, list, input, embedding);
    sgm_program_destroy(program);
    free(list);
}

/* SAMIHS's goldens leave the percentiles out: min-max of the grey values alone. */
static void min_max_input(const uint8_t *rgb, size_t count, float *input)
{
    int low = 255, high = 0;
    for (size_t i = 0; i < count; i++) {
        if (rgb[3 * i] < low) low = rgb[3 * i];
        if (rgb[3 * i] > high) high = rgb[3 * i];
    }
    for (size_t i = 0; i < count; i++)
        input[3 * i] = input[3 * i + 1] = input[3 * i + 2] =
            (float)(rgb[3 * i] - low) / (float)(high - low);
}

void golden_make_input(const golden_model *m, int variant, float *input)
{
    int side = m->config->image_size;
    bool wide = m->config->protocol == &sgm_protocol_sam ||
                m->config->protocol == &sgm_protocol_lite_medsam;
    int height = wide ? side * 3 / 4 : side;
    size_t pixels = (size_t)side * (size_t)height;
    uint8_t *rgb = malloc(pixels * 3);
    hash_image(side, height, variant, rgb);
    sgm_image image = {.data = rgb, .width = side, .height = height, .channels = 3};
    sgm_frame frame;
    if (m->config->protocol == &sgm_protocol_samus) {
        for (size_t i = 0; i < pixels; i++)
            rgb[i] = rgb[3 * i];
        image.channels = 1;
    }
    if (m->config->protocol == &sgm_protocol_samihs)
        min_max_input(rgb, pixels, input);
    else
        CHECK_OK(sgm_preprocess(m->config, &image, input, &frame));
    free(rgb);
}
