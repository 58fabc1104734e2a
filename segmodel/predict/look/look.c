#include "predict/look/look.h"

#include "core/status.h"
#include "predict/look/logits.h"
#include "predict/look/point_rating.h"
#include "predict/picture/touching.h"
#include "predict/session/mask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Larger shares of the picture are rated down. */
static const double common_share = 0.25;

/* Two scales to an octave: the default model's Dice from one point on sets it was not trained on is
 * 0.703; with one to an octave it is 0.684. */
enum { MAX_SCALES = SGM_MOST_VIEWS, MAX_RECENTRES = 3 };
static const double scale_step = 1.41421356237309505;

/* A look that is this much worse in the network's own eyes than the one it should refine is not
 * taken. */
static const double allowed_loss = 0.05;

/* Smallest side of a first look at a point: what a point means needs some surroundings. */
static const double min_first_side = 32;

static size_t low_res_count(const sgm_predictor *predictor)
{
    return (size_t)predictor->low_res_shape[0] * (size_t)predictor->low_res_shape[1];
}

sgm_status sgm_looker_init(sgm_looker *looker, const sgm_predictor *predictor,
                           sgm_embedder *embedder, int zoom)
{
    size_t count = low_res_count(predictor);
    *looker = (sgm_looker){.predictor = predictor, .embedder = embedder, .zoom = zoom};
    looker->moved = malloc(sizeof(float) * (count ? count : 1));
    looker->low_res = malloc(sizeof(float) * (count ? count : 1));
    if (looker->moved && looker->low_res) return SGM_OK;
    sgm_looker_clear(looker);
    return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for low-res logits");
}

void sgm_looker_clear(sgm_looker *looker)
{
    free(looker->mask);
    free(looker->points);
    free(looker->moved);
    free(looker->low_res);
    *looker = (sgm_looker){0};
}

/* First and last pixel that a span overlaps by more than a touch. */
static void overlapped(double low, double high, int length, int *first, int *last)
{
    *first = (int)fmax(0, ceil(low - 0.5 + SGM_TOUCHING));
    *last = (int)fmin(length - 1, floor(high + 0.5 - SGM_TOUCHING));
}

void sgm_look_clip(sgm_look *look, const sgm_box *box)
{
    int left, right, top, bottom;
    overlapped(box->x0, box->x1, look->width, &left, &right);
    overlapped(box->y0, box->y1, look->height, &top, &bottom);
    for (int y = 0; y < look->height; y++)
        for (int x = 0; x < look->width; x++)
            if (y < top || y > bottom || x < left || x > right)
                look->mask[(size_t)y * (size_t)look->width + (size_t)x] = 0;
    look->area = sgm_mask_measure(look->mask, look->width, look->height, &look->extent);
}

static sgm_status reserve(sgm_looker *looker, const sgm_question *question)
{
    size_t pixels = (size_t)question->image->width * (size_t)question->image->height;
    if (pixels > looker->mask_size) {
        free(looker->mask);
        looker->mask = malloc(pixels);
        looker->mask_size = looker->mask ? pixels : 0;
        if (!looker->mask) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a mask");
    }
    if (question->point_count > looker->point_room) {
        free(looker->points);
        looker->points = malloc(sizeof *looker->points * question->point_count);
        looker->point_room = looker->points ? question->point_count : 0;
        if (!looker->points) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for points");
    }
    return SGM_OK;
}

/* ------------------------------------------------------------------- one decode in one view */

static int is_whole(sgm_view view, const sgm_image *image)
{
    return sgm_view_equal(view, sgm_view_whole(image->width, image->height));
}

/* Points in the view's coordinates. Background points outside say nothing about the view and are
 * left out; a point outside the picture stays, for the network to refuse. */
static size_t move_points(const sgm_looker *looker, const sgm_question *question, sgm_view view)
{
    size_t count = 0;
    for (size_t i = 0; i < question->point_count; i++) {
        sgm_point point = question->points[i];
        point.x -= view.x;
        point.y -= view.y;
        int is_inside = point.x >= -0.5 && point.y >= -0.5 && point.x <= view.width - 0.5 &&
                        point.y <= view.height - 0.5;
        if (is_inside || point.label != SGM_BACKGROUND || is_whole(view, question->image))
            looker->points[count++] = point;
    }
    return count;
}

/* Clips a span to the view's pixel centres; what this leaves of it is at least a pixel wide: it may
 * lie in the outer half of a border pixel, or around all of a view of one pixel. */
static void clip_span(double *low, double *high, int length)
{
    double from = fmax(*low, 0), to = fmin(*high, length - 1);
    if (to - from < 1 && (from > *low || to < *high)) {
        from = fmin(from, length > 1 ? length - 2 : 0);
        to = from + 1;
    }
    *low = from;
    *high = to;
}

static sgm_box move_box(const sgm_box *box, sgm_view view, const sgm_image *image)
{
    sgm_box moved = {box->x0 - view.x, box->y0 - view.y, box->x1 - view.x, box->y1 - view.y};
    if (is_whole(view, image)) return moved;
    clip_span(&moved.x0, &moved.x1, view.width);
    clip_span(&moved.y0, &moved.y1, view.height);
    return moved;
}

static void paste(sgm_looker *looker, const sgm_image *image, sgm_view view, const sgm_mask *raw)
{
    size_t width = (size_t)image->width, part = (size_t)view.width;
    if (!is_whole(view, image)) memset(looker->mask, 0, width * (size_t)image->height);
    for (int y = 0; y < view.height; y++)
        memcpy(looker->mask + (size_t)(view.y + y) * width + (size_t)view.x,
               raw->data + (size_t)y * part, part);
}

static sgm_status check_answer(const sgm_predictor *predictor, sgm_view view, const sgm_mask *raw)
{
    if (raw->width == view.width && raw->height == view.height && raw->low_res &&
        raw->chosen >= 0 && raw->chosen < raw->mask_tokens &&
        raw->low_res_shape[0] == predictor->low_res_shape[0] &&
        raw->low_res_shape[1] == predictor->low_res_shape[1])
        return SGM_OK;
    return sgm_fail(SGM_INTERNAL, "the network answered with a mask of another shape");
}

static sgm_status look_in(sgm_looker *looker, const sgm_question *question, sgm_view view,
                          sgm_look *out)
{
    const sgm_predictor *predictor = looker->predictor;
    SGM_TRY(sgm_embedder_select(looker->embedder, question->picture, question->image, view));
    sgm_prompt prompt = {.points = looker->points, .class_index = question->class_index};
    sgm_box box;
    prompt.point_count = move_points(looker, question, view);
    if (question->box) {
        box = move_box(question->box, view, question->image);
        prompt.box = &box;
        prompt.loose_box = question->loose_box;
    }
    if (question->logits) {
        sgm_logits_move(predictor, question->logits, question->logits_view, looker->moved, view);
        prompt.mask = looker->moved;
    }
    sgm_predict_options options = {
        .choice = question->choice, .want_logits = 1, .tight_box = question->tight_box};
    looker->decoded++;
    SGM_TRY(predictor->decode(predictor->self, &prompt, &options, &out->raw));
    SGM_TRY(check_answer(predictor, view, &out->raw));
    paste(looker, question->image, view, &out->raw);
    memcpy(looker->low_res, out->raw.low_res + (size_t)out->raw.chosen * low_res_count(predictor),
           sizeof(float) * low_res_count(predictor));
    out->mask = looker->mask;
    out->low_res = looker->low_res;
    out->width = question->image->width;
    out->height = question->image->height;
    out->view = view;
    out->area = sgm_mask_measure(out->mask, out->width, out->height, &out->extent);
    return SGM_OK;
}

/* ------------------------------------------------------------------------ where to look */

/* Bounding box of box, foreground points and previous mask. 0: there is none. */
static int prompt_extent(const sgm_question *question, sgm_box *extent)
{
    int known = 0;
    if (question->box) *extent = *question->box, known = 1;
    if (question->extent) {
        *extent = known ? sgm_box_union(extent, question->extent) : *question->extent;
        known = 1;
    }
    for (size_t i = 0; i < question->point_count; i++) {
        const sgm_point *point = &question->points[i];
        if (point->label == SGM_BACKGROUND || !isfinite(point->x) || !isfinite(point->y)) continue;
        sgm_box dot = {point->x, point->y, point->x, point->y};
        *extent = known ? sgm_box_union(extent, &dot) : dot;
        known = 1;
    }
    return known && isfinite(extent->x0) && isfinite(extent->y0) && isfinite(extent->x1) &&
           isfinite(extent->y1);
}

/* At least twice as wide, around prompt and answer. */
static sgm_view wider_view(const sgm_question *question, sgm_view view, const sgm_box *extent)
{
    int width = question->image->width, height = question->image->height;
    int side = view.width > view.height ? view.width : view.height;
    sgm_view around = sgm_view_around(extent, width, height);
    if (around.width >= 2 * side || around.height >= 2 * side) return around;
    return sgm_view_at((extent->x0 + extent->x1) / 2, (extent->y0 + extent->y1) / 2, 2.0 * side,
                       width, height);
}

/* Looks around `extent`, and wider as long as the answer touches the view. */
static sgm_status look_around(sgm_looker *looker, const sgm_question *question, sgm_box extent,
                              sgm_look *out)
{
    int width = question->image->width, height = question->image->height;
    sgm_view view = question->stay;
    if (!sgm_view_serves(view, &extent, width, height))
        view = sgm_view_around(&extent, width, height);
    for (int i = 0;; i++) {
        SGM_TRY(look_in(looker, question, view, out));
        if (i == MAX_RECENTRES || !out->area ||
            !sgm_view_is_touched(view, &out->extent, width, height))
            return SGM_OK;
        extent = sgm_box_union(&extent, &out->extent);
        view = wider_view(question, view, &extent);
    }
}

sgm_status sgm_look_in(sgm_looker *looker, const sgm_question *question, sgm_view view,
                       sgm_look *out)
{
    *out = (sgm_look){0};
    SGM_TRY(reserve(looker, question));
    return look_in(looker, question, view, out);
}

/* Views of falling size around the foreground points: from the whole picture to an eighth of it. */
static int first_views(const sgm_question *question, const sgm_box *extent, sgm_view *views)
{
    int width = question->image->width, height = question->image->height, count = 0;
    double x = (extent->x0 + extent->x1) / 2, y = (extent->y0 + extent->y1) / 2;
    double size = fmax(extent->x1 - extent->x0, extent->y1 - extent->y0) + 1;
    double side = width > height ? width : height;
    for (int i = 0; i < MAX_SCALES; i++, side /= scale_step) {
        if (i && side < fmax(min_first_side, SGM_VIEW_MARGIN * size)) break;
        views[count++] = sgm_view_at(x, y, side, width, height);
    }
    return count;
}

int sgm_looker_views(const sgm_looker *looker, const sgm_image *image, const sgm_point *point,
                     sgm_view *views)
{
    sgm_question question = {.image = image, .points = point, .point_count = 1};
    sgm_box extent;
    if (looker->zoom && prompt_extent(&question, &extent))
        return first_views(&question, &extent, views);
    views[0] = sgm_view_whole(image->width, image->height);
    return 1;
}

/* The foreground point of a question, if it has just one. */
static const sgm_point *lone_point(const sgm_question *question)
{
    const sgm_point *lone = NULL;
    for (size_t i = 0; i < question->point_count; i++) {
        if (question->points[i].label == SGM_BACKGROUND) continue;
        if (lone) return NULL;
        lone = &question->points[i];
    }
    return lone;
}

/* What the network thinks of its answer; one that leaves the view comes last. A body or a head is
 * the easiest object of all, but seldom what a point is set for. */
static double rating_by_network(const sgm_look *look)
{
    double share = (double)look->area / ((double)look->width * look->height);
    double rating = look->raw.predicted_iou - fmax(0, share - common_share);
    return sgm_view_is_touched(look->view, &look->extent, look->width, look->height) ? rating - 1000
                                                                                     : rating;
}

/* How likely a look shows what is meant; an empty one comes last. */
static sgm_status rating_of(const sgm_looker *looker, const sgm_question *question,
                            const sgm_look *look, double *out)
{
    const sgm_point_rating *rating = looker->predictor->point_rating;
    const sgm_point *lone = lone_point(question);
    double terms[SGM_POINT_TERMS];
    *out = -INFINITY;
    if (!look->area || !isfinite(look->raw.predicted_iou)) return SGM_OK;
    if (!rating || !lone) {
        *out = rating_by_network(look);
        return SGM_OK;
    }
    SGM_TRY(sgm_point_terms(looker->predictor, look, lone->x, lone->y, terms));
    *out = sgm_point_rating_of(rating, terms);
    return SGM_OK;
}

static sgm_status look_at_scales(sgm_looker *looker, const sgm_question *question,
                                 const sgm_box *extent, sgm_look *out)
{
    sgm_view views[MAX_SCALES];
    int count = first_views(question, extent, views), best = 0;
    double best_rating = -INFINITY, current;
    for (int i = 0; i < count; i++) {
        SGM_TRY(look_in(looker, question, views[i], out));
        SGM_TRY(rating_of(looker, question, out, &current));
        if (current > best_rating) {
            best_rating = current;
            best = i;
        }
    }
    return best == count - 1 ? SGM_OK : look_in(looker, question, views[best], out);
}

/* The same points again in a view around the first answer: the object at its full resolution. */
static sgm_status look_again(sgm_looker *looker, const sgm_question *question,
                             const sgm_box *points, sgm_look *out)
{
    if (!out->area) return SGM_OK;
    sgm_box extent = sgm_box_union(points, &out->extent);
    sgm_view first = out->view;
    double first_rating, rating;
    SGM_TRY(rating_of(looker, question, out, &first_rating));
    if (sgm_view_serves(first, &extent, question->image->width, question->image->height))
        return SGM_OK;
    SGM_TRY(look_around(looker, question, extent, out));
    SGM_TRY(rating_of(looker, question, out, &rating));
    if (rating >= first_rating - allowed_loss) return SGM_OK;
    return look_in(looker, question, first, out);
}

sgm_status sgm_look_at(sgm_looker *looker, const sgm_question *question, sgm_look *out)
{
    const sgm_image *image = question->image;
    sgm_box extent;
    *out = (sgm_look){0};
    SGM_TRY(reserve(looker, question));
    if (!looker->zoom || !prompt_extent(question, &extent))
        return look_in(looker, question, sgm_view_whole(image->width, image->height), out);
    int stays = question->point_count > 1 &&
                sgm_view_serves(question->stay, &extent, image->width, image->height);
    if (question->box || question->extent || stays)
        return look_around(looker, question, extent, out);
    SGM_TRY(look_at_scales(looker, question, &extent, out));
    return look_again(looker, question, &extent, out);
}
