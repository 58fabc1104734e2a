#include "predict/look/logits.h"
#include "predict/picture/roi.h"
#include "predict/session/mask.h"
#include "predict/volume/run.h"

#include "core/status.h"

#include <stdlib.h>

size_t sgm_run_low_res_count(const sgm_run *run)
{
    return (size_t)run->predictor->low_res_shape[0] * (size_t)run->predictor->low_res_shape[1];
}

void sgm_run_show(sgm_run *run, int64_t slice)
{
    if (run->loaded == slice) return;
    sgm_slicer_extract(&run->slicer, slice, run->pixels);
    run->loaded = slice;
}

static sgm_status add_report(sgm_target *target, const sgm_slice_report *report)
{
    if (target->report_count == target->report_room) {
        size_t room = target->report_room ? 2 * target->report_room : 16;
        sgm_slice_report *grown = realloc(target->reports, room * sizeof *grown);
        if (!grown) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for slice reports");
        target->reports = grown;
        target->report_room = room;
    }
    target->reports[target->report_count++] = *report;
    return SGM_OK;
}

sgm_status sgm_run_take(sgm_run *run, sgm_target *target, const sgm_look *look, int prompted,
                        int64_t *voxels)
{
    *voxels =
        sgm_slice_store(&run->plane, run->volume->size, run->loaded, look->mask, target->mask);
    if (!*voxels && !prompted) return SGM_OK;
    sgm_slice_report report = {run->loaded, look->raw.predicted_iou, *voxels, prompted};
    return add_report(target, &report);
}

/* The object's initial mask on this slice, as logits for the question; nothing if it is empty. */
static void ask_with_mask(sgm_run *run, const sgm_object *object, sgm_question *question,
                          sgm_box *box)
{
    int width = run->plane.width, height = run->plane.height;
    sgm_slice_load(&run->plane, run->volume->size, run->loaded, object->mask, run->neighbour);
    if (!sgm_mask_measure(run->neighbour, width, height, box)) return;
    for (size_t i = 0; i < question->point_count; i++) {
        const sgm_point *point = &question->points[i];
        sgm_box dot = {point->x, point->y, point->x, point->y};
        if (point->label == SGM_FOREGROUND) *box = sgm_box_union(box, &dot);
    }
    if (box->x1 - box->x0 < 1) box->x0 -= 0.5, box->x1 += 0.5;
    if (box->y1 - box->y0 < 1) box->y0 -= 0.5, box->y1 += 0.5;
    question->logits_view =
        run->looker.zoom ? sgm_view_around(box, width, height) : sgm_view_whole(width, height);
    sgm_logits_from_mask(run->predictor, run->neighbour, width, height, question->logits_view,
                         run->logits);
    question->logits = run->logits;
    question->box = box;
}

static sgm_status start_front(sgm_run *run, ptrdiff_t number, const sgm_look *look, int64_t voxels)
{
    if (number < 0) return SGM_OK;
    sgm_front *front = &run->fronts[number];
    front->quality = look->raw.predicted_iou;
    if (voxels) return sgm_front_go_on(run, front, look, front->at);
    sgm_front_stop(run, front, SGM_STOP_EMPTY);
    return SGM_OK;
}

/* A box over several slices is drawn around the whole object; its cross-section fits the object on
 * one of them at best. Where seeds say what is meant and the network sees a crop, it only says
 * where to crop. A network that sees the whole slice has no other way to be told: the box is asked.
 */
static void ask_with_roi(const sgm_run *run, const sgm_object *object, sgm_slice_prompt *prompt,
                         sgm_question *question)
{
    int64_t least = run->plane.slices, most = -1;
    for (size_t i = 0; i < object->roi_count; i++) {
        int64_t first, last;
        sgm_roi_slices(&object->rois[i], run->plane.axis, run->plane.slices, &first, &last);
        if (last < first) continue;
        if (first < least) least = first;
        if (last > most) most = last;
    }
    if (run->looker.zoom && prompt->foreground_count && most > least)
        question->extent = &prompt->roi;
    else
        question->box = &prompt->roi;
}

sgm_status sgm_run_task(sgm_run *run, sgm_task *task)
{
    sgm_target *target = &run->targets[task->target];
    const sgm_object *object = target->object;
    sgm_slice_prompt prompt = {.points = run->points};
    sgm_box box;
    sgm_look look;
    int64_t voxels;
    task->done = 1;
    sgm_run_show(run, task->slice);
    sgm_slice_prompt_of(&run->plane, object, task->slice, &prompt);
    sgm_question question = {.picture = task->slice,
                             .image = &run->picture,
                             .points = prompt.points,
                             .point_count = prompt.point_count,
                             .tight_box = SGM_TIGHT_BOX_OFF};
    if (prompt.has_roi) ask_with_roi(run, object, &prompt, &question);
    if (object->mask) ask_with_mask(run, object, &question, &box);
    SGM_TRY(sgm_look_at(&run->looker, &question, &look));
    if (prompt.has_roi) sgm_look_clip(&look, &prompt.roi);
    SGM_TRY(sgm_run_take(run, target, &look, 1, &voxels));
    SGM_TRY(start_front(run, task->up, &look, voxels));
    return start_front(run, task->down, &look, voxels);
}
