#include "prompts.h"

#include <math.h>
#include <stdlib.h>

static const double longer = 0.05, outside_mm = 5, outside_voxels = 4;

sgm_object prompt_object(const prompt_list *list)
{
    return (sgm_object){.name = "object",
                        .seeds = list->seeds,
                        .seed_count = list->seed_count,
                        .rois = &list->roi,
                        .roi_count = list->has_roi ? 1 : 0,
                        .labels = list->mask};
}

static void add_seed(prompt_list *list, const int64_t point[3], int label)
{
    if (list->seed_count == MOST_SEEDS) return;
    sgm_seed *seed = &list->seeds[list->seed_count++];
    for (int a = 0; a < 3; a++)
        seed->index[a] = (double)point[a];
    seed->label = label;
}

int64_t prompt_slice(const volume_case *c, const truth *object, double share)
{
    int axis = c->grid.axis;
    int64_t first = object->box.first[axis], last = object->box.last[axis];
    int64_t wanted = first + llrint(share * (double)(last - first));
    for (int64_t away = 0; away <= last - first; away++) {
        if (wanted + away <= last && grid_slice_area(&c->grid, object->mask, wanted + away))
            return wanted + away;
        if (wanted - away >= first && grid_slice_area(&c->grid, object->mask, wanted - away))
            return wanted - away;
    }
    return wanted;
}

static void add_deepest(const volume_case *c, const truth *object, int64_t slice, prompt_list *list)
{
    int64_t point[3];
    if (grid_deepest(&c->grid, object->mask, slice, point)) add_seed(list, point, SGM_FOREGROUND);
}

void prompt_add_inside(const volume_case *c, const truth *object, double share, prompt_list *list)
{
    add_deepest(c, object, prompt_slice(c, object, share), list);
}

void prompt_add_middle(const volume_case *c, const truth *object, prompt_list *list)
{
    add_deepest(c, object, object->largest, list);
}

void prompt_set_box(const volume_case *c, const truth *object, prompt_list *list)
{
    list->has_roi = 1;
    list->roi = (sgm_roi){{0}, {{0}}};
    for (int a = 0; a < 3; a++) {
        double first = (double)object->box.first[a] - 0.5, last = (double)object->box.last[a] + 0.5;
        double half = (last - first) / 2 * (1 + longer), middle = (first + last) / 2;
        double low = fmax(middle - half, -0.5);
        double high = fmin(middle + half, (double)c->grid.size[a] - 0.5);
        list->roi.center[a] = (low + high) / 2;
        list->roi.half_axis[a][a] = (high - low) / 2;
    }
}

/* ------------------------------------------------------------------------------- background */

/* The box on one slice, in whole voxels. */
static span slice_of_box(const volume_case *c, const truth *object, int64_t slice)
{
    span box = object->box;
    for (int a = 0; a < 3; a++) {
        int64_t length = box.last[a] - box.first[a] + 1;
        int64_t more = (int64_t)floor(longer / 2 * (double)length);
        box.first[a] = box.first[a] > more ? box.first[a] - more : 0;
        if (box.last[a] + more < c->grid.size[a])
            box.last[a] += more;
        else
            box.last[a] = c->grid.size[a] - 1;
    }
    box.first[c->grid.axis] = box.last[c->grid.axis] = slice;
    return box;
}

/* Background voxels in the four quarters of the slice's box. */
static void count_quarters(const volume_case *c, const truth *object, const span *box,
                           int64_t count[4])
{
    const grid *g = &c->grid;
    int64_t at[3];
    count[0] = count[1] = count[2] = count[3] = 0;
    at[g->axis] = box->first[g->axis];
    for (at[g->v] = box->first[g->v]; at[g->v] <= box->last[g->v]; at[g->v]++)
        for (at[g->u] = box->first[g->u]; at[g->u] <= box->last[g->u]; at[g->u]++) {
            int right = 2 * at[g->u] > box->first[g->u] + box->last[g->u];
            int below = 2 * at[g->v] > box->first[g->v] + box->last[g->v];
            count[2 * below + right] += !object->mask[grid_at(g, at)];
        }
}

static int most_of(const int64_t count[4])
{
    int best = 0;
    for (int i = 1; i < 4; i++)
        if (count[i] > count[best]) best = i;
    return best;
}

void prompt_add_outside(const volume_case *c, const truth *object, int64_t slice, prompt_list *list)
{
    const grid *g = &c->grid;
    span box = slice_of_box(c, object, slice);
    int64_t count[4], at[3], best[3] = {0};
    count_quarters(c, object, &box, count);
    int quarter = most_of(count);
    grid flat = *g;
    flat.spacing[g->axis] = 1e6;
    float *distance = grid_depth(&flat, object->mask, 0, &box, 0);
    double wanted = fmin(outside_mm, outside_voxels * fmin(g->spacing[g->u], g->spacing[g->v]));
    double off = INFINITY;
    size_t n = 0;
    for (at[2] = box.first[2]; at[2] <= box.last[2]; at[2]++)
        for (at[1] = box.first[1]; at[1] <= box.last[1]; at[1]++)
            for (at[0] = box.first[0]; at[0] <= box.last[0]; at[0]++, n++) {
                int right = 2 * at[g->u] > box.first[g->u] + box.last[g->u];
                int below = 2 * at[g->v] > box.first[g->v] + box.last[g->v];
                if (object->mask[grid_at(g, at)] || 2 * below + right != quarter) continue;
                double here = fabs(distance[n] - wanted);
                if (here >= off) continue;
                off = here;
                for (int a = 0; a < 3; a++)
                    best[a] = at[a];
            }
    free(distance);
    if (isfinite(off)) add_seed(list, best, SGM_BACKGROUND);
}

/* The slice of low..high that crosses the object and has most background in its box. */
static int64_t emptiest(const volume_case *c, const truth *object, int64_t low, int64_t high)
{
    int64_t best = low, most = -1;
    for (int64_t slice = low; slice <= high; slice++) {
        int64_t count[4];
        if (!grid_slice_area(&c->grid, object->mask, slice)) continue;
        span box = slice_of_box(c, object, slice);
        count_quarters(c, object, &box, count);
        if (count[0] + count[1] + count[2] + count[3] <= most) continue;
        most = count[0] + count[1] + count[2] + count[3];
        best = slice;
    }
    return best;
}

void prompt_add_two_outside(const volume_case *c, const truth *object, prompt_list *list)
{
    int axis = c->grid.axis;
    int64_t first = object->box.first[axis], last = object->box.last[axis];
    int64_t middle = (first + last) / 2;
    prompt_add_outside(c, object, emptiest(c, object, first, middle), list);
    prompt_add_outside(c, object, emptiest(c, object, middle + 1, last), list);
}
