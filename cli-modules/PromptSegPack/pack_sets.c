#include "pack_sets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli_exit.h"

static const char *split_of(const pack_row *row)
{
    return row->held_out ? "heldout" : row->validation ? "val" : "train";
}

static const char *kind_of(const pack_row *row)
{
    static const char *const names[] = {"class", "instance", "class-thin", "instance-thin"};
    return names[row->instances + 2 * row->thin];
}

static int no_memory(void)
{
    return cli_fail(CLI_EXIT_MEMORY, "no memory to compare the rows of a manifest");
}

/* ---------------------------------------------------------------------------------- one data set
 */

static int differs(const char *path, const pack_row *first, const pack_row *row, const char *what,
                   const char *before, const char *found)
{
    return cli_fail(CLI_EXIT_INPUT,
                    "%s:%d: %s of data set %s is \"%s\", but \"%s\" on line %d; a data set has one",
                    path, row->line, what, row->dataset, found, before, first->line);
}

static int agree(const char *path, const pack_row *first, const pack_row *row)
{
    if (strcmp(first->modality, row->modality) != 0)
        return differs(path, first, row, "the modality", first->modality, row->modality);
    if (strcmp(first->anatomy, row->anatomy) != 0)
        return differs(path, first, row, "the anatomy", first->anatomy, row->anatomy);
    if (strcmp(kind_of(first), kind_of(row)) != 0)
        return differs(path, first, row, "the kind", kind_of(first), kind_of(row));
    return 0;
}

/* Neighbours are shown to the network: a sequence cannot be on two sides. */
static int keeps_its_split(const char *path, const pack_row *before, const pack_row *row)
{
    if (!row->volume[0] || strcmp(before->volume, row->volume) != 0 ||
        strcmp(before->dataset, row->dataset) != 0 || split_of(before) == split_of(row))
        return 0;
    return cli_fail(CLI_EXIT_INPUT,
                    "%s:%d: the sequence %s of data set %s is %s, but %s on line %d; neighbours "
                    "must be on one side of the split",
                    path, row->line, row->volume, row->dataset, split_of(row), split_of(before),
                    before->line);
}

static int by_set(const void *left, const void *right)
{
    const pack_row *a = *(pack_row *const *)left, *b = *(pack_row *const *)right;
    const int set = strcmp(a->dataset, b->dataset);
    return set ? set : a->line - b->line;
}

static int by_sequence(const void *left, const void *right)
{
    const pack_row *a = *(pack_row *const *)left, *b = *(pack_row *const *)right;
    const int sequence = strcmp(a->volume, b->volume);
    return sequence ? sequence : by_set(left, right);
}

int pack_sets_check(const char *path, const pack_manifest *manifest)
{
    const pack_row **rows = malloc((manifest->count + 1) * sizeof *rows);
    int failed = rows ? 0 : no_memory();
    if (failed) return failed;
    for (size_t i = 0; i < manifest->count; i++)
        rows[i] = &manifest->rows[i];
    qsort(rows, manifest->count, sizeof *rows, by_set);
    for (size_t i = 1, first = 0; i < manifest->count && !failed; i++) {
        if (strcmp(rows[first]->dataset, rows[i]->dataset) != 0) first = i;
        failed = agree(path, rows[first], rows[i]);
    }
    qsort(rows, manifest->count, sizeof *rows, by_sequence);
    for (size_t i = 1; i < manifest->count && !failed; i++)
        failed = keeps_its_split(path, rows[i - 1], rows[i]);
    free(rows);
    return failed;
}

/* -------------------------------------------------------------------------------- files in common
 */

typedef struct used_file {
    const pack_row *row;
    dev_t device;
    ino_t number;
} used_file;

static int by_file(const void *left, const void *right)
{
    const used_file *a = left, *b = right;
    if (a->device != b->device) return a->device < b->device ? -1 : 1;
    if (a->number != b->number) return a->number < b->number ? -1 : 1;
    const int set = strcmp(a->row->dataset, b->row->dataset);
    return set ? set : a->row->line - b->row->line;
}

static int is_same_file(const used_file *a, const used_file *b)
{
    return a->device == b->device && a->number == b->number;
}

/* Files that are not there are told of when they are read. */
static size_t find_files(const char *root, const pack_manifest *manifest, int labels,
                         used_file *files)
{
    size_t count = 0;
    for (size_t i = 0; i < manifest->count; i++) {
        const pack_row *row = &manifest->rows[i];
        char full[PACK_PATH];
        struct stat info;
        if (pack_manifest_path(root, labels ? row->label : row->image, full) != 0 ||
            stat(full, &info) != 0)
            continue;
        files[count++] = (used_file){row, info.st_dev, info.st_ino};
    }
    qsort(files, count, sizeof *files, by_file);
    return count;
}

static int refuse_image(const pack_row *first, const pack_row *row)
{
    return cli_fail(
        CLI_EXIT_INPUT,
        "line %d of <manifest>: %s of data set %s is %s, but %s on line %d; an image is "
        "on one side of the split",
        row->line, row->image, row->dataset, split_of(row), split_of(first), first->line);
}

static void warn_of(const pack_row *a, const pack_row *b, int labels, size_t more,
                    cli_warnings *warnings)
{
    const pack_row *first = a->line < b->line ? a : b, *row = a->line < b->line ? b : a;
    char sentence[1024], others[64] = "";
    if (more) snprintf(others, sizeof others, " (and so are %zu others)", more);
    snprintf(sentence, sizeof sentence,
             "%.300s is %s on line %d of the manifest and %s on line %d%s: what is measured is not "
             "new to the network",
             labels ? first->label : first->image, split_of(first), first->line, split_of(row),
             row->line, others);
    cli_warn(warnings, sentence);
}

static int check_column(const char *root, const pack_manifest *manifest, int labels,
                        used_file *files, cli_warnings *warnings)
{
    const size_t count = find_files(root, manifest, labels, files);
    const pack_row *one = NULL, *other = NULL;
    size_t shared = 0;
    for (size_t i = 1, first = 0, same_set = 0; i < count; i++) {
        if (!is_same_file(&files[first], &files[i])) {
            first = same_set = i;
            continue;
        }
        if (strcmp(files[same_set].row->dataset, files[i].row->dataset) != 0) same_set = i;
        if (!labels && split_of(files[same_set].row) != split_of(files[i].row))
            return refuse_image(files[same_set].row, files[i].row);
        if (split_of(files[first].row) == split_of(files[i].row)) continue;
        if (!shared++) one = files[first].row, other = files[i].row;
    }
    if (shared) warn_of(one, other, labels, shared - 1, warnings);
    return 0;
}

int pack_sets_check_files(const char *root, const pack_manifest *manifest, cli_warnings *warnings)
{
    used_file *files = malloc((manifest->count + 1) * sizeof *files);
    if (!files) return no_memory();
    int failed = check_column(root, manifest, 0, files, warnings);
    if (!failed) failed = check_column(root, manifest, 1, files, warnings);
    free(files);
    return failed;
}
