#include "batch_run.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "batch_done.h"
#include "batch_hash.h"
#include "batch_item.h"
#include "batch_line.h"
#include "cli_cancel.h"
#include "cli_clock.h"
#include "cli_exit.h"
#include "cli_text.h"

/* Between two kinds of threads. */
typedef struct batch_queue {
    batch_item *first;
    int count; /* those in it, and those taken out of it that are not settled */
} batch_queue;

/* Rows go from the reader to the workers, one per engine, and from them to as many writers: while a
 * volume is read, or files are flushed to the disk, the engines compute. */
typedef struct batch_floor {
    const batch_job *job;
    pthread_mutex_t book;  /* the journal and the states of rows; taken before `mutex` */
    pthread_mutex_t mutex; /* all that follows, and standard output; never held while files are
                              read or written */
    pthread_cond_t changed;
    batch_queue read, made;
    int reading, working; /* threads that may still put something into them */
    int failed;           /* why the batch cannot go on */
    char message[1024];
    size_t wanted, finished;
    double started;
} batch_floor;

typedef struct batch_worker {
    batch_floor *floor;
    pipeline_engine *engine;
    pthread_t working, writing;
} batch_worker;

/* -------------------------------------------------------------------------------------- queues */

/* Stops the batch; the mutex is held. */
static void stop(batch_floor *floor, int code)
{
    if (!floor->failed) {
        floor->failed = code;
        snprintf(floor->message, sizeof floor->message, "%s", cli_last_message());
    }
    pthread_cond_broadcast(&floor->changed);
}

static void stop_from_outside(batch_floor *floor, int code)
{
    pthread_mutex_lock(&floor->mutex);
    stop(floor, code);
    pthread_mutex_unlock(&floor->mutex);
}

static int must_stop(const batch_floor *floor)
{
    return floor->failed || cli_cancelled(NULL);
}

/* Waits for a place, of which there is one per engine. 0 when the batch must stop. */
static int take_place(batch_floor *floor, batch_queue *queue)
{
    pthread_mutex_lock(&floor->mutex);
    while (queue->count >= floor->job->engine_count && !must_stop(floor))
        pthread_cond_wait(&floor->changed, &floor->mutex);
    const int going_on = !must_stop(floor);
    queue->count += going_on;
    pthread_mutex_unlock(&floor->mutex);
    return going_on;
}

/* Gives a place back. */
static void settle(batch_floor *floor, batch_queue *queue)
{
    pthread_mutex_lock(&floor->mutex);
    queue->count--;
    pthread_cond_broadcast(&floor->changed);
    pthread_mutex_unlock(&floor->mutex);
}

/* Into the place that was taken. */
static void push(batch_floor *floor, batch_queue *queue, batch_item *item)
{
    pthread_mutex_lock(&floor->mutex);
    batch_item **end = &queue->first;
    while (*end)
        end = &(*end)->next;
    *end = item;
    pthread_cond_broadcast(&floor->changed);
    pthread_mutex_unlock(&floor->mutex);
}

/* The next item, whose place is to be settled; NULL when nobody fills the queue any more, or the
 * batch must stop. */
static batch_item *pop(batch_floor *floor, batch_queue *queue, const int *filling)
{
    pthread_mutex_lock(&floor->mutex);
    while (!queue->first && *filling && !must_stop(floor))
        pthread_cond_wait(&floor->changed, &floor->mutex);
    batch_item *item = must_stop(floor) ? NULL : queue->first;
    if (item) {
        queue->first = item->next;
        item->next = NULL;
    }
    pthread_mutex_unlock(&floor->mutex);
    return item;
}

/* A thread that filled a queue ends. */
static void leave(batch_floor *floor, int *filling)
{
    pthread_mutex_lock(&floor->mutex);
    --*filling;
    pthread_cond_broadcast(&floor->changed);
    pthread_mutex_unlock(&floor->mutex);
}

static void let_go(batch_floor *floor, batch_item *item)
{
    pthread_mutex_lock(&floor->book);
    batch_journal_release(floor->job->journal, item->row);
    pthread_mutex_unlock(&floor->book);
    batch_item_free(item);
}

/* -------------------------------------------------------------------------------------- reader */

/* Whether the row is still to be done once it is ours; the book is held. */
static int claim(const batch_job *job, size_t i)
{
    batch_row *row = &job->plan->rows[i];
    if (!batch_journal_claim(job->journal, i)) {
        row->state = BATCH_ELSEWHERE;
        return 0;
    }
    if (!batch_is_done(job->plan, job->journal, i)) return 1;
    row->state = BATCH_DONE; /* by another process, meanwhile */
    batch_journal_release(job->journal, i);
    return 0;
}

/* One row whose place in the queue is taken. */
static void read_row(batch_floor *floor, size_t i)
{
    pthread_mutex_lock(&floor->book);
    const int ours = claim(floor->job, i);
    pthread_mutex_unlock(&floor->book);
    batch_item *item = ours ? batch_item_read(floor->job, i) : NULL;
    if (item)
        push(floor, &floor->read, item);
    else
        settle(floor, &floor->read);
    if (ours && !item)
        stop_from_outside(floor, cli_fail(CLI_EXIT_MEMORY, "out of memory while reading a case"));
}

/* Only this thread and the writers change the states of rows, and no writer that of a row that
 * waits to be read. */
static void *reader(void *user)
{
    batch_floor *floor = user;
    const batch_plan *plan = floor->job->plan;
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->rows[i].state != BATCH_WAITING) continue;
        if (!take_place(floor, &floor->read)) break;
        read_row(floor, i);
    }
    leave(floor, &floor->reading);
    return NULL;
}

/* ------------------------------------------------------------------------------------- workers */

static void *worker(void *user)
{
    const batch_worker *w = user;
    batch_floor *floor = w->floor;
    batch_item *item;
    while ((item = pop(floor, &floor->read, &floor->reading)) != NULL) {
        settle(floor, &floor->read);
        batch_item_segment(item, w->engine);
        if (take_place(floor, &floor->made))
            push(floor, &floor->made, item);
        else
            let_go(floor, item);
    }
    leave(floor, &floor->working);
    return NULL;
}

/* ------------------------------------------------------------------------------------- writers */

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

/* The first of the row's own warnings: all are in its report and in results.csv. */
static void describe_warnings(const batch_job *job, const batch_item *item, char *out, size_t size)
{
    const size_t first = job->warnings->count, count = item->warnings.count;
    *out = '\0';
    if (count <= first) return;
    const int used = snprintf(out, size, "; warning: %.600s", item->warnings.sentences[first]);
    if (count > first + 1)
        snprintf(out + used, size - (size_t)used, " (and %zu more)", count - first - 1);
}

static void say(batch_floor *floor, const batch_item *item)
{
    char id[256], left[64], warnings[700];
    const batch_job *job = floor->job;
    cli_clean_copy(id, sizeof id, job->plan->rows[item->row].id,
                   CLI_CLEAN_LINES | CLI_CLEAN_BRACKETS);
    pthread_mutex_lock(&floor->mutex);
    floor->finished++;
    describe_left(floor, left, sizeof left);
    describe_warnings(job, item, warnings, sizeof warnings);
    cli_progress_update(job->progress, (double)floor->finished / (double)floor->wanted, id);
    if (!job->slicer && item->code)
        printf("%zu/%zu %s: failed: %s\n", floor->finished, floor->wanted, id, item->message);
    else if (!job->slicer)
        printf("%zu/%zu %s: %.2f s%s%s\n", floor->finished, floor->wanted, id, item->seconds, left,
               warnings);
    if (!job->slicer) fflush(stdout);
    pthread_mutex_unlock(&floor->mutex);
}

/* A line of the status file. */
static int append(const batch_plan *plan, batch_journal *journal, const batch_row *row,
                  const batch_outcome *outcome)
{
    char *line = batch_line_make(plan, row, outcome);
    const int failed = line ? batch_journal_append(journal, line, strlen(line))
                            : cli_fail(CLI_EXIT_MEMORY, "out of memory at the end of a case");
    free(line);
    return failed;
}

/* The row's files are there, or it failed: writes that down. The book is held. */
static int enter(const batch_job *job, const batch_item *item)
{
    batch_row *row = &job->plan->rows[item->row];
    known_paths paths;
    int failed = batch_line_paths(job->plan, &item->command, job->engines[0].model_path, &paths);
    const batch_outcome outcome = {.code = item->code,
                                   .message = item->message,
                                   .seconds = item->seconds,
                                   .before = batch_journal_before(job->journal, item->row),
                                   .work = &item->work,
                                   .warnings = &item->warnings,
                                   .first_warning = job->warnings->count,
                                   .paths = &paths,
                                   .result = item->code ? NULL : &item->result};
    if (!failed) failed = append(job->plan, job->journal, row, &outcome);
    known_paths_clear(&paths);
    if (!failed) row->state = item->code ? BATCH_FAILED : BATCH_DONE;
    return failed;
}

static void finish(batch_floor *floor, const batch_item *item)
{
    if (item->code == CLI_EXIT_CANCELLED) return;
    pthread_mutex_lock(&floor->book);
    const int failed = enter(floor->job, item);
    pthread_mutex_unlock(&floor->book);
    if (failed)
        stop_from_outside(floor, failed);
    else
        say(floor, item);
}

static void *writer(void *user)
{
    batch_floor *floor = user;
    batch_item *item;
    while ((item = pop(floor, &floor->made, &floor->working)) != NULL) {
        batch_item_write(item, floor->job);
        finish(floor, item);
        let_go(floor, item);
        settle(floor, &floor->made);
    }
    return NULL;
}

/* ----------------------------------------------------------------------------------------- run */

static void drop_items(batch_floor *floor, batch_queue *queue)
{
    while (queue->first) {
        batch_item *item = queue->first;
        queue->first = item->next;
        let_go(floor, item);
    }
}

static void no_thread(batch_floor *floor)
{
    stop_from_outside(floor, cli_fail(CLI_EXIT_MEMORY, "no further thread can be started"));
}

/* A worker and its writer; 0 when both run. */
static int start_worker(batch_worker *w)
{
    if (pthread_create(&w->writing, NULL, writer, w->floor) != 0) return -1;
    if (pthread_create(&w->working, NULL, worker, w) == 0) return 0;
    no_thread(w->floor); /* or the writer would wait for it */
    pthread_join(w->writing, NULL);
    return -1;
}

static void work(batch_floor *floor, batch_worker *workers)
{
    pthread_t reading;
    int started = 0;
    floor->reading = 1;
    floor->working = floor->job->engine_count;
    if (pthread_create(&reading, NULL, reader, floor) != 0) {
        no_thread(floor);
        return;
    }
    for (; started < floor->job->engine_count; started++) {
        workers[started] = (batch_worker){.floor = floor, .engine = &floor->job->engines[started]};
        if (start_worker(&workers[started]) != 0) break;
    }
    if (started < floor->job->engine_count) no_thread(floor);
    for (int i = 0; i < started; i++) {
        pthread_join(workers[i].working, NULL);
        pthread_join(workers[i].writing, NULL);
    }
    pthread_join(reading, NULL);
}

int batch_run(const batch_job *job)
{
    batch_floor floor = {.job = job, .started = cli_clock()};
    batch_worker *workers = calloc((size_t)job->engine_count, sizeof *workers);
    if (!workers) return cli_fail(CLI_EXIT_MEMORY, "out of memory before the first case");
    for (size_t i = 0; i < job->plan->count; i++)
        floor.wanted += job->plan->rows[i].state == BATCH_WAITING;
    pthread_mutex_init(&floor.book, NULL);
    pthread_mutex_init(&floor.mutex, NULL);
    pthread_cond_init(&floor.changed, NULL);
    work(&floor, workers);
    drop_items(&floor, &floor.read);
    drop_items(&floor, &floor.made);
    pthread_cond_destroy(&floor.changed);
    pthread_mutex_destroy(&floor.mutex);
    pthread_mutex_destroy(&floor.book);
    free(workers);
    if (floor.failed) return cli_fail(floor.failed, "%s", floor.message);
    return cli_cancelled(NULL) ? cli_fail(CLI_EXIT_CANCELLED, "cancelled") : 0;
}

int batch_note_problem(batch_plan *plan, batch_journal *journal, size_t i)
{
    batch_row *row = &plan->rows[i];
    const batch_entry *entry = batch_journal_entry(journal, i);
    known_paths paths;
    batch_command command;
    const batch_outcome outcome = {.code = row->problem_code,
                                   .message = row->problem,
                                   .paths = &paths,
                                   .before = batch_journal_before(journal, i)};
    row->state = BATCH_FAILED;
    row->key = batch_hash_text(row->problem);
    if (entry->known && !entry->done && entry->key == row->key) return 0;
    memset(&command, 0, sizeof command);
    if (row->output) batch_command_make(plan, row, &command); /* what can be read of it */
    int failed = batch_line_paths(plan, &command, NULL, &paths);
    if (!failed) failed = append(plan, journal, row, &outcome);
    known_paths_clear(&paths);
    batch_command_clear(&command);
    return failed;
}
