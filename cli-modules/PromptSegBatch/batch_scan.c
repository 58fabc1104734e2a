#define _XOPEN_SOURCE 700
#include "batch_scan.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "bridge.h"
#include "cli_cancel.h"
#include "cli_exit.h"
#include "cli_path.h"
#include "cli_reads.h"
#include "cli_table.h"
#include "cli_text.h"
#include "sgio/volume.h"

enum { DEEPEST = 32, LONGEST_ID = 180 };

typedef struct scan {
    const char *top, *manifest;
    cli_buffer rows;
    char **ids; /* sorted is not needed: looked through when an id is made */
    size_t id_count, id_capacity;
    size_t found, left_out;
} scan;

/* The regular files and folders of one folder, in alphabetical order. */
typedef struct listing {
    const char *folder;
    char **names;
    size_t count, capacity;
} listing;

static int no_memory(void)
{
    return cli_fail(CLI_EXIT_MEMORY, "out of memory while looking through the folder");
}

static void leave_out(scan *s, const char *path, const char *reason)
{
    char shown[PATH_MAX];
    s->left_out++;
    printf("left out: %s (%s)\n", cli_clean_copy(shown, sizeof shown, path, CLI_CLEAN_LINES),
           reason);
}

/* ------------------------------------------------------------------------------------- folders */

static int add_name(listing *l, const char *name)
{
    if (l->count == l->capacity) {
        const size_t capacity = l->capacity * 2 + 64;
        char **grown = realloc(l->names, capacity * sizeof *grown);
        if (!grown) return no_memory();
        l->names = grown;
        l->capacity = capacity;
    }
    l->names[l->count] = strdup(name);
    return l->names[l->count++] ? 0 : no_memory();
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void clear_listing(listing *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->names[i]);
    free(l->names);
}

static int list(const char *folder, listing *out)
{
    *out = (listing){.folder = folder};
    DIR *stream = opendir(folder);
    int failed = stream ? 0 : cli_fail(CLI_EXIT_INPUT, "%s: this folder cannot be read", folder);
    for (struct dirent *e = stream ? readdir(stream) : NULL; e && !failed; e = readdir(stream))
        if (e->d_name[0] != '.') failed = add_name(out, e->d_name);
    if (stream) closedir(stream);
    if (!failed) qsort(out->names, out->count, sizeof *out->names, compare_names);
    return failed;
}

/* ------------------------------------------------------------------------------------ the rows */

static const char *const volume_endings[] = {".nii.gz", ".nii", ".nrrd", ".nhdr",
                                             ".mha",    ".mhd", ".hdr",  NULL};
static const char *const prompt_endings[] = {".mrk.json", ".fcsv", NULL};
/* Label maps by the names that people give them. */
static const char *const label_endings[] = {".seg",   "_seg",   "-seg",    "_dseg", "_mask",
                                            "_label", "-label", "_labels", NULL};

/* Length of the name without one of the endings; 0: it has none of them. */
static size_t stem(const char *name, size_t length, const char *const endings[])
{
    for (size_t i = 0; endings[i]; i++) {
        const size_t ending = strlen(endings[i]);
        if (length > ending && strncasecmp(name + length - ending, endings[i], ending) == 0)
            return length - ending;
    }
    return 0;
}

static int is_taken(const scan *s, const char *id)
{
    for (size_t i = 0; i < s->id_count; i++)
        if (strcmp(s->ids[i], id) == 0) return 1;
    return 0;
}

/* From the path below the top folder: no slashes, no dot in front, unlike all before. */
static int make_id(scan *s, const char *path, size_t length, const char *series, char id[256])
{
    const char *below = path + strlen(s->top) + strspn(path + strlen(s->top), "/");
    int used = snprintf(id, LONGEST_ID, "%.*s%s%s", (int)(path + length - below), below,
                        *series ? "_" : "", series);
    if (!*id) used = snprintf(id, LONGEST_ID, "case");
    if (used >= LONGEST_ID) used = LONGEST_ID - 1;
    for (char *c = id; *c; c++)
        if (*c == '/' || (c == id && *c == '.')) *c = '_';
    for (int number = 2; is_taken(s, id); number++)
        snprintf(id + used, 256 - (size_t)used, "_%d", number);
    if (s->id_count == s->id_capacity) {
        const size_t capacity = s->id_capacity * 2 + 64;
        char **grown = realloc(s->ids, capacity * sizeof *grown);
        if (!grown) return no_memory();
        s->ids = grown;
        s->id_capacity = capacity;
    }
    s->ids[s->id_count] = strdup(id);
    return s->ids[s->id_count++] ? 0 : no_memory();
}

static int add_path(scan *s, cli_buffer *cell, const char *path)
{
    char *relative = cli_path_relative(s->manifest, path);
    if (relative) cli_buffer_printf(cell, "%s%s", cell->size ? ";" : "", relative);
    const int failed = relative && !cell->failed ? 0 : no_memory();
    free(relative);
    return failed;
}

/* Prompt files in the folder whose name begins with the volume's. */
static int find_prompts(scan *s, const listing *l, const char *name, size_t length,
                        cli_buffer *cell)
{
    char path[PATH_MAX];
    int failed = 0;
    for (size_t i = 0; i < l->count && !failed; i++) {
        const char *candidate = l->names[i];
        const size_t own = stem(candidate, strlen(candidate), prompt_endings);
        if (own < length || strncmp(candidate, name, length) != 0) continue;
        if (own > length && !strchr("-_. ", candidate[length])) continue;
        if (strchr(candidate, ';')) continue; /* it separates files in a cell */
        snprintf(path, sizeof path, "%s/%s", l->folder, candidate);
        failed = add_path(s, cell, path);
    }
    return failed;
}

static int write_row(scan *s, const char *id, const char *path, const char *series,
                     const char *prompts)
{
    cli_buffer image = {0};
    int failed = add_path(s, &image, path);
    if (!failed) {
        cli_table_write_cell(&s->rows, id);
        cli_buffer_printf(&s->rows, ",");
        cli_table_write_cell(&s->rows, image.text);
        cli_buffer_printf(&s->rows, ",%s,", series);
        cli_table_write_cell(&s->rows, prompts);
        cli_buffer_printf(&s->rows, "\n");
        s->found++;
    }
    cli_buffer_clear(&image);
    return failed;
}

/* `length`: of the path without its ending. */
static int add_volume(scan *s, const listing *beside, const char *path, size_t length,
                      const char *series_id, const char *series)
{
    char id[256];
    cli_buffer prompts = {0};
    const char *name = strrchr(path, '/') + 1;
    int failed = make_id(s, path, length, series_id, id);
    if (!failed) failed = find_prompts(s, beside, name, (size_t)(path + length - name), &prompts);
    if (!failed) failed = write_row(s, id, path, series, prompts.text ? prompts.text : "");
    cli_buffer_clear(&prompts);
    return failed;
}

/* A folder with DICOM files, with all that is below it: a row for each volume that is listed. */
static int add_series(scan *s, const listing *beside, const char *folder)
{
    char *text = NULL, *rest = NULL, uid[80], number[24];
    if (sgio_list_series(folder, &text) != SGIO_OK) {
        leave_out(s, folder, sgio_last_message());
        return 0;
    }
    const int several = strchr(text, '\n') && strchr(text, '\n')[1];
    int failed = 0;
    for (char *line = strtok_r(text, "\n", &rest); line && !failed;
         line = strtok_r(NULL, "\n", &rest)) {
        if (sscanf(line, "%20[0-9] %70[0-9.]", number, uid) != 2) continue;
        failed = add_volume(s, beside, folder, strlen(folder), several ? number : "",
                            several ? number : uid);
    }
    free(text);
    return failed;
}

static int is_dicom_folder(const listing *l)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < l->count; i++) {
        snprintf(path, sizeof path, "%s/%s", l->folder, l->names[i]);
        if (cli_is_dicom(path)) return 1;
    }
    return 0;
}

static int look_at_file(scan *s, const listing *l, const char *path, const char *name)
{
    const size_t length = stem(name, strlen(name), volume_endings);
    if (stem(name, strlen(name), prompt_endings)) return 0;
    if (!length) {
        leave_out(s, path, "no volume by its name");
        return 0;
    }
    if (stem(name, length, label_endings)) {
        leave_out(s, path, "a label map by its name");
        return 0;
    }
    return add_volume(s, l, path, strlen(path) - strlen(name) + length, "", "");
}

static int look_into(scan *s, const char *folder, const listing *beside, int depth);

static int look_at(scan *s, const listing *l, const char *name, int depth)
{
    char path[PATH_MAX];
    struct stat info, target;
    if (snprintf(path, sizeof path, "%s/%s", l->folder, name) >= (int)sizeof path) return 0;
    if (cli_cancelled(NULL)) return cli_fail(CLI_EXIT_CANCELLED, "cancelled");
    if (lstat(path, &info) != 0 || stat(path, &target) != 0) {
        leave_out(s, path, "it cannot be looked at");
    } else if (S_ISDIR(target.st_mode) && S_ISLNK(info.st_mode)) {
        leave_out(s, path, "a link to a folder");
    } else if (S_ISDIR(target.st_mode)) {
        return look_into(s, path, l, depth + 1);
    } else if (!S_ISREG(target.st_mode)) {
        leave_out(s, path, "neither a file nor a folder");
    } else {
        return look_at_file(s, l, path, name);
    }
    return 0;
}

/* `beside`: the folder that this one lies in, where prompts for a series are. */
static int look_into(scan *s, const char *folder, const listing *beside, int depth)
{
    listing l;
    if (depth > DEEPEST) {
        leave_out(s, folder, "too deep");
        return 0;
    }
    int failed = list(folder, &l);
    if (failed == CLI_EXIT_INPUT && depth > 0) {
        leave_out(s, folder, "it cannot be read");
        failed = 0;
    }
    if (!failed && is_dicom_folder(&l)) {
        failed = add_series(s, beside ? beside : &l, folder);
    } else {
        for (size_t i = 0; i < l.count && !failed; i++)
            failed = look_at(s, &l, l.names[i], depth);
    }
    clear_listing(&l);
    return failed;
}

static void clear_scan(scan *s)
{
    for (size_t i = 0; i < s->id_count; i++)
        free(s->ids[i]);
    free(s->ids);
    cli_buffer_clear(&s->rows);
}

int batch_scan(const char *folder, const char *manifest)
{
    char *top = cli_path_absolute(folder);
    if (!top) return no_memory();
    scan s = {.top = top, .manifest = manifest};
    cli_buffer_printf(&s.rows, "id,image,series,prompts\n");
    int failed = look_into(&s, top, NULL, 0);
    if (!failed && s.found == 0)
        failed = cli_fail(CLI_EXIT_INPUT, "%s: there is no volume in this folder", folder);
    if (!failed && s.rows.failed) failed = no_memory();
    if (!failed) failed = cli_write_file(NULL, manifest, s.rows.text, s.rows.size);
    if (!failed)
        printf("%s: %zu volumes, %zu files and folders left out\n", manifest, s.found, s.left_out);
    clear_scan(&s);
    free(top);
    return failed;
}
