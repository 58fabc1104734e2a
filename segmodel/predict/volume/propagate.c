/* From slice to slice: the neighbour's mask becomes the next prompt, as in the propagation of
 * micro-sam and MedSAM's 3D front ends, with a stop rule. */
#include "predict/look/logits.h"
#include "predict/session/mask.h"
#include "predict/volume/motion.h"
#include "predict/volume/run.h"

#include "core/status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The next prompt's box: the neighbour's, wider by this share of its sides on each side. */
static const double box_margin = 0.05;
/* Of a tight box's answer in the logits that a slice of a ROI is asked with. */
static const float box_share = 0.3f;
/* Inner points nearer than this to a background seed would contradict it; pixels. */
static const double seed_distance = 3;

/* From the slice that a walk left to the step's, in diameters of the cross-section there; 0 where
 * slices are moments. */
static double distance_walked(const sgm_desk *desk, const sgm_plane *plane,
                              const sgm_volume_step *step, const sgm_answer *start)
{
    sgm_volume_step first;
    if (desk->rules.is_timed || !start->mask.voxels) return 0;
    sgm_answers_step(start, &first);
    double area = (double)start->mask.voxels * plane->voxel_area;
    double diameter = 2 * sqrt(area / 3.14159265358979323846);
    return (double)llabs(step->slice - first.slice) * plane->slice_step / diameter;
}

/* Moves a mask of the plane's pictures by whole pixels; what leaves the picture is lost. */
static void shift_mask(const sgm_plane *plane, uint8_t *mask, sgm_motion motion)
{
    int width = plane->width, height = plane->height;
    int first = motion.y > 0 ? height - 1 : 0, way = motion.y > 0 ? -1 : 1;
    int left = motion.x < 0 ? -motion.x : 0, right = motion.x > 0 ? motion.x : 0;
    int kept = left + right < width ? width - left - right : 0;
    /* rows are read before they are written */
    for (int y = first; y >= 0 && y < height; y += way) {
        uint8_t *to = mask + (size_t)y * (size_t)width;
        int from = y - motion.y;
        if (kept && from >= 0 && from < height)
            memmove(to + right, mask + (size_t)from * (size_t)width + left, (size_t)kept);
        else
            memset(to, 0, (size_t)width);
        memset(to, 0, (size_t)right);
        memset(to + width - left, 0, (size_t)left);
    }
}

/* Brings the mask of neighbour n to where its object lies on the shown slice, where slices are
 * moments; in space the shape changes and the place does not. What would leave the picture
 * altogether stays. */
static sgm_motion follow_motion(const sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                                int n, uint8_t *mask)
{
    sgm_volume_step last;
    sgm_box extent;
    sgm_motion motion = {0, 0};
    int width = stack->plane.width, height = stack->plane.height;
    if (!desk->rules.is_timed || !sgm_mask_measure(mask, width, height, &extent)) return motion;
    sgm_answers_step(step->from[n], &last);
    sgm_stack_show(stack, last.slice);
    sgm_image before = stack->picture;
    sgm_stack_show(stack, step->slice);
    motion = sgm_motion_of(&before, mask, &extent, &stack->picture);
    if (!motion.x && !motion.y) return motion;
    shift_mask(&stack->plane, mask, motion);
    if (sgm_mask_measure(mask, width, height, &extent)) return motion;
    sgm_stack_unpack(stack, &step->from[n]->mask, mask);
    return (sgm_motion){0, 0};
}

static sgm_view moved_view(sgm_view view, int x, int y)
{
    view.x += x;
    view.y += y;
    return view;
}

/* Moves desk->logits of `view` as a mask was; `extent` is where it lies now. Returns their view. */
static sgm_view move_logits(sgm_desk *desk, const sgm_stack *stack, sgm_view view,
                            sgm_motion motion, const sgm_box *extent)
{
    if (!motion.x && !motion.y) return view;
    sgm_view was = moved_view(view, motion.x, motion.y);
    if (desk->looker.zoom) view = sgm_view_around(extent, stack->plane.width, stack->plane.height);
    memcpy(desk->other_logits, desk->logits, sizeof *desk->logits * sgm_desk_low_res_count(desk));
    sgm_logits_move(desk->predictor, desk->other_logits, was, desk->logits, view);
    return view;
}

/* What is known of neighbour n of a step, and its mask as a picture; *motion is how it was moved.
 */
static void load_neighbour(const sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                           int n, uint8_t *mask, sgm_neighbour *out, sgm_motion *motion)
{
    int width = stack->plane.width, height = stack->plane.height;
    sgm_stack_unpack(stack, &step->from[n]->mask, mask);
    *motion = follow_motion(desk, stack, step, n, mask);
    out->quality = step->start[n]->quality;
    out->first = step->start[n]->shades;
    out->shades = step->from[n]->shades;
    out->calibrated = desk->volume.hounsfield == SGM_HOUNSFIELD_ON;
    out->enclosed = !step->is_outer;
    out->by_mask = step->by_mask;
    out->stop_rating = desk->predictor->stop_rating;
    out->far_rating = desk->predictor->far_rating;
    out->distance = distance_walked(desk, &stack->plane, step, step->start[n]);
    out->bounded = step->has_rois;
    out->area = sgm_mask_measure(mask, width, height, &out->extent);
}

static void add_margin(double *low, double *high, int length)
{
    double margin = fmax(1, box_margin * (*high - *low + 1));
    *low = fmax(*low - margin, 0);
    *high = fmin(*high + margin, length > 1 ? length - 1 : 1);
}

/* The neighbour's box with margin, inside the ROI. 0: nothing is left of it. */
static int next_box(const sgm_stack *stack, const sgm_box *extent, const sgm_slice_prompt *own,
                    sgm_box *box)
{
    *box = *extent;
    add_margin(&box->x0, &box->x1, stack->plane.width);
    add_margin(&box->y0, &box->y1, stack->plane.height);
    if (own->has_roi) {
        box->x0 = fmax(box->x0, own->roi.x0);
        box->y0 = fmax(box->y0, own->roi.y0);
        box->x1 = fmin(box->x1, own->roi.x1);
        box->y1 = fmin(box->y1, own->roi.y1);
    }
    return box->x0 < box->x1 && box->y0 < box->y1;
}

static int is_usable(const sgm_point *point, const sgm_box *box, const sgm_slice_prompt *own)
{
    if (point->x < box->x0 || point->x > box->x1 || point->y < box->y0 || point->y > box->y1)
        return 0;
    for (size_t i = 0; i < own->point_count; i++)
        if (own->points[i].label == SGM_BACKGROUND &&
            hypot(own->points[i].x - point->x, own->points[i].y - point->y) < seed_distance)
            return 0;
    return 1;
}

/* desk->asked_points: the slice's own (background) points, then `wanted` inner points of the
 * neighbour's mask; *count: how many. */
static sgm_status gather_points(sgm_desk *desk, const sgm_stack *stack, const uint8_t *mask,
                                int wanted, const sgm_box *box, const sgm_slice_prompt *own,
                                size_t *count)
{
    sgm_point inner[SGM_WALK_POINTS];
    size_t found;
    *count = own->point_count;
    if (*count) memcpy(desk->asked_points, own->points, *count * sizeof *own->points);
    SGM_TRY(sgm_mask_inner_points(mask, stack->plane.width, stack->plane.height, wanted, inner,
                                  &found));
    for (size_t i = 0; i < found; i++)
        if (is_usable(&inner[i], box, own)) desk->asked_points[(*count)++] = inner[i];
    return SGM_OK;
}

/* Asks for the shown slice with `mask` as the neighbour's and desk->logits in its view, and clips
 * the answer to the ROI. *answered is 0 where the ROI leaves nothing to ask for. */
sgm_status sgm_ask_by_mask(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                           sgm_view view, const sgm_box *extent, sgm_look *look)
{
    sgm_question question = {.picture = sgm_stack_picture(stack, step->slice),
                             .image = &stack->picture,
                             .points = step->own.points,
                             .point_count = step->own.point_count,
                             .extent = extent,
                             .logits = desk->logits,
                             .logits_view = view,
                             .stay = view,
                             .tight_box = SGM_TIGHT_BOX_OFF};
    SGM_TRY(sgm_look_at(&desk->looker, &question, look));
    if (step->own.has_roi) sgm_look_clip(look, &step->own.roi);
    return SGM_OK;
}

/* A network that gives back more than it is shown is asked with less. */
static void lower_logits(sgm_desk *desk)
{
    for (size_t i = 0; i < sgm_desk_low_res_count(desk); i++)
        desk->logits[i] -= desk->predictor->walk_lowering;
}

/* What the box in space says of the slice joins them: the answer to the box that would be tight if
 * the object were an ellipsoid. A neighbour's mask alone may lose the object, the box alone does
 * not know its outline. *view becomes that of the answer. */
static sgm_status join_box(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                           sgm_view *view)
{
    sgm_look look;
    sgm_question question = {.picture = sgm_stack_picture(stack, step->slice),
                             .image = &stack->picture,
                             .points = step->own.points,
                             .point_count = step->own.point_count,
                             .box = &step->own.core,
                             .stay = *view,
                             .tight_box = SGM_TIGHT_BOX_OFF};
    SGM_TRY(sgm_look_at(&desk->looker, &question, &look));
    sgm_logits_move(desk->predictor, desk->logits, *view, desk->other_logits, look.view);
    for (size_t i = 0; i < sgm_desk_low_res_count(desk); i++)
        desk->logits[i] = (1 - box_share) * desk->other_logits[i] + box_share * look.low_res[i];
    *view = look.view;
    return SGM_OK;
}

/* desk->logits are in `view`, and `extent` is where the object is expected. */
static sgm_status ask_by_mask(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                              sgm_view view, const sgm_box *extent, sgm_look *look)
{
    lower_logits(desk);
    SGM_TRY(sgm_lean_to_start(desk, stack, step, view));
    if (step->rois_are_deep) SGM_TRY(join_box(desk, stack, step, &view));
    return sgm_ask_by_mask(desk, stack, step, view, extent, look);
}

static sgm_status ask(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                      const uint8_t *mask, sgm_view view, const sgm_box *extent, sgm_look *look,
                      int *answered)
{
    const sgm_predictor *network = desk->predictor;
    const sgm_walk *walk = step->has_rois ? &network->walk_in_box : &network->walk;
    sgm_box box;
    *answered = 0;
    if (step->has_rois && !step->own.has_roi) return SGM_OK;
    if (step->by_mask) {
        *answered = 1;
        return ask_by_mask(desk, stack, step, view, extent, look);
    }
    if (!next_box(stack, extent, &step->own, &box)) return SGM_OK;
    sgm_question question = {.picture = sgm_stack_picture(stack, step->slice),
                             .image = &stack->picture,
                             .points = desk->asked_points,
                             .box = walk->box ? &box : NULL,
                             .extent = &box,
                             .logits = walk->logits ? desk->logits : NULL,
                             .logits_view = view,
                             .stay = view,
                             .tight_box = SGM_TIGHT_BOX_OFF};
    SGM_TRY(
        gather_points(desk, stack, mask, walk->points, &box, &step->own, &question.point_count));
    SGM_TRY(sgm_look_at(&desk->looker, &question, look));
    if (step->own.has_roi) sgm_look_clip(look, &step->own.roi);
    *answered = 1;
    return SGM_OK;
}

sgm_status sgm_answer_alone(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                            sgm_answer *answer)
{
    sgm_neighbour from;
    sgm_motion motion;
    sgm_look look;
    int answered;
    load_neighbour(desk, stack, step, 0, stack->neighbour, &from, &motion);
    sgm_logits_unpack(step->from[0]->logits, sgm_desk_low_res_count(desk), desk->logits);
    sgm_view view = move_logits(desk, stack, step->from[0]->view, motion, &from.extent);
    SGM_TRY(ask(desk, stack, step, stack->neighbour, view, &from.extent, &look, &answered));
    answer->stop = answered ? sgm_stop_reason(&stack->picture, &look, &from) : SGM_STOP_LIMIT;
    if (answer->stop != SGM_STOP_NONE) return SGM_OK;
    SGM_TRY(sgm_answer_take(desk, stack, &look, answer));
    if (!answer->mask.voxels) answer->stop = SGM_STOP_EMPTY;
    return SGM_OK;
}

/* Leaves in `a` what both masks share and returns how much. */
static int64_t intersect(uint8_t *a, const uint8_t *b, int64_t count)
{
    int64_t both = 0;
    for (int64_t i = 0; i < count; i++)
        both += a[i] &= b[i];
    return both;
}

/* Mean of both neighbours' logits, in the view of the first; the second ones lie (x, y) away from
 * their own view. */
static void blend_logits(sgm_desk *desk, const sgm_answer *up, const sgm_answer *down, int x, int y)
{
    size_t count = sgm_desk_low_res_count(desk);
    sgm_logits_unpack(down->logits, count, desk->other_logits);
    sgm_logits_move(desk->predictor, desk->other_logits, moved_view(down->view, x, y), desk->logits,
                    up->view);
    sgm_logits_unpack(up->logits, count, desk->other_logits);
    for (size_t i = 0; i < count; i++)
        desk->logits[i] = (desk->logits[i] + desk->other_logits[i]) / 2;
}

/* The slice in the middle of two walks: the mean of both boxes and logits, and the inner points of
 * what both masks share. */
sgm_status sgm_answer_meeting(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                              sgm_answer *answer)
{
    sgm_neighbour below, above;
    sgm_motion up, down;
    sgm_look look;
    int answered;
    load_neighbour(desk, stack, step, 0, stack->neighbour, &below, &up);
    load_neighbour(desk, stack, step, 1, stack->other_neighbour, &above, &down);
    if (!intersect(stack->neighbour, stack->other_neighbour,
                   (int64_t)stack->plane.width * stack->plane.height)) {
        answer->has_parted = 1;
        return SGM_OK;
    }
    blend_logits(desk, step->from[0], step->from[1], down.x - up.x, down.y - up.y);
    sgm_box mean = {
        (below.extent.x0 + above.extent.x0) / 2, (below.extent.y0 + above.extent.y0) / 2,
        (below.extent.x1 + above.extent.x1) / 2, (below.extent.y1 + above.extent.y1) / 2};
    sgm_view view = move_logits(desk, stack, step->from[0]->view, up, &mean);
    SGM_TRY(ask(desk, stack, step, stack->neighbour, view, &mean, &look, &answered));
    answer->stop = answered ? sgm_stop_reason(&stack->picture, &look, &below) : SGM_STOP_LIMIT;
    if (answered && answer->stop != SGM_STOP_NONE)
        answer->stop = sgm_stop_reason(&stack->picture, &look, &above);
    if (answer->stop != SGM_STOP_NONE) return SGM_OK;
    SGM_TRY(sgm_answer_take(desk, stack, &look, answer));
    if (!answer->mask.voxels) answer->stop = SGM_STOP_EMPTY;
    return SGM_OK;
}
