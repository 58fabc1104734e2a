#include "core/call.h"
#include "core/status.h"
#include "predict/everything/regions.h"
#include "predict/everything/search.h"

#include <stdlib.h>
#include <string.h>

/* One run over a picture. */
typedef struct search {
    const sgm_everything_options *options;
    sgm_finder *finder;
    sgm_part *crops;
    size_t crop_count;
    sgm_everything *all;
    sgm_everything here; /* of the present crop, boxes and masks in the picture already */
    uint8_t *mask;       /* room for one mask of the picture's size */
} search;

/* -------------------------------------------------------------------------------- one crop */

static void place(const search *s, const sgm_point_answer *answer, sgm_candidate *c)
{
    const sgm_part *crop = &s->finder->crop;
    c->mask.x += crop->x0;
    c->mask.y += crop->y0;
    c->found.area = c->mask.voxels;
    c->found.box[0] = c->mask.x;
    c->found.box[1] = c->mask.y;
    c->found.box[2] = c->mask.x + c->mask.width - 1;
    c->found.box[3] = c->mask.y + c->mask.height - 1;
    c->found.point[0] = answer->point.x + crop->x0;
    c->found.point[1] = answer->point.y + crop->y0;
    const int corners[4] = {crop->x0, crop->y0, crop->x1, crop->y1};
    memcpy(c->found.crop_box, corners, sizeof corners);
}

/* Keeps the answer if it is good enough. */
static sgm_status judge(void *user, const sgm_point_answer *answer)
{
    search *s = user;
    sgm_finder *f = s->finder;
    const sgm_everything_options *o = s->options;
    int width = f->crop.x1 - f->crop.x0, height = f->crop.y1 - f->crop.y0;
    if (o->pred_iou_thresh > 0 && !(answer->predicted_iou > (float)o->pred_iou_thresh))
        return SGM_OK;
    double stability = sgm_finder_mask(f, answer, o->stability_score_offset, s->mask);
    if (o->stability_score_thresh > 0 && !(stability >= (float)o->stability_score_thresh))
        return SGM_OK;
    sgm_candidate c = {.found = {.predicted_iou = answer->predicted_iou,
                                 .stability_score = stability,
                                 .token = answer->token}};
    SGM_TRY(sgm_packed_mask_make(s->mask, width, height, &c.mask));
    if (!c.mask.voxels) return SGM_OK;
    place(s, answer, &c);
    if (sgm_crop_cuts(&f->crop, f->image.width, f->image.height, c.found.box)) {
        sgm_packed_mask_clear(&c.mask);
        return SGM_OK;
    }
    return sgm_everything_add(&s->here, c);
}

/* Points of a grid over the crop, row after row. */
static sgm_status make_grid(const search *s, const sgm_part *crop, sgm_point **points,
                            size_t *count)
{
    const sgm_everything_options *o = s->options;
    int n = sgm_grid_points(o->points_per_side, crop->layer, o->crop_n_points_downscale_factor);
    *count = (size_t)n * (size_t)n;
    *points = malloc((*count + 1) * sizeof **points);
    if (!*points) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu points", *count);
    for (int j = 0; j < n; j++)
        for (int i = 0; i < n; i++)
            (*points)[j * n + i] =
                (sgm_point){sgm_grid_place(i, n) * (crop->x1 - crop->x0),
                            sgm_grid_place(j, n) * (crop->y1 - crop->y0), SGM_FOREGROUND};
    return SGM_OK;
}

/* ------------------------------------------------------------------------------ between masks */

typedef double (*score_fn)(const sgm_candidate *candidate);

static double by_quality(const sgm_candidate *c)
{
    return c->found.predicted_iou;
}

static double by_both(const sgm_candidate *c)
{
    return 0.5 * (c->found.predicted_iou + c->found.stability_score);
}

static double by_small_crop(const sgm_candidate *c)
{
    const int *box = c->found.crop_box;
    return 1 / ((double)(box[2] - box[0]) * (box[3] - box[1]));
}

static sgm_status make_scores(const sgm_everything *all, score_fn score, float **scores)
{
    *scores = malloc((all->count + 1) * sizeof **scores);
    if (!*scores) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to sort %zu masks", all->count);
    for (size_t i = 0; i < all->count; i++)
        (*scores)[i] = (float)score(&all->items[i]);
    return SGM_OK;
}

static sgm_status suppress(sgm_everything *all, score_fn score, double threshold)
{
    float *scores;
    SGM_TRY(make_scores(all, score, &scores));
    sgm_status status = sgm_everything_suppress(all, scores, threshold);
    free(scores);
    return status;
}

static sgm_status rank_by_both(sgm_everything *all)
{
    return suppress(all, by_both, 1);
}

static sgm_status search_crop(search *s, const sgm_part *crop)
{
    sgm_point *points;
    size_t count;
    SGM_TRY(make_grid(s, crop, &points, &count));
    sgm_status status = sgm_finder_look(s->finder, crop);
    if (status == SGM_OK) status = sgm_finder_ask(s->finder, points, count, judge, s);
    free(points);
    if (status == SGM_OK) status = suppress(&s->here, by_quality, s->options->box_nms_thresh);
    if (status == SGM_OK) status = sgm_everything_move(s->all, &s->here);
    return status;
}

/* ------------------------------------------------------------------------------ small regions */

/* The candidate without small holes and islands. The score of what was changed is below that of
 * what was not. */
static sgm_status clean(search *s, sgm_candidate *c, float *score)
{
    int width = s->all->width, height = s->all->height, holes, islands;
    int64_t least = s->options->min_mask_region_area;
    sgm_packed_mask_unpack(&c->mask, width, height, s->mask);
    SGM_TRY(sgm_regions_remove(s->mask, width, height, least, SGM_REGION_HOLES, &holes));
    SGM_TRY(sgm_regions_remove(s->mask, width, height, least, SGM_REGION_ISLANDS, &islands));
    *score = holes || islands ? 0 : 1;
    if (!holes && !islands) return SGM_OK;
    sgm_packed_mask_clear(&c->mask);
    SGM_TRY(sgm_packed_mask_make(s->mask, width, height, &c->mask));
    c->found.area = c->mask.voxels;
    const int box[4] = {c->mask.x, c->mask.y, c->mask.x + c->mask.width - 1,
                        c->mask.y + c->mask.height - 1};
    memcpy(c->found.box, box, sizeof box);
    return SGM_OK;
}

static sgm_status clean_all(search *s)
{
    const sgm_everything_options *o = s->options;
    double threshold =
        o->box_nms_thresh > o->crop_nms_thresh ? o->box_nms_thresh : o->crop_nms_thresh;
    float *scores = malloc((s->all->count + 1) * sizeof *scores);
    if (!scores) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu masks", s->all->count);
    sgm_status status = SGM_OK;
    for (size_t i = 0; i < s->all->count && status == SGM_OK; i++)
        status = clean(s, &s->all->items[i], &scores[i]);
    if (status == SGM_OK) status = sgm_everything_suppress(s->all, scores, threshold);
    free(scores);
    return status;
}

/* ----------------------------------------------------------------------------------- a picture */

static void count_points(search *s)
{
    const sgm_everything_options *o = s->options;
    for (size_t i = 0; i < s->crop_count; i++) {
        int n = sgm_grid_points(o->points_per_side, s->crops[i].layer,
                                o->crop_n_points_downscale_factor);
        s->finder->total += (double)n * n;
    }
}

static void keep_first(sgm_everything *all, size_t most)
{
    for (size_t i = most; i < all->count; i++)
        sgm_packed_mask_clear(&all->items[i].mask);
    if (all->count > most) all->count = most;
}

static sgm_status search_picture(search *s)
{
    const sgm_everything_options *o = s->options;
    const sgm_image *image = &s->finder->image;
    SGM_TRY(sgm_crops_make(image->width, image->height, o->crop_n_layers, o->crop_overlap_ratio,
                           &s->crops, &s->crop_count));
    count_points(s);
    for (size_t i = 0; i < s->crop_count; i++)
        SGM_TRY(search_crop(s, &s->crops[i]));
    if (s->crop_count > 1) SGM_TRY(suppress(s->all, by_small_crop, o->crop_nms_thresh));
    if (o->min_mask_region_area > 0) SGM_TRY(clean_all(s));
    if (o->rank_by_both) SGM_TRY(rank_by_both(s->all));
    if (o->most) keep_first(s->all, o->most);
    return SGM_OK;
}

static sgm_status search_begin(search *s)
{
    const sgm_image *image = &s->finder->image;
    s->all = calloc(1, sizeof *s->all);
    s->mask = malloc((size_t)image->width * (size_t)image->height);
    if (!s->all || !s->mask)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for masks of %d x %d pixels", image->width,
                        image->height);
    s->all->width = s->here.width = image->width;
    s->all->height = s->here.height = image->height;
    return SGM_OK;
}

sgm_status sgm_search(sgm_finder *finder, const sgm_everything_options *options,
                      sgm_everything **out)
{
    search s = {.options = options, .finder = finder};
    sgm_status status = search_begin(&s);
    if (status == SGM_OK) status = search_picture(&s);
    sgm_everything_clear(&s.here);
    free(s.crops);
    free(s.mask);
    if (status != SGM_OK) {
        sgm_everything_destroy(s.all);
        s.all = NULL;
    }
    *out = s.all;
    return status;
}

sgm_status sgm_everything_find(sgm_model *model, const sgm_image *image,
                               const sgm_everything_options *options, const sgm_call *call,
                               sgm_everything **out)
{
    sgm_everything_options usual, how;
    sgm_call_scope scope;
    sgm_finder finder;
    if (!model || !image || !out)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_everything_find: model, image or out is NULL");
    *out = NULL;
    usual = sgm_everything_options_of(model);
    SGM_TRY(sgm_everything_options_read(options, &usual, &how));
    SGM_TRY(sgm_finder_init(&finder, model, image, &how));
    finder.doing = "Asking points";
    sgm_status status = sgm_call_enter(&scope, call);
    if (status == SGM_OK) {
        status = sgm_search(&finder, &how, out);
        if (status == SGM_OK) sgm_call_progress(1, finder.doing);
        sgm_call_leave(&scope);
    }
    sgm_finder_clear(&finder);
    return status;
}
