#include "batch_collect.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "batch_text.h"
#include "bridge.h"
#include "cli_exit.h"
#include "cli_text.h"
#include "sgio/picture.h"

enum { TILES_ON_A_PAGE = 400, TILE_PIXELS = 128 };

static int no_memory(void)
{
    return cli_fail(CLI_EXIT_MEMORY, "out of memory while collecting the results");
}

static int write_whole(const batch_plan *plan, const char *name, cli_buffer *text)
{
    cli_buffer path = {0};
    cli_buffer_printf(&path, "%s/%s", plan->folder, name);
    const int failed = text->failed || path.failed
                           ? no_memory()
                           : cli_write_file(NULL, path.text, text->text, text->size);
    cli_buffer_clear(text);
    cli_buffer_clear(&path);
    return failed;
}

/* --------------------------------------------------------------------------------- results.csv */

static void write_text(cli_buffer *out, const json_t *object, const char *name)
{
    char *text = batch_text_take(object, name);
    cli_table_write_cell(out, text ? text : "");
    free(text);
}

static void write_start(cli_buffer *out, const batch_row *row, const char *state, int code)
{
    cli_table_write_cell(out, row->id);
    cli_buffer_printf(out, ",%s,%d,", state, code);
}

/* The sentences of a list, as one text. */
static void write_texts(cli_buffer *out, const json_t *list)
{
    size_t i;
    json_t *item;
    cli_buffer joined = {0};
    json_array_foreach(list, i, item)
        cli_buffer_printf(&joined, "%s%s", i ? "; " : "", json_string_value(item));
    cli_table_write_cell(out, joined.text ? joined.text : "");
    out->failed |= joined.failed;
    cli_buffer_clear(&joined);
}

/* `segment` NULL: none. */
static void write_end(cli_buffer *out, const json_t *line, const json_t *segment)
{
    const json_t *label = json_object_get(segment, "label");
    cli_buffer_printf(out, ",%.3f,", json_real_value(json_object_get(line, "seconds")));
    write_text(out, line, "output");
    cli_buffer_printf(out, ",");
    write_text(out, line, "message");
    cli_buffer_printf(out, ",");
    if (label) cli_buffer_printf(out, "%lld", (long long)json_integer_value(label));
    cli_buffer_printf(out, ",");
    write_texts(out, json_object_get(line, "warnings"));
    cli_buffer_printf(out, "\n");
}

static void write_segment(cli_buffer *out, const batch_row *row, const json_t *line,
                          const json_t *segment)
{
    write_start(out, row, "done", 0);
    write_text(out, segment, "name");
    cli_buffer_printf(out, ",%lld,%.9g,%s,%.4f,%lld",
                      (long long)json_integer_value(json_object_get(segment, "voxels")),
                      json_real_value(json_object_get(segment, "ml")),
                      json_is_true(json_object_get(line, "ml_is_guess")) ? "yes" : "no",
                      json_real_value(json_object_get(segment, "quality")),
                      (long long)json_integer_value(json_object_get(segment, "slices")));
    write_end(out, line, segment);
}

static void write_row(cli_buffer *out, const batch_row *row, const batch_entry *entry,
                      const json_t *line)
{
    if (!line) {
        write_start(out, row, "missing", 0);
        cli_buffer_printf(out, ",,,,,,,,,,\n");
        return;
    }
    if (!entry->done) {
        write_start(out, row, "failed", entry->code);
        cli_buffer_printf(out, ",,,,,");
        write_end(out, line, NULL);
        return;
    }
    size_t i;
    json_t *segment;
    json_array_foreach(json_object_get(line, "segments"), i, segment)
        write_segment(out, row, line, segment);
}

static int write_results(const batch_plan *plan, const batch_journal *journal)
{
    cli_buffer out = {0};
    cli_buffer_printf(&out, "id,state,exit_code,segment,voxels,ml,ml_is_guess,predicted_quality,"
                            "slices,seconds,output,message,label,warnings\n");
    for (size_t i = 0; i < plan->count; i++) {
        const batch_entry *entry = batch_journal_entry(journal, i);
        char *text = batch_journal_line(journal, entry);
        json_t *line = text ? json_loads(text, 0, NULL) : NULL;
        write_row(&out, &plan->rows[i], entry, line);
        json_decref(line);
        free(text);
    }
    return write_whole(plan, "results.csv", &out);
}

/* -------------------------------------------------------------------------------- summary.json */

static int write_summary(const batch_plan *plan, const batch_journal *journal,
                         const batch_about *about)
{
    size_t done = 0, failed = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const batch_entry *entry = batch_journal_entry(journal, i);
        done += entry->known && entry->done;
        failed += entry->known && !entry->done;
    }
    json_t *object = json_pack(
        "{s:s,s:s,s:I,s:I,s:I,s:I,s:o?,s:s?,s:s?}", "program", "PromptSegBatch", "version",
        about->version, "rows", (json_int_t)plan->count, "done", (json_int_t)done, "failed",
        (json_int_t)failed, "missing", (json_int_t)(plan->count - done - failed), "model",
        about->model ? batch_text_shown(about->model) : NULL, "variant", about->variant, "device",
        about->device);
    char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
    cli_buffer out = {0};
    cli_buffer_printf(&out, "%s\n", text ? text : "");
    out.failed |= !text;
    json_decref(object);
    free(text);
    return write_whole(plan, "summary.json", &out);
}

/* ------------------------------------------------------------------------------- contact sheet */

typedef struct sheet_page {
    sgio_sheet_tile tiles[TILES_ON_A_PAGE];
    char pictures[TILES_ON_A_PAGE][4096];
    char captions[TILES_ON_A_PAGE][256]; /* a whole id */
    int count, number;
} sheet_page;

static void add_tile(const batch_plan *plan, const batch_row *row, const batch_entry *entry,
                     sheet_page *page)
{
    const int i = page->count++;
    struct stat info;
    char *path = page->pictures[i];
    snprintf(path, sizeof page->pictures[i], "%s/promptseg/thumbnails/%s.png", plan->folder,
             row->id);
    const int there = entry->known && entry->done && stat(path, &info) == 0;
    cli_clean_copy(page->captions[i], sizeof page->captions[i], row->id,
                   CLI_CLEAN_LINES | CLI_CLEAN_BRACKETS);
    page->tiles[i] = (sgio_sheet_tile){.picture = there ? path : NULL,
                                       .caption = page->captions[i],
                                       .instead = entry->known && !entry->done ? "FAILED" : "NONE"};
}

/* The first page is contact_sheet.png, further ones contact_sheet_2.png and so on. */
static void name_page(const batch_plan *plan, int number, cli_buffer *path)
{
    cli_buffer_printf(path, number == 1 ? "%s/contact_sheet.png" : "%s/contact_sheet_%d.png",
                      plan->folder, number);
}

static int write_page(const batch_plan *plan, sheet_page *page)
{
    cli_buffer path = {0};
    name_page(plan, ++page->number, &path);
    const int failed = path.failed
                           ? no_memory()
                           : bridge_from_io(sgio_picture_sheet(NULL, path.text, page->tiles,
                                                               (size_t)page->count, TILE_PIXELS));
    cli_buffer_clear(&path);
    page->count = 0;
    return failed;
}

static int write_sheet(const batch_plan *plan, const batch_journal *journal)
{
    sheet_page *page = calloc(1, sizeof *page);
    int failed = page ? 0 : no_memory();
    for (size_t i = 0; i < plan->count && !failed; i++) {
        add_tile(plan, &plan->rows[i], batch_journal_entry(journal, i), page);
        if (page->count == TILES_ON_A_PAGE || i + 1 == plan->count) failed = write_page(plan, page);
    }
    free(page);
    return failed;
}

int batch_collect(const batch_plan *plan, const batch_journal *journal, const batch_about *about)
{
    int failed = write_results(plan, journal);
    if (!failed) failed = write_summary(plan, journal, about);
    return failed ? failed : write_sheet(plan, journal);
}

static int tell(cli_buffer *path, sgio_path_fn found, void *user)
{
    const int failed = path->failed ? no_memory() : 0;
    if (!failed) found(user, path->text);
    cli_buffer_clear(path);
    return failed;
}

int batch_collect_files(const batch_plan *plan, sgio_path_fn found, void *user)
{
    static const char *const names[] = {"results.csv", "summary.json"};
    cli_buffer path = {0};
    int failed = 0;
    found(user, plan->labels_path);
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !failed; i++) {
        cli_buffer_printf(&path, "%s/%s", plan->folder, names[i]);
        failed = tell(&path, found, user);
    }
    for (size_t i = 0; i < plan->count && !failed; i += TILES_ON_A_PAGE) {
        name_page(plan, (int)(i / TILES_ON_A_PAGE) + 1, &path);
        failed = tell(&path, found, user);
    }
    return failed;
}
