/* From a row to PromptSeg's command line. */
#include <stdlib.h>
#include <string.h>

#include "batch_outputs.h"
#include "batch_plan.h"
#include "cli_exit.h"

static int no_memory(void)
{
    return cli_fail(CLI_EXIT_MEMORY, "out of memory while reading the manifest");
}

static int add_word(batch_command *command, cli_buffer *word)
{
    if (command->count == command->capacity) {
        const size_t capacity = command->capacity * 2 + 16;
        char **grown = realloc(command->words, capacity * sizeof *grown);
        if (!grown) word->failed = 1;
        if (grown) command->words = grown;
        if (grown) command->capacity = capacity;
    }
    if (word->failed) {
        cli_buffer_clear(word);
        return no_memory();
    }
    command->words[command->count++] = word->text;
    return 0;
}

static int add_value(batch_command *command, const cli_parameter *p, const char *root,
                     const char *value)
{
    cli_buffer word = {0};
    const int relative = p->kind == CLI_PATH && root && value[0] != '/';
    cli_buffer_printf(&word, "--%s=%s%s%s", p->long_flag, relative ? root : "", relative ? "/" : "",
                      value);
    return add_word(command, &word);
}

static int add_switch(batch_command *command, const cli_parameter *p, const char *value)
{
    static const char *const on[] = {"true", "1", "yes"}, *const off[] = {"false", "0", "no"};
    cli_buffer word = {0};
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(value, off[i]) == 0) return 0;
        if (strcmp(value, on[i]) != 0) continue;
        cli_buffer_printf(&word, "--%s", p->long_flag);
        return add_word(command, &word);
    }
    return cli_fail(CLI_EXIT_USAGE, "%s wants true or false, found '%s'", p->long_flag, value);
}

/* The values between semicolons. */
static int add_values(batch_command *command, const cli_parameter *p, const char *root,
                      const char *cell)
{
    int failed = 0;
    char *copy = strdup(cell), *rest = NULL;
    if (!copy) return no_memory();
    for (char *value = strtok_r(copy, ";", &rest); value && !failed;
         value = strtok_r(NULL, ";", &rest))
        failed = add_value(command, p, root, value + strspn(value, " "));
    free(copy);
    return failed;
}

static int add_cell(batch_command *command, const batch_plan *plan, const cli_parameter *p,
                    const char *cell)
{
    if (p->kind == CLI_BOOLEAN) return add_switch(command, p, cell);
    const char *root = p->is_output ? plan->folder : plan->root;
    if (p->multiple) return add_values(command, p, root, cell);
    return add_value(command, p, root, cell);
}

static const char *cell_of(const batch_plan *plan, const batch_row *row, const cli_parameter *p)
{
    for (size_t i = 0; i < plan->table.header.count; i++)
        if (plan->columns[i] == p) return row->cells->cells[i];
    return "";
}

/* What the batch's command line says for all rows. */
static int add_common(batch_command *command, const batch_plan *plan, const cli_parameter *p)
{
    int failed = 0;
    for (size_t i = 0; i < cli_given(plan->options, p->name) && !failed; i++)
        failed = p->kind == CLI_BOOLEAN
                     ? add_switch(command, p, "true")
                     : add_value(command, p, NULL, cli_text_at(plan->options, p->name, i));
    return failed;
}

static int add_options(batch_command *command, const batch_plan *plan, const batch_row *row)
{
    int failed = 0;
    for (size_t i = 0; i < plan->tool->parameter_count && !failed; i++) {
        const cli_parameter *p = &plan->tool->parameters[i];
        if (!p->long_flag) continue;
        const char *cell = cell_of(plan, row, p);
        failed = *cell ? add_cell(command, plan, p, cell) : add_common(command, plan, p);
    }
    return failed;
}

static int add_report(batch_command *command, const batch_plan *plan, const batch_row *row)
{
    const cli_parameter *report = cli_tool_find(plan->tool, "report");
    cli_buffer word = {0};
    if (*cell_of(plan, row, report)) return 0;
    const size_t stem = batch_output_stem(row->output);
    cli_buffer_printf(&word, "--report=%.*s.json", (int)stem, row->output);
    return add_word(command, &word);
}

static int add_files(batch_command *command, const batch_plan *plan, const batch_row *row)
{
    const char *image = row->cells->cells[plan->image_column];
    cli_buffer dashes = {0}, input = {0}, output = {0};
    if (!*image) return cli_fail(CLI_EXIT_USAGE, "the image is not named");
    cli_buffer_printf(&dashes, "--");
    cli_buffer_printf(&input, "%s%s%s", image[0] == '/' ? "" : plan->root,
                      image[0] == '/' ? "" : "/", image);
    cli_buffer_printf(&output, "%s", row->output);
    int failed = add_word(command, &dashes);
    if (!failed)
        failed = add_word(command, &input);
    else
        cli_buffer_clear(&input);
    if (!failed)
        failed = add_word(command, &output);
    else
        cli_buffer_clear(&output);
    return failed;
}

int batch_command_make(const batch_plan *plan, const batch_row *row, batch_command *out)
{
    cli_buffer name = {0};
    memset(out, 0, sizeof *out);
    cli_buffer_printf(&name, "PromptSeg");
    int failed = add_word(out, &name);
    if (!failed) failed = add_options(out, plan, row);
    if (!failed) failed = add_report(out, plan, row);
    if (!failed) failed = add_files(out, plan, row);
    if (!failed) failed = cli_options_parse(plan->tool, (int)out->count, out->words, &out->parsed);
    return failed ? failed : pipeline_options_read(out->parsed, &out->typed);
}

void batch_command_clear(batch_command *command)
{
    pipeline_options_clear(&command->typed);
    cli_options_free(command->parsed);
    for (size_t i = 0; i < command->count; i++)
        free(command->words[i]);
    free(command->words);
    memset(command, 0, sizeof *command);
}
