#include "batch_plan.h"

#include <stdlib.h>
#include <string.h>

#include "batch_bids.h"
#include "batch_collect.h"
#include "batch_outputs.h"
#include "cli_exit.h"
#include "cli_files.h"
#include "cli_suggest.h"
#include "sgio/labelmap.h"

enum { LONGEST_ID = 200 };

/* ------------------------------------------------------------------------------------- columns */

/* Options that belong to the batch as a whole: one engine serves it. */
static int is_of_batch(const cli_parameter *p)
{
    static const char *const names[] = {"model",   "base",  "variant",    "device",     "precision",
                                        "threads", "cache", "cacheLimit", "labelValues"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(p->name, names[i]) == 0) return 1;
    return 0;
}

/* Options that make something else of a run. */
static int is_of_single_runs(const cli_parameter *p)
{
    return strcmp(p->name, "listSeries") == 0 || strcmp(p->name, "convert") == 0;
}

static const cli_parameter *find_option(const cli_tool *tool, const char *column)
{
    if (strcmp(column, "segment") == 0) column = "segmentName";
    for (size_t i = 0; i < tool->parameter_count; i++) {
        const cli_parameter *p = &tool->parameters[i];
        if (p->long_flag && strcmp(p->long_flag, column) == 0) return p;
    }
    return NULL;
}

static int unknown_column(const batch_plan *plan, const char *column)
{
    const char *best = NULL;
    size_t distance = strlen(column) / 3 + 2;
    for (size_t i = 0; i < plan->tool->parameter_count; i++) {
        const char *flag = plan->tool->parameters[i].long_flag;
        const size_t edits = flag ? cli_edit_distance(column, flag) : distance;
        if (edits < distance) {
            distance = edits;
            best = flag;
        }
    }
    return cli_fail(CLI_EXIT_USAGE,
                    "%s: unknown column '%.100s'%s%s%s; columns are id, image, output and the "
                    "options of PromptSeg",
                    plan->manifest, column, best ? ", did you mean '" : "", best ? best : "",
                    best ? "'?" : "");
}

static int judge_column(batch_plan *plan, size_t i)
{
    const char *name = plan->table.header.cells[i];
    if (cli_table_column(&plan->table, name) != (int)i)
        return cli_fail(CLI_EXIT_USAGE, "%s: the column '%.100s' is there twice", plan->manifest,
                        name);
    if ((int)i == plan->id_column || (int)i == plan->image_column || (int)i == plan->output_column)
        return 0;
    plan->columns[i] = find_option(plan->tool, name);
    if (!plan->columns[i]) return unknown_column(plan, name);
    if (is_of_single_runs(plan->columns[i]))
        return cli_fail(CLI_EXIT_USAGE, "%s: the column '%s' is an option of single runs",
                        plan->manifest, name);
    if (is_of_batch(plan->columns[i]))
        return cli_fail(CLI_EXIT_USAGE,
                        "%s: the column '%s' is an option of the whole batch: --%s beside the "
                        "manifest",
                        plan->manifest, name, name);
    return 0;
}

static int read_columns(batch_plan *plan)
{
    const cli_table *table = &plan->table;
    plan->id_column = cli_table_column(table, "id");
    plan->image_column = cli_table_column(table, "image");
    plan->output_column = cli_table_column(table, "output");
    if (plan->id_column < 0 || plan->image_column < 0)
        return cli_fail(CLI_EXIT_USAGE,
                        "%s: the first line must name the columns; there is no column '%s'",
                        plan->manifest, plan->id_column < 0 ? "id" : "image");
    plan->columns = calloc(table->header.count, sizeof(cli_parameter *));
    if (!plan->columns) return cli_fail(CLI_EXIT_MEMORY, "%s: no memory", plan->manifest);
    int failed = 0;
    for (size_t i = 0; i < table->header.count && !failed; i++)
        failed = judge_column(plan, i);
    return failed;
}

/* ---------------------------------------------------------------------------------------- rows */

/* A problem of this row alone, from the last message. */
static int note_problem(batch_row *row, int code)
{
    row->problem_code = code;
    row->problem = strdup(cli_last_message());
    return row->problem && code != CLI_EXIT_MEMORY ? 0 : CLI_EXIT_MEMORY;
}

static int judge_id(const batch_plan *plan, const batch_row *row)
{
    const char *id = row->id;
    if (!*id || *id == '.' || strchr(id, '/') || strlen(id) > LONGEST_ID)
        return cli_fail(CLI_EXIT_USAGE,
                        "%s:%zu: the id '%.80s' does not serve as a file's name (not empty, no "
                        "slash, no dot in front, at most %d bytes)",
                        plan->manifest, row->cells->line, id, LONGEST_ID);
    return 0;
}

static int name_output(const batch_plan *plan, batch_row *row)
{
    const char *cell = plan->output_column >= 0 ? row->cells->cells[plan->output_column] : "";
    if (*cell) return batch_output_inside(plan->folder, cell, &row->output);
    cli_buffer path = {0};
    cli_buffer_printf(&path, "%s/", plan->folder);
    if (cli_switch(plan->options, "bids")) {
        if (batch_bids_output(row->id, &path)) {
            cli_buffer_clear(&path);
            return CLI_EXIT_USAGE;
        }
    } else {
        cli_buffer_printf(&path, "%s.%s", row->id, cli_text(plan->options, "outputEnding"));
    }
    row->output = path.text;
    return path.failed ? cli_fail(CLI_EXIT_MEMORY, "no memory for a file name") : 0;
}

static int at_line(const batch_plan *plan, const batch_row *row, int code)
{
    char reason[900];
    snprintf(reason, sizeof reason, "%s", cli_last_message());
    return cli_fail(code, "%.200s:%zu: %s", plan->manifest, row->cells->line, reason);
}

/* A row with too few cells has no output; its id is what stands in the column, if anything does. */
static int read_row(batch_plan *plan, size_t i)
{
    batch_row *row = &plan->rows[i];
    batch_command command;
    row->cells = &plan->table.rows[i];
    row->id = (size_t)plan->id_column < row->cells->count ? row->cells->cells[plan->id_column] : "";
    int failed = judge_id(plan, row);
    if (failed) return failed;
    if (row->cells->count != plan->table.header.count) {
        cli_fail(CLI_EXIT_INPUT, "%s:%zu: wanted %zu cells, found %zu", plan->manifest,
                 row->cells->line, plan->table.header.count, row->cells->count);
        return note_problem(row, CLI_EXIT_INPUT);
    }
    failed = name_output(plan, row);
    if (failed) return at_line(plan, row, failed);
    failed = batch_command_make(plan, row, &command);
    batch_command_clear(&command);
    if (!failed) return 0;
    failed = at_line(plan, row, failed);
    return note_problem(row, failed);
}

static int compare_ids(const void *left, const void *right)
{
    const batch_row *a = *(const batch_row *const *)left, *b = *(const batch_row *const *)right;
    const int order = strcmp(a->id, b->id);
    return order ? order : (a->cells->line > b->cells->line) - (a->cells->line < b->cells->line);
}

static int check_ids(const batch_plan *plan)
{
    const batch_row **sorted = calloc(plan->count + 1, sizeof(batch_row *));
    if (!sorted) return cli_fail(CLI_EXIT_MEMORY, "%s: no memory", plan->manifest);
    int failed = 0;
    for (size_t i = 0; i < plan->count; i++)
        sorted[i] = &plan->rows[i];
    qsort(sorted, plan->count, sizeof *sorted, compare_ids);
    for (size_t i = 1; i < plan->count && !failed; i++)
        if (strcmp(sorted[i - 1]->id, sorted[i]->id) == 0)
            failed = cli_fail(CLI_EXIT_USAGE, "%s: lines %zu and %zu have the same id '%.100s'",
                              plan->manifest, sorted[i - 1]->cells->line, sorted[i]->cells->line,
                              sorted[i]->id);
    free(sorted);
    return failed;
}

/* --------------------------------------------------------------------------------------- files */

static void add_beside(void *files, const char *path)
{
    cli_files_add(files, "a file beside a scene", path, CLI_FILE_WRITTEN);
}

static void add_files(cli_files *files, const batch_row *row, const pipeline_options *o)
{
    char role[64], names[4096];
    const size_t line = row->cells->line;
    snprintf(role, sizeof role, "the image of line %zu", line);
    cli_files_add(files, role, o->work.input, CLI_FILE_READ);
    snprintf(role, sizeof role, "the prompts of line %zu", line);
    for (size_t i = 0; i < o->work.prompts.count; i++)
        cli_files_add(files, role, o->work.prompts.items[i], CLI_FILE_READ);
    snprintf(role, sizeof role, "the initial segmentation of line %zu", line);
    if (o->work.initial) cli_files_add(files, role, o->work.initial, CLI_FILE_READ);
    snprintf(role, sizeof role, "the boxes of line %zu", line);
    if (o->work.boxes) cli_files_add(files, role, o->work.boxes, CLI_FILE_READ);
    snprintf(role, sizeof role, "the mask prompts of line %zu", line);
    if (o->work.mask_prompts) cli_files_add(files, role, o->work.mask_prompts, CLI_FILE_READ);
    snprintf(role, sizeof role, "the reference of line %zu", line);
    if (o->work.reference) cli_files_add(files, role, o->work.reference, CLI_FILE_READ);
    snprintf(role, sizeof role, "the output of line %zu", line);
    cli_files_add(files, role, o->result.output, CLI_FILE_WRITTEN);
    sgio_segmentation_beside(o->result.output, NULL, add_beside, files);
    snprintf(role, sizeof role, "the report of line %zu", line);
    cli_files_add(files, role, o->result.report, CLI_FILE_WRITTEN);
    snprintf(role, sizeof role, "the picture of line %zu", line);
    if (o->result.picture) cli_files_add(files, role, o->result.picture, CLI_FILE_WRITTEN);
    snprintf(role, sizeof role, "the names of line %zu", line);
    if (batch_output_labels(o->result.output, names, sizeof names))
        cli_files_add(files, role, names, CLI_FILE_WRITTEN);
}

static void add_collected(void *files, const char *path)
{
    cli_files_add(files, "--output", path, CLI_FILE_WRITTEN);
}

static int is_inside(const batch_plan *plan, const char *path)
{
    char *inside = NULL;
    const int failed = batch_output_inside(plan->folder, path, &inside);
    free(inside);
    return !failed;
}

static int keep_names(batch_row *row, const result_options *options)
{
    row->report = strdup(options->report);
    row->picture = options->picture ? strdup(options->picture) : NULL;
    return row->report && (row->picture || !options->picture)
               ? 0
               : cli_fail(CLI_EXIT_MEMORY, "no memory for a file name");
}

static int check_files(const batch_plan *plan)
{
    cli_files files = {0};
    int failed = 0;
    cli_files_add_options(&files, plan->options, "");
    for (size_t i = 0; i < plan->count && !failed; i++) {
        batch_row *row = &plan->rows[i];
        batch_command command;
        if (row->problem) continue;
        failed = batch_command_make(plan, row, &command);
        if (!failed) add_files(&files, row, &command.typed);
        if (!failed && command.typed.result.picture &&
            !is_inside(plan, command.typed.result.picture))
            failed = at_line(plan, row, CLI_EXIT_USAGE);
        if (!failed && !is_inside(plan, command.typed.result.report))
            failed = at_line(plan, row, CLI_EXIT_USAGE);
        if (!failed) failed = keep_names(row, &command.typed.result);
        batch_command_clear(&command);
    }
    if (!failed) failed = batch_collect_files(plan, add_collected, &files);
    if (!failed) failed = cli_files_compare(&files);
    cli_files_clear(&files);
    return failed;
}

/* ---------------------------------------------------------------------------------------- plan */

static int read_root(batch_plan *plan)
{
    const char *slash = strrchr(plan->manifest, '/');
    plan->root = slash ? strndup(plan->manifest,
                                 slash == plan->manifest ? 1 : (size_t)(slash - plan->manifest))
                       : strdup(".");
    cli_buffer inputs = {0}, outputs = {0};
    cli_buffer_printf(&inputs, "%s/", plan->root ? plan->root : "");
    cli_buffer_printf(&outputs, "%s/", plan->folder);
    plan->inputs = inputs.text;
    plan->outputs = outputs.text;
    return plan->root && !inputs.failed && !outputs.failed
               ? 0
               : cli_fail(CLI_EXIT_MEMORY, "no memory for a file name");
}

static int read_rows(batch_plan *plan)
{
    int failed = 0;
    plan->rows = calloc(plan->table.row_count + 1, sizeof *plan->rows);
    if (!plan->rows) return cli_fail(CLI_EXIT_MEMORY, "%s: no memory", plan->manifest);
    for (size_t i = 0; i < plan->table.row_count && !failed; i++) {
        failed = read_row(plan, i);
        plan->count++;
    }
    if (!failed && plan->count == 0)
        failed = cli_fail(CLI_EXIT_USAGE, "%s: the manifest lists nothing", plan->manifest);
    return failed;
}

static int is_names_file(const batch_row *row, const char *path)
{
    char names[4096];
    return row->output && batch_output_labels(row->output, names, sizeof names) &&
           strcmp(names, path) == 0;
}

/* Where a row's own names, of the id "labels", take the place of the table, it lies with the status
 * files. */
static int name_table(batch_plan *plan)
{
    cli_buffer path = {0}, other = {0};
    int taken = 0;
    cli_buffer_printf(&path, "%s/" BATCH_LABELS_FILE, plan->folder);
    cli_buffer_printf(&other, "%s/promptseg/" BATCH_LABELS_FILE, plan->folder);
    if (path.failed || other.failed) {
        cli_buffer_clear(&path);
        cli_buffer_clear(&other);
        return cli_fail(CLI_EXIT_MEMORY, "no memory for a file name");
    }
    for (size_t i = 0; i < plan->count && !taken; i++)
        taken = is_names_file(&plan->rows[i], path.text);
    plan->labels_path = taken ? other.text : path.text;
    cli_buffer_clear(taken ? &path : &other);
    return 0;
}

int batch_plan_read(const cli_options *options, const void *promptseg_xml, size_t xml_size,
                    batch_plan *out)
{
    memset(out, 0, sizeof *out);
    out->options = options;
    out->manifest = cli_text(options, "manifest");
    out->folder = cli_text(options, "output");
    int failed = cli_tool_parse(promptseg_xml, xml_size, &out->tool);
    if (!failed) failed = read_root(out);
    if (!failed) failed = cli_table_read(out->manifest, &out->table);
    if (!failed) failed = read_columns(out);
    if (!failed) failed = read_rows(out);
    if (!failed) failed = check_ids(out);
    if (!failed) failed = name_table(out);
    if (!failed) failed = check_files(out);
    return failed;
}

void batch_plan_clear(batch_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->rows[i].output);
        free(plan->rows[i].report);
        free(plan->rows[i].picture);
        free(plan->rows[i].problem);
        for (size_t k = 0; k < plan->rows[i].name_count; k++)
            free(plan->rows[i].names[k]);
        free(plan->rows[i].names);
    }
    free(plan->rows);
    free(plan->columns);
    free(plan->root);
    free(plan->inputs);
    free(plan->outputs);
    free(plan->labels_path);
    label_values_clear(&plan->labels);
    cli_table_clear(&plan->table);
    cli_tool_free(plan->tool);
    memset(plan, 0, sizeof *plan);
}
