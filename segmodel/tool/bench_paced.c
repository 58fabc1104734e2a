#include "bench_paced.h"

#include "matrix_rate.h"
#include "tool_image.h"

#include "core/clock.h"
#include "plan/weights.h"
#include "predict/picture/preprocess.h"
#include "predict/session/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct paced {
    sgm_model *model;
    sgm_session *session;
    const sgm_image *image;
    sgm_program *encoder; /* of the last "network N", with its input in place */
    sgm_workspace *workspace;
} paced;

static sgm_status decode(const paced *p)
{
    sgm_point point = {400.0 / 1024 * p->image->width, 500.0 / 1024 * p->image->height,
                       SGM_FOREGROUND};
    sgm_prompt prompt = {.points = &point, .point_count = 1};
    sgm_mask mask;
    return sgm_session_predict(p->session, &prompt, NULL, &mask);
}

static void drop_encoder(paced *p)
{
    sgm_workspace_destroy(p->workspace);
    sgm_model_release(p->model, p->encoder);
    p->workspace = NULL;
    p->encoder = NULL;
}

/* The image `batch` times as the network's input. */
static sgm_status set_images(paced *p, int batch)
{
    const sgm_model_config *config = sgm_model_get_config(p->model);
    size_t count = (size_t)config->image_size * (size_t)config->image_size * 3;
    sgm_frame frame;
    float *input = malloc((size_t)batch * count * sizeof *input);
    if (!input) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %d images", batch);
    sgm_status status = SGM_OK;
    for (int i = 0; status == SGM_OK && i < batch; i++)
        status = sgm_preprocess(config, p->image, input + (size_t)i * count, &frame);
    if (status == SGM_OK) status = sgm_workspace_set(p->workspace, p->encoder->image, input);
    free(input);
    return status;
}

/* Warm, and ready for the next run. */
static sgm_status make_encoder(paced *p, int batch)
{
    drop_encoder(p);
    SGM_TRY(sgm_model_program(
        p->model, (sgm_program_key){.stage = SGM_STAGE_ENCODE, .batch = batch}, &p->encoder));
    SGM_TRY(sgm_workspace_create(p->encoder->plan, &p->workspace));
    SGM_TRY(set_images(p, batch));
    return sgm_plan_run(p->encoder->plan, p->workspace);
}

/* On the CPU a run uses its input's memory for other things (plan.h, inputs_once). */
static bool keeps_input(const paced *p)
{
    return !sgm_weights_backend(sgm_model_weights(p->model))->ops->host_memory;
}

/* Seconds of the encoder alone, image and embeddings on the device. */
static sgm_status run_network(paced *p, int batch, double *seconds)
{
    if (batch < 1 || batch > 64)
        return sgm_fail(SGM_INVALID_ARGUMENT, "'network' takes 1 to 64 images");
    if (!p->encoder || p->encoder->key.batch != batch) SGM_TRY(make_encoder(p, batch));
    if (!keeps_input(p)) SGM_TRY(set_images(p, batch));
    double start = sgm_clock();
    SGM_TRY(sgm_plan_run(p->encoder->plan, p->workspace));
    *seconds = sgm_clock() - start;
    return SGM_OK;
}

static sgm_status answer(paced *p, const char *line)
{
    sgm_status status;
    double start = sgm_clock(), seconds = -1;
    if (!strcmp(line, "encode\n"))
        status = sgm_session_set_image(p->session, p->image);
    else if (!strcmp(line, "decode\n"))
        status = decode(p);
    else if (!strncmp(line, "network ", 8))
        status = run_network(p, atoi(line + 8), &seconds);
    else
        status =
            sgm_fail(SGM_INVALID_ARGUMENT, "wanted 'encode', 'decode' or 'network N' on stdin");
    if (status == SGM_OK) printf("%.6f\n", seconds < 0 ? sgm_clock() - start : seconds);
    return status;
}

static sgm_status serve(paced *p)
{
    char line[32];
    SGM_TRY(sgm_session_set_image(p->session, p->image));
    SGM_TRY(decode(p));
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        SGM_TRY(answer(p, line));
        fflush(stdout);
    }
    return SGM_OK;
}

sgm_status bench_paced(const sgm_context_options *options, const char *path, const char *variant,
                       const char *image)
{
    sgm_context *context = NULL;
    image_file file = {0};
    paced p = {.image = &file.image};
    sgm_status status = image_file_read(image, &file);
    if (status == SGM_OK) status = sgm_context_create(options, &context);
    if (status == SGM_OK) status = sgm_model_load(context, path, variant, &p.model);
    if (status == SGM_OK) status = sgm_session_create(p.model, &p.session);
    if (status == SGM_OK) status = serve(&p);
    drop_encoder(&p);
    sgm_session_destroy(p.session);
    sgm_model_destroy(p.model);
    sgm_context_destroy(context);
    image_file_clear(&file);
    return status;
}
