/* Masks are found first, then those that stayed are asked again: keeping the maps of all 768
 * answers would take more memory than asking twice takes time. */
#include "core/call.h"
#include "core/status.h"
#include "predict/everything/ridges.h"
#include "predict/everything/search.h"

#include <math.h>
#include <stdlib.h>

typedef struct drawing {
    sgm_finder *finder;
    const sgm_everything *kept;
    sgm_point *points; /* those that a kept mask came from, in the order of `kept` */
    size_t count;
    float *edges;
} drawing;

static int is_kept(const drawing *d, const sgm_point_answer *answer)
{
    for (size_t i = 0; i < d->kept->count; i++) {
        const sgm_found *f = &d->kept->items[i].found;
        if (f->token == answer->token && f->point[0] == answer->point.x &&
            f->point[1] == answer->point.y)
            return 1;
    }
    return 0;
}

static sgm_status draw(void *user, const sgm_point_answer *answer)
{
    drawing *d = user;
    sgm_finder *f = d->finder;
    if (!is_kept(d, answer)) return SGM_OK;
    SGM_TRY(sgm_finder_values(f, answer));
    size_t count = (size_t)f->image.width * (size_t)f->image.height;
    float level = sgm_finder_level(f, f->threshold);
    if (!f->config->protocol->probabilities) {
        for (size_t i = 0; i < count; i++)
            f->values[i] = 1 / (1 + expf(-f->values[i]));
        level = 1 / (1 + expf(-level));
    }
    sgm_edges_raise(f->values, level, f->image.width, f->image.height, d->edges);
    return SGM_OK;
}

static void collect_points(drawing *d)
{
    for (size_t i = 0; i < d->kept->count; i++) {
        const double *p = d->kept->items[i].found.point;
        size_t known = 0;
        while (known < d->count && (d->points[known].x != p[0] || d->points[known].y != p[1]))
            known++;
        if (known == d->count) d->points[d->count++] = (sgm_point){p[0], p[1], SGM_FOREGROUND};
    }
}

static sgm_status draw_all(drawing *d)
{
    const sgm_image *image = &d->finder->image;
    size_t pixels = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < pixels; i++)
        d->edges[i] = 0;
    d->points = malloc((d->kept->count + 1) * sizeof *d->points);
    if (!d->points) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu masks", d->kept->count);
    collect_points(d);
    d->finder->total = d->finder->done + (double)d->count;
    sgm_status status = sgm_finder_ask(d->finder, d->points, d->count, draw, d);
    free(d->points);
    SGM_TRY(status);
    sgm_edges_stretch(d->edges, image->width, image->height);
    return sgm_ridges_thin(d->edges, image->width, image->height);
}

static sgm_status make_map(sgm_finder *finder, const sgm_everything_options *options,
                           float *strength)
{
    sgm_everything *kept;
    finder->doing = "Drawing edges";
    finder->total = (double)options->points_per_side * options->points_per_side;
    SGM_TRY(sgm_search(finder, options, &kept));
    drawing d = {.finder = finder, .kept = kept, .edges = strength};
    sgm_status status = draw_all(&d);
    sgm_everything_destroy(kept);
    if (status == SGM_OK) sgm_call_progress(1, finder->doing);
    return status;
}

static sgm_status read_options(const sgm_everything_options *options, sgm_everything_options *out)
{
    sgm_everything_options usual = sgm_everything_options_init();
    usual.points_per_side = 16;
    SGM_TRY(sgm_everything_options_read(options, &usual, out));
    if (out->crop_n_layers)
        return sgm_fail(SGM_INVALID_ARGUMENT, "edges are drawn without crops, not with %d layers",
                        out->crop_n_layers);
    out->pred_iou_thresh = out->stability_score_thresh = 0;
    out->min_mask_region_area = 0;
    out->rank_by_both = 0;
    out->most = 0;
    return SGM_OK;
}

sgm_status sgm_edge_map(sgm_model *model, const sgm_image *image,
                        const sgm_everything_options *options, const sgm_call *call,
                        float *strength)
{
    sgm_everything_options how;
    sgm_call_scope scope;
    sgm_finder finder;
    if (!model || !image || !strength)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_edge_map: model, image or strength is NULL");
    SGM_TRY(read_options(options, &how));
    SGM_TRY(sgm_finder_init(&finder, model, image, &how));
    sgm_status status = sgm_call_enter(&scope, call);
    if (status == SGM_OK) {
        status = make_map(&finder, &how, strength);
        sgm_call_leave(&scope);
    }
    sgm_finder_clear(&finder);
    return status;
}
