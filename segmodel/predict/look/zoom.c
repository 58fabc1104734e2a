#include "predict/look/look.h"
#include "predict/look/session_predictor.h"
#include "predict/look/zoom_picture.h"

#include "core/status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct sgm_zoom {
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

static sgm_status init(sgm_zoom *zoom, const sgm_predictor *predictor, int crops,
                       const sgm_embedding_store *store)
{
    size_t count = (size_t)predictor->low_res_shape[0] * (size_t)predictor->low_res_shape[1];
    zoom->logits = malloc(sizeof(float) * (count ? count : 1));
    if (!zoom->logits) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for low-res logits");
    SGM_TRY(sgm_embedder_init(&zoom->embedder, predictor, store, 0));
    return sgm_looker_init(&zoom->looker, predictor, &zoom->embedder, crops);
}

static sgm_status new_zoom(sgm_zoom **out)
{
    *out = calloc(1, sizeof **out);
    return *out ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a predictor");
}

static sgm_status keep_or_destroy(sgm_status status, sgm_zoom **zoom)
{
    if (status == SGM_OK) return SGM_OK;
    sgm_zoom_destroy(*zoom);
    *zoom = NULL;
    return status;
}

sgm_status sgm_zoom_make(const sgm_predictor *predictor, int crops,
                         const sgm_embedding_store *store, sgm_zoom **out)
{
    SGM_TRY(new_zoom(out));
    return keep_or_destroy(init(*out, predictor, crops, store), out);
}

int sgm_zoom_applies(const sgm_model *model, sgm_zoom_mode mode)
{
    return mode == SGM_ZOOM_ON || (mode == SGM_ZOOM_AUTO && model && sgm_model_wants_zoom(model));
}

sgm_status sgm_zoom_create(sgm_model *model, sgm_zoom_mode mode, const sgm_embedding_store *store,
                           sgm_zoom **out)
{
    if (!model || !out) return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_zoom_create: NULL");
    SGM_TRY(new_zoom(out));
    sgm_session_predictor *binding = &(*out)->binding;
    sgm_status status = sgm_session_predictor_init(binding, model);
    if (status == SGM_OK)
        status = init(*out, &binding->predictor, sgm_zoom_applies(model, mode), store);
    return keep_or_destroy(status, out);
}

void sgm_zoom_destroy(sgm_zoom *zoom)
{
    if (!zoom) return;
    sgm_looker_clear(&zoom->looker);
    sgm_embedder_clear(&zoom->embedder);
    sgm_session_predictor_clear(&zoom->binding);
    free(zoom->pixels);
    free(zoom->logits);
    free(zoom);
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

sgm_status sgm_zoom_set_image(sgm_zoom *zoom, const sgm_image *image)
{
    if (!zoom) return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_zoom_set_image: NULL");
    SGM_TRY(check_image(image));
    size_t row = (size_t)image->width * (size_t)image->channels;
    uint8_t *pixels = malloc(row * (size_t)image->height);
    if (!pixels) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the image");
    ptrdiff_t stride = image->stride ? image->stride : (ptrdiff_t)row;
    for (int y = 0; y < image->height; y++)
        memcpy(pixels + row * (size_t)y, image->data + y * stride, row);
    free(zoom->pixels);
    zoom->pixels = pixels;
    zoom->image = *image;
    zoom->image.data = pixels;
    zoom->image.stride = (ptrdiff_t)row;
    zoom->view = (sgm_view){0};
    zoom->has_extent = 0;
    sgm_embedder_forget(&zoom->embedder);
    return SGM_OK;
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
        if (!(p->x >= -1 && p->x <= image->width && p->y >= -1 && p->y <= image->height))
            return sgm_fail(SGM_BAD_PROMPT,
                            "point %zu at (%g, %g) is outside the image of %d x %d pixels", i + 1,
                            p->x, p->y, image->width, image->height);
    }
    return SGM_OK;
}

static sgm_status check_box(const sgm_image *image, const sgm_box *box)
{
    if (!box) return SGM_OK;
    if (box->x0 < box->x1 && box->y0 < box->y1 && box->x0 >= -1 && box->y0 >= -1 &&
        box->x1 <= image->width && box->y1 <= image->height)
        return SGM_OK;
    return sgm_fail(SGM_BAD_PROMPT,
                    "the box (%g, %g) to (%g, %g) is empty, not a number or outside the image of "
                    "%d x %d pixels",
                    box->x0, box->y0, box->x1, box->y1, image->width, image->height);
}

static void give_answer(sgm_zoom *zoom, const sgm_look *look, sgm_mask *out)
{
    zoom->view = look->view;
    zoom->extent = look->extent;
    zoom->has_extent = look->area > 0;
    *out = look->raw;
    out->data = look->mask;
    out->width = look->width;
    out->height = look->height;
}

/* Whether a prompt of several points goes on with the object of the last answer. */
static int continues(const sgm_zoom *zoom, const sgm_prompt *prompt)
{
    if (!zoom->has_extent || prompt->point_count < 2) return 0;
    for (size_t i = 0; i < prompt->point_count; i++) {
        const sgm_point *p = &prompt->points[i];
        if (p->label == SGM_FOREGROUND && p->x >= zoom->extent.x0 && p->x <= zoom->extent.x1 &&
            p->y >= zoom->extent.y0 && p->y <= zoom->extent.y1)
            return 1;
    }
    return 0;
}

sgm_status sgm_zoom_predict(sgm_zoom *zoom, const sgm_prompt *prompt,
                            const sgm_predict_options *options, sgm_mask *out)
{
    sgm_look look;
    if (!zoom || !prompt || !out) return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_zoom_predict: NULL");
    if (!zoom->pixels) return sgm_fail(SGM_INVALID_ARGUMENT, "there is no image yet");
    SGM_TRY(check_points(&zoom->image, prompt));
    SGM_TRY(check_box(&zoom->image, prompt->box));
    sgm_question question = {.image = &zoom->image,
                             .points = prompt->points,
                             .point_count = prompt->point_count,
                             .box = prompt->box,
                             .stay = zoom->view,
                             .choice = options ? options->choice : SGM_CHOOSE_AUTO,
                             .tight_box = options ? options->tight_box : SGM_TIGHT_BOX_AUTO};
    if (zoom->has_extent && (prompt->mask || continues(zoom, prompt)))
        question.extent = &zoom->extent;
    if (prompt->mask) {
        const int *shape = zoom->looker.predictor->low_res_shape;
        memcpy(zoom->logits, prompt->mask, sizeof(float) * (size_t)shape[0] * (size_t)shape[1]);
        question.logits = zoom->logits;
        question.logits_view =
            zoom->view.width ? zoom->view : sgm_view_whole(zoom->image.width, zoom->image.height);
    }
    SGM_TRY(sgm_look_at(&zoom->looker, &question, &look));
    give_answer(zoom, &look, out);
    return SGM_OK;
}

void sgm_zoom_view(const sgm_zoom *zoom, int view[4])
{
    memcpy(view, (const int[4]){zoom->view.x, zoom->view.y, zoom->view.width, zoom->view.height},
           sizeof(int[4]));
}

void sgm_zoom_counts(const sgm_zoom *zoom, int64_t *encoded, int64_t *cached)
{
    *encoded = zoom->embedder.encoded;
    *cached = zoom->embedder.cached;
}
