/* From slice to slice: the neighbour's mask becomes the next prompt, as in the propagation of
 * micro-sam and MedSAM's 3D front ends, with a stop rule. */
#include "predict/look/logits.h"
#include "predict/session/mask.h"
#include "predict/volume/run.h"
#include "predict/volume/stop.h"

#include "core/status.h"

#include <math.h>
#include <stdlib.h>

/* The next prompt's box: the neighbour's, wider by this share of its sides on each side. */
static const double box_margin = 0.05;
/* Inner points nearer than this to a background seed would contradict it; pixels. */
static const double seed_distance = 3;

/* ------------------------------------------------------------------------------------- prompt */

static void load_neighbour(sgm_run *run, const sgm_front *front, uint8_t *mask, sgm_neighbour *out)
{
    int width = run->plane.width, height = run->plane.height;
    sgm_slice_load(&run->plane, run->volume->size, front->at, run->targets[front->target].mask,
                   mask);
    out->quality = front->quality;
    out->shades = front->shades;
    out->first = front->first;
    out->calibrated = run->volume->is_hounsfield;
    out->enclosed = !front->is_outer;
    out->area = sgm_mask_measure(mask, width, height, &out->extent);
}

static void add_margin(double *low, double *high, int length)
{
    double margin = fmax(1, box_margin * (*high - *low + 1));
    *low = fmax(*low - margin, 0);
    *high = fmin(*high + margin, length > 1 ? length - 1 : 1);
}

/* The neighbour's box with margin, inside the ROI. 0: nothing is left of it. */
static int next_box(const sgm_run *run, const sgm_box *extent, const sgm_slice_prompt *own,
                    sgm_box *box)
{
    *box = *extent;
    add_margin(&box->x0, &box->x1, run->plane.width);
    add_margin(&box->y0, &box->y1, run->plane.height);
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

/* Behind the slice's own (background) points come the inner points of the neighbour's mask. */
static size_t add_inner_points(sgm_run *run, const uint8_t *mask, const sgm_box *box,
                               const sgm_slice_prompt *own)
{
    sgm_point inner[SGM_INNER_POINTS];
    size_t count = own->point_count;
    size_t found =
        sgm_mask_inner_points(mask, run->plane.width, run->plane.height, SGM_INNER_POINTS, inner);
    for (size_t i = 0; i < found; i++)
        if (is_usable(&inner[i], box, own)) run->points[count++] = inner[i];
    return count;
}

/* ------------------------------------------------------------------------------------- fronts */

static void note_stop(sgm_run *run, const sgm_front *front, sgm_stop reason)
{
    if (front->is_outer) run->targets[front->target].stopped[front->direction > 0] = reason;
}

static void end_front(sgm_front *front)
{
    front->state = SGM_FRONT_ENDED;
    free(front->logits);
    front->logits = NULL;
}

static int has_more(const sgm_front *front)
{
    return front->direction * (front->limit - front->at) > 0;
}

void sgm_front_stop(sgm_run *run, sgm_front *front, sgm_stop reason)
{
    sgm_front *opposite = front->opposite < 0 ? NULL : &run->fronts[front->opposite];
    note_stop(run, front, reason);
    end_front(front);
    if (!opposite || opposite->state == SGM_FRONT_ENDED) return;
    int direction = opposite->direction;
    int64_t rest = front->at - direction; /* `at` itself is taken */
    opposite->opposite = -1;
    opposite->limit = direction * (rest - opposite->reach) < 0 ? rest : opposite->reach;
    if (opposite->state != SGM_FRONT_WAITING) return;
    opposite->state = SGM_FRONT_RUNNING;
    if (!has_more(opposite)) end_front(opposite);
}

/* A front has come to its limit. Of two that wait for each other with one slice between them, the
 * upward one takes it for both. */
static void arrive(sgm_run *run, sgm_front *front)
{
    sgm_front *opposite = front->opposite < 0 ? NULL : &run->fronts[front->opposite];
    if (!opposite) {
        note_stop(run, front, SGM_STOP_LIMIT);
        end_front(front);
        return;
    }
    front->state = SGM_FRONT_WAITING;
    if (opposite->state != SGM_FRONT_WAITING) return;
    sgm_front *up = front->direction > 0 ? front : opposite;
    sgm_front *down = up == front ? opposite : front;
    if (up->at + 2 == down->at && up->reach > up->at && down->reach < down->at) {
        up->state = SGM_FRONT_MEETING;
        return;
    }
    end_front(up);
    end_front(down);
}

sgm_status sgm_front_go_on(sgm_run *run, sgm_front *front, const sgm_look *look, int64_t at)
{
    size_t count = sgm_run_low_res_count(run);
    int is_first = !front->logits;
    if (is_first) front->logits = malloc(count ? count : 1);
    if (!front->logits) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for low-res logits");
    sgm_logits_pack(look->low_res, count, front->logits);
    front->shades = sgm_shades_of(&run->picture, look->mask, &look->extent);
    if (is_first) front->first = front->shades;
    front->view = look->view;
    front->at = at;
    front->state = SGM_FRONT_RUNNING;
    if (!has_more(front)) arrive(run, front);
    return SGM_OK;
}

/* -------------------------------------------------------------------------------------- steps */

/* Asks for the shown slice with `mask` as the neighbour's, and clips the answer to the ROI.
 * *answered is 0 where the ROI leaves
 * nothing to ask for. */
static sgm_status ask(sgm_run *run, const sgm_front *front, const uint8_t *mask,
                      const sgm_box *extent, sgm_look *look, int *answered)
{
    const sgm_object *object = run->targets[front->target].object;
    sgm_slice_prompt own = {.points = run->points};
    sgm_box box;
    *answered = 0;
    sgm_slice_prompt_of(&run->plane, object, run->loaded, &own);
    if (object->roi_count && !own.has_roi) return SGM_OK;
    if (!next_box(run, extent, &own, &box)) return SGM_OK;
    sgm_question question = {.picture = run->loaded,
                             .image = &run->picture,
                             .points = run->points,
                             .box = &box,
                             .logits = run->logits,
                             .logits_view = front->view,
                             .stay = front->view,
                             .tight_box = SGM_TIGHT_BOX_OFF};
    question.point_count = add_inner_points(run, mask, &box, &own);
    SGM_TRY(sgm_look_at(&run->looker, &question, look));
    if (own.has_roi) sgm_look_clip(look, &own.roi);
    *answered = 1;
    return SGM_OK;
}

static sgm_status step_alone(sgm_run *run, sgm_front *front)
{
    sgm_neighbour from;
    sgm_look look;
    int answered;
    int64_t next = front->at + front->direction, voxels = 0;
    sgm_run_show(run, next);
    load_neighbour(run, front, run->neighbour, &from);
    sgm_logits_unpack(front->logits, sgm_run_low_res_count(run), run->logits);
    SGM_TRY(ask(run, front, run->neighbour, &from.extent, &look, &answered));
    sgm_stop stop = answered ? sgm_stop_reason(&run->picture, &look, &from) : SGM_STOP_LIMIT;
    if (stop == SGM_STOP_NONE)
        SGM_TRY(sgm_run_take(run, &run->targets[front->target], &look, 0, &voxels));
    if (voxels) return sgm_front_go_on(run, front, &look, next);
    sgm_front_stop(run, front, stop == SGM_STOP_NONE ? SGM_STOP_EMPTY : stop);
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

/* Mean of the two fronts' logits, in the view of the first. */
static void blend_logits(sgm_run *run, const sgm_front *up, const sgm_front *down)
{
    size_t count = sgm_run_low_res_count(run);
    sgm_logits_unpack(down->logits, count, run->other_logits);
    sgm_logits_move(run->predictor, run->other_logits, down->view, run->logits, up->view);
    sgm_logits_unpack(up->logits, count, run->other_logits);
    for (size_t i = 0; i < count; i++)
        run->logits[i] = (run->logits[i] + run->other_logits[i]) / 2;
}

/* The slice in the middle of two fronts: the mean of both boxes and logits, and the inner points of
 * what both masks share. Masks that share nothing are branches: the upward one goes on alone. */
static sgm_status step_meeting(sgm_run *run, sgm_front *up, sgm_front *down)
{
    sgm_neighbour below, above;
    sgm_look look;
    int answered;
    int64_t voxels = 0;
    sgm_run_show(run, up->at + 1);
    load_neighbour(run, up, run->neighbour, &below);
    load_neighbour(run, down, run->other_neighbour, &above);
    if (!intersect(run->neighbour, run->other_neighbour,
                   (int64_t)run->plane.width * run->plane.height)) {
        up->opposite = -1;
        up->limit = up->at + 1;
        end_front(down);
        return step_alone(run, up);
    }
    blend_logits(run, up, down);
    sgm_box mean = {
        (below.extent.x0 + above.extent.x0) / 2, (below.extent.y0 + above.extent.y0) / 2,
        (below.extent.x1 + above.extent.x1) / 2, (below.extent.y1 + above.extent.y1) / 2};
    SGM_TRY(ask(run, up, run->neighbour, &mean, &look, &answered));
    if (answered && (sgm_stop_reason(&run->picture, &look, &below) == SGM_STOP_NONE ||
                     sgm_stop_reason(&run->picture, &look, &above) == SGM_STOP_NONE))
        SGM_TRY(sgm_run_take(run, &run->targets[up->target], &look, 0, &voxels));
    end_front(up);
    end_front(down);
    return SGM_OK;
}

sgm_status sgm_front_step(sgm_run *run, sgm_front *front)
{
    if (front->state == SGM_FRONT_MEETING)
        return step_meeting(run, front, &run->fronts[front->opposite]);
    return step_alone(run, front);
}
