/* Masks in volumes, measured: the protocols of README.md.
 *
 *   quality_volumes run MODEL CASES ROOT OUT [options]   writes OUT/rows_I.csv and OUT/strips
 *     --role R       judge, develop or train (default: all)
 *     --set D        one data set
 *     --only P       one protocol: ceiling, walk, a, b, c, d, e, clicks, "clicks from a box"
 *     --cases N      at most N cases of a data set and role, evenly chosen
 *     --objects N    at most N objects of a case (default 10)
 *     --shard I/N    every Nth case, from the Ith on
 *     --no-rivals    the network alone
 *   quality_volumes table OUT rows.csv ...               writes OUT/volumes.md, volumes.csv and
 *                                                        worst.png
 *
 * Exit codes: 0, 1 usage, 2 input, 4 model, 5 memory, 6 output. */
#include "protocols.h"
#include "strip.h"
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_WORST = 10 };
static const size_t store_bytes = (size_t)1 << 30;

typedef struct arguments {
    const char *model, *cases, *root, *out, *role, *set, *only;
    size_t most_cases, most_objects;
    int shard, shards, rivals;
} arguments;

static int usage(void)
{
    fputs("usage: quality_volumes run MODEL CASES ROOT OUT [--role R] [--set D] [--only P]\n"
          "           [--cases N] [--objects N] [--shard I/N] [--no-rivals]\n"
          "       quality_volumes table OUT rows.csv ...\n",
          stderr);
    return 1;
}

static int parse(int argc, char **argv, arguments *a)
{
    if (argc < 6) return -1;
    *a = (arguments){.model = argv[2],
                     .cases = argv[3],
                     .root = argv[4],
                     .out = argv[5],
                     .most_objects = MOST_OBJECTS,
                     .shard = 1,
                     .shards = 1,
                     .rivals = 1};
    for (int i = 6; i < argc; i++) {
        const char *name = argv[i];
        if (!strcmp(name, "--no-rivals")) {
            a->rivals = 0;
            continue;
        }
        const char *value = ++i < argc ? argv[i] : NULL;
        if (!value) return -1;
        if (!strcmp(name, "--role"))
            a->role = value;
        else if (!strcmp(name, "--set"))
            a->set = value;
        else if (!strcmp(name, "--only"))
            a->only = value;
        else if (!strcmp(name, "--cases"))
            a->most_cases = (size_t)atoi(value);
        else if (!strcmp(name, "--objects"))
            a->most_objects = (size_t)atoi(value);
        else if (strcmp(name, "--shard") || sscanf(value, "%d/%d", &a->shard, &a->shards) != 2)
            return -1;
    }
    return 0;
}

/* ----------------------------------------------------------------------------------------- run */

static int is_asked(const arguments *a, const case_row *asked)
{
    return (!a->role || !strcmp(a->role, asked->role)) &&
           (!a->set || !strcmp(a->set, asked->dataset));
}

/* Whether a case is among the evenly chosen ones of its data set and role. */
static int is_chosen(const arguments *a, const case_row *rows, size_t count, const case_row *asked)
{
    size_t of = 0, at = 0;
    if (!a->most_cases) return 1;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].dataset, asked->dataset) || strcmp(rows[i].role, asked->role)) continue;
        if (&rows[i] == asked) at = of;
        of++;
    }
    if (of <= a->most_cases) return 1;
    for (size_t k = 0; k < a->most_cases; k++)
        if (k * of / a->most_cases == at) return 1;
    return 0;
}

static int run_case(const arguments *a, const bench *b, const case_row *asked)
{
    volume_case loaded;
    if (case_load(a->root, asked, a->most_objects, &loaded)) return 2;
    printf("%s/%s (%s): %zu objects\n", asked->dataset, asked->id, asked->role,
           loaded.object_count);
    fflush(stdout);
    int failed = 0;
    for (size_t i = 0; i < loaded.object_count && !failed; i++)
        failed = protocols_run(b, &loaded, &loaded.objects[i]) ? 2 : 0;
    memory_store_clear(b->store);
    case_clear(&loaded);
    return failed;
}

static int run_cases(const arguments *a, const bench *b)
{
    size_t count, number = 0;
    case_row *rows = cases_read(a->cases, &count);
    int failed = rows ? 0 : 2;
    for (size_t i = 0; i < count && !failed; i++) {
        if (!is_asked(a, &rows[i]) || !is_chosen(a, rows, count, &rows[i])) continue;
        if ((int)(number++ % (size_t)a->shards) + 1 == a->shard) failed = run_case(a, b, &rows[i]);
    }
    free(rows);
    return failed;
}

static int run_with(const arguments *a, sgm_model *model)
{
    char path[PATH_ROOM], strips[PATH_ROOM];
    snprintf(path, sizeof path, "%s/rows_%d.csv", a->out, a->shard);
    snprintf(strips, sizeof strips, "%s/strips", a->out);
    mkdir(strips, 0777);
    FILE *file = fopen(path, "w");
    if (!file) {
        fprintf(stderr, "quality_volumes: %s cannot be written\n", path);
        return 6;
    }
    row_header(file);
    bench b = {.model = model,
               .store = memory_store_new(store_bytes),
               .rows = file,
               .strips = strips,
               .only = a->only,
               .rivals = a->rivals};
    int failed = run_cases(a, &b);
    memory_store_free(b.store);
    if (fclose(file) && !failed) failed = 6;
    return failed;
}

static int run(int argc, char **argv)
{
    arguments a;
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    if (parse(argc, argv, &a)) return usage();
    sgm_context_options options = {.threads = 1};
    int failed = 0;
    if (sgm_context_create(&options, &context) != SGM_OK ||
        sgm_model_load(context, a.model, NULL, &model) != SGM_OK) {
        fprintf(stderr, "quality_volumes: %s\n", sgm_last_message());
        failed = 4;
    }
    if (!failed) failed = run_with(&a, model);
    sgm_model_destroy(model);
    sgm_context_destroy(context);
    return failed;
}

/* --------------------------------------------------------------------------------------- table */

static int write_rows(const char *path, const row *rows, size_t count)
{
    FILE *file = fopen(path, "w");
    if (!file) return -1;
    row_header(file);
    for (size_t i = 0; i < count; i++)
        row_write(file, &rows[i]);
    return fclose(file);
}

static int write_table(const char *path, const row *rows, size_t count, const row *const *worst,
                       size_t worst_count)
{
    FILE *file = fopen(path, "w");
    if (!file) return -1;
    fputs("# Masks in volumes\n", file);
    table_write(file, rows, count, "judge");
    table_write(file, rows, count, "develop");
    table_write(file, rows, count, "train");
    fputs("\n## worst.png, from top to bottom\n\n", file);
    for (size_t i = 0; i < worst_count; i++)
        fprintf(file,
                "%zu. %s/%s, object %d (label %d), protocol %s: Dice %.3f, walks ended: %s, "
                "%s\n",
                i + 1, worst[i]->dataset, worst[i]->id, worst[i]->object, worst[i]->label,
                worst[i]->protocol, worst[i]->m.dice, worst[i]->stop_down, worst[i]->stop_up);
    return fclose(file);
}

static int table(int argc, char **argv)
{
    char path[PATH_ROOM], strips[PATH_ROOM];
    row *rows = NULL;
    const row *worst[MOST_WORST];
    size_t count = 0;
    if (argc < 4) return usage();
    for (int i = 3; i < argc; i++)
        if (rows_read(argv[i], &rows, &count)) return 2;
    size_t found = table_worst(rows, count, "judge", worst, MOST_WORST);
    if (!found) found = table_worst(rows, count, "develop", worst, MOST_WORST);
    snprintf(path, sizeof path, "%s/volumes.csv", argv[2]);
    int failed = write_rows(path, rows, count);
    snprintf(path, sizeof path, "%s/volumes.md", argv[2]);
    if (!failed) failed = write_table(path, rows, count, worst, found);
    if (failed) fprintf(stderr, "quality_volumes: %s cannot be written\n", path);
    snprintf(strips, sizeof strips, "%s/strips", argv[2]);
    snprintf(path, sizeof path, "%s/worst.png", argv[2]);
    if (!failed && found) failed = strip_page(strips, worst, found, path);
    free(rows);
    return failed ? 6 : 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "run")) return run(argc, argv);
    if (argc > 1 && !strcmp(argv[1], "table")) return table(argc, argv);
    return usage();
}
