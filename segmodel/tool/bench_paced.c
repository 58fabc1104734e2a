#include "bench_paced.h"

#include "matrix_rate.h"
#include "tool_image.h"

#include <stdio.h>
#include <string.h>

typedef struct paced {
    sgm_session *session;
    const sgm_image *image;
} paced;

static sgm_status decode(const paced *p)
{
    sgm_point point = {400, 500, SGM_FOREGROUND};
    sgm_prompt prompt = {.points = &point, .point_count = 1};
    sgm_mask mask;
    return sgm_session_predict(p->session, &prompt, NULL, &mask);
}

static sgm_status answer(const paced *p, const char *line)
{
    sgm_status status;
    double start = now_seconds();
    if (!strcmp(line, "encode\n"))
        status = sgm_session_set_image(p->session, p->image);
    else if (!strcmp(line, "decode\n"))
        status = decode(p);
    else
        status = sgm_fail(SGM_INVALID_ARGUMENT, "wanted 'encode' or 'decode' on stdin");
    if (status == SGM_OK) printf("%.6f\n", now_seconds() - start);
    return status;
}

static sgm_status serve(const paced *p)
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
    sgm_model *model = NULL;
    image_file file = {0};
    paced p = {.image = &file.image};
    sgm_status status = image_file_read(image, &file);
    if (status == SGM_OK) status = sgm_context_create(options, &context);
    if (status == SGM_OK) status = sgm_model_load(context, path, variant, &model);
    if (status == SGM_OK) status = sgm_session_create(model, &p.session);
    if (status == SGM_OK) status = serve(&p);
    sgm_session_destroy(p.session);
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    image_file_clear(&file);
    return status;
}
