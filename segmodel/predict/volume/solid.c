#include "predict/volume/solid.h"

#include "core/call.h"
#include "core/status.h"
#include "predict/picture/labels.h"
#include "predict/session/mask.h"
#include "predict/volume/components.h"

#include <stdlib.h>
#include <string.h>

const sgm_packed_mask *sgm_solid_mask(const sgm_solid_slice *slice)
{
    if (slice->has_final) return &slice->final;
    return slice->has_filled ? &slice->filled : &slice->answer->mask;
}

static const sgm_solid_slice *slice_at(const sgm_solid *solid, int64_t slice)
{
    size_t low = 0, high = solid ? solid->count : 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (solid->slices[middle].slice < slice)
            low = middle + 1;
        else
            high = middle;
    }
    return solid && low < solid->count && solid->slices[low].slice == slice ? &solid->slices[low]
                                                                            : NULL;
}

/* --------------------------------------------------------------------------------- boxes of it */

static void no_box(int64_t first[3], int64_t last[3])
{
    for (int a = 0; a < 3; a++) {
        first[a] = INT64_MAX;
        last[a] = -1;
    }
}

static void include(const int64_t index[3], int64_t first[3], int64_t last[3])
{
    for (int a = 0; a < 3; a++) {
        if (index[a] < first[a]) first[a] = index[a];
        if (index[a] > last[a]) last[a] = index[a];
    }
}

static void include_mask(const sgm_plane *plane, int64_t slice, const sgm_packed_mask *mask,
                         int64_t first[3], int64_t last[3])
{
    int64_t index[3];
    if (!mask->voxels) return;
    index[plane->axis] = slice;
    index[plane->u] = mask->x;
    index[plane->v] = mask->y;
    include(index, first, last);
    index[plane->u] = mask->x + mask->width - 1;
    index[plane->v] = mask->y + mask->height - 1;
    include(index, first, last);
}

static void end_box(int64_t first[3], int64_t last[3])
{
    if (last[0] >= 0) return;
    for (int a = 0; a < 3; a++)
        first[a] = 0;
}

/* ------------------------------------------------------------------------------------ measuring */

static void measure(sgm_solid *solid)
{
    double sum = 0;
    solid->voxels = 0;
    no_box(solid->first, solid->last);
    for (size_t i = 0; i < solid->count; i++) {
        const sgm_solid_slice *slice = &solid->slices[i];
        const sgm_packed_mask *mask = sgm_solid_mask(slice);
        solid->reports[i] =
            (sgm_slice_report){slice->slice, slice->answer->quality, mask->voxels, slice->prompted};
        include_mask(&solid->plane, slice->slice, mask, solid->first, solid->last);
        solid->voxels += mask->voxels;
        sum += slice->answer->quality;
    }
    end_box(solid->first, solid->last);
    solid->quality = solid->count ? sum / (double)solid->count : 0;
}

/* -------------------------------------------------------------------------------- after the walk
 */

sgm_status sgm_fill_slice(sgm_stack *stack, const sgm_packed_mask *mask, sgm_packed_mask *filled)
{
    sgm_stack_unpack(stack, mask, stack->neighbour);
    SGM_TRY(sgm_mask_fill_holes(stack->neighbour, stack->plane.width, stack->plane.height));
    return sgm_stack_pack(stack, stack->neighbour, filled);
}

static sgm_status fill_holes(sgm_stack *stack, const sgm_solid *earlier, sgm_solid *solid)
{
    for (size_t i = 0; i < solid->count; i++) {
        sgm_solid_slice *slice = &solid->slices[i];
        const sgm_solid_slice *before = slice_at(earlier, slice->slice);
        if (!slice->answer->mask.voxels) continue;
        SGM_TRY(sgm_call_cancelled());
        if (before && before->answer == slice->answer && before->has_filled)
            SGM_TRY(sgm_packed_mask_copy(&before->filled, &slice->filled));
        else
            SGM_TRY(sgm_fill_slice(stack, &slice->answer->mask, &slice->filled));
        slice->has_filled = 1;
    }
    return SGM_OK;
}

/* The voxels of a slice that lie in a box which holds all of them. */
static void gather(const sgm_solid *solid, int64_t slice, const uint8_t *part,
                   const int64_t size[3], uint8_t *voxels)
{
    const sgm_plane *plane = &solid->plane;
    int64_t index[3], low_u = solid->first[plane->u], low_v = solid->first[plane->v];
    memset(voxels, 0, (size_t)(plane->columns * plane->rows));
    index[plane->axis] = slice - solid->first[plane->axis];
    for (int64_t v = 0; v < size[plane->v]; v++)
        for (int64_t u = 0; u < size[plane->u]; u++) {
            index[plane->u] = u;
            index[plane->v] = v;
            voxels[(v + low_v) * plane->columns + u + low_u] =
                part[index[0] + size[0] * (index[1] + size[1] * index[2])];
        }
}

static sgm_status keep_largest(sgm_stack *stack, sgm_solid *solid)
{
    int64_t size[3], last[3];
    const int64_t first[3] = {0, 0, 0};
    if (!solid->voxels) return SGM_OK;
    for (int a = 0; a < 3; a++) {
        size[a] = solid->last[a] - solid->first[a] + 1;
        last[a] = size[a] - 1;
    }
    uint8_t *part = malloc((size_t)(size[0] * size[1] * size[2]));
    if (!part) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for connected components");
    sgm_solid_copy(solid, solid->first, solid->last, part);
    sgm_status status = sgm_keep_largest(part, size, first, last);
    const sgm_plane *plane = &solid->plane;
    for (size_t i = 0; i < solid->count && status == SGM_OK; i++) {
        sgm_solid_slice *slice = &solid->slices[i];
        if (!sgm_solid_mask(slice)->voxels) continue;
        gather(solid, slice->slice, part, size, stack->voxels);
        status = sgm_packed_mask_make(stack->voxels, (int)plane->columns, (int)plane->rows,
                                      &slice->final);
        slice->has_final = 1;
    }
    free(part);
    return status;
}

/* --------------------------------------------------------------------------------------- making */

static int compare_taken(const void *a, const void *b)
{
    int64_t x = ((const sgm_taken *)a)->slice, y = ((const sgm_taken *)b)->slice;
    return (x > y) - (x < y);
}

/* Without those that a click has emptied on its way. */
static sgm_status take_slices(sgm_run *run, size_t number, sgm_solid *solid)
{
    sgm_subject *subject = &run->subjects[number];
    solid->slices = calloc(subject->taken_count + 1, sizeof *solid->slices);
    solid->reports = calloc(subject->taken_count + 1, sizeof *solid->reports);
    if (!solid->slices || !solid->reports)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for results");
    if (subject->taken_count)
        qsort(subject->taken, subject->taken_count, sizeof *subject->taken, compare_taken);
    for (size_t i = 0; i < subject->taken_count; i++) {
        const sgm_taken *taken = &subject->taken[i];
        if (!taken->prompted && !taken->answer->mask.voxels)
            sgm_answers_release(&run->desk->answers, taken->answer);
        else
            solid->slices[solid->count++] = (sgm_solid_slice){
                .slice = taken->slice, .answer = taken->answer, .prompted = taken->prompted};
    }
    subject->taken_count = 0;
    return SGM_OK;
}

static sgm_status take_walks(const sgm_run *run, size_t number, sgm_solid *solid)
{
    solid->walks = calloc(run->front_count + 1, sizeof *solid->walks);
    if (!solid->walks) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for results");
    for (size_t i = 0; i < run->front_count; i++) {
        const sgm_front *front = &run->fronts[i];
        if (front->subject != number) continue;
        solid->walks[solid->walk_count++] =
            (sgm_walk_report){front->from, front->at, front->direction, front->stop};
        if (front->is_outer) solid->stopped[front->direction > 0] = front->stop;
    }
    return SGM_OK;
}

sgm_status sgm_solid_make(sgm_run *run, size_t number, const sgm_solid *earlier, sgm_solid *out)
{
    const sgm_walk_rules *rules = &run->desk->rules;
    *out = (sgm_solid){.plane = run->stack->plane};
    if (earlier && earlier->plane.axis != out->plane.axis) earlier = NULL;
    sgm_status status = take_slices(run, number, out);
    if (status == SGM_OK) status = take_walks(run, number, out);
    if (status == SGM_OK && rules->fill_holes) status = fill_holes(run->stack, earlier, out);
    if (status == SGM_OK) measure(out);
    if (status == SGM_OK && rules->keep_largest) {
        status = keep_largest(run->stack, out);
        if (status == SGM_OK) measure(out);
    }
    if (status != SGM_OK) sgm_solid_clear(out, &run->desk->answers);
    return status;
}

void sgm_solid_clear(sgm_solid *solid, sgm_answers *answers)
{
    for (size_t i = 0; i < solid->count; i++) {
        sgm_answers_release(answers, solid->slices[i].answer);
        sgm_packed_mask_clear(&solid->slices[i].filled);
        sgm_packed_mask_clear(&solid->slices[i].final);
    }
    free(solid->slices);
    free(solid->reports);
    free(solid->walks);
    *solid = (sgm_solid){0};
}

/* ----------------------------------------------------------------------------------- difference */

static void include_slices(const sgm_solid *solid, const sgm_solid *other, int64_t first[3],
                           int64_t last[3])
{
    for (size_t i = 0; solid && i < solid->count; i++) {
        const sgm_solid_slice *slice = &solid->slices[i];
        const sgm_solid_slice *there = slice_at(other, slice->slice);
        const sgm_packed_mask *mask = sgm_solid_mask(slice);
        if (there && sgm_packed_mask_equal(mask, sgm_solid_mask(there))) continue;
        include_mask(&solid->plane, slice->slice, mask, first, last);
    }
}

void sgm_solid_difference(const sgm_solid *a, const sgm_solid *b, int64_t first[3], int64_t last[3])
{
    int comparable = a && b && a->count && b->count && a->plane.axis == b->plane.axis;
    no_box(first, last);
    include_slices(a, comparable ? b : NULL, first, last);
    include_slices(b, comparable ? a : NULL, first, last);
    end_box(first, last);
}

/* ------------------------------------------------------------------------------------- ways out */

typedef struct painter {
    const sgm_plane *plane;
    const int64_t *size;
    int64_t slice, step;
    void *labels;
    sgm_voxel type;
    int64_t value;
} painter;

static void paint_run(void *user, int v, int first, int last)
{
    const painter *p = user;
    sgm_labels_fill(p->labels, p->type, p->value,
                    sgm_plane_offset(p->plane, p->size, p->slice, first, v), p->step,
                    last - first + 1);
}

void sgm_solid_paint(const sgm_solid *solid, const int64_t size[3], void *labels, sgm_voxel type,
                     int64_t value)
{
    painter p = {&solid->plane, size, 0, 0, labels, type, value};
    p.step = sgm_plane_offset(&solid->plane, size, 0, 1, 0);
    for (size_t i = 0; i < solid->count; i++) {
        p.slice = solid->slices[i].slice;
        sgm_packed_mask_visit(sgm_solid_mask(&solid->slices[i]), paint_run, &p);
    }
}

typedef struct copier {
    const sgm_plane *plane;
    const int64_t *first, *last;
    int64_t index[3], size[3];
    uint8_t *mask;
} copier;

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void copy_run(void *user, int v, int first, int last)
{
    copier *c = user;
    int along = c->plane->u, across = c->plane->v;
    int64_t start = larger(first, c->first[along]), end = smaller(last, c->last[along]);
    if (v < c->first[across] || v > c->last[across]) return;
    c->index[across] = v - c->first[across];
    for (int64_t u = start; u <= end; u++) {
        c->index[along] = u - c->first[along];
        c->mask[c->index[0] + c->size[0] * (c->index[1] + c->size[1] * c->index[2])] = 1;
    }
}

void sgm_solid_copy(const sgm_solid *solid, const int64_t first[3], const int64_t last[3],
                    uint8_t *mask)
{
    int axis = solid->plane.axis;
    copier c = {.plane = &solid->plane, .first = first, .last = last, .mask = mask};
    for (int a = 0; a < 3; a++)
        c.size[a] = last[a] - first[a] + 1;
    memset(mask, 0, (size_t)(c.size[0] * c.size[1] * c.size[2]));
    for (size_t i = 0; i < solid->count; i++) {
        int64_t slice = solid->slices[i].slice;
        if (slice < first[axis] || slice > last[axis]) continue;
        c.index[axis] = slice - first[axis];
        sgm_packed_mask_visit(sgm_solid_mask(&solid->slices[i]), copy_run, &c);
    }
}
