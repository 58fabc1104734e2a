#include "tool.h"
#include "tool_options.h"
#include "tool_outputs.h"

#include "core/files.h"
#include "core/status.h"
#include "study/study.h"

#include <stdio.h>
#include <string.h>

typedef struct study_job {
    const sgm_study_kind *kind;
    sgm_study_config config;
    const char *out;
    sgm_context_options device;
} study_job;

static sgm_status write_all(const study_job *job, const sgm_study *study,
                            const sgm_study_groups *groups)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/rows.csv", job->out);
    SGM_TRY(sgm_study_write_rows(study, path));
    snprintf(path, sizeof path, "%s/plot.png", job->out);
    SGM_TRY(sgm_study_write_plot(study, groups, path));
    snprintf(path, sizeof path, "%s/table.csv", job->out);
    SGM_TRY(sgm_study_write_table(study, groups, path));
    snprintf(path, sizeof path, "%s/table.md", job->out);
    SGM_TRY(sgm_study_write_markdown(study, groups, path));
    printf("%d answers under %d conditions: %s/table.md, table.csv, plot.png, rows.csv\n",
           study->count, study->condition_count, job->out);
    return SGM_OK;
}

static sgm_status study_model(const study_job *job, sgm_model *model)
{
    sgm_pack *pack;
    sgm_study study;
    sgm_study_groups groups = {0};
    SGM_TRY(sgm_pack_open(job->config.data, &pack));
    sgm_status status =
        sgm_study_run(job->kind, model, pack, &job->config, tool_progress, NULL, &study);
    if (status == SGM_OK) {
        status = sgm_study_groups_make(&study, &groups);
        if (status == SGM_OK) status = write_all(job, &study, &groups);
        sgm_study_groups_clear(&groups);
        sgm_study_clear(&study);
    }
    sgm_pack_close(pack);
    return status;
}

/* A study may be run again into its folder; another one's results stay. They are told by the first
 * line of their table for readers, "Study NAME: ...". */
static sgm_status spare_study(const study_job *job)
{
    char path[4096], line[64] = "", wanted[64];
    snprintf(path, sizeof path, "%s/table.md", job->out);
    snprintf(wanted, sizeof wanted, "Study %s:", job->kind->name);
    FILE *stream = sgm_fopen(path, "rb");
    if (!stream) return SGM_OK;
    bool has_line = fgets(line, sizeof line, stream);
    fclose(stream);
    if (!has_line || !strncmp(line, wanted, strlen(wanted))) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT,
                    "%s is already there, and not of the study %s: choose another folder", path,
                    job->kind->name);
}

/* Before hours of work. */
static sgm_status open_folder(const study_job *job, const char *settings)
{
    static const char *const names[] = {"rows.csv", "plot.png", "table.csv", "table.md", NULL};
    const sgm_study_config *c = &job->config;
    const char *inputs[] = {c->model, c->base, c->data, settings};
    SGM_TRY(open_outputs(job->out, names, inputs, sizeof inputs / sizeof *inputs));
    return spare_study(job);
}

static sgm_status run(const study_job *job)
{
    const sgm_study_config *c = &job->config;
    sgm_context *context;
    sgm_model *model;
    SGM_TRY(sgm_context_create(&job->device, &context));
    sgm_status status = sgm_model_load_on(context, c->base[0] ? c->base : NULL, c->model,
                                          c->variant[0] ? c->variant : NULL, &model);
    if (status == SGM_OK) {
        tool_say_assumption(model);
        status = study_model(job, model);
        sgm_model_destroy(model);
    }
    sgm_context_destroy(context);
    return status;
}

/* An option on the command line wins over the settings. */
static sgm_status override_text(char *to, size_t room, const char *name, const char *value)
{
    if (!value) return SGM_OK;
    if (strlen(value) >= room) return sgm_fail(SGM_INVALID_ARGUMENT, "%s is too long", name);
    strcpy(to, value);
    return SGM_OK;
}

static sgm_status prepare(study_job *job, const char *const positional[2], const char *model,
                          const char *base, const char *data)
{
    sgm_study_config *c = &job->config;
    job->kind = sgm_study_find(positional[0]);
    if (!job->kind)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "no study '%.64s'; there are points, posneg, second and boxes",
                        positional[0]);
    sgm_study_config_defaults(c);
    if (positional[1]) SGM_TRY(sgm_study_config_read(positional[1], c));
    SGM_TRY(override_text(c->model, sizeof c->model, "--model", model));
    SGM_TRY(override_text(c->base, sizeof c->base, "--base", base));
    SGM_TRY(override_text(c->data, sizeof c->data, "--data", data));
    if (c->model[0] && c->data[0] && job->out) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT,
                    "a study needs a model, data and --out DIR; the first two "
                    "may stand in CONFIG");
}

int verb_study(int argc, char **argv)
{
    study_job job = {0};
    bool helped;
    const char *positional[2] = {NULL, NULL}, *model = NULL, *base = NULL, *data = NULL;
    const option options[] = {
        {"--model", OPTION_TEXT, &model, NULL, "FILE", "instead of CONFIG's `model`"},
        {"--base", OPTION_TEXT, &base, NULL, "FILE", "of a model that holds additions alone"},
        {"--data", OPTION_TEXT, &data, NULL, "PACK", "instead of CONFIG's `data`"},
        {"--out", OPTION_TEXT, &job.out, NULL, "DIR", "folder for tables and plot"},
        {"--device", OPTION_DEVICE, &job.device.device, NULL, "auto|cpu|cuda", "where to compute"},
        {"--precision", OPTION_PRECISION, &job.device.precision, NULL, "fp32|bf16", "of the model"},
        {"--threads", OPTION_INT, &job.device.threads, NULL, "N", "default: one per core"},
        {0}};
    command_line line = {
        .usage = "segmodel study NAME [CONFIG] --out DIR",
        .help = "How answers depend on the prompts, with intervals. NAME:\n"
                "  points  1, 2, 3, 5, 9 clicks, centre or random first; oracle of three masks\n"
                "  posneg  1 or 10 positive points, 10 positive and 10 negative ones\n"
                "  second  second point random, of maximum entropy, of maximum distance\n"
                "  boxes   boxes with noise of 0, 5, 10, 20 % of their sides\n"
                "CONFIG has key = value lines: segmodel/study/README.md.",
        .options = options,
        .positional = positional,
        .positional_wanted = 1,
        .positional_room = 2};
    sgm_status status = parse_options(argc, argv, &line, &helped);
    if (status != SGM_OK || helped) return tool_exit(status);
    status = prepare(&job, positional, model, base, data);
    if (status == SGM_OK) status = open_folder(&job, positional[1]);
    if (status == SGM_OK) status = run(&job);
    return tool_exit(status);
}
