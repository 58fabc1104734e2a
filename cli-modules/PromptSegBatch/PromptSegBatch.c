/* PromptSegBatch: PromptSeg over many volumes, the model loaded once; can be stopped, resumed and
 * dealt to several machines.
 *
 * manifest -> plan (rows, checked as a whole) -> rows that are not done -> engines -> results. */
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "batch_agree.h"
#include "batch_bids.h"
#include "batch_collect.h"
#include "batch_done.h"
#include "batch_key.h"
#include "batch_labels.h"
#include "batch_outputs.h"
#include "batch_run.h"
#include "batch_scan.h"
#include "batch_shard.h"
#include "cli_clock.h"
#include "cli_embed.h"
#include "cli_files.h"
#include "cli_program.h"
#include "cli_text.h"
#include "core/system.h"

CLI_DECLARE_EMBEDDED(PromptSegBatch_xml);
CLI_DECLARE_EMBEDDED(PromptSeg_xml);

enum { MOST_JOBS = 64 };

typedef struct batch {
    cli_program *program;
    double started;
    batch_shard shard;
    batch_plan plan;
    batch_journal *journal;
    pipeline_engine engines[MOST_JOBS];
    int engine_count;
    size_t done, failed, waiting; /* rows of this shard */
    cli_warnings about_labels;    /* of the batch, and no case's own */
} batch;

/* ----------------------------------------------------------------------------- before the work */

static int check_usage(const cli_options *options)
{
    if (cli_given(options, "makeManifest") || cli_given(options, "output")) return 0;
    return cli_fail(CLI_EXIT_USAGE, "--output is missing: the folder for the results");
}

static int make_manifest(const cli_options *options)
{
    cli_files files = {0};
    cli_files_add(&files, "--makeManifest", cli_text(options, "makeManifest"), CLI_FILE_READ);
    cli_files_add(&files, "<manifest>", cli_text(options, "manifest"), CLI_FILE_WRITTEN);
    int failed = cli_files_check(&files);
    cli_files_clear(&files);
    return failed ? failed
                  : batch_scan(cli_text(options, "makeManifest"), cli_text(options, "manifest"));
}

/* Threads are shared out between the engines. */
static int open_engines(batch *b)
{
    const cli_options *options = b->program->options;
    engine_options wanted;
    pipeline_read_engine(options, &wanted);
    const int jobs = (int)cli_integer(options, "jobs");
    const int threads = wanted.threads ? wanted.threads : sgm_available_cores();
    if (jobs > 1) wanted.threads = threads / jobs > 0 ? threads / jobs : 1;
    int failed = 0;
    while (b->engine_count < jobs && !failed) {
        failed = pipeline_engine_open(&wanted, &b->program->warnings, &b->engines[b->engine_count]);
        b->engine_count++;
    }
    return failed;
}

/* Failures that come from the row itself stay failures until it changes; memory, device and disk
 * may do better the next time. */
static int is_final(const batch_entry *entry)
{
    return entry->code == CLI_EXIT_USAGE || entry->code == CLI_EXIT_INPUT ||
           entry->code == CLI_EXIT_PROMPT;
}

static void judge_by_journal(batch *b, size_t i)
{
    batch_row *row = &b->plan.rows[i];
    const batch_entry *entry = batch_journal_entry(b->journal, i);
    if (!entry->known || entry->key != row->key) return;
    if (batch_is_done(&b->plan, b->journal, i)) row->state = BATCH_DONE;
    if (!entry->done && is_final(entry) && !cli_switch(b->program->options, "retryFailed"))
        row->state = BATCH_FAILED;
}

static int make_key(batch *b, batch_row *row)
{
    batch_command command;
    int failed = batch_command_make(&b->plan, row, &command);
    if (!failed)
        failed = batch_key_make(&command, &b->engines[0], b->program->tool->version, b->plan.folder,
                                &row->key);
    if (!failed) batch_labels_mix(&b->plan, row, &row->key);
    batch_command_clear(&command);
    if (!failed) return 0;
    row->problem_code = failed;
    row->problem = strdup(cli_last_message());
    return row->problem ? 0 : CLI_EXIT_MEMORY;
}

static int is_wanted(const batch *b, size_t i)
{
    const char *labels = cli_text(b->program->options, "participantLabel");
    return batch_shard_has(b->shard, i) &&
           (!*labels || batch_bids_is_of(b->plan.rows[i].id, labels));
}

static void say_problem(const batch_row *row)
{
    char id[256], problem[1024];
    printf("%s: cannot run: %s\n",
           cli_clean_copy(id, sizeof id, row->id, CLI_CLEAN_LINES | CLI_CLEAN_BRACKETS),
           cli_clean_copy(problem, sizeof problem, row->problem,
                          CLI_CLEAN_LINES | CLI_CLEAN_BRACKETS));
}

/* What is done, what cannot run, what waits: known for all rows before the first one runs. */
static int judge_row(batch *b, size_t i)
{
    batch_row *row = &b->plan.rows[i];
    int failed = 0;
    if (row->state == BATCH_ELSEWHERE) return 0;
    if (!row->problem) failed = make_key(b, row);
    if (!failed && row->problem) {
        say_problem(row);
        failed = batch_note_problem(&b->plan, b->journal, i);
    } else if (!failed) {
        judge_by_journal(b, i);
    }
    return failed;
}

static int judge_rows(batch *b)
{
    int failed = 0;
    for (size_t i = 0; i < b->plan.count && !failed; i++) {
        failed = cli_cancelled(NULL) ? cli_fail(CLI_EXIT_CANCELLED, "cancelled") : judge_row(b, i);
        b->waiting += b->plan.rows[i].state == BATCH_WAITING;
    }
    return failed;
}

static void leave_to_others(batch *b)
{
    for (size_t i = 0; i < b->plan.count; i++)
        if (!is_wanted(b, i)) b->plan.rows[i].state = BATCH_ELSEWHERE;
}

/* Reads what rows begin with, and may wait for another process that does: a signal ends it on the
 * spot. */
static int make_labels(batch *b)
{
    cli_cancel_at_once(b->program->name);
    const int failed = batch_labels_make(&b->plan, b->journal, &b->engines[0], b->shard.count > 1,
                                         &b->about_labels);
    cli_cancel_at_once(NULL);
    return failed;
}

static int prepare(batch *b)
{
    const cli_options *options = b->program->options;
    int failed = batch_shard_read(cli_given(options, "shard") ? cli_text(options, "shard") : NULL,
                                  &b->shard);
    if (!failed) failed = batch_plan_read(options, PromptSeg_xml, PromptSeg_xml_size, &b->plan);
    if (!failed) failed = batch_make_folder(b->plan.folder);
    if (!failed && cli_switch(options, "bids"))
        failed = batch_bids_describe(b->plan.folder, b->program->tool->version);
    if (!failed) failed = open_engines(b);
    if (!failed)
        failed = batch_journal_open(&b->plan, b->shard.number, b->shard.count, &b->journal);
    if (!failed) leave_to_others(b);
    if (!failed) failed = make_labels(b);
    return failed ? failed : judge_rows(b);
}

/* ------------------------------------------------------------------------------------ the work */

static int run_rows(batch *b)
{
    const cli_progress_mode mode =
        b->program->slicer ? CLI_PROGRESS_SLICER : CLI_PROGRESS_SILENT; /* lines tell enough */
    cli_progress progress;
    const batch_job job = {.plan = &b->plan,
                           .journal = b->journal,
                           .engines = b->engines,
                           .engine_count = b->engine_count,
                           .version = b->program->tool->version,
                           .warnings = &b->program->warnings,
                           .progress = &progress,
                           .slicer = b->program->slicer};
    cli_progress_start(&progress, mode, stdout, "PromptSegBatch", "Segmenting");
    const int failed = batch_run(&job);
    cli_progress_end(&progress);
    return failed;
}

static int collect(batch *b)
{
    const pipeline_engine *engine = &b->engines[0];
    batch_about about = {.version = b->program->tool->version};
    if (b->engine_count) {
        about.model = strrchr(engine->model_path, '/') ? strrchr(engine->model_path, '/') + 1
                                                       : engine->model_path;
        about.variant = engine->info.variant;
        about.device = sgm_context_device(engine->context);
    }
    const int failed = batch_collect(&b->plan, b->journal, &about);
    return failed ? failed : batch_agree(&b->plan, b->journal, &b->about_labels);
}

static void count_rows(batch *b)
{
    b->done = b->failed = b->waiting = 0;
    for (size_t i = 0; i < b->plan.count; i++) {
        b->done += b->plan.rows[i].state == BATCH_DONE;
        b->failed += b->plan.rows[i].state == BATCH_FAILED;
        b->waiting += b->plan.rows[i].state == BATCH_WAITING;
    }
}

static void set_returns(batch *b)
{
    cli_buffer *returns = &b->program->returns;
    b->program->warnings.quiet = 1; /* they have been said */
    for (size_t i = 0; i < b->about_labels.count; i++)
        cli_warn(&b->program->warnings, b->about_labels.sentences[i]);
    char *warnings = cli_warnings_join(&b->program->warnings);
    cli_return_integer(returns, "done", (long long)b->done);
    cli_return_integer(returns, "failed", (long long)b->failed);
    cli_return_real(returns, "seconds", cli_clock() - b->started);
    cli_return_text(returns, "deviceUsed",
                    b->engine_count ? sgm_context_device(b->engines[0].context) : "");
    cli_return_text(returns, "warnings", warnings ? warnings : "");
    free(warnings);
}

/* `differing`: of batch_agree, whose message it keeps unless rows failed, which comes first. */
static int conclude(batch *b, int differing)
{
    if (differing && b->failed) cli_warn(&b->about_labels, cli_last_message());
    set_returns(b);
    printf("%s: %zu done, %zu failed, %.1f s\n", b->plan.folder, b->done, b->failed,
           cli_clock() - b->started);
    if (b->shard.count > 1)
        printf("when all shards are done, the same command with --collect and without --shard "
               "writes the results of all\n");
    if (!b->failed) return differing;
    return cli_fail(CLI_EXIT_PARTIAL,
                    "%zu of %zu rows failed; what is said above about each is in the status file "
                    "of %s/promptseg; --retryFailed tries them again",
                    b->failed, b->failed + b->done, b->plan.folder);
}

static int run_batch(batch *b)
{
    int failed = prepare(b);
    if (failed) return failed;
    count_rows(b);
    if (b->done) printf("%zu rows were done before, %zu are to be done\n", b->done, b->waiting);
    if (b->waiting) failed = run_rows(b);
    count_rows(b);
    if (failed == CLI_EXIT_CANCELLED)
        return cli_fail(failed, "cancelled: %zu rows are done, %zu wait; the same command goes on",
                        b->done, b->waiting);
    if (!failed && b->shard.count == 1) failed = collect(b);
    return failed && failed != CLI_EXIT_PARTIAL ? failed : conclude(b, failed);
}

static int collect_only(batch *b)
{
    int failed = batch_plan_read(b->program->options, PromptSeg_xml, PromptSeg_xml_size, &b->plan);
    if (!failed) failed = batch_journal_open(&b->plan, 0, 1, &b->journal);
    return failed ? failed : collect(b);
}

static void release(batch *b)
{
    batch_journal_close(b->journal);
    for (int i = 0; i < b->engine_count; i++)
        pipeline_engine_close(&b->engines[i]);
    batch_plan_clear(&b->plan);
    cli_warnings_clear(&b->about_labels);
}

/* Each row takes and frees a volume and the network's working memory. Once one such block has been
 * freed, glibc takes up to 32 MiB from its heaps: where something small has come to lie in the old
 * place, which depends on how the threads meet, the next block gets another one, and the process
 * keeps both. With a bound that stays, large blocks are the system's again as soon as they are
 * free. The second bound is twice the first, as glibc has it: smaller blocks at a heap's end are
 * kept for the next. */
static void return_large_blocks(void)
{
#ifdef __GLIBC__
    enum { LARGE = 1 << 20 };
    mallopt(M_MMAP_THRESHOLD, LARGE);
    mallopt(M_TRIM_THRESHOLD, 2 * LARGE);
#endif
}

int main(int argc, char **argv)
{
    cli_program program;
    static batch b;
    int code;
    return_large_blocks();
    if (!cli_program_begin(&program, "PromptSegBatch", PromptSegBatch_xml, PromptSegBatch_xml_size,
                           argc, argv, NULL, &code))
        return code;
    b.program = &program;
    b.started = cli_clock();
    code = check_usage(program.options);
    if (code)
        ;
    else if (cli_given(program.options, "makeManifest"))
        code = make_manifest(program.options);
    else
        code = cli_switch(program.options, "collect") ? collect_only(&b) : run_batch(&b);
    release(&b);
    return cli_program_end(&program, code, NULL);
}
