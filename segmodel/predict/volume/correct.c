/* Answers to clicks on masks that stand: what a click changes is the region it lies in, on its
 * slice and then on the neighbours. Everything else of a mask stays as it was. */
#include "predict/look/logits.h"
#include "predict/picture/grey.h"
#include "predict/picture/touching.h"
#include "predict/session/mask.h"
#include "predict/volume/run.h"

#include "core/status.h"

#include <math.h>
#include <string.h>

/* A click is obeyed this many pixels around even if the network insists on its opinion, if greys
 * that differ by least_contrast do not say otherwise; on small objects up to this share of their
 * radius. */
static const double least_reach = 5, reached_share = 0.5, least_contrast = 12;
/* A place whose grey lies so far from the mask's, in parts of the way to its surroundings', is a
 * hole in it and not the mask itself. */
static const double unlike = 0.75;
/* A change this many times smaller than the neighbour's is another one. */
static const int64_t fading = 8;
/* Pixels that a change may be wider than on the slice before. */
enum { widening = 2 };

/* ---------------------------------------------------------------------------------- the region */

/* Pixels that may change, and those that do: mask[at] becomes `label` where wish[at] is. */
typedef struct change {
    uint8_t *mask;         /* what stood, then what stands */
    const uint8_t *wish;   /* what the network says */
    const uint8_t *within; /* NULL: everywhere */
    int width, height, label;
    double reach;  /* pixels around a click that change in any case */
    int *places;   /* whose neighbours are still to be looked at */
    int64_t count; /* changed pixels */
} change;

static sgm_status begin_change(change *c, sgm_stack *stack, uint8_t *mask, const uint8_t *wish,
                               int label)
{
    SGM_TRY(sgm_stack_make_regions(stack));
    *c = (change){.mask = mask,
                  .wish = wish,
                  .width = stack->plane.width,
                  .height = stack->plane.height,
                  .label = label,
                  .places = stack->region};
    return SGM_OK;
}

static int is_open(const change *c, int x, int y)
{
    if (x < 0 || y < 0 || x >= c->width || y >= c->height) return 0;
    size_t at = (size_t)y * (size_t)c->width + (size_t)x;
    return c->wish[at] == c->label && c->mask[at] != c->label && (!c->within || c->within[at]);
}

static void change_pixel(change *c, int x, int y, int *top)
{
    int at = y * c->width + x;
    c->mask[at] = (uint8_t)c->label;
    c->places[(*top)++] = at;
    c->count++;
}

/* Changes what is connected to a pixel. */
static void change_from(change *c, int x, int y)
{
    int top = 0;
    if (!is_open(c, x, y)) return;
    change_pixel(c, x, y, &top);
    while (top) {
        int at = c->places[--top], cx = at % c->width, cy = at / c->width;
        for (int code = 0; code < 9; code++)
            if (is_open(c, cx + code % 3 - 1, cy + code / 3 - 1))
                change_pixel(c, cx + code % 3 - 1, cy + code / 3 - 1, &top);
    }
}

/* Of the nine pixels around a click. */
static double grey_around(const sgm_image *picture, int x, int y)
{
    double sum = 0, count = 0;
    for (int code = 0; code < 9; code++) {
        int cx = x + code % 3 - 1, cy = y + code / 3 - 1;
        if (cx < 0 || cy < 0 || cx >= picture->width || cy >= picture->height) continue;
        sum += sgm_grey_at(picture, cx, cy);
        count++;
    }
    return sum / count;
}

/* Whether a pixel may be marked: the slice's box reaches into it, as in sgm_look_clip. */
static int is_in_roi(const sgm_slice_prompt *own, int x, int y)
{
    double half = 0.5 - SGM_TOUCHING;
    return !own->has_roi || (x + half >= own->roi.x0 && x - half <= own->roi.x1 &&
                             y + half >= own->roi.y0 && y - half <= own->roi.y1);
}

/* Whether a click says something about a pixel near it that the mask does not agree with: no click
 * of the other kind is nearer, and the pixel looks rather like the click's place than like what
 * the click tells it from (`other`; nothing to go by below least_contrast). Nothing is marked
 * outside the ROI. */
static int is_clicked(const change *c, const sgm_image *picture, const sgm_slice_prompt *own,
                      const sgm_point *click, double clicked, double other, int x, int y)
{
    double d = hypot(x - click->x, y - click->y), grey = sgm_grey_at(picture, x, y);
    if (d > c->reach || (c->label == SGM_FOREGROUND && !is_in_roi(own, x, y))) return 0;
    if (fabs(clicked - other) >= least_contrast && fabs(grey - clicked) > fabs(grey - other))
        return 0;
    for (size_t i = 0; i < own->point_count; i++)
        if (own->points[i].label != click->label &&
            hypot(x - own->points[i].x, y - own->points[i].y) <= d)
            return 0;
    return c->mask[(size_t)y * (size_t)c->width + (size_t)x] != c->label;
}

/* Changes the pixels around a click, whatever the network says. */
static void change_around(change *c, const sgm_image *picture, const sgm_slice_prompt *own,
                          const sgm_point *click, const sgm_shades *shades)
{
    int cx = (int)lrint(click->x), cy = (int)lrint(click->y), reach = (int)ceil(c->reach);
    double clicked = grey_around(picture, cx, cy);
    double other = click->label == SGM_FOREGROUND ? shades->around : shades->inside;
    for (int y = cy - reach < 0 ? 0 : cy - reach; y <= cy + reach && y < c->height; y++)
        for (int x = cx - reach < 0 ? 0 : cx - reach; x <= cx + reach && x < c->width; x++) {
            if (!is_clicked(c, picture, own, click, clicked, other, x, y)) continue;
            c->mask[(size_t)y * (size_t)c->width + (size_t)x] = (uint8_t)c->label;
            c->count++;
        }
}

static int looks_unlike(const sgm_image *picture, const sgm_point *click, const sgm_shades *shades)
{
    double contrast = fabs((double)shades->inside - shades->around);
    double grey = grey_around(picture, (int)lrint(click->x), (int)lrint(click->y));
    return contrast >= least_contrast && fabs(grey - shades->inside) > unlike * contrast;
}

sgm_status sgm_answer_take_changed(sgm_desk *desk, sgm_stack *stack, const uint8_t *mask,
                                   sgm_look *look, sgm_answer *answer)
{
    int width = stack->plane.width, height = stack->plane.height;
    size_t pixels = (size_t)width * (size_t)height;
    memcpy(look->mask, mask, pixels);
    look->area = sgm_mask_measure(look->mask, width, height, &look->extent);
    sgm_logits_from_mask(desk->predictor, look->mask, width, height, look->view,
                         desk->other_logits);
    for (size_t i = 0; i < sgm_desk_low_res_count(desk); i++)
        if ((look->low_res[i] > 0) != (desk->other_logits[i] > 0))
            look->low_res[i] = desk->other_logits[i];
    return sgm_answer_take(desk, stack, look, answer);
}

/* -------------------------------------------------------------------------------------- a click */

/* Bounding box of a kept mask and a point, in the picture. */
static sgm_box extent_with(sgm_stack *stack, const sgm_packed_mask *mask, const sgm_point *point)
{
    sgm_box box = {point->x, point->y, point->x, point->y}, extent;
    sgm_stack_unpack(stack, mask, stack->neighbour);
    if (!sgm_mask_measure(stack->neighbour, stack->plane.width, stack->plane.height, &extent))
        return box;
    return sgm_box_union(&box, &extent);
}

/* What the network says of the slice, knowing the mask and all points. */
static sgm_status ask_clicked(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                              const sgm_point *click, sgm_look *look)
{
    const sgm_answer *from = step->from[0];
    sgm_box extent = extent_with(stack, &from->mask, click);
    sgm_logits_unpack(from->logits, sgm_desk_low_res_count(desk), desk->logits);
    sgm_logits_weaken(desk->predictor, desk->logits, from->view, click->x, click->y);
    return sgm_ask_by_mask(desk, stack, step, from->view, &extent, look);
}

static void unpack_or_clear(sgm_stack *stack, const sgm_answer *answer, uint8_t *picture)
{
    if (answer && answer->mask.voxels)
        sgm_stack_unpack(stack, &answer->mask, picture);
    else
        memset(picture, 0, (size_t)stack->plane.width * (size_t)stack->plane.height);
}

/* Whatever else changes, the clicked voxel does: one that is many pixels thick takes the pixel at
 * its centre, which may lie farther from the click than what changes around it. */
static void change_voxel(change *c, const sgm_plane *plane, const sgm_point *click)
{
    sgm_slice_place place = sgm_slice_place_of(plane, click->x, click->y);
    if (c->mask[(size_t)place.y * (size_t)c->width + (size_t)place.x] == c->label) return;
    sgm_slice_set_voxel(plane, place.u, place.v, (uint8_t)c->label, c->mask);
    c->count++;
}

/* The network's change at the click; where it insists on its opinion, the click's own place. */
static void change_at_click(change *c, const sgm_stack *stack, const sgm_slice_prompt *own,
                            const sgm_point *click, const sgm_shades *shades)
{
    int x = (int)lrint(click->x), y = (int)lrint(click->y);
    for (int code = 0; code < 9; code++)
        change_from(c, x + code % 3 - 1, y + code / 3 - 1);
    change_around(c, &stack->picture, own, click, shades);
    size_t at = (size_t)y * (size_t)c->width + (size_t)x;
    c->count += c->mask[at] != c->label;
    c->mask[at] = (uint8_t)c->label;
    change_voxel(c, &stack->plane, click);
}

/* Pixels, by the mask that the click is about. */
static double reach_of_click(const sgm_plane *plane, const sgm_answer *about)
{
    double area = (double)about->mask.voxels * plane->scale_x * plane->scale_y;
    return fmax(1, fmin(least_reach, reached_share * sqrt(area / 3.14159265358979323846)));
}

sgm_status sgm_answer_clicked(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                              sgm_answer *answer)
{
    const sgm_point *click = &step->own.points[step->own.point_count - 1];
    sgm_look look;
    change c;
    SGM_TRY(ask_clicked(desk, stack, step, click, &look));
    unpack_or_clear(stack, step->from[1], stack->neighbour);
    SGM_TRY(begin_change(&c, stack, stack->neighbour, look.mask, step->label));
    c.reach = reach_of_click(&stack->plane, step->from[0]);
    change_at_click(&c, stack, &step->own, click, &step->from[0]->shades);
    answer->is_hole = looks_unlike(&stack->picture, click, &step->from[0]->shades);
    return sgm_answer_take_changed(desk, stack, stack->neighbour, &look, answer);
}

/* --------------------------------------------------------------------------------- its followers
 */

/* The first pixel of the row that is set, from x on; `width`: none. */
static int next_in_row(const uint8_t *mask, int width, int y, int x)
{
    const uint8_t *row = mask + (size_t)y * (size_t)width;
    const uint8_t *next = x < width ? memchr(row + x, 1, (size_t)(width - x)) : NULL;
    return next ? (int)(next - row) : width;
}

/* Leaves in `mask` where `now` has the label and `then` (NULL: nothing) had not; returns how many
 * pixels. `before` is scratch. */
static int64_t changed_there(sgm_stack *stack, const sgm_answer *then, const sgm_answer *now,
                             uint8_t label, uint8_t *mask, uint8_t *before)
{
    int width = stack->plane.width;
    int64_t count = 0;
    unpack_or_clear(stack, now, mask);
    unpack_or_clear(stack, then, before);
    for (int y = 0; y < stack->plane.height; y++, mask += width, before += width) {
        /* what is set now, or was, is all that can have changed so */
        int x = next_in_row(label ? mask : before, width, 0, 0);
        memset(mask, 0, (size_t)x);
        for (; x < width; x++) {
            mask[x] = mask[x] == label && before[x] != label;
            count += mask[x];
        }
    }
    return count;
}

/* The places of the neighbour's change, some pixels wider: `wide` holds them afterwards. */
static void widen(const uint8_t *behind, int width, int height, uint8_t *wide)
{
    memset(wide, 0, (size_t)width * (size_t)height);
    for (int y = 0; y < height; y++)
        for (int x = next_in_row(behind, width, y, 0); x < width;
             x = next_in_row(behind, width, y, x + 1))
            for (int v = y < widening ? 0 : y - widening; v <= y + widening && v < height; v++)
                for (int u = x < widening ? 0 : x - widening; u <= x + widening && u < width; u++)
                    wide[(size_t)v * (size_t)width + (size_t)u] = 1;
}

/* Changes what the network changes where the neighbour changed, and in connection with it `within`
 * (NULL: everywhere). */
static void change_within(change *c, const uint8_t *behind, const uint8_t *within)
{
    c->within = within;
    for (int y = 0; y < c->height; y++)
        for (int x = next_in_row(behind, c->width, y, 0); x < c->width;
             x = next_in_row(behind, c->width, y, x + 1))
            change_from(c, x, y);
    c->within = NULL;
}

/* The same, and some pixels around. */
static void change_behind(change *c, const uint8_t *behind, uint8_t *around)
{
    widen(behind, c->width, c->height, around);
    change_within(c, behind, around);
}

/* A change may move from slice to slice, and grow up to step->largest. SGM_STOP_EMPTY: the error
 * does not go on here. */
sgm_status sgm_answer_followed(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                               sgm_answer *answer)
{
    sgm_look look;
    change c;
    sgm_box extent;
    int width = stack->plane.width, height = stack->plane.height;
    sgm_stack_unpack(stack, &step->from[0]->mask, stack->neighbour);
    answer->stop = SGM_STOP_EMPTY;
    if (!sgm_mask_measure(stack->neighbour, width, height, &extent)) return SGM_OK;
    sgm_logits_unpack(step->from[0]->logits, sgm_desk_low_res_count(desk), desk->logits);
    SGM_TRY(sgm_ask_by_mask(desk, stack, step, step->from[0]->view, &extent, &look));
    SGM_TRY(begin_change(&c, stack, stack->neighbour, look.mask, step->label));
    int64_t most = llrint((double)step->largest * stack->plane.scale_x * stack->plane.scale_y);
    int64_t before = changed_there(stack, step->start[0], step->from[0], (uint8_t)step->label,
                                   stack->behind, stack->other_neighbour);
    unpack_or_clear(stack, step->from[1], stack->neighbour);
    change_behind(&c, stack->behind, stack->around);
    if (c.count > most) { /* two pixels a slice would soon be an organ */
        unpack_or_clear(stack, step->from[1], stack->neighbour);
        c.count = 0;
        change_within(&c, stack->behind, stack->behind);
    }
    if (!c.count || c.count * fading < before) return SGM_OK;
    answer->stop = SGM_STOP_NONE;
    return sgm_answer_take_changed(desk, stack, stack->neighbour, &look, answer);
}

/* --------------------------------------------------------------------------------------- the end
 */

/* The parts of the mask that hold the click, or that go on from what was removed on the neighbour,
 * are removed. SGM_STOP_EMPTY: there are none. */
sgm_status sgm_answer_ended(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                            sgm_answer *answer)
{
    int width = stack->plane.width, height = stack->plane.height;
    const sgm_answer *stood = step->from[1];
    sgm_look look = {.mask = stack->neighbour,
                     .width = width,
                     .height = height,
                     .view = stood->view,
                     .low_res = desk->logits,
                     .raw.predicted_iou = stood->quality};
    change c;
    SGM_TRY(sgm_stack_make_regions(stack));
    if (step->start[0])
        changed_there(stack, step->start[0], step->start[1], SGM_BACKGROUND, stack->behind,
                      stack->other_neighbour);
    unpack_or_clear(stack, stood, look.mask);
    memset(stack->around, 0, (size_t)width * (size_t)height);
    SGM_TRY(begin_change(&c, stack, look.mask, stack->around, SGM_BACKGROUND));
    if (step->start[0]) {
        change_within(&c, stack->behind, NULL);
    } else {
        const sgm_point *click = &step->own.points[step->own.point_count - 1];
        sgm_slice_place place = sgm_slice_place_of(&stack->plane, click->x, click->y);
        change_from(&c, place.x, place.y);
    }
    if (!c.count) {
        answer->stop = SGM_STOP_EMPTY;
        return SGM_OK;
    }
    look.area = sgm_mask_measure(look.mask, width, height, &look.extent);
    sgm_logits_from_mask(desk->predictor, look.mask, width, height, look.view, look.low_res);
    return sgm_answer_take(desk, stack, &look, answer);
}
