#include "batch_item.h"

#include <stdlib.h>

#include "batch_outputs.h"
#include "cli_clock.h"
#include "cli_exit.h"
#include "cli_text.h"

static void note(batch_item *item, int code, double started)
{
    item->seconds += cli_clock() - started;
    if (!code) return;
    item->code = code;
    cli_clean_copy(item->message, sizeof item->message, cli_last_message(), CLI_CLEAN_LINES);
}

static int make_folders(const result_options *options)
{
    int failed = batch_make_folder_of(options->output);
    if (!failed) failed = batch_make_folder_of(options->report);
    if (!failed && options->picture) failed = batch_make_folder_of(options->picture);
    return failed;
}

batch_item *batch_item_read(const batch_job *job, size_t row)
{
    const double started = cli_clock();
    batch_item *item = calloc(1, sizeof *item);
    if (!item) return NULL;
    item->row = row;
    item->warnings.quiet = 1;
    for (size_t i = 0; i < job->warnings->count; i++)
        cli_warn(&item->warnings, job->warnings->sentences[i]);
    int failed = batch_command_make(job->plan, &job->plan->rows[row], &item->command);
    item->command.typed.result.labels = &job->plan->labels;
    if (!failed)
        failed = pipeline_case_read(&item->command.typed.work, &item->warnings, &item->work);
    if (!failed) failed = make_folders(&item->command.typed.result);
    if (!failed) failed = pipeline_result_check(&item->work, &item->command.typed.result);
    note(item, failed, started);
    return item;
}

static void no_progress(void *user, double fraction, const char *message)
{
    (void)user;
    (void)fraction;
    (void)message;
}

void batch_item_segment(batch_item *item, pipeline_engine *engine)
{
    const double started = cli_clock();
    if (item->code) return;
    item->engine = engine;
    note(item,
         pipeline_result_make(engine, &item->work, &item->command.typed.result,
                              (engine_progress){no_progress, NULL}, &item->result),
         started);
}

/* The row's own words, and a thumbnail for the contact sheet; names of a plain label map. */
void batch_item_write(batch_item *item, const batch_job *job)
{
    char thumbnail[4096], names[4096];
    const double started = cli_clock();
    const batch_row *row = &job->plan->rows[item->row];
    result_options options = item->command.typed.result;
    if (item->code) return;
    const result_maker maker = {
        .program = "PromptSegBatch", .version = job->version, .started = started - item->seconds};
    snprintf(thumbnail, sizeof thumbnail, "%s/promptseg/thumbnails/%s.png", job->plan->folder,
             row->id);
    options.thumbnail = thumbnail;
    if (batch_output_labels(row->output, names, sizeof names) ||
        cli_switch(job->plan->options, "bids"))
        options.names = names;
    int failed = batch_make_folder_of(thumbnail);
    if (!failed)
        failed = pipeline_result_write(&item->result, item->engine, &item->work, &options, &maker);
    note(item, failed, started);
}

void batch_item_free(batch_item *item)
{
    pipeline_result_clear(&item->result);
    pipeline_case_clear(&item->work);
    batch_command_clear(&item->command);
    cli_warnings_clear(&item->warnings);
    free(item);
}
