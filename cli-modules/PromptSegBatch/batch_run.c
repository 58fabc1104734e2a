#include "batch_run.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "batch_key.h"
#include "batch_line.h"
#include "batch_outputs.h"
#include "cli_cancel.h"
#include "cli_clock.h"
#include "cli_exit.h"
#include "cli_text.h"
#include "result.h"

/* One row on its way. */
typedef struct batch_item {
    size_t row;
    double started;
    batch_command command;
    cli_warnings warnings;
    pipeline_case work;
    int code; /* of the failure so far */
    char message[1024];
    struct batch_item *next;
} batch_item;

typedef struct batch_floor {
    const batch_job *job;
    pthread_mutex_t mutex; /* all that follows, the journal, states of rows, standard output */
    pthread_cond_t changed;
    batch_item *first; /* read, not yet taken */
    int waiting;       /* how many those are */
    int reader_done;
    int failed; /* why the batch cannot go on */
    char message[1024];
    size_t wanted, finished;
    double started;
} batch_floor;

typedef struct batch_worker {
    batch_floor *floor;
    pipeline_engine *engine;
    pthread_t thread;
} batch_worker;

/* --------------------------------------------------------------------------------------- items */

static void fail_item(batch_item *item, int code)
{
    item->code = code;
    cli_clean_copy(item->message, sizeof item->message, cli_last_message(), CLI_CLEAN_LINES);
}

static void free_item(batch_item *item)
{
    pipeline_case_clear(&item->work);
    batch_command_clear(&item->command);
    cli_warnings_clear(&item->warnings);
    free(item);
}

static int make_folders(const result_options *options)
{
    int failed = batch_make_folder_of(options->output);
    if (!failed) failed = batch_make_folder_of(options->report);
    if (!failed && options->picture) failed = batch_make_folder_of(options->picture);
    return failed;
}

static batch_item *read_item(const batch_job *job, size_t row)
{
    batch_item *item = calloc(1, sizeof *item);
    if (!item) return NULL;
    item->row = row;
    item->started = cli_clock();
    item->warnings.quiet = 1;
    for (size_t i = 0; i < job->warnings->count; i++)
        cli_warn(&item->warnings, job->warnings->sentences[i]);
    int failed = batch_command_make(job->plan, &job->plan->rows[row], &item->command);
    if (!failed)
        failed = pipeline_case_read(&item->command.typed.work, &item->warnings, &item->work);
    if (!failed) failed = make_folders(&item->command.typed.result);
    if (!failed) failed = pipeline_result_check(&item->work, &item->command.typed.result);
    if (failed) fail_item(item, failed);
    return item;
}

/* -------------------------------------------------------------------------------------- reader */

/* Stops the batch; the mutex is held. */
static void stop(batch_floor *floor, int code)
{
    if (!floor->failed) {
        floor->failed = code;
        snprintf(floor->message, sizeof floor->message, "%s", cli_last_message());
    }
    pthread_cond_broadcast(&floor->changed);
}

static int must_stop(const batch_floor *floor)
{
    return floor->failed || cli_cancel_flag;
}

/* Whether the row is still to be done once it is ours; the mutex is held. */
static int claim(batch_floor *floor, size_t i)
{
    batch_row *row = &floor->job->plan->rows[i];
    struct stat info;
    if (!batch_journal_claim(floor->job->journal, i)) {
        row->state = BATCH_ELSEWHERE;
        return 0;
    }
    const batch_entry *entry = batch_journal_entry(floor->job->journal, i);
    if (!entry->known || !entry->done || entry->key != row->key || stat(row->output, &info) != 0)
        return 1;
    row->state = BATCH_DONE; /* by another process, meanwhile */
    batch_journal_release(floor->job->journal, i);
    return 0;
}

static void push(batch_floor *floor, batch_item *item)
{
    batch_item **end = &floor->first;
    while (*end)
        end = &(*end)->next;
    *end = item;
    floor->waiting++;
    pthread_cond_broadcast(&floor->changed);
}

static void read_row(batch_floor *floor, size_t i)
{
    while (floor->waiting >= floor->job->engine_count && !must_stop(floor))
        pthread_cond_wait(&floor->changed, &floor->mutex);
    if (must_stop(floor) || !claim(floor, i)) return;
    pthread_mutex_unlock(&floor->mutex);
    batch_item *item = read_item(floor->job, i);
    pthread_mutex_lock(&floor->mutex);
    if (item)
        push(floor, item);
    else
        stop(floor, cli_fail(CLI_EXIT_MEMORY, "out of memory while reading a case"));
}

static void *reader(void *user)
{
    batch_floor *floor = user;
    const batch_plan *plan = floor->job->plan;
    pthread_mutex_lock(&floor->mutex);
    for (size_t i = 0; i < plan->count && !must_stop(floor); i++)
        if (plan->rows[i].state == BATCH_WAITING) read_row(floor, i);
    floor->reader_done = 1;
    pthread_cond_broadcast(&floor->changed);
    pthread_mutex_unlock(&floor->mutex);
    return NULL;
}

/* ------------------------------------------------------------------------------------- workers */

static void describe_left(const batch_floor *floor, char *out, size_t size)
{
    const double each = (cli_clock() - floor->started) / (double)floor->finished;
    const double left = each * (double)(floor->wanted - floor->finished);
    if (floor->finished == floor->wanted)
        *out = '\0';
    else if (left < 100)
        snprintf(out, size, "; about %.0f s left", left);
    else if (left < 6000)
        snprintf(out, size, "; about %.0f min left", left / 60);
    else
        snprintf(out, size, "; about %.1f h left", left / 3600);
}

/* The mutex is held. */
static void say(batch_floor *floor, const batch_item *item)
{
    char id[256], left[64];
    const batch_job *job = floor->job;
    cli_clean_copy(id, sizeof id, job->plan->rows[item->row].id,
                   CLI_CLEAN_LINES | CLI_CLEAN_BRACKETS);
    describe_left(floor, left, sizeof left);
    cli_progress_update(job->progress, (double)floor->finished / (double)floor->wanted, id);
    if (job->slicer) return;
    if (item->code)
        printf("%zu/%zu %s: failed: %s\n", floor->finished, floor->wanted, id, item->message);
    else
        printf("%zu/%zu %s: %.2f s%s%s\n", floor->finished, floor->wanted, id,
               cli_clock() - item->started, item->warnings.count ? ", with warnings" : "", left);
    fflush(stdout);
}

/* The row's files are there, or it failed: writes that down. The mutex is held. */
static void finish(batch_floor *floor, const batch_item *item, const pipeline_result *result)
{
    const batch_job *job = floor->job;
    batch_row *row = &job->plan->rows[item->row];
    if (item->code == CLI_EXIT_CANCELLED) return;
    const batch_outcome outcome = {.code = item->code,
                                   .message = item->message,
                                   .seconds = cli_clock() - item->started,
                                   .work = &item->work,
                                   .result = item->code ? NULL : result};
    char *line = batch_line_make(job->plan, row, &outcome);
    const int failed = line ? batch_journal_append(job->journal, line, strlen(line))
                            : cli_fail(CLI_EXIT_MEMORY, "out of memory at the end of a case");
    free(line);
    if (failed) {
        stop(floor, failed);
        return;
    }
    row->state = item->code ? BATCH_FAILED : BATCH_DONE;
    floor->finished++;
    say(floor, item);
}

static void no_progress(void *user, double fraction, const char *message)
{
    (void)user;
    (void)fraction;
    (void)message;
}

static int segment(const batch_job *job, pipeline_engine *engine, batch_item *item,
                   pipeline_result *result)
{
    char thumbnail[4096], names[4096];
    const batch_row *row = &job->plan->rows[item->row];
    result_options options = item->command.typed.result;
    const result_maker maker = {"PromptSegBatch", job->version, item->started};
    snprintf(thumbnail, sizeof thumbnail, "%s/promptseg/thumbnails/%s.png", job->plan->folder,
             row->id);
    options.thumbnail = thumbnail;
    if (cli_switch(job->plan->options, "bids")) {
        snprintf(names, sizeof names, "%.*s.tsv", (int)batch_output_stem(row->output), row->output);
        options.names = names;
    }
    int failed =
        pipeline_result_make(engine, &item->work, (engine_progress){no_progress, NULL}, result);
    if (!failed) failed = batch_make_folder_of(thumbnail);
    if (!failed) failed = pipeline_result_write(result, engine, &item->work, &options, &maker);
    return failed;
}

static batch_item *pop(batch_floor *floor)
{
    while (!floor->first && !floor->reader_done && !must_stop(floor))
        pthread_cond_wait(&floor->changed, &floor->mutex);
    batch_item *item = must_stop(floor) ? NULL : floor->first;
    if (!item) return NULL;
    floor->first = item->next;
    floor->waiting--;
    pthread_cond_broadcast(&floor->changed);
    return item;
}

static void *worker(void *user)
{
    const batch_worker *w = user;
    batch_floor *floor = w->floor;
    pthread_mutex_lock(&floor->mutex);
    for (batch_item *item = pop(floor); item; item = pop(floor)) {
        pipeline_result result = {0};
        pthread_mutex_unlock(&floor->mutex);
        const int failed = item->code ? 0 : segment(floor->job, w->engine, item, &result);
        if (failed) fail_item(item, failed);
        pthread_mutex_lock(&floor->mutex);
        finish(floor, item, &result);
        batch_journal_release(floor->job->journal, item->row);
        pthread_mutex_unlock(&floor->mutex);
        pipeline_result_clear(&result);
        free_item(item);
        pthread_mutex_lock(&floor->mutex);
    }
    pthread_cond_broadcast(&floor->changed);
    pthread_mutex_unlock(&floor->mutex);
    return NULL;
}

/* ----------------------------------------------------------------------------------------- run */

static void drop_items(batch_floor *floor)
{
    while (floor->first) {
        batch_item *item = floor->first;
        floor->first = item->next;
        batch_journal_release(floor->job->journal, item->row);
        free_item(item);
    }
}

/* The mutex is not held. */
static void no_thread(batch_floor *floor)
{
    pthread_mutex_lock(&floor->mutex);
    stop(floor, cli_fail(CLI_EXIT_MEMORY, "no further thread can be started"));
    pthread_mutex_unlock(&floor->mutex);
}

static void work(batch_floor *floor, batch_worker *workers)
{
    pthread_t reading;
    int started = 0;
    if (pthread_create(&reading, NULL, reader, floor) != 0) {
        no_thread(floor);
        return;
    }
    for (; started < floor->job->engine_count; started++) {
        workers[started] = (batch_worker){floor, &floor->job->engines[started], 0};
        if (pthread_create(&workers[started].thread, NULL, worker, &workers[started]) != 0) break;
    }
    if (started < floor->job->engine_count) no_thread(floor);
    for (int i = 0; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    pthread_join(reading, NULL);
}

int batch_run(const batch_job *job)
{
    batch_floor floor = {.job = job, .started = cli_clock()};
    batch_worker *workers = calloc((size_t)job->engine_count, sizeof *workers);
    if (!workers) return cli_fail(CLI_EXIT_MEMORY, "out of memory before the first case");
    for (size_t i = 0; i < job->plan->count; i++)
        floor.wanted += job->plan->rows[i].state == BATCH_WAITING;
    pthread_mutex_init(&floor.mutex, NULL);
    pthread_cond_init(&floor.changed, NULL);
    work(&floor, workers);
    drop_items(&floor);
    pthread_cond_destroy(&floor.changed);
    pthread_mutex_destroy(&floor.mutex);
    free(workers);
    if (floor.failed) return cli_fail(floor.failed, "%s", floor.message);
    return cli_cancel_flag ? cli_fail(CLI_EXIT_CANCELLED, "cancelled") : 0;
}

int batch_note_problem(batch_plan *plan, batch_journal *journal, size_t i)
{
    batch_row *row = &plan->rows[i];
    const batch_entry *entry = batch_journal_entry(journal, i);
    const batch_outcome outcome = {.code = row->problem_code, .message = row->problem};
    row->state = BATCH_FAILED;
    row->key = batch_hash_text(row->problem);
    if (entry->known && !entry->done && entry->key == row->key) return 0;
    char *line = batch_line_make(plan, row, &outcome);
    const int failed = line ? batch_journal_append(journal, line, strlen(line))
                            : cli_fail(CLI_EXIT_MEMORY, "out of memory before the first case");
    free(line);
    return failed;
}
