#include "everything_ask.h"

#include <math.h>
#include <stdlib.h>

#include "bridge.h"
#include "cli_exit.h"

static int take_all(const sgm_everything *found, uint8_t *mask, slice_masks *out)
{
    int failed = 0;
    for (size_t i = 0; i < out->count && !failed; i++) {
        slice_mask *m = &out->items[i];
        sgm_everything_mask(found, i, mask);
        failed = slice_mask_take(out, i, mask);
        sgm_everything_get(found, i, &m->found);
        m->score = 0.5 * (m->found.predicted_iou + m->found.stability_score);
    }
    return failed;
}

int everything_ask_grid(const pipeline_engine *engine, const sgm_image *picture, int64_t slice,
                        const sgm_everything_options *options, const sgm_call *call,
                        slice_masks *out)
{
    sgm_everything *found = NULL;
    uint8_t *mask = malloc((size_t)picture->width * (size_t)picture->height);
    int failed = mask ? 0 : cli_fail(CLI_EXIT_MEMORY, "no memory for a mask");
    *out = (slice_masks){0};
    if (!failed)
        failed =
            bridge_from_model(sgm_everything_find(engine->model, picture, options, call, &found));
    if (!failed)
        failed = slice_masks_init(out, slice, picture->width, picture->height,
                                  sgm_everything_count(found));
    if (!failed) failed = take_all(found, mask, out);
    if (failed) slice_masks_clear(out);
    sgm_everything_destroy(found);
    free(mask);
    return failed;
}

/* ---------------------------------------------------------------------------------------- boxes */

static int clip(const detection *d, const sgm_image *picture, const char *name, size_t number,
                sgm_box *box)
{
    *box = (sgm_box){fmax(d->x0, 0), fmax(d->y0, 0), fmin(d->x1, picture->width),
                     fmin(d->y1, picture->height)};
    if (box->x0 < box->x1 && box->y0 < box->y1) return 0;
    return cli_fail(CLI_EXIT_PROMPT,
                    "%s: box %zu, (%g, %g) to (%g, %g), lies outside the picture of %d x %d pixels",
                    name, number, d->x0, d->y0, d->x1, d->y1, picture->width, picture->height);
}

static int ask_box(sgm_picture *asked, const sgm_box *box, const detection *d, const sgm_call *call,
                   slice_masks *out, size_t index)
{
    const sgm_prompt prompt = {.box = box};
    slice_mask *m = &out->items[index];
    sgm_mask mask;
    int failed = bridge_from_model(sgm_picture_predict(asked, &prompt, NULL, call, &mask));
    if (!failed) failed = slice_mask_take(out, index, mask.data);
    if (failed) return failed;
    m->found.predicted_iou = mask.predicted_iou;
    m->found.token = mask.chosen;
    m->score = d->score;
    m->category = d->category;
    const double prompted[4] = {box->x0, box->y0, box->x1, box->y1};
    for (int i = 0; i < 4; i++)
        m->prompt[i] = prompted[i];
    return 0;
}

static void tell(const sgm_call *call, size_t done, size_t all)
{
    if (call->progress)
        call->progress(call->progress_user, (double)done / (double)all, "Asking boxes");
}

static int ask_all(sgm_picture *asked, const sgm_image *picture, const detections *boxes,
                   const char *name, const sgm_call *call, slice_masks *out)
{
    sgm_call quiet = *call; /* a box's own progress is none of the picture's */
    int failed = 0;
    quiet.progress = NULL;
    for (size_t i = 0; i < boxes->count && !failed; i++) {
        sgm_box box;
        failed = clip(&boxes->items[i], picture, name, i + 1, &box);
        if (!failed) failed = ask_box(asked, &box, &boxes->items[i], &quiet, out, i);
        tell(call, i + 1, boxes->count);
    }
    return failed;
}

int everything_ask_boxes(const pipeline_engine *engine, const sgm_image *picture, int64_t slice,
                         const detections *boxes, const char *name, const sgm_call *call,
                         slice_masks *out)
{
    const sgm_picture_options how = {.size = sizeof how, .store = engine->store};
    sgm_picture *asked = NULL;
    int failed = slice_masks_init(out, slice, picture->width, picture->height, boxes->count);
    if (failed) return failed;
    out->from_boxes = 1;
    failed = bridge_from_model(sgm_picture_create(engine->model, &how, &asked));
    if (!failed) failed = bridge_from_model(sgm_picture_set_image(asked, picture));
    if (!failed) failed = ask_all(asked, picture, boxes, name, call, out);
    sgm_picture_destroy(asked);
    if (failed) slice_masks_clear(out);
    return failed;
}
