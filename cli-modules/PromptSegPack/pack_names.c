#include "pack_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli_exit.h"

enum {
    SLICE_ROOM = 6,                        /* "_00012" */
    TAIL = SGM_PACK_TEXT - 1 - SLICE_ROOM, /* what is left of a long stem */
    FOLDERS = 2048,                        /* bytes of their names, joined */
    MOST_DEPTH = 64                        /* folders */
};

static int no_memory(void)
{
    return cli_fail(CLI_EXIT_MEMORY, "no memory for the names of a pack");
}

/* ----------------------------------------------------------------------------- parts of a path */

/* Bytes of a file name without the ending of a format: other dots belong to names, as in case.01 or
 * distorted_0.01. */
static size_t without_ending(const char *base)
{
    static const char *const endings[] = {
        ".rtstruct.dcm", ".seg.nrrd", ".nii.gz", ".hdr.gz", ".img.gz", ".nrrd",
        ".nhdr",         ".nii",      ".hdr",    ".img",    ".mha",    ".mhd",
        ".dcm",          ".dicom",    ".ima",    ".png",    ".jpeg",   ".jpg"};
    const size_t size = strlen(base);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t ending = strlen(endings[i]);
        if (size > ending && strcasecmp(base + size - ending, endings[i]) == 0)
            return size - ending;
    }
    return size;
}

static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int says_nothing(const char *part, size_t size)
{
    return size == 0 || (size <= 2 && strspn(part, ".") >= size);
}

/* The last `depth` folders of a path with content in their names, "a_b_"; *all says how many there
 * are. */
static void join_folders(const char *path, int depth, char out[FOLDERS], int *all)
{
    const char *part[MOST_DEPTH];
    size_t size[MOST_DEPTH], used = 0, end = folder_length(path);
    int count = 0;
    for (size_t at = 0; at < end && count < MOST_DEPTH;) {
        const size_t length = strcspn(path + at, "/");
        if (!says_nothing(path + at, length)) {
            part[count] = path + at;
            size[count++] = length;
        }
        at += length + 1;
    }
    *all = count;
    for (int i = count > depth ? count - depth : 0; i < count; i++) {
        if (used + size[i] + 2 > FOLDERS) break;
        memcpy(out + used, part[i], size[i]);
        used += size[i];
        out[used++] = '_';
    }
    out[used] = 0;
}

/* ------------------------------------------------------------------------------ rows in an order
 */

typedef struct named {
    pack_row *row;
    const char *stem; /* of the row, where it lies as long as rows are compared */
    int folder;       /* the number of its data set's folder */
} named;

typedef struct naming {
    named *rows;
    size_t count;
    int *depth; /* of each folder */
} naming;

/* What is left of a stem in the shortest name, on a whole character of UTF-8. */
static const char *tail_of(const char *stem, size_t room)
{
    const size_t size = strlen(stem);
    const char *tail = size > room ? stem + size - room : stem;
    while (size > room && ((unsigned char)*tail & 0xC0) == 0x80)
        tail++;
    return tail;
}

static int compare_folders(const void *left, const void *right)
{
    const pack_row *a = ((const named *)left)->row, *b = ((const named *)right)->row;
    const int set = strcmp(a->dataset, b->dataset);
    const size_t na = folder_length(a->image), nb = folder_length(b->image);
    const int start = strncmp(a->image, b->image, na < nb ? na : nb);
    return set ? set : start ? start : (na > nb) - (na < nb);
}

static int compare_tails(const void *left, const void *right)
{
    const named *a = left, *b = right;
    const int set = strcmp(a->row->dataset, b->row->dataset);
    const int tail = set ? 0 : strcmp(tail_of(a->stem, TAIL), tail_of(b->stem, TAIL));
    const int image = set || tail ? 0 : strcmp(a->row->image, b->row->image);
    return set ? set : tail ? tail : image ? image : a->row->line - b->row->line;
}

static int same_name(const named *a, const named *b)
{
    return strcmp(a->row->dataset, b->row->dataset) == 0 &&
           strcmp(tail_of(a->stem, TAIL), tail_of(b->stem, TAIL)) == 0;
}

static int same_image(const named *a, const named *b)
{
    return strcmp(a->row->image, b->row->image) == 0;
}

/* Rows first..end - 1 have one name; of images too if asked. */
static size_t run_end(const naming *n, size_t first, int of_one_image)
{
    size_t end = first + 1;
    while (end < n->count && same_name(&n->rows[first], &n->rows[end]) &&
           (!of_one_image || same_image(&n->rows[first], &n->rows[end])))
        end++;
    return end;
}

/* ------------------------------------------------------------------------------------ the naming
 */

static int set_stem(named *n, const char *text)
{
    free(n->row->stem);
    n->stem = n->row->stem = strdup(text);
    return n->stem ? 0 : no_memory();
}

static int add_behind(named *n, const char *word, size_t size)
{
    const size_t before = strlen(n->stem);
    char *stem = malloc(before + size + 2);
    if (!stem) return no_memory();
    memcpy(stem, n->stem, before);
    stem[before] = '_';
    memcpy(stem + before + 1, word, size);
    stem[before + 1 + size] = 0;
    free(n->row->stem);
    n->stem = n->row->stem = stem;
    return 0;
}

static int name_all(naming *n)
{
    char folders[FOLDERS], stem[2 * FOLDERS];
    int all, failed = 0;
    for (size_t i = 0; i < n->count && !failed; i++) {
        const char *base = base_of(n->rows[i].row->image);
        const size_t size = without_ending(base);
        join_folders(n->rows[i].row->image, n->depth[n->rows[i].folder], folders, &all);
        snprintf(stem, sizeof stem, "%s%.*s", folders, size < FOLDERS ? (int)size : FOLDERS - 1,
                 base);
        failed = set_stem(&n->rows[i], stem);
    }
    if (!failed) qsort(n->rows, n->count, sizeof *n->rows, compare_tails);
    return failed;
}

static int has_more_folders(const naming *n, const named *row)
{
    char folders[FOLDERS];
    int all;
    join_folders(row->row->image, 0, folders, &all);
    return n->depth[row->folder] < all;
}

/* One folder more for all whose name another image has too. */
static int deepen(naming *n)
{
    int changed = 0;
    for (size_t first = 0, end; first < n->count; first = end) {
        end = run_end(n, first, 0);
        if (run_end(n, first, 1) == end) continue;
        for (size_t i = first; i < end; i++) {
            int *depth = &n->depth[n->rows[i].folder];
            if (*depth < 0 || !has_more_folders(n, &n->rows[i])) continue;
            *depth = -*depth - 1; /* once, however many of its rows ask for it */
            changed = 1;
        }
    }
    for (size_t i = 0; i < n->count; i++)
        if (n->depth[i] < 0) n->depth[i] = -n->depth[i];
    return changed;
}

static int is_repeated(const pack_row *a, const pack_row *b)
{
    return a->axis == b->axis && strcmp(a->series, b->series) == 0 &&
           strcmp(a->label, b->label) == 0;
}

/* Rows of one image: told apart by their volumes and axes, and where these do not do it by their
 * label maps. */
static int tell_rows_apart(naming *n, size_t first, size_t end)
{
    int series = 0, axes = 0, labels = 0, failed = 0;
    for (size_t i = first; i < end; i++)
        for (size_t j = first; j < i; j++) {
            const pack_row *a = n->rows[j].row, *b = n->rows[i].row;
            if (is_repeated(a, b))
                return cli_fail(CLI_EXIT_INPUT, "line %d of <manifest> repeats line %d: %s with %s",
                                b->line, a->line, b->image, b->label);
            const int same_series = strcmp(a->series, b->series) == 0;
            series |= !same_series;
            axes |= a->axis != b->axis;
            labels |= same_series && a->axis == b->axis;
        }
    for (size_t i = first; i < end && !failed; i++) {
        const pack_row *row = n->rows[i].row;
        const char *axis = pack_axis_name(row->axis), *label = base_of(row->label);
        if (series) failed = add_behind(&n->rows[i], row->series, strlen(row->series));
        if (axes && !failed) failed = add_behind(&n->rows[i], axis, strlen(axis));
        if (labels && !failed) failed = add_behind(&n->rows[i], label, without_ending(label));
    }
    return failed;
}

static int tell_images_apart(naming *n)
{
    int failed = 0;
    for (size_t first = 0, end; first < n->count && !failed; first = end) {
        end = run_end(n, first, 1);
        if (end - first > 1) failed = tell_rows_apart(n, first, end);
    }
    if (!failed) qsort(n->rows, n->count, sizeof *n->rows, compare_tails);
    return failed;
}

static uint32_t hash_text(uint32_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x01000193u;
    return hash * 0x01000193u;
}

/* Long names that differ in what does not fit, and folders that differ in their separators. */
static int tell_rest_apart(naming *n)
{
    int failed = 0;
    for (size_t first = 0, end; first < n->count && !failed; first = end) {
        end = run_end(n, first, 0);
        for (size_t i = first; i < end && end - first > 1 && !failed; i++) {
            char word[16];
            const pack_row *row = n->rows[i].row;
            uint32_t hash = hash_text(hash_text(0x811C9DC5u, row->image), row->label);
            hash = hash_text(hash, pack_axis_name(row->axis));
            snprintf(word, sizeof word, "%08" PRIx32, hash);
            failed = add_behind(&n->rows[i], word, 8);
        }
    }
    return failed;
}

static void number_folders(naming *n)
{
    qsort(n->rows, n->count, sizeof *n->rows, compare_folders);
    for (size_t i = 1; i < n->count; i++)
        n->rows[i].folder =
            n->rows[i - 1].folder + (compare_folders(&n->rows[i - 1], &n->rows[i]) != 0);
}

int pack_names_make(pack_manifest *manifest)
{
    naming n = {calloc(manifest->count, sizeof *n.rows), manifest->count,
                calloc(manifest->count, sizeof *n.depth)};
    int failed = n.rows && n.depth ? 0 : no_memory();
    for (size_t i = 0; i < n.count && !failed; i++)
        n.rows[i].row = &manifest->rows[i];
    if (!failed) {
        number_folders(&n);
        do
            failed = name_all(&n);
        while (!failed && deepen(&n));
    }
    if (!failed) failed = tell_images_apart(&n);
    if (!failed) failed = tell_rest_apart(&n);
    free(n.rows);
    free(n.depth);
    return failed;
}

void pack_names_item(const pack_row *row, int is_stack, int64_t slice, char name[SGM_PACK_TEXT])
{
    if (is_stack)
        snprintf(name, SGM_PACK_TEXT, "%s_%05d", tail_of(row->stem, TAIL), (int)(slice % 100000));
    else
        snprintf(name, SGM_PACK_TEXT, "%s", tail_of(row->stem, SGM_PACK_TEXT - 1));
}
