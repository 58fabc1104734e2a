#include "predict/look/picture.h"

#include "core/call.h"
#include "core/sized.h"
#include "core/status.h"
#include "predict/look/look.h"
#include "predict/look/session_predictor.h"
#include "predict/picture/touching.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct sgm_picture {
    sgm_session_predictor binding; /* session NULL: the predictor is borrowed */
    sgm_embedder embedder;
    sgm_looker looker;
    uint8_t *pixels;
    sgm_image image;
    sgm_view view;  /* of the last prediction; width 0: none */
    sgm_box extent; /* of the last mask, if has_extent */
    int has_extent;
    float *logits; /* a mask prompt, copied: it may be the looker's own memory */
};

static sgm_status init(sgm_picture *picture, const sgm_predictor *predictor, int zoom,
                       const sgm_picture_options *options)
{
    size_t count = (size_t)predictor->low_res_shape[0] * (size_t)predictor->low_res_shape[1];
    picture->logits = malloc(sizeof(float) * (count ? count : 1));
    if (!picture->logits) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for low-res logits");
    SGM_TRY(sgm_embedder_init(&picture->embedder, predictor, &options->store,
                              options->embedding_memory));
    return sgm_looker_init(&picture->looker, predictor, &picture->embedder, zoom);
}

/* `predictor` NULL: the model's. */
static sgm_status make(sgm_model *model, const sgm_predictor *predictor, int zoom,
                       const sgm_picture_options *given, sgm_picture **out)
{
    sgm_picture_options options = {0};
    *out = NULL;
    if (given)
        SGM_TRY(
            sgm_sized_read("sgm_picture_options", given, sizeof options, &options, sizeof options));
    sgm_picture *picture = calloc(1, sizeof *picture);
    if (!picture) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a picture");
    sgm_status status = SGM_OK;
    if (!predictor) {
        status = sgm_session_predictor_init(&picture->binding, model);
        predictor = &picture->binding.predictor;
        zoom = sgm_zoom_applies(model, options.zoom);
    }
    if (status == SGM_OK) status = init(picture, predictor, zoom, &options);
    if (status != SGM_OK) {
        sgm_picture_destroy(picture);
        return status;
    }
    *out = picture;
    return SGM_OK;
}

sgm_status sgm_picture_make(const sgm_predictor *predictor, int zoom,
                            const sgm_picture_options *options, sgm_picture **out)
{
    return make(NULL, predictor, zoom, options, out);
}

int sgm_zoom_applies(const sgm_model *model, sgm_zoom_mode mode)
{
    return mode == SGM_ZOOM_ON || (mode == SGM_ZOOM_AUTO && model && sgm_model_wants_zoom(model));
}

sgm_status sgm_picture_create(sgm_model *model, const sgm_picture_options *options,
                              sgm_picture **out)
{
    if (!model || !out) return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_picture_create: NULL");
    return make(model, NULL, 0, options, out);
}

void sgm_picture_destroy(sgm_picture *picture)
{
    if (!picture) return;
    sgm_looker_clear(&picture->looker);
    sgm_embedder_clear(&picture->embedder);
    sgm_session_predictor_clear(&picture->binding);
    free(picture->pixels);
    free(picture->logits);
    free(picture);
}

static sgm_status check_image(const sgm_image *image)
{
    if (!image || !image->data) return sgm_fail(SGM_INVALID_ARGUMENT, "there is no image");
    if (image->width < 1 || image->height < 1 || image->width > 32768 || image->height > 32768 ||
        (image->channels != 1 && image->channels != 3))
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "an image has 1 to 32768 pixels a side and 1 or 3 channels; got %d x %d, "
                        "%d channels",
                        image->width, image->height, image->channels);
    return SGM_OK;
}

sgm_status sgm_picture_set_image(sgm_picture *picture, const sgm_image *image)
{
    if (!picture) return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_picture_set_image: NULL");
    SGM_TRY(check_image(image));
    size_t row = (size_t)image->width * (size_t)image->channels;
    uint8_t *pixels = malloc(row * (size_t)image->height);
    if (!pixels) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the image");
    ptrdiff_t stride = image->stride ? image->stride : (ptrdiff_t)row;
    for (int y = 0; y < image->height; y++)
        memcpy(pixels + row * (size_t)y, image->data + y * stride, row);
    free(picture->pixels);
    picture->pixels = pixels;
    picture->image = *image;
    picture->image.data = pixels;
    picture->image.stride = (ptrdiff_t)row;
    picture->view = (sgm_view){0};
    picture->has_extent = 0;
    sgm_embedder_forget(&picture->embedder);
    return SGM_OK;
}

/* Whether a span of places has one in a row or column of so many pixels. */
static bool meets(double low, double high, int pixels)
{
    return high >= -0.5 - SGM_TOUCHING && low <= pixels - 0.5 + SGM_TOUCHING;
}

/* In the image's own coordinates, which the network never sees. */
static sgm_status check_points(const sgm_image *image, const sgm_prompt *prompt)
{
    if (prompt->point_count && !prompt->points)
        return sgm_fail(SGM_INVALID_ARGUMENT, "the prompt counts points but has none");
    for (size_t i = 0; i < prompt->point_count; i++) {
        const sgm_point *p = &prompt->points[i];
        if (isnan(p->x) || isnan(p->y))
            return sgm_fail(SGM_BAD_PROMPT, "point %zu is not a number", i + 1);
        if (!meets(p->x, p->x, image->width) || !meets(p->y, p->y, image->height))
            return sgm_fail(SGM_BAD_PROMPT,
                            "point %zu at (%g, %g) is outside the image of %d x %d pixels", i + 1,
                            p->x, p->y, image->width, image->height);
    }
    return SGM_OK;
}

/* People give the far corner as a pixel's centre or as its end: both are right. */
static sgm_status check_box(const sgm_image *image, const sgm_box *box)
{
    if (!box) return SGM_OK;
    if (box->x0 < box->x1 && box->y0 < box->y1 && box->x0 >= -1 && box->y0 >= -1 &&
        box->x1 <= image->width && box->y1 <= image->height &&
        meets(box->x0, box->x1, image->width) && meets(box->y0, box->y1, image->height))
        return SGM_OK;
    return sgm_fail(SGM_BAD_PROMPT,
                    "the box (%g, %g) to (%g, %g) is empty, not a number or outside the image of "
                    "%d x %d pixels",
                    box->x0, box->y0, box->x1, box->y1, image->width, image->height);
}

/* Background alone says what the object is not: the network would answer with anything, even with
 * what is excluded. */
static sgm_status check_foreground(const sgm_prompt *prompt)
{
    if (!prompt->point_count || prompt->box || prompt->mask || prompt->class_index) return SGM_OK;
    for (size_t i = 0; i < prompt->point_count; i++)
        if (prompt->points[i].label != SGM_BACKGROUND) return SGM_OK;
    return sgm_fail(SGM_BAD_PROMPT,
                    "the prompt has background points alone: no foreground point, no box and no "
                    "mask says where the object is");
}

sgm_status sgm_picture_check(const sgm_image *image, const sgm_prompt *prompt)
{
    SGM_TRY(check_points(image, prompt));
    SGM_TRY(check_box(image, prompt->box));
    return check_foreground(prompt);
}

static void give_answer(sgm_picture *picture, const sgm_look *look, sgm_mask *out)
{
    picture->view = look->view;
    picture->extent = look->extent;
    picture->has_extent = look->area > 0;
    *out = look->raw;
    out->data = look->mask;
    out->width = look->width;
    out->height = look->height;
}

/* Whether a prompt of several points goes on with the object of the last answer. */
static int continues(const sgm_picture *picture, const sgm_prompt *prompt)
{
    if (!picture->has_extent || prompt->point_count < 2) return 0;
    for (size_t i = 0; i < prompt->point_count; i++) {
        const sgm_point *p = &prompt->points[i];
        if (p->label == SGM_FOREGROUND && p->x >= picture->extent.x0 &&
            p->x <= picture->extent.x1 && p->y >= picture->extent.y0 && p->y <= picture->extent.y1)
            return 1;
    }
    return 0;
}

static sgm_status predict(sgm_picture *picture, const sgm_prompt *prompt,
                          const sgm_predict_options *options, sgm_mask *out)
{
    sgm_look look;
    SGM_TRY(sgm_picture_check(&picture->image, prompt));
    sgm_question question = {.image = &picture->image,
                             .points = prompt->points,
                             .point_count = prompt->point_count,
                             .box = prompt->box,
                             .stay = picture->view,
                             .choice = options->choice,
                             .tight_box = options->tight_box,
                             .class_index = prompt->class_index};
    if (picture->has_extent && (prompt->mask || continues(picture, prompt)))
        question.extent = &picture->extent;
    if (prompt->mask) {
        const int *shape = picture->looker.predictor->low_res_shape;
        memcpy(picture->logits, prompt->mask, sizeof(float) * (size_t)shape[0] * (size_t)shape[1]);
        question.logits = picture->logits;
        question.logits_view = picture->view.width
                                   ? picture->view
                                   : sgm_view_whole(picture->image.width, picture->image.height);
    }
    SGM_TRY(sgm_look_at(&picture->looker, &question, &look));
    if (picture->looker.zoom && prompt->box) sgm_look_clip(&look, prompt->box);
    give_answer(picture, &look, out);
    return SGM_OK;
}

sgm_status sgm_picture_predict(sgm_picture *picture, const sgm_prompt *prompt,
                               const sgm_predict_options *options, const sgm_call *call,
                               sgm_mask *out)
{
    sgm_call_scope scope;
    sgm_predict_options how = {0};
    if (!picture || !prompt || !out)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_picture_predict: NULL");
    if (!picture->pixels) return sgm_fail(SGM_INVALID_ARGUMENT, "there is no image yet");
    if (options)
        SGM_TRY(sgm_sized_read("sgm_predict_options", options, sizeof how, &how, sizeof how));
    SGM_TRY(sgm_call_enter(&scope, call));
    sgm_status status = predict(picture, prompt, &how, out);
    sgm_call_leave(&scope);
    return status;
}

void sgm_picture_view(const sgm_picture *picture, int view[4])
{
    view[0] = picture->view.x;
    view[1] = picture->view.y;
    view[2] = picture->view.width;
    view[3] = picture->view.height;
}

void sgm_picture_counts(const sgm_picture *picture, int64_t *encoded, int64_t *cached,
                        int64_t *decoded)
{
    *encoded = picture->embedder.encoded;
    *cached = picture->embedder.cached;
    *decoded = picture->looker.decoded;
}
