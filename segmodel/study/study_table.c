/* A study's results as tables. */
#include <math.h>
#include <string.h>

#include "core/atomic_file.h"
#include "core/csv.h"
#include "core/number.h"
#include "core/status.h"
#include "study/study.h"

static void print_number(FILE *out, const char *before, const char *format, double value)
{
    char text[SGM_NUMBER_TEXT];
    fprintf(out, "%s%s", before, isnan(value) ? "" : sgm_number_text(text, format, value));
}

static void print_row(const sgm_study *study, const sgm_study_row *row, FILE *out)
{
    const sgm_pack_set *set = sgm_pack_set_at(study->pack, row->set);
    for (int c = 0; c < study->condition_count; c++) {
        sgm_csv_name(out, set->name);
        fputc(',', out);
        sgm_csv_name(out, set->modality);
        fputc(',', out);
        sgm_csv_name(out, sgm_pack_item_at(study->pack, row->item)->id);
        fprintf(out, ",%d,%d,%d,", row->object, row->area, row->repeat);
        sgm_csv_name(out, study->conditions[c].name);
        print_number(out, ",", "%.6f", row->scores[c].dice);
        print_number(out, ",", "%.6f", row->scores[c].iou);
        fputc('\n', out);
    }
}

sgm_status sgm_study_write_rows(const sgm_study *study, const char *path)
{
    sgm_atomic_file file;
    SGM_TRY(sgm_atomic_file_create(path, &file));
    fputs("dataset,modality,image,object,area,repeat,condition,dice,iou\n", file.stream);
    for (int i = 0; i < study->count; i++)
        print_row(study, &study->rows[i], file.stream);
    return sgm_atomic_file_commit(&file);
}

/* Dice, IoU, and the difference of Dice to the condition it is compared with. */
typedef struct line {
    sgm_study_cell dice, iou, difference;
} line;

static sgm_status make_line(const sgm_study *study, const sgm_study_group *group, int c, line *out)
{
    SGM_TRY(sgm_study_cell_make(study, group, c, SGM_STUDY_DICE, false, &out->dice));
    SGM_TRY(sgm_study_cell_make(study, group, c, SGM_STUDY_IOU, false, &out->iou));
    return sgm_study_cell_make(study, group, c, SGM_STUDY_DICE, true, &out->difference);
}

static void print_cell(FILE *out, const sgm_study_cell *cell)
{
    print_number(out, ",", "%.6f", cell->mean);
    print_number(out, ",", "%.6f", cell->low);
    print_number(out, ",", "%.6f", cell->high);
}

static sgm_status print_group(const sgm_study *study, const sgm_study_group *group, FILE *out)
{
    for (int c = 0; c < study->condition_count; c++) {
        const sgm_study_condition *condition = &study->conditions[c];
        line l;
        SGM_TRY(make_line(study, group, c, &l));
        fprintf(out, "%s,", group->kind);
        sgm_csv_name(out, group->name);
        fputc(',', out);
        sgm_csv_name(out, condition->name);
        fprintf(out, ",%d,%d", group->rows, group->units);
        print_cell(out, &l.dice);
        print_cell(out, &l.iou);
        fputc(',', out);
        if (condition->against >= 0) sgm_csv_name(out, study->conditions[condition->against].name);
        print_cell(out, &l.difference);
        fputc('\n', out);
    }
    return SGM_OK;
}

sgm_status sgm_study_write_table(const sgm_study *study, const sgm_study_groups *groups,
                                 const char *path)
{
    sgm_atomic_file file;
    sgm_status status = SGM_OK;
    SGM_TRY(sgm_atomic_file_create(path, &file));
    fputs("group,name,condition,answers,units,dice,dice_low,dice_high,iou,iou_low,iou_high,against,"
          "difference,difference_low,difference_high\n",
          file.stream);
    for (size_t g = 0; g < groups->count && status == SGM_OK; g++)
        status = print_group(study, &groups->items[g], file.stream);
    if (status == SGM_OK) return sgm_atomic_file_commit(&file);
    sgm_atomic_file_abandon(&file);
    return status;
}

/* Means over the data sets, each counting once: what SAM's study reports. */
static void print_mean_of_sets(const sgm_study *study, const sgm_study_groups *groups, int c,
                               FILE *out)
{
    sgm_study_cell cell;
    double sum = 0;
    int sets = 0;
    for (size_t g = 0; g < groups->count; g++) {
        if (strcmp(groups->items[g].kind, "set")) continue;
        if (sgm_study_cell_make(study, &groups->items[g], c, SGM_STUDY_IOU, false, &cell)) continue;
        sum += cell.mean;
        sets++;
    }
    print_number(out, " ", "%.4f", sets ? sum / sets : NAN);
    fputs(" |\n", out);
}

static void print_interval(FILE *out, const sgm_study_cell *cell, const char *format)
{
    if (isnan(cell->mean)) {
        fputs(" |", out);
        return;
    }
    print_number(out, " ", format, cell->mean);
    if (!isnan(cell->low)) {
        print_number(out, " (", format, cell->low);
        print_number(out, " to ", format, cell->high);
        fputc(')', out);
    }
    fputs(" |", out);
}

static sgm_status print_block(const sgm_study *study, const sgm_study_groups *groups, size_t g,
                              FILE *out)
{
    const sgm_study_group *group = &groups->items[g];
    const bool is_all = g == 0;
    fprintf(out, "\n**%s%s%s**: %d answers on %d pictures or volumes\n\n",
            is_all ? "" : group->kind, is_all ? "" : " ", group->name, group->rows, group->units);
    fprintf(out,
            "| condition | Dice (95 %%) | IoU (95 %%) | Dice, difference | to |%s\n"
            "|---|---|---|---|---|%s\n",
            is_all ? " IoU, mean of sets |" : "", is_all ? "---|" : "");
    for (int c = 0; c < study->condition_count; c++) {
        const int against = study->conditions[c].against;
        line l;
        SGM_TRY(make_line(study, group, c, &l));
        fprintf(out, "| %s |", study->conditions[c].name);
        print_interval(out, &l.dice, "%.4f");
        print_interval(out, &l.iou, "%.4f");
        print_interval(out, &l.difference, "%+.4f");
        fprintf(out, " %s |", against >= 0 ? study->conditions[against].name : "");
        if (is_all)
            print_mean_of_sets(study, groups, c, out);
        else
            fputc('\n', out);
    }
    return SGM_OK;
}

sgm_status sgm_study_write_markdown(const sgm_study *study, const sgm_study_groups *groups,
                                    const char *path)
{
    sgm_atomic_file file;
    sgm_status status = SGM_OK;
    SGM_TRY(sgm_atomic_file_create(path, &file));
    fprintf(
        file.stream,
        "Study %s: %s.\n\nMean over answers, with intervals of 95 %% by bootstrap over pictures "
        "(slices of a volume together); differences are paired. Seed %llu.\n",
        study->kind->name, study->kind->about, (unsigned long long)study->config.seed);
    for (size_t g = 0; g < groups->count && status == SGM_OK; g++)
        status = print_block(study, groups, g, file.stream);
    if (status == SGM_OK) return sgm_atomic_file_commit(&file);
    sgm_atomic_file_abandon(&file);
    return status;
}
