#include "predict/look/point_rating.h"

#include "core/number.h"
#include "core/status.h"
#include "predict/look/logits.h"
#include "predict/look/look.h"
#include "predict/session/mask.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static const float stability_offset = 0.5f;

sgm_status sgm_point_rating_read(const char *text, sgm_point_rating *out)
{
    const char *at = text;
    for (int i = 0; i < SGM_POINT_TERMS; i++) {
        double *weight = &out->weights[i];
        if (!sgm_take_number(&at, weight) || !isfinite(*weight))
            return sgm_fail(SGM_INVALID_ARGUMENT, "'%.200s' has no number at place %d of %d", text,
                            i + 1, SGM_POINT_TERMS);
        if (*at != (i == SGM_POINT_TERMS - 1 ? '\0' : ','))
            return sgm_fail(SGM_INVALID_ARGUMENT,
                            "'%.200s' has %d of %d numbers with commas between them", text, i + 1,
                            SGM_POINT_TERMS);
        at += *at == ',';
    }
    return SGM_OK;
}

const char *sgm_point_term_name(int term)
{
    static const char *const names[SGM_POINT_TERMS] = {"predicted_iou",
                                                       "view_share",
                                                       "view_share_square",
                                                       "picture_share",
                                                       "picture_share_square",
                                                       "touches_view",
                                                       "touches_picture",
                                                       "depth",
                                                       "depth_square",
                                                       "off_centre",
                                                       "part",
                                                       "thickness",
                                                       "mean_logit",
                                                       "point_logit",
                                                       "stability"};
    return term >= 0 && term < SGM_POINT_TERMS ? names[term] : "unknown";
}

static void shares(const sgm_look *look, double terms[SGM_POINT_TERMS])
{
    double area = (double)look->area;
    double in_view = log(area / ((double)look->view.width * look->view.height));
    double in_picture = log(area / ((double)look->width * look->height));
    terms[SGM_TERM_VIEW_SHARE] = in_view;
    terms[SGM_TERM_VIEW_SHARE_SQUARE] = in_view * in_view;
    terms[SGM_TERM_PICTURE_SHARE] = in_picture;
    terms[SGM_TERM_PICTURE_SHARE_SQUARE] = in_picture * in_picture;
}

static int touches_picture(const sgm_look *look)
{
    const sgm_box *box = &look->extent;
    return box->x0 <= 0 || box->y0 <= 0 || box->x1 >= look->width - 1 ||
           box->y1 >= look->height - 1;
}

static int nearest_pixel(double place, int length)
{
    return (int)fmin(fmax(0, floor(place + 0.5)), length - 1);
}

/* The part of a mask that holds something, every `step`-th pixel of it along both axes, a given
 * pixel among them: what a mask of any size is looked at by. */
typedef struct sampled_mask {
    uint8_t *pixels; /* NULL: there are none, or no memory for them */
    int left, top, step, width, height;
} sampled_mask;

enum { MOST_SAMPLES = 512 }; /* along an axis */

/* The first place from `low` on that lies a multiple of `step` from `through`. */
static int lattice_start(int low, int through, int step)
{
    int beyond = (through - low) % step;
    return low + (beyond < 0 ? beyond + step : beyond);
}

static sampled_mask sample(const sgm_look *look, int x, int y)
{
    const sgm_box *box = &look->extent;
    int side = (int)fmax(box->x1 - box->x0, box->y1 - box->y0) + 1;
    sampled_mask s = {.step = (side - 1) / MOST_SAMPLES + 1};
    s.left = lattice_start((int)box->x0, x, s.step);
    s.top = lattice_start((int)box->y0, y, s.step);
    s.width = s.left > box->x1 ? 0 : ((int)box->x1 - s.left) / s.step + 1;
    s.height = s.top > box->y1 ? 0 : ((int)box->y1 - s.top) / s.step + 1;
    s.pixels = s.width && s.height ? malloc((size_t)s.width * (size_t)s.height) : NULL;
    for (int v = 0; s.pixels && v < s.height; v++)
        for (int u = 0; u < s.width; u++)
            s.pixels[(size_t)v * (size_t)s.width + (size_t)u] =
                look->mask[(size_t)(s.top + v * s.step) * (size_t)look->width +
                           (size_t)(s.left + u * s.step)];
    return s;
}

/* Where in the mask the point lies. */
static sgm_status places(const sgm_look *look, double x, double y, double terms[SGM_POINT_TERMS])
{
    int px = nearest_pixel(x, look->width), py = nearest_pixel(y, look->height);
    sampled_mask s = sample(look, px, py);
    int u = (px - s.left) / s.step, v = (py - s.top) / s.step;
    bool is_within = px >= s.left && py >= s.top && u < s.width && v < s.height;
    double area = (double)look->area / s.step / s.step, centre_x = x, centre_y = y;
    sgm_mask_place place = {0};
    sgm_box box;
    sgm_status status = SGM_OK;
    if (s.width && s.height && !s.pixels)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to look at a mask");
    if (s.pixels && is_within)
        status = sgm_mask_place_of(s.pixels, s.width, s.height, u, v, &place);
    int64_t count = s.pixels ? sgm_mask_measure(s.pixels, s.width, s.height, &box) : 0;
    if (count) {
        sgm_mask_centre(s.pixels, s.width, s.height, &centre_x, &centre_y);
        centre_x = s.left + centre_x * s.step;
        centre_y = s.top + centre_y * s.step;
    }
    double depth = place.part ? place.depth / place.deepest : 0;
    terms[SGM_TERM_DEPTH] = depth;
    terms[SGM_TERM_DEPTH_SQUARE] = depth * depth;
    terms[SGM_TERM_OFF_CENTRE] = hypot(centre_x - x, centre_y - y) / sqrt((double)look->area);
    terms[SGM_TERM_PART] = count ? (double)place.part / (double)count : 0;
    /* of a mask beside the point: a line's */
    terms[SGM_TERM_THICKNESS] = log(fmax(1, place.deepest) / sqrt(area));
    free(s.pixels);
    return status;
}

sgm_status sgm_point_terms(const sgm_predictor *predictor, const sgm_look *look, double x, double y,
                           double terms[SGM_POINT_TERMS])
{
    sgm_logits_summary logits = sgm_logits_summarize(predictor, look->low_res, look->view, x, y,
                                                     predictor->mask_threshold, stability_offset);
    shares(look, terms);
    SGM_TRY(places(look, x, y, terms));
    terms[SGM_TERM_PREDICTED_IOU] = look->raw.predicted_iou;
    terms[SGM_TERM_TOUCHES_VIEW] =
        sgm_view_is_touched(look->view, &look->extent, look->width, look->height);
    terms[SGM_TERM_TOUCHES_PICTURE] = touches_picture(look);
    terms[SGM_TERM_MEAN_LOGIT] = logits.mean_inside;
    terms[SGM_TERM_POINT_LOGIT] = logits.at_point;
    terms[SGM_TERM_STABILITY] = logits.stability;
    return SGM_OK;
}

double sgm_point_rating_of(const sgm_point_rating *rating, const double terms[SGM_POINT_TERMS])
{
    double sum = 0;
    for (int i = 0; i < SGM_POINT_TERMS; i++)
        sum += rating->weights[i] * terms[i];
    return sum;
}
