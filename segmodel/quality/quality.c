#include "quality/quality.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "predict/look/look.h"
#include "predict/look/session_predictor.h"
#include "predict/session/model.h"
#include "predict/session/prompt_prior.h"
#include "quality/quality_objects.h"
#include "quality/quality_rival.h"
#include "segmodel/metrics.h"
#include "train/mask_tools.h"
#include "train/objects.h"

typedef struct examiner {
    const sgm_pack *pack;
    const sgm_quality_options *options;
    sgm_session_predictor binding;
    sgm_embedder embedder;
    sgm_looker looker;
    /* of the current object */
    const sgm_pack_item *item;
    sgm_image image;
    uint8_t *truth, *answer, *spare;
    int32_t *distance;
    sgm_point points[4];
    sgm_box box;
    sgm_tight_box tight_box;
    bool has_prior; /* the model draws its own mask prompt from box and points */
    sgm_quality_row *row;
} examiner;

/* ------------------------------------------------------------------------------ measurements */

static const double square[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};

static sgm_status score(examiner *e, sgm_quality_answer answer, const uint8_t *mask)
{
    const int64_t size[3] = {e->item->width, e->item->height, 1};
    sgm_overlap overlap = sgm_overlap_of(e->truth, mask, (size_t)(size[0] * size[1]));
    sgm_surface_metrics surface;
    SGM_TRY(sgm_surface_compare(e->truth, mask, size, square, &e->options->tolerance, 1, &surface));
    e->row->dice[answer] = sgm_overlap_dice(&overlap, 0);
    e->row->surface[answer] = surface.surface_dice[0];
    return SGM_OK;
}

/* ------------------------------------------------------------------------------------ prompts */

static sgm_status ask(examiner *e, size_t points, bool box, const sgm_look *before, sgm_look *look)
{
    sgm_question question = {
        .image = &e->image, .points = e->points, .point_count = points, .tight_box = e->tight_box};
    if (box) question.box = &e->box;
    float *kept = NULL;
    if (before) { /* the looker's memory is written while it answers */
        size_t count = (size_t)e->looker.predictor->low_res_shape[0] *
                       (size_t)e->looker.predictor->low_res_shape[1];
        kept = malloc(count * sizeof *kept);
        if (!kept) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for logits");
        memcpy(kept, before->low_res, count * sizeof *kept);
        question.logits = kept;
        question.logits_view = question.stay = before->view;
    }
    sgm_status status = sgm_look_at(&e->looker, &question, look);
    free(kept);
    return status;
}

static void choose_points(examiner *e)
{
    int x = 0, y = 0, width = e->item->width, height = e->item->height;
    sgm_rng rng = sgm_rng_at(20, (uint64_t)e->row->item * 977 + (uint64_t)e->row->area);
    sgm_mask_distance(e->truth, width, height, e->distance);
    sgm_mask_deepest_pixel(e->distance, width, height, &x, &y);
    e->points[0] = (sgm_point){x, y, SGM_FOREGROUND};
    for (int i = 1; i < 3; i++) {
        sgm_mask_random_pixel(e->distance, width, height, &rng, &x, &y);
        e->points[i] = (sgm_point){x, y, SGM_FOREGROUND};
    }
}

static bool correction(examiner *e, const uint8_t *answer, sgm_point *point)
{
    int width = e->item->width, height = e->item->height, count = width * height, x, y;
    sgm_mask_minus(e->truth, answer, count, e->spare);
    int missed = sgm_mask_bounds(e->spare, width, height).area;
    sgm_mask_minus(answer, e->truth, count, e->spare);
    int leaked = sgm_mask_bounds(e->spare, width, height).area;
    if (missed >= leaked) sgm_mask_minus(e->truth, answer, count, e->spare);
    sgm_mask_distance(e->spare, width, height, e->distance);
    if (!sgm_mask_deepest_pixel(e->distance, width, height, &x, &y)) return false;
    *point = (sgm_point){x, y, missed >= leaked ? SGM_FOREGROUND : SGM_BACKGROUND};
    return true;
}

/* ------------------------------------------------------------------------------------ objects */

/* The box as it is, then with a correction of that answer. SAM's models take the answer's logits
 * back as mask prompt. Models with a prior are better off with the prior of box and correction:
 * logits in its place hide the box from them. */
static sgm_status ask_box(examiner *e)
{
    sgm_look look;
    SGM_TRY(ask(e, 0, true, NULL, &look));
    SGM_TRY(score(e, SGM_ANSWER_BOX, look.mask));
    sgm_point kept = e->points[0];
    sgm_look before = look;
    if (correction(e, look.mask, &e->points[0]))
        SGM_TRY(ask(e, 1, true, e->has_prior ? NULL : &before, &look));
    SGM_TRY(score(e, SGM_ANSWER_CORRECTED, look.mask));
    e->points[0] = kept;
    return SGM_OK;
}

static sgm_status ask_network(examiner *e)
{
    sgm_look look;
    e->tight_box = SGM_TIGHT_BOX_OFF;
    SGM_TRY(ask(e, 1, false, NULL, &look));
    SGM_TRY(score(e, SGM_ANSWER_POINT, look.mask));
    SGM_TRY(ask(e, 3, false, NULL, &look));
    SGM_TRY(score(e, SGM_ANSWER_POINTS, look.mask));
    SGM_TRY(ask_box(e));
    e->tight_box = SGM_TIGHT_BOX_ON;
    SGM_TRY(ask(e, 0, true, NULL, &look));
    SGM_TRY(score(e, SGM_ANSWER_BOX_POST, look.mask));
    return SGM_OK;
}

static sgm_status ask_rivals(examiner *e)
{
    sgm_rival_ellipse(e->item, &e->box, e->answer);
    SGM_TRY(score(e, SGM_ANSWER_ELLIPSE, e->answer));
    SGM_TRY(sgm_rival_grow(e->item, e->points, 1, NULL, e->answer));
    SGM_TRY(score(e, SGM_ANSWER_GROWN_POINT, e->answer));
    SGM_TRY(sgm_rival_grow(e->item, e->points, 3, NULL, e->answer));
    SGM_TRY(score(e, SGM_ANSWER_GROWN_POINTS, e->answer));
    SGM_TRY(sgm_rival_grow(e->item, NULL, 0, &e->box, e->answer));
    SGM_TRY(score(e, SGM_ANSWER_GROWN_BOX, e->answer));
    return SGM_OK;
}

static sgm_status examine(examiner *e, const sgm_target *o, sgm_quality_row *row)
{
    e->item = sgm_pack_item_at(e->pack, o->item);
    size_t pixels = (size_t)e->item->width * (size_t)e->item->height;
    e->image = (sgm_image){e->item->image, e->item->width, e->item->height, e->item->channels, 0};
    e->row = row;
    *row = (sgm_quality_row){.set = e->item->set, .item = o->item, .area = o->area};
    e->box = (sgm_box){o->x0, o->y0, o->x1, o->y1};
    e->truth = malloc(3 * pixels);
    e->distance = malloc(pixels * sizeof *e->distance);
    sgm_status status = SGM_OK;
    if (!e->truth || !e->distance) {
        status = sgm_fail(SGM_OUT_OF_MEMORY, "no memory to examine an image");
    } else {
        e->answer = e->truth + pixels;
        e->spare = e->truth + 2 * pixels;
        sgm_embedder_forget(&e->embedder);
        status = sgm_meant_object_paint(e->pack, o, e->truth);
        if (status == SGM_OK) {
            choose_points(e);
            status = ask_network(e);
        }
        if (status == SGM_OK) status = ask_rivals(e);
    }
    free(e->truth);
    free(e->distance);
    return status;
}

static bool is_wanted(const sgm_pack_item *item, const sgm_quality_options *options, int *left_out)
{
    if (item->split != SGM_SPLIT_VALIDATION) return false;
    if (!item->volume || !options->without_volumes) return true;
    ++*left_out;
    return false;
}

static sgm_status find_objects(const sgm_pack *pack, const sgm_quality_options *options,
                               sgm_target_list *list, int *left_out)
{
    int images = 0;
    for (int set = 0; set < sgm_pack_set_count(pack); set++) {
        size_t first = list->count;
        for (int i = 0; i < sgm_pack_item_count(pack); i++) {
            const sgm_pack_item *item = sgm_pack_item_at(pack, i);
            if (item->set != set || !is_wanted(item, options, left_out)) continue;
            images++;
            SGM_TRY(sgm_meant_objects_find(pack, i, options->min_area, list));
        }
        sgm_meant_objects_choose(list, first, options->objects);
    }
    if (list->count) return SGM_OK;
    return sgm_fail(SGM_UNREADABLE,
                    "the pack has no object for validation: none of %d pixels and more on %d "
                    "images; %d of volumes and sequences are left out",
                    options->min_area, images, *left_out);
}

static sgm_status examine_all(examiner *e, const sgm_target_list *list, sgm_quality *out)
{
    out->rows = calloc(list->count, sizeof *out->rows);
    if (!out->rows) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for results");
    for (size_t i = 0; i < list->count; i++) {
        SGM_TRY(examine(e, &list->objects[i], &out->rows[out->count]));
        out->count++;
        if (e->options->progress)
            e->options->progress(e->options->progress_user, out->count, (int)list->count);
    }
    return SGM_OK;
}

sgm_status sgm_quality_measure(sgm_model *model, const sgm_pack *pack,
                               const sgm_quality_options *options, sgm_quality *out)
{
    const char *prior =
        sgm_checkpoint_metadata(sgm_model_checkpoint(model), SGM_METADATA_PROMPT_PRIOR);
    examiner e = {.pack = pack, .options = options, .has_prior = prior && !strcmp(prior, "1")};
    sgm_target_list list = {0};
    memset(out, 0, sizeof *out);
    out->pack = pack;
    sgm_status status = find_objects(pack, options, &list, &out->left_out);
    if (status == SGM_OK) {
        status = sgm_session_predictor_init(&e.binding, model);
        if (status == SGM_OK)
            status = sgm_embedder_init(&e.embedder, &e.binding.predictor, NULL, 0);
        if (status == SGM_OK)
            status = sgm_looker_init(&e.looker, &e.binding.predictor, &e.embedder,
                                     sgm_model_wants_zoom(model));
        if (status == SGM_OK) status = examine_all(&e, &list, out);
        sgm_looker_clear(&e.looker);
        sgm_embedder_clear(&e.embedder);
        sgm_session_predictor_clear(&e.binding);
    }
    sgm_target_list_clear(&list);
    if (status != SGM_OK) sgm_quality_clear(out);
    return status;
}

void sgm_quality_clear(sgm_quality *quality)
{
    free(quality->rows);
    memset(quality, 0, sizeof *quality);
}
