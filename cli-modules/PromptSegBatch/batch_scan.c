#define _XOPEN_SOURCE 700
#include "batch_scan.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli_cancel.h"
#include "cli_exit.h"
#include "cli_path.h"
#include "cli_table.h"
#include "cli_text.h"
#include "scan_folder.h"
#include "sgio/volume.h"

enum { DEEPEST = 32, LONGEST_ID = 180 };
enum { LISTED_DEPTH = 8 }; /* folders below one that the reader of DICOM looks into */

typedef struct scan {
    const char *top, *manifest;
    cli_buffer rows;
    char **ids; /* sorted is not needed: looked through when an id is made */
    size_t id_count, id_capacity;
    size_t found, left_out;
} scan;

static int no_memory(void)
{
    return cli_fail(CLI_EXIT_MEMORY, "out of memory while looking through the folder");
}

static void leave_out(scan *s, const char *path, const char *reason)
{
    char shown[PATH_MAX], why[1024];
    s->left_out++;
    cli_clean_copy(shown, sizeof shown, path, CLI_CLEAN_LINES);
    cli_clean_copy(why, sizeof why, reason, CLI_CLEAN_LINES);
    printf("left out: %s (%s)\n", shown, why);
}

/* ------------------------------------------------------------------------------------ the rows */

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

/* Several files stand in a cell. */
static int separates_files(const char *name)
{
    return strchr(name, ';') != NULL;
}

static int add_path(scan *s, cli_buffer *cell, const char *path)
{
    char *relative = cli_path_relative(s->manifest, path);
    if (relative) cli_buffer_printf(cell, "%s%s", cell->size ? ";" : "", relative);
    const int failed = relative && !cell->failed ? 0 : no_memory();
    free(relative);
    return failed;
}

/* Prompt files in the folder that are named like the volume, and like no other one there that has
 * more of their name. */
static int find_prompts(scan *s, const scan_folder *f, const char *name, size_t length,
                        cli_buffer *cell)
{
    char path[PATH_MAX];
    int failed = 0;
    for (size_t i = 0; i < f->count && !failed; i++) {
        const scan_entry *e = &f->entries[i];
        if (e->kind != SCAN_PROMPTS || !scan_is_named_like(e->name, name, length)) continue;
        if (scan_folder_owner(f, e->name) > length || separates_files(e->name)) continue;
        snprintf(path, sizeof path, "%s/%s", f->path, e->name);
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
static int add_volume(scan *s, const scan_folder *beside, const char *path, size_t length,
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

/* A row for each volume of a listing, whose lines begin with a number and a UID or "(no UID)".
 * `length`: of the path without its ending. */
static int add_listed(scan *s, const scan_folder *beside, const char *path, size_t length,
                      char *text)
{
    char *rest = NULL, uid[80], number[24];
    const int several = strchr(text, '\n') && strchr(text, '\n')[1];
    int failed = 0;
    for (char *line = strtok_r(text, "\n", &rest); line && !failed;
         line = strtok_r(NULL, "\n", &rest)) {
        const int found = sscanf(line, "%20[0-9] %70[0-9.]", number, uid);
        if (found < 1) continue;
        if (found < 2) uid[0] = '\0';
        failed = add_volume(s, beside, path, length, several ? number : "", several ? number : uid);
    }
    return failed;
}

/* A folder with DICOM images, with those below it. *listed is 0 when there is none that can be
 * read. */
static int add_series(scan *s, const scan_folder *beside, const char *folder, int *listed)
{
    char *text = NULL;
    *listed = sgio_list_series(folder, &text) == SGIO_OK && *text;
    if (!*listed) leave_out(s, folder, text ? "no DICOM image" : sgio_last_message());
    const int failed = *listed ? add_listed(s, beside, folder, strlen(folder), text) : 0;
    free(text);
    return failed;
}

/* A file; a row for each volume of one that holds several. What cannot be listed is told when it is
 * read. */
static int add_file(scan *s, const scan_folder *f, const char *path, size_t length)
{
    char *text = NULL;
    const int listed = sgio_list_series(path, &text) == SGIO_OK && text && strchr(text, '\n');
    const int several = listed && strchr(text, '\n')[1];
    const int failed =
        several ? add_listed(s, f, path, length, text) : add_volume(s, f, path, length, "", "");
    free(text);
    return failed;
}

/* --------------------------------------------------------------------------------- the folders */

/* The prompts of a series lie beside its folder, or inside where that is the top one. */
static void look_at_prompts(scan *s, const scan_folder *f, const char *path, const char *name)
{
    const char *top = strrchr(s->top, '/') + 1;
    const int of_top = f->holds_images && strcmp(f->path, s->top) == 0 &&
                       scan_is_named_like(name, top, strlen(top));
    if (separates_files(name))
        leave_out(s, path, "a semicolon in its name, which stands between files in a manifest");
    else if (!of_top && !scan_folder_owner(f, name))
        leave_out(s, path, "prompts that are named like no volume beside them");
}

static int look_into(scan *s, const char *folder, const scan_folder *beside, int depth,
                     int covered);

/* `covered`: as in look_into, for folders in this one. */
static int look_at(scan *s, const scan_folder *f, const scan_entry *e, int depth, int covered)
{
    char path[PATH_MAX];
    if (cli_cancelled(NULL)) return cli_fail(CLI_EXIT_CANCELLED, "cancelled");
    snprintf(path, sizeof path, "%s/%s", f->path, e->name);
    switch (e->kind) {
    case SCAN_FOLDER:
        return look_into(s, path, f, depth + 1, covered);
    case SCAN_VOLUME:
        return add_file(s, f, path, strlen(path) - strlen(e->name) + e->stem);
    case SCAN_PROMPTS:
        look_at_prompts(s, f, path, e->name);
        return 0;
    case SCAN_DICOM: /* in the listing, or left out with the folder */
        return 0;
    case SCAN_UNKNOWN:
        leave_out(s, path, e->why);
        return 0;
    }
    return 0;
}

/* `beside`: the folder that this one lies in, where prompts for a series are. `covered`: in so many
 * levels from here on DICOM images are in the listing of a folder above. */
static int look_into(scan *s, const char *folder, const scan_folder *beside, int depth, int covered)
{
    scan_folder f;
    int listed = 0;
    if (depth > DEEPEST) {
        leave_out(s, folder, "too deep");
        return 0;
    }
    int failed = scan_folder_read(folder, &f);
    if (failed == CLI_EXIT_INPUT && depth > 0) {
        leave_out(s, folder, "it cannot be read");
        failed = 0;
    }
    if (!failed && f.holds_images && covered == 0)
        failed = add_series(s, beside ? beside : &f, folder, &listed);
    const int below = listed ? LISTED_DEPTH : covered > 0 ? covered - 1 : 0;
    if (below > 0) scan_folder_forget_series(&f);
    for (size_t i = 0; i < f.count && !failed; i++)
        failed = look_at(s, &f, &f.entries[i], depth, below);
    scan_folder_clear(&f);
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
    int failed = look_into(&s, top, NULL, 0, 0);
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
