/* Subgroups of a study's rows, and means over them. */
#include "study/study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/status.h"
#include "segmodel/metrics.h"

/* Shares of the picture that an object takes. */
enum { SIZES = 3 };
static const char *const size_names[SIZES] = {"below 1 % of the picture", "1 to 10 %",
                                              "above 10 %"};

static int size_of(const sgm_study *study, const sgm_study_row *row)
{
    const sgm_pack_item *item = sgm_pack_item_at(study->pack, row->item);
    double share = row->area / ((double)item->width * item->height);
    return share < 0.01 ? 0 : share <= 0.1 ? 1 : 2;
}

static const char *name_of(const sgm_study *study, const sgm_study_row *row, const char *kind)
{
    const sgm_pack_set *set = sgm_pack_set_at(study->pack, row->set);
    if (!strcmp(kind, "set")) return set->name;
    if (!strcmp(kind, "modality")) return set->modality;
    if (!strcmp(kind, "size")) return size_names[size_of(study, row)];
    return "all";
}

static int compare_ints(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static sgm_status count_units(const sgm_study *study, sgm_study_group *group)
{
    int *units = malloc(((size_t)study->count + 1) * sizeof *units), count = 0;
    if (!units) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for subgroups");
    for (int i = 0; i < study->count; i++)
        if (group->has[i]) units[count++] = study->rows[i].unit;
    qsort(units, (size_t)count, sizeof *units, compare_ints);
    group->rows = count;
    for (int i = 0; i < count; i++)
        group->units += i == 0 || units[i] != units[i - 1];
    free(units);
    return SGM_OK;
}

/* Rows of that name; nothing is added when there are none. */
static sgm_status add_group(const sgm_study *study, const char *kind, const char *name,
                            sgm_study_groups *out)
{
    sgm_study_group *grown = realloc(out->items, (out->count + 1) * sizeof *grown);
    if (grown) out->items = grown;
    bool *has = calloc((size_t)study->count + 1, sizeof *has), any = false;
    if (!grown || !has) {
        free(has);
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for subgroups");
    }
    for (int i = 0; i < study->count; i++)
        any |= has[i] = !strcmp(name_of(study, &study->rows[i], kind), name);
    sgm_study_group *group = &out->items[out->count];
    *group = (sgm_study_group){.kind = kind, .has = has};
    snprintf(group->name, sizeof group->name, "%s", name);
    if (!any) {
        free(has);
        return SGM_OK;
    }
    out->count++;
    return count_units(study, group);
}

static bool has_group(const sgm_study_groups *groups, const char *kind, const char *name)
{
    for (size_t i = 0; i < groups->count; i++)
        if (!strcmp(groups->items[i].kind, kind) && !strcmp(groups->items[i].name, name))
            return true;
    return false;
}

static sgm_status add_groups(const sgm_study *study, const char *kind, sgm_study_groups *out)
{
    for (int i = 0; i < study->count; i++) {
        const char *name = name_of(study, &study->rows[i], kind);
        if (!has_group(out, kind, name)) SGM_TRY(add_group(study, kind, name, out));
    }
    return SGM_OK;
}

static sgm_status add_sizes(const sgm_study *study, sgm_study_groups *out)
{
    for (int i = 0; i < SIZES; i++)
        SGM_TRY(add_group(study, "size", size_names[i], out));
    return SGM_OK;
}

sgm_status sgm_study_groups_make(const sgm_study *study, sgm_study_groups *out)
{
    *out = (sgm_study_groups){0};
    sgm_status status = add_group(study, "all", "all", out);
    if (status == SGM_OK && study->config.by_set) status = add_groups(study, "set", out);
    if (status == SGM_OK && study->config.by_modality) status = add_groups(study, "modality", out);
    if (status == SGM_OK && study->config.by_size) status = add_sizes(study, out);
    if (status != SGM_OK) sgm_study_groups_clear(out);
    return status;
}

void sgm_study_groups_clear(sgm_study_groups *groups)
{
    for (size_t i = 0; i < groups->count; i++)
        free(groups->items[i].has);
    free(groups->items);
    *groups = (sgm_study_groups){0};
}

static double score_of(const sgm_study_row *row, int condition, sgm_study_measure measure)
{
    const sgm_study_score *score = &row->scores[condition];
    return measure == SGM_STUDY_DICE ? score->dice : score->iou;
}

sgm_status sgm_study_cell_make(const sgm_study *study, const sgm_study_group *group, int condition,
                               sgm_study_measure measure, bool paired, sgm_study_cell *out)
{
    const sgm_study_condition *c = &study->conditions[condition];
    char name[64];
    sgm_interval interval = {0};
    int count = 0;
    *out = (sgm_study_cell){NAN, NAN, NAN};
    if ((paired && c->against < 0) || !group->rows) return SGM_OK;
    double *values = malloc((size_t)group->rows * sizeof *values);
    int *units = malloc((size_t)group->rows * sizeof *units);
    sgm_status status =
        values && units ? SGM_OK : sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an interval");
    for (int i = 0; i < study->count && status == SGM_OK; i++) {
        if (!group->has[i]) continue;
        values[count] = score_of(&study->rows[i], condition, measure);
        if (paired) values[count] -= score_of(&study->rows[i], c->against, measure);
        units[count++] = study->rows[i].unit;
    }
    /* The same draws for every condition, and for groups of the same answers. */
    snprintf(name, sizeof name, "study:%s", study->kind->name);
    if (status == SGM_OK) status = sgm_bootstrap(name, values, units, (size_t)count, &interval);
    if (status == SGM_OK) *out = (sgm_study_cell){interval.mean, interval.low, interval.high};
    free(values);
    free(units);
    return status;
}
