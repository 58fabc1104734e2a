/* What a network answers to points at several scales, beside what was meant. */
#include "quality/point_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/atomic_file.h"
#include "core/csv.h"
#include "core/number.h"
#include "predict/look/session_predictor.h"
#include "quality/quality_objects.h"
#include "segmodel/metrics.h"
#include "train/mask_tools.h"

/* Of neighbouring slices one says what the others do. */
enum { EVERY_SLICE = 8 };

typedef struct asker {
    const sgm_pack *pack;
    sgm_session_predictor binding;
    sgm_embedder embedder;
    sgm_looker looker;
    uint8_t *truth; /* of the present object, over its image */
    int32_t *distance;
} asker;

/* Of six objects four are pointed at where people click, one anywhere, one in its deeper half. */
static sgm_point point_at(const asker *a, const sgm_pack_item *item, const sgm_target *object,
                          size_t number)
{
    enum { TURNS = 6, ANYWHERE = 4, DEEPER = 5, TRIES = 200 };
    int x = 0, y = 0, width = item->width, height = item->height;
    sgm_rng rng = sgm_rng_at(22, (uint64_t)object->item * 977 + (uint64_t)object->area);
    sgm_mask_deepest_pixel(a->distance, width, height, &x, &y);
    int half = a->distance[y * width + x] / 2;
    if (number % TURNS == ANYWHERE) sgm_mask_random_pixel(a->distance, width, height, &rng, &x, &y);
    for (int i = 0; number % TURNS == DEEPER && i < TRIES; i++) {
        sgm_mask_random_pixel(a->distance, width, height, &rng, &x, &y);
        if (a->distance[y * width + x] > half) break;
    }
    return (sgm_point){x, y, SGM_FOREGROUND};
}

static sgm_status look_at_all(asker *a, const sgm_pack_item *item, const sgm_point *point,
                              sgm_point_case *out)
{
    sgm_image image = {item->image, item->width, item->height, item->channels, 0};
    sgm_question question = {.image = &image, .points = point, .point_count = 1};
    sgm_view views[SGM_MOST_VIEWS];
    int count = sgm_looker_views(&a->looker, &image, point, views);
    sgm_embedder_forget(&a->embedder);
    for (int i = 0; i < count; i++) {
        sgm_look look;
        sgm_point_look *to = &out->looks[out->count];
        SGM_TRY(sgm_look_in(&a->looker, &question, views[i], &look));
        if (!look.area || !isfinite(look.raw.predicted_iou)) continue;
        SGM_TRY(sgm_point_terms(a->looker.predictor, &look, point->x, point->y, to->terms));
        sgm_overlap overlap =
            sgm_overlap_of(a->truth, look.mask, (size_t)item->width * (size_t)item->height);
        to->dice = sgm_overlap_dice(&overlap, 0);
        out->count++;
    }
    return SGM_OK;
}

static sgm_status ask(asker *a, const sgm_target *object, size_t number, sgm_point_case *out)
{
    const sgm_pack_item *item = sgm_pack_item_at(a->pack, object->item);
    size_t pixels = (size_t)item->width * (size_t)item->height;
    *out = (sgm_point_case){.set = item->set, .item = object->item, .area = object->area};
    a->truth = malloc(pixels);
    a->distance = malloc(pixels * sizeof *a->distance);
    sgm_status status = a->truth && a->distance
                            ? sgm_meant_object_paint(a->pack, object, a->truth)
                            : sgm_fail(SGM_OUT_OF_MEMORY, "no memory to ask for an object");
    if (status == SGM_OK) {
        sgm_mask_distance(a->truth, item->width, item->height, a->distance);
        sgm_point point = point_at(a, item, object, number);
        status = look_at_all(a, item, &point, out);
    }
    free(a->truth);
    free(a->distance);
    return status;
}

static sgm_status find_objects(const sgm_pack *pack, const sgm_point_fit_options *options,
                               sgm_target_list *list)
{
    sgm_split split = options->validation ? SGM_SPLIT_VALIDATION : SGM_SPLIT_TRAIN;
    for (int set = 0; set < sgm_pack_set_count(pack); set++) {
        size_t first = list->count;
        if (sgm_pack_set_at(pack, set)->thin) continue;
        for (int i = 0; i < sgm_pack_item_count(pack); i++) {
            const sgm_pack_item *item = sgm_pack_item_at(pack, i);
            if (item->set == set && item->split == split && item->slice % EVERY_SLICE == 0)
                SGM_TRY(sgm_meant_objects_find(pack, i, options->min_area, list));
        }
        sgm_meant_objects_choose(list, first, options->objects);
    }
    return list->count ? SGM_OK : sgm_fail(SGM_UNREADABLE, "the pack has no object of that split");
}

static sgm_status ask_for_all(asker *a, const sgm_target_list *list,
                              const sgm_point_fit_options *options, sgm_point_cases *out)
{
    int set = -1;
    size_t number = 0; /* in its set */
    out->cases = calloc(list->count, sizeof *out->cases);
    if (!out->cases) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for looks");
    for (size_t i = 0; i < list->count; i++) {
        sgm_point_case *to = &out->cases[out->count];
        number = set == sgm_pack_item_at(a->pack, list->objects[i].item)->set ? number + 1 : 0;
        SGM_TRY(ask(a, &list->objects[i], number, to));
        set = to->set;
        out->count++;
        if (options->progress)
            options->progress(options->progress_user, out->count, (int)list->count);
    }
    return SGM_OK;
}

sgm_status sgm_points_have_scales(const sgm_model *model)
{
    if (sgm_model_wants_zoom(model)) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT, "the network looks at whole pictures alone, so a point "
                                          "has no scales to choose from");
}

sgm_status sgm_point_cases_measure(sgm_model *model, const sgm_pack *pack,
                                   const sgm_point_fit_options *options, sgm_point_cases *out)
{
    asker a = {.pack = pack};
    sgm_target_list list = {0};
    *out = (sgm_point_cases){.pack = pack, .set_count = sgm_pack_set_count(pack)};
    SGM_TRY(sgm_points_have_scales(model));
    sgm_status status = find_objects(pack, options, &list);
    if (status == SGM_OK) status = sgm_session_predictor_init(&a.binding, model);
    if (status == SGM_OK) status = sgm_embedder_init(&a.embedder, &a.binding.predictor, NULL, 0);
    if (status == SGM_OK) status = sgm_looker_init(&a.looker, &a.binding.predictor, &a.embedder, 1);
    if (status == SGM_OK) status = ask_for_all(&a, &list, options, out);
    sgm_looker_clear(&a.looker);
    sgm_embedder_clear(&a.embedder);
    sgm_session_predictor_clear(&a.binding);
    sgm_target_list_clear(&list);
    if (status != SGM_OK) sgm_point_cases_clear(out);
    return status;
}

void sgm_point_cases_clear(sgm_point_cases *cases)
{
    free(cases->cases);
    *cases = (sgm_point_cases){0};
}

sgm_status sgm_point_cases_csv(const sgm_point_cases *cases, const char *path)
{
    char number[SGM_NUMBER_TEXT];
    sgm_atomic_file file;
    SGM_TRY(sgm_atomic_file_create(path, &file));
    fputs("dataset,held_out,object,area,dice", file.stream);
    for (int t = 0; t < SGM_POINT_TERMS; t++)
        fprintf(file.stream, ",%s", sgm_point_term_name(t));
    fputc('\n', file.stream);
    for (int i = 0; i < cases->count; i++) {
        const sgm_point_case *c = &cases->cases[i];
        const sgm_pack_set *set = sgm_pack_set_at(cases->pack, c->set);
        for (int k = 0; k < c->count; k++) {
            sgm_csv_name(file.stream, set->name);
            fprintf(file.stream, ",%d,%d,%d,%s", set->held_out, i, c->area,
                    sgm_number_text(number, "%.4f", c->looks[k].dice));
            for (int t = 0; t < SGM_POINT_TERMS; t++)
                fprintf(file.stream, ",%s", sgm_number_text(number, "%.6g", c->looks[k].terms[t]));
            fputc('\n', file.stream);
        }
    }
    return sgm_atomic_file_commit(&file);
}
