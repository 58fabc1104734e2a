/* Which objects are asked about, and the run. */
#include "study/study.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/names.h"
#include "core/status.h"
#include "metrics/draw.h"

static bool is_wanted(const sgm_pack *pack, const sgm_pack_item *item, const sgm_study_config *c)
{
    if (c->split == SGM_STUDY_VALIDATION && item->split != SGM_SPLIT_VALIDATION) return false;
    if (c->split == SGM_STUDY_TRAINING && item->split != SGM_SPLIT_TRAIN) return false;
    return !c->sets[0] || sgm_name_matches(c->sets, sgm_pack_set_at(pack, item->set)->name);
}

/* The parts of a picture that are objects by themselves: components, and instances. */
static sgm_status find_components(const sgm_pack *pack, int item, int min_area,
                                  sgm_target_list *list)
{
    size_t kept = list->count;
    bool instances = sgm_pack_set_at(pack, sgm_pack_item_at(pack, item)->set)->instances;
    sgm_target_kind kind = instances ? SGM_TARGET_VALUE : SGM_TARGET_COMPONENT;
    SGM_TRY(sgm_targets_find(pack, item, min_area, list));
    for (size_t i = kept; i < list->count; i++)
        if (list->objects[i].kind == kind) list->objects[kept++] = list->objects[i];
    list->count = kept;
    return SGM_OK;
}

static sgm_status find_in(const sgm_pack *pack, int item, const sgm_study_config *c,
                          sgm_target_list *list)
{
    if (c->objects == SGM_STUDY_COMPONENTS) return find_components(pack, item, c->min_area, list);
    return sgm_targets_find_values(pack, item, c->min_area, c->objects == SGM_STUDY_FOREGROUND,
                                   list);
}

/* Leaves `wanted` of the objects from `first` on, drawn by the seed, in the order of the pack. */
static void draw_some(sgm_target_list *list, size_t first, size_t wanted, const char *set,
                      uint64_t seed)
{
    uint64_t key = sgm_draw_key("study objects:", set, seed);
    size_t count = list->count - first, kept = first;
    if (!wanted || count <= wanted) return;
    for (size_t i = 0; i < count; i++) /* Knuth's selection sampling */
        if (sgm_draw_unit(key, i) * (double)(count - i) < (double)(wanted - (kept - first)))
            list->objects[kept++] = list->objects[first + i];
    list->count = kept;
}

static sgm_status find_objects(const sgm_pack *pack, const sgm_study_config *c,
                               sgm_target_list *list)
{
    for (int set = 0; set < sgm_pack_set_count(pack); set++) {
        size_t first = list->count;
        for (int i = 0; i < sgm_pack_item_count(pack); i++) {
            const sgm_pack_item *item = sgm_pack_item_at(pack, i);
            if (item->set == set && is_wanted(pack, item, c)) SGM_TRY(find_in(pack, i, c, list));
        }
        draw_some(list, first, (size_t)c->per_set, sgm_pack_set_at(pack, set)->name, c->seed);
    }
    return list->count ? SGM_OK
                       : sgm_fail(SGM_UNREADABLE, "the pack holds no object that the study asks "
                                                  "for (split, sets, min_area)");
}

static uint64_t key_of(const sgm_study *study, const sgm_study_row *row)
{
    char name[3 * SGM_PACK_TEXT];
    snprintf(name, sizeof name, "%s/%s:%d:%d", sgm_pack_set_at(study->pack, row->set)->name,
             sgm_pack_item_at(study->pack, row->item)->id, row->object, row->repeat);
    return sgm_draw_key("study:", name, study->config.seed);
}

static sgm_status examine(sgm_study *study, sgm_asker *asker, const sgm_target *object, int number)
{
    int repeats = study->kind->is_random ? study->config.repeats : 1;
    const sgm_pack_item *item = sgm_pack_item_at(study->pack, object->item);
    SGM_TRY(sgm_asker_take(asker, object));
    for (int repeat = 1; repeat <= repeats; repeat++) {
        sgm_study_row *row = &study->rows[study->count];
        *row = (sgm_study_row){.set = item->set,
                               .item = object->item,
                               .object = number,
                               .repeat = repeat,
                               .area = object->area,
                               .unit = item->volume ? item->volume
                                                    : SGM_PACK_MAX_VOLUMES + 1 + object->item};
        SGM_TRY(study->kind->examine(asker, &study->config, key_of(study, row), row->scores));
        study->count++;
    }
    return SGM_OK;
}

static sgm_status examine_all(sgm_study *study, sgm_asker *asker, const sgm_target_list *list,
                              sgm_study_progress_fn progress, void *user)
{
    int number = 0;
    study->rows = calloc(list->count * (size_t)study->config.repeats, sizeof *study->rows);
    if (!study->rows) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a study's results");
    for (size_t i = 0; i < list->count; i++) {
        number = i && list->objects[i - 1].item == list->objects[i].item ? number + 1 : 1;
        SGM_TRY(examine(study, asker, &list->objects[i], number));
        if (progress) progress(user, (int)i + 1, (int)list->count);
    }
    return SGM_OK;
}

sgm_status sgm_study_run(const sgm_study_kind *kind, sgm_model *model, const sgm_pack *pack,
                         const sgm_study_config *config, sgm_study_progress_fn progress, void *user,
                         sgm_study *out)
{
    sgm_asker asker;
    sgm_target_list list = {0};
    *out = (sgm_study){.kind = kind, .pack = pack, .config = *config};
    out->condition_count = kind->conditions(config, out->conditions);
    SGM_TRY(sgm_asker_init(&asker, model, pack, config));
    sgm_status status = find_objects(pack, config, &list);
    if (status == SGM_OK) status = examine_all(out, &asker, &list, progress, user);
    sgm_target_list_clear(&list);
    sgm_asker_clear(&asker);
    if (status != SGM_OK) sgm_study_clear(out);
    return status;
}

void sgm_study_clear(sgm_study *study)
{
    free(study->rows);
    *study = (sgm_study){0};
}
