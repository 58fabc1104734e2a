/* Results of the quality protocol as tables. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/atomic_file.h"
#include "core/csv.h"
#include "core/number.h"
#include "quality/quality.h"

static const char *const NAMES[SGM_ANSWER_COUNT] = {"point",       "points",       "box",
                                                    "corrected",   "box_post",     "ellipse",
                                                    "grown_point", "grown_points", "grown_box"};

const char *sgm_answer_name(int answer)
{
    return answer >= 0 && answer < SGM_ANSWER_COUNT ? NAMES[answer] : "unknown";
}

/* `format` is of one double; what stands around the number goes before and behind it. */
static void print_number(FILE *out, const char *before, const char *format, double value,
                         const char *behind)
{
    char text[SGM_NUMBER_TEXT];
    fprintf(out, "%s%s%s", before, sgm_number_text(text, format, value), behind);
}

static void print_row(FILE *out, const sgm_quality *q, const sgm_quality_row *row)
{
    const sgm_pack_set *set = sgm_pack_set_at(q->pack, row->set);
    sgm_csv_name(out, set->name);
    fputc(',', out);
    sgm_csv_name(out, set->modality);
    fprintf(out, ",%d,%d,", set->held_out, set->thin);
    sgm_csv_name(out, sgm_pack_item_at(q->pack, row->item)->id);
    fprintf(out, ",%d", row->area);
    for (int a = 0; a < SGM_ANSWER_COUNT; a++) {
        print_number(out, ",", "%.4f", row->dice[a], "");
        print_number(out, ",", "%.4f", row->surface[a], "");
    }
    fputc('\n', out);
}

sgm_status sgm_quality_csv(const sgm_quality *quality, const char *path)
{
    sgm_atomic_file file;
    SGM_TRY(sgm_atomic_file_create(path, &file));
    fputs("dataset,modality,held_out,thin,image,area", file.stream);
    for (int a = 0; a < SGM_ANSWER_COUNT; a++)
        fprintf(file.stream, ",%s_dice,%s_surface", NAMES[a], NAMES[a]);
    fputc('\n', file.stream);
    for (int i = 0; i < quality->count; i++)
        print_row(file.stream, quality, &quality->rows[i]);
    return sgm_atomic_file_commit(&file);
}

typedef struct quality_mean {
    int count;
    double dice[SGM_ANSWER_COUNT], surface[SGM_ANSWER_COUNT];
} quality_mean;

typedef bool (*wanted_fn)(const sgm_pack_set *set, int index, const void *what);

static bool is_set(const sgm_pack_set *set, int index, const void *what)
{
    (void)set;
    return index == *(const int *)what;
}

static quality_mean mean_of(const sgm_quality *q, wanted_fn wanted, const void *what)
{
    quality_mean m = {0};
    for (int i = 0; i < q->count; i++) {
        const sgm_quality_row *row = &q->rows[i];
        if (!wanted(sgm_pack_set_at(q->pack, row->set), row->set, what)) continue;
        m.count++;
        for (int a = 0; a < SGM_ANSWER_COUNT; a++) {
            m.dice[a] += row->dice[a];
            m.surface[a] += row->surface[a];
        }
    }
    for (int a = 0; a < SGM_ANSWER_COUNT && m.count; a++) {
        m.dice[a] /= m.count;
        m.surface[a] /= m.count;
    }
    return m;
}

/* Mean over data sets: each counts once, however many objects it has. */
typedef struct set_filter {
    const char *modality; /* NULL: any */
    int held_out, thin;   /* -1: any */
} set_filter;

static bool passes(const sgm_pack_set *set, const set_filter *f)
{
    return (!f->modality || !strcmp(set->modality, f->modality)) &&
           (f->held_out < 0 || set->held_out == (f->held_out != 0)) &&
           (f->thin < 0 || set->thin == (f->thin != 0));
}

static quality_mean mean_over_sets(const sgm_quality *q, const set_filter *filter)
{
    quality_mean m = {0};
    for (int set = 0; set < sgm_pack_set_count(q->pack); set++) {
        if (!passes(sgm_pack_set_at(q->pack, set), filter)) continue;
        quality_mean one = mean_of(q, is_set, &set);
        if (!one.count) continue;
        m.count++;
        for (int a = 0; a < SGM_ANSWER_COUNT; a++) {
            m.dice[a] += one.dice[a];
            m.surface[a] += one.surface[a];
        }
    }
    for (int a = 0; a < SGM_ANSWER_COUNT && m.count; a++) {
        m.dice[a] /= m.count;
        m.surface[a] /= m.count;
    }
    return m;
}

static void print_mean(FILE *out, const char *name, const char *what, const quality_mean *m)
{
    if (!m->count) return;
    fprintf(out, "| %s | %s | %d |", name, what, m->count);
    for (int a = 0; a < SGM_ANSWER_COUNT; a++)
        print_number(out, " ", "%.3f", m->dice[a], " |");
    for (int a = SGM_ANSWER_POINT; a <= SGM_ANSWER_CORRECTED; a++)
        print_number(out, " ", "%.3f", m->surface[a], " |");
    fputc('\n', out);
}

static void print_header(FILE *out, const char *first, const char *second, const char *third)
{
    fprintf(out,
            "| %s | %s | %s | point | 3 points | box | box + 1 | box, post | ellipse | grown "
            "point | grown 3 points | grown box | surface, point | surface, 3 points | surface, "
            "box | surface, box + 1 |\n"
            "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
            first, second, third);
}

static void print_sets(FILE *out, const sgm_quality *q)
{
    fputs("Dice per data set (\"aside\": held out, no image of it was trained on; grown: region "
          "growing from the same prompt; surface: surface Dice).\n\n",
          out);
    print_header(out, "data set", "kind", "objects");
    for (int set = 0; set < sgm_pack_set_count(q->pack); set++) {
        const sgm_pack_set *s = sgm_pack_set_at(q->pack, set);
        char what[96];
        snprintf(what, sizeof what, "%s%s%s", s->modality, s->held_out ? ", aside" : "",
                 s->thin ? ", thin" : "");
        quality_mean m = mean_of(q, is_set, &set);
        print_mean(out, s->name, what, &m);
    }
}

static bool is_first_of_modality(const sgm_pack *pack, int set)
{
    const char *modality = sgm_pack_set_at(pack, set)->modality;
    for (int k = 0; k < set; k++)
        if (!strcmp(sgm_pack_set_at(pack, k)->modality, modality)) return false;
    return true;
}

static void print_modalities(FILE *out, const sgm_quality *q)
{
    fputs("\nMeans over data sets.\n\n", out);
    print_header(out, "which", "sets", "count");
    for (int set = 0; set < sgm_pack_set_count(q->pack); set++) {
        const char *modality = sgm_pack_set_at(q->pack, set)->modality;
        set_filter f = {modality, -1, 0};
        quality_mean m = mean_over_sets(q, &f);
        if (is_first_of_modality(q->pack, set)) print_mean(out, modality, "not thin", &m);
    }
    static const struct {
        const char *name, *what;
        set_filter filter;
    } SUMS[] = {{"all", "not thin", {NULL, -1, 0}},
                {"images aside", "not thin", {NULL, 0, 0}},
                {"sets aside", "not thin", {NULL, 1, 0}},
                {"thin", "thin", {NULL, -1, 1}}};
    for (size_t i = 0; i < sizeof SUMS / sizeof *SUMS; i++) {
        quality_mean m = mean_over_sets(q, &SUMS[i].filter);
        print_mean(out, SUMS[i].name, SUMS[i].what, &m);
    }
}

static double ratio(const quality_mean *m, int answer)
{
    return (1 - m->dice[answer]) / fmax(1 - m->dice[SGM_ANSWER_ELLIPSE], 1e-9);
}

typedef struct set_count {
    int below, sets;
    double worst; /* how far the worst lies below the ellipse */
} set_count;

/* Sets that are not thin where an answer lies below the ellipse. */
static set_count count_below(const sgm_quality *q, int answer)
{
    set_count c = {0};
    for (int set = 0; set < sgm_pack_set_count(q->pack); set++) {
        if (sgm_pack_set_at(q->pack, set)->thin) continue;
        quality_mean one = mean_of(q, is_set, &set);
        double behind = one.dice[SGM_ANSWER_ELLIPSE] - one.dice[answer];
        if (!one.count) continue;
        c.sets++;
        c.below += behind > 0;
        c.worst = fmax(c.worst, behind);
    }
    return c;
}

static void print_ratios(FILE *out, const char *which, const quality_mean *m)
{
    if (!m->count) return;
    fprintf(out, "| %s | %d |", which, m->count);
    print_number(out, " ", "%.3f", ratio(m, SGM_ANSWER_BOX), " |");
    print_number(out, " ", "%.3f", ratio(m, SGM_ANSWER_BOX_POST), " |");
    print_number(out, " ", "%.3f", m->dice[SGM_ANSWER_POINT], " |");
    print_number(out, " ", "%.3f", m->dice[SGM_ANSWER_ELLIPSE], " |\n");
}

/* Modalities where region growing from the same prompt does better. */
static void print_rivals(FILE *out, const sgm_quality *q)
{
    int count = 0;
    fputs("Modalities where region growing from the same prompt is better:", out);
    for (int set = 0; set < sgm_pack_set_count(q->pack); set++) {
        if (!is_first_of_modality(q->pack, set)) continue;
        set_filter f = {sgm_pack_set_at(q->pack, set)->modality, -1, 0};
        quality_mean m = mean_over_sets(q, &f);
        bool point = m.dice[SGM_ANSWER_GROWN_POINT] > m.dice[SGM_ANSWER_POINT];
        bool box = m.dice[SGM_ANSWER_GROWN_BOX] > m.dice[SGM_ANSWER_BOX];
        if (m.count && (point || box))
            fprintf(out, "%s %s (%s)", count++ ? "," : "", f.modality,
                    point && box ? "point and box"
                    : point      ? "point"
                                 : "box");
    }
    fputs(count ? ".\n" : " none.\n", out);
}

static void print_summary(FILE *out, const sgm_quality *q)
{
    set_filter all = {NULL, -1, 0}, images = {NULL, 0, 0}, aside = {NULL, 1, 0};
    quality_mean m = mean_over_sets(q, &all), i = mean_over_sets(q, &images);
    quality_mean a = mean_over_sets(q, &aside);
    set_count raw = count_below(q, SGM_ANSWER_BOX), post = count_below(q, SGM_ANSWER_BOX_POST);
    fputs("\nError with a box, mean (1 - Dice) / mean (1 - Dice of the inscribed ellipse), over "
          "sets that are not thin.\n\n"
          "| which | sets | raw | post-processed | Dice, one point | Dice, ellipse |\n"
          "|---|---|---|---|---|---|\n",
          out);
    print_ratios(out, "all", &m);
    print_ratios(out, "images aside", &i);
    print_ratios(out, "sets aside", &a);
    fprintf(out, "\nSets below the ellipse: %d of %d raw, by at most ", raw.below, raw.sets);
    print_number(out, "", "%.3f", raw.worst, "");
    fprintf(out, "; %d post-processed, by at most ", post.below);
    print_number(out, "", "%.3f", post.worst, ".\n");
    print_rivals(out, q);
}

sgm_status sgm_quality_markdown(const sgm_quality *quality, const char *path)
{
    sgm_atomic_file file;
    SGM_TRY(sgm_atomic_file_create(path, &file));
    print_sets(file.stream, quality);
    print_modalities(file.stream, quality);
    print_summary(file.stream, quality);
    return sgm_atomic_file_commit(&file);
}
