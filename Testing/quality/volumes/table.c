#include "table.h"

#include "segmodel/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SETS = 64 };

/* ------------------------------------------------------------------------------------- averages */

typedef double (*value_fn)(const row *r, const row *rows, size_t count);

static const row *find(const row *rows, size_t count, const row *like, const char *protocol)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].object == like->object && !strcmp(rows[i].protocol, protocol) &&
            !strcmp(rows[i].id, like->id) && !strcmp(rows[i].dataset, like->dataset))
            return &rows[i];
    return NULL;
}

static double dice(const row *r, const row *rows, size_t count)
{
    (void)rows, (void)count;
    return r->m.dice;
}

static double surface(const row *r, const row *rows, size_t count)
{
    (void)rows, (void)count;
    return r->m.surface_dice;
}

static double beyond(const row *r, const row *rows, size_t count)
{
    (void)rows, (void)count;
    return r->m.beyond;
}

static double missed(const row *r, const row *rows, size_t count)
{
    (void)rows, (void)count;
    return r->m.missed;
}

static double growth(const row *r, const row *rows, size_t count)
{
    (void)rows, (void)count;
    return r->m.growth;
}

static double obeyed(const row *r, const row *rows, size_t count)
{
    (void)rows, (void)count;
    return r->obeyed;
}

static double worse(const row *r, const row *rows, size_t count)
{
    (void)rows, (void)count;
    return r->worse;
}

static double elsewhere(const row *r, const row *rows, size_t count)
{
    (void)rows, (void)count;
    return r->elsewhere;
}

static double cpu_per_slice(const row *r, const row *rows, size_t count)
{
    (void)rows, (void)count;
    return r->walked > 0 ? r->cpu / r->walked : NAN;
}

static double above_ellipsoid(const row *r, const row *rows, size_t count)
{
    const row *rival = find(rows, count, r, "c:ellipsoid");
    return rival ? r->m.dice > rival->m.dice : NAN;
}

/* The data sets of a role, in the order of the rows. */
static size_t sets_of(const row *rows, size_t count, const char *role, const char **sets)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        if (strcmp(rows[i].role, role)) continue;
        while (k < found && strcmp(sets[k], rows[i].dataset))
            k++;
        if (k == found && found < MOST_SETS) sets[found++] = rows[i].dataset;
    }
    return found;
}

static int is_of(const row *r, const char *role, const char *set, const char *protocol)
{
    return !strcmp(r->role, role) && !strcmp(r->protocol, protocol) &&
           (!set || !strcmp(r->dataset, set));
}

/* Mean over the objects of one data set; NaN when there are none. */
static double set_mean(const row *rows, size_t count, const char *role, const char *set,
                       const char *protocol, value_fn value)
{
    double sum = 0, n = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_of(&rows[i], role, set, protocol)) continue;
        double x = value(&rows[i], rows, count);
        if (isnan(x)) continue;
        sum += x;
        n++;
    }
    return n > 0 ? sum / n : NAN;
}

/* Mean of the data sets' means. */
static double mean(const row *rows, size_t count, const char *role, const char *protocol,
                   value_fn value)
{
    const char *sets[MOST_SETS];
    size_t found = sets_of(rows, count, role, sets);
    double sum = 0, n = 0;
    for (size_t k = 0; k < found; k++) {
        double x = set_mean(rows, count, role, sets[k], protocol, value);
        if (isnan(x)) continue;
        sum += x;
        n++;
    }
    return n > 0 ? sum / n : NAN;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const row *rows, size_t count, const char *role, const char *protocol,
                     value_fn value, size_t *objects)
{
    double *list = must_alloc(count, sizeof *list);
    size_t n = 0;
    *objects = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_of(&rows[i], role, NULL, protocol)) continue;
        double x = value(&rows[i], rows, count);
        ++*objects;
        if (!isnan(x)) list[n++] = x;
    }
    qsort(list, n, sizeof *list, ascending);
    double result = n ? (list[(n - 1) / 2] + list[n / 2]) / 2 : NAN;
    free(list);
    return result;
}

/* --------------------------------------------------------------------------------------- tables */

static void cell(FILE *file, double value, const char *format)
{
    fputs(" | ", file);
    if (!isnan(value)) fprintf(file, format, value);
}

static const char *const protocols[] = {"ceiling",
                                        "ceiling:ellipses",
                                        "walk",
                                        "a",
                                        "a:region growing",
                                        "a:watershed",
                                        "b",
                                        "b:region growing",
                                        "b:watershed",
                                        "c",
                                        "c:ellipsoid",
                                        "c:watershed",
                                        "d",
                                        "d:watershed",
                                        "e",
                                        "e:region growing",
                                        "e:watershed"};

static void write_protocols(FILE *file, const row *rows, size_t count, const char *role)
{
    fputs("| protocol | objects | Dice, mean | median | surface Dice | above the ellipsoid | "
          "beyond | missed | growth per slice, median | CPU s per slice |\n"
          "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
          file);
    for (size_t p = 0; p < sizeof protocols / sizeof *protocols; p++) {
        size_t objects, ignored;
        const char *name = protocols[p];
        double middle = median(rows, count, role, name, dice, &objects);
        if (!objects) continue;
        fprintf(file, "| %s | %zu", name, objects);
        cell(file, mean(rows, count, role, name, dice), "%.3f");
        cell(file, middle, "%.3f");
        cell(file, mean(rows, count, role, name, surface), "%.3f");
        cell(file, mean(rows, count, role, name, above_ellipsoid), "%.2f");
        cell(file, mean(rows, count, role, name, beyond), "%.2f");
        cell(file, mean(rows, count, role, name, missed), "%.2f");
        cell(file, 100 * median(rows, count, role, name, growth, &ignored), "%+.1f %%");
        cell(file, strcmp(name, "walk") ? NAN : mean(rows, count, role, name, cpu_per_slice),
             "%.3f");
        fputs(" |\n", file);
    }
}

/* Mean scores without a click and after one to five. */
static void after_clicks(const row *rows, size_t count, const char *role, const char *first,
                         const char *name, value_fn value, double scores[6])
{
    scores[0] = mean(rows, count, role, first, value);
    for (int i = 1; i <= 5; i++) {
        char numbered[NAME_ROOM];
        snprintf(numbered, sizeof numbered, "%s %d", name, i);
        scores[i] = mean(rows, count, role, numbered, value);
    }
}

/* Mean over the six scores' range of clicks; NaN where one is missing. */
static double area_under(const double scores[6])
{
    double sum = (scores[0] + scores[5]) / 2;
    for (int i = 1; i < 5; i++)
        sum += scores[i];
    return sum / 5;
}

static void add_known(double value, double *sum, double *count)
{
    if (isnan(value)) return;
    *sum += value;
    ++*count;
}

static void write_clicks(FILE *file, const row *rows, size_t count, const char *role,
                         const char *first, const char *name)
{
    double sums[3] = {0}, known[3] = {0}, scores[2][6];
    value_fn judged[3] = {obeyed, worse, elsewhere};
    after_clicks(rows, count, role, first, name, dice, scores[0]);
    after_clicks(rows, count, role, first, name, surface, scores[1]);
    if (isnan(area_under(scores[0]))) return;
    fprintf(file,
            "\n| %s | 0 | 1 | 2 | 3 | 4 | 5 | area under the curve | the same, of the challenge |\n"
            "|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
            name);
    for (int kind = 0; kind < 2; kind++) {
        fprintf(file, "| %s", kind ? "surface Dice" : "Dice");
        for (int i = 0; i <= 5; i++)
            cell(file, scores[kind][i], "%.3f");
        cell(file, area_under(scores[kind]), "%.3f");
        cell(file, sgm_interaction_area(scores[kind]), "%.2f");
        fputs(" |\n", file);
    }
    for (int i = 1; i <= 5; i++)
        for (int k = 0; k < 3; k++) {
            char numbered[NAME_ROOM];
            snprintf(numbered, sizeof numbered, "%s %d", name, i);
            add_known(mean(rows, count, role, numbered, judged[k]), &sums[k], &known[k]);
        }
    fprintf(file, "\nObeyed %.0f %%, worse %.1f %%", 100 * sums[0] / known[0],
            100 * sums[1] / known[1]);
    if (known[2] > 0) fprintf(file, ", elsewhere %.1f %%", 100 * sums[2] / known[2]);
    fputs(".\n", file);
}

static const char *const stops[] = {"limit",     "empty mask",  "low quality",
                                    "area jump", "other place", "other appearance"};

static void write_stops(FILE *file, const row *rows, size_t count, const char *role)
{
    static const char *const walked[] = {"walk", "a", "b", "c", "d", "e"};
    fputs("\n| why walks ended", file);
    for (size_t s = 0; s < sizeof stops / sizeof *stops; s++)
        fprintf(file, " | %s", stops[s]);
    fputs(" |\n|---|--:|--:|--:|--:|--:|--:|\n", file);
    for (size_t p = 0; p < sizeof walked / sizeof *walked; p++) {
        fprintf(file, "| %s", walked[p]);
        for (size_t s = 0; s < sizeof stops / sizeof *stops; s++) {
            size_t n = 0;
            for (size_t i = 0; i < count; i++)
                if (is_of(&rows[i], role, NULL, walked[p]))
                    n += (size_t)!strcmp(rows[i].stop_down, stops[s]) +
                         (size_t)!strcmp(rows[i].stop_up, stops[s]);
            fprintf(file, " | %zu", n);
        }
        fputs(" |\n", file);
    }
}

static void write_sets(FILE *file, const row *rows, size_t count, const char *role)
{
    static const char *const columns[] = {
        "ceiling",     "walk", "a", "b",        "c",
        "c:ellipsoid", "d",    "e", "clicks 5", "clicks from a box 5"};
    const char *sets[MOST_SETS];
    size_t found = sets_of(rows, count, role, sets), width = sizeof columns / sizeof *columns;
    fputs("\n| Dice by data set", file);
    for (size_t i = 0; i < width; i++)
        fprintf(file, " | %s", columns[i]);
    fputs(" |\n|---|", file);
    for (size_t i = 0; i < width; i++)
        fputs("--:|", file);
    fputc('\n', file);
    for (size_t k = 0; k < found; k++) {
        fprintf(file, "| %s", sets[k]);
        for (size_t i = 0; i < width; i++)
            cell(file, set_mean(rows, count, role, sets[k], columns[i], dice), "%.3f");
        fputs(" |\n", file);
    }
}

void table_write(FILE *file, const row *rows, size_t count, const char *role)
{
    const char *sets[MOST_SETS];
    if (!sets_of(rows, count, role, sets)) return;
    fprintf(file, "\n## Cases to %s\n\n", role);
    write_protocols(file, rows, count, role);
    write_clicks(file, rows, count, role, "a", "clicks");
    write_clicks(file, rows, count, role, "c", "clicks from a box");
    write_stops(file, rows, count, role);
    write_sets(file, rows, count, role);
}

/* ---------------------------------------------------------------------------------------- worst */

typedef struct gap {
    double depth;
    const row *r;
} gap;

static int deepest_first(const void *a, const void *b)
{
    const gap *x = a, *y = b;
    if (x->depth != y->depth) return x->depth > y->depth ? -1 : 1;
    return (x->r > y->r) - (x->r < y->r);
}

static int same_case(const row *a, const row *b)
{
    return !strcmp(a->dataset, b->dataset) && !strcmp(a->id, b->id);
}

size_t table_worst(const row *rows, size_t count, const char *role, const row **worst, size_t most)
{
    gap *gaps = must_alloc(count, sizeof *gaps);
    size_t n = 0, taken = 0;
    for (size_t i = 0; i < count; i++) {
        const row *r = &rows[i];
        if (!is_of(r, role, NULL, "walk") && !is_of(r, role, NULL, "a") &&
            !is_of(r, role, NULL, "c"))
            continue;
        const row *top = find(rows, count, r, "ceiling");
        gaps[n++] = (gap){(top ? top->m.dice : 1) - r->m.dice, r};
    }
    qsort(gaps, n, sizeof *gaps, deepest_first);
    for (size_t i = 0; i < n && taken < most; i++) {
        size_t k = 0;
        while (k < taken && !same_case(worst[k], gaps[i].r))
            k++;
        if (k == taken) worst[taken++] = gaps[i].r;
    }
    free(gaps);
    return taken;
}
