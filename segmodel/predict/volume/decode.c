/* Slices decoded from an object's own prompts. */
#include "predict/look/logits.h"
#include "predict/session/mask.h"
#include "predict/volume/run.h"

#include "core/status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

sgm_status sgm_answer_take(sgm_desk *desk, sgm_stack *stack, const sgm_look *look,
                           sgm_answer *answer)
{
    size_t count = sgm_desk_low_res_count(desk);
    answer->quality = look->raw.predicted_iou;
    answer->view = look->view;
    SGM_TRY(sgm_stack_pack(stack, look->mask, &answer->mask));
    if (!answer->mask.voxels) return SGM_OK; /* no walk goes on from here */
    answer->shades = sgm_shades_of(&stack->picture, look->mask, &look->extent);
    answer->logits = malloc(count ? count : 1);
    if (!answer->logits) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for low-res logits");
    sgm_logits_pack(look->low_res, count, answer->logits);
    return SGM_OK;
}

/* The object's initial mask on this slice, as logits for the question; nothing if it is empty. */
static void ask_with_mask(sgm_desk *desk, sgm_stack *stack, const sgm_packed_mask *initial,
                          sgm_question *question, sgm_box *box)
{
    int width = stack->plane.width, height = stack->plane.height;
    sgm_stack_unpack(stack, initial, stack->neighbour);
    if (!sgm_mask_measure(stack->neighbour, width, height, box)) return;
    for (size_t i = 0; i < question->point_count; i++) {
        const sgm_point *point = &question->points[i];
        sgm_box dot = {point->x, point->y, point->x, point->y};
        if (point->label == SGM_FOREGROUND) *box = sgm_box_union(box, &dot);
    }
    if (box->x1 - box->x0 < 1) box->x0 -= 0.5, box->x1 += 0.5;
    if (box->y1 - box->y0 < 1) box->y0 -= 0.5, box->y1 += 0.5;
    question->logits_view =
        desk->looker.zoom ? sgm_view_around(box, width, height) : sgm_view_whole(width, height);
    sgm_logits_from_mask(desk->predictor, stack->neighbour, width, height, question->logits_view,
                         desk->logits);
    question->logits = desk->logits;
    question->box = box;
}

/* A box over several slices is drawn around the whole object; its cross-section fits the object on
 * one of them at best, so a network that takes boxes to be tight is asked with that of the
 * ellipsoid inscribed in it. Where seeds say what is meant and the network sees a crop, the box
 * only says where to crop.
 */
static void ask_with_roi(const sgm_desk *desk, const sgm_volume_step *step, sgm_question *question)
{
    question->loose_box = step->rois_are_deep && sgm_walk_is_by_mask(&desk->predictor->walk_in_box);
    if (!step->by_mask && desk->looker.zoom && step->own.foreground_count && step->rois_are_deep)
        question->extent = &step->own.roi;
    else
        question->box = question->loose_box ? &step->own.roi : &step->own.core;
}

sgm_status sgm_answer_kept(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                           sgm_answer *answer)
{
    int width = stack->plane.width, height = stack->plane.height;
    sgm_look look = {.mask = stack->neighbour, .width = width, .height = height};
    sgm_stack_unpack(stack, step->initial, look.mask);
    look.area = sgm_mask_measure(look.mask, width, height, &look.extent);
    look.view = desk->looker.zoom && look.area ? sgm_view_around(&look.extent, width, height)
                                               : sgm_view_whole(width, height);
    look.low_res = desk->logits;
    look.raw.predicted_iou = 1;
    sgm_logits_from_mask(desk->predictor, look.mask, width, height, look.view, look.low_res);
    SGM_TRY(sgm_answer_take(desk, stack, &look, answer));
    sgm_packed_mask_clear(&answer->mask); /* the picture may be coarser than the voxels */
    return sgm_packed_mask_copy(step->initial, &answer->mask);
}

/* Leaves in `mask` an answer's mask and the voxels that its foreground points lie in, as far as it
 * holds the points themselves: a voxel that is many pixels thick takes the pixel at its centre,
 * which the mask need not reach. Returns whether that is more. */
static int add_clicked_voxels(const sgm_plane *plane, const sgm_slice_prompt *own,
                              const sgm_look *look, uint8_t *mask)
{
    int is_more = 0;
    size_t width = (size_t)plane->width;
    memcpy(mask, look->mask, width * (size_t)plane->height);
    for (size_t i = 0; i < own->point_count; i++) {
        const sgm_point *point = &own->points[i];
        sgm_slice_place place = sgm_slice_place_of(plane, point->x, point->y);
        if (point->label == SGM_BACKGROUND || mask[(size_t)place.y * width + (size_t)place.x] ||
            !look->mask[(size_t)lrint(point->y) * width + (size_t)lrint(point->x)])
            continue;
        sgm_slice_set_voxel(plane, place.u, place.v, 1, mask);
        is_more = 1;
    }
    return is_more;
}

sgm_status sgm_answer_prompted(sgm_desk *desk, sgm_stack *stack, const sgm_volume_step *step,
                               sgm_answer *answer)
{
    sgm_box box;
    sgm_look look;
    sgm_question question = {.picture = sgm_stack_picture(stack, step->slice),
                             .image = &stack->picture,
                             .points = step->own.points,
                             .point_count = step->own.point_count,
                             .tight_box =
                                 stack->plane.slices == 1 ? SGM_TIGHT_BOX_AUTO : SGM_TIGHT_BOX_OFF};
    if (step->own.has_roi) ask_with_roi(desk, step, &question);
    if (step->initial) ask_with_mask(desk, stack, step->initial, &question, &box);
    SGM_TRY(sgm_look_at(&desk->looker, &question, &look));
    if (step->own.has_roi) sgm_look_clip(&look, &step->own.roi);
    const sgm_plane *plane = &stack->plane;
    if ((plane->scale_x > 1 || plane->scale_y > 1) &&
        add_clicked_voxels(plane, &step->own, &look, stack->neighbour))
        return sgm_answer_take_changed(desk, stack, stack->neighbour, &look, answer);
    return sgm_answer_take(desk, stack, &look, answer);
}
