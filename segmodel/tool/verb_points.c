#include "tool.h"
#include "tool_options.h"
#include "tool_outputs.h"

#include "core/number.h"
#include "predict/look/session_predictor.h"
#include "predict/session/model.h"
#include "quality/point_fit.h"

#include <stdio.h>

typedef struct points_job {
    const char *data, *csv;
    sgm_context_options device;
    sgm_point_fit_options options;
} points_job;

static void print_score(const char *what, const sgm_point_cases *cases,
                        const sgm_point_rating *rating)
{
    char number[SGM_NUMBER_TEXT];
    sgm_point_score score = sgm_point_cases_score(cases, rating);
    printf("%s %s", what, sgm_number_text(number, "%.3f", score.chosen));
    printf(" of %s\n", sgm_number_text(number, "%.3f", score.best));
}

/* What convert's --pointRating takes. */
static void print_rating(const sgm_point_rating *rating)
{
    char number[SGM_NUMBER_TEXT];
    for (int i = 0; i < SGM_POINT_TERMS; i++)
        printf("%s%s", i ? "," : "", sgm_number_text(number, "%.4g", rating->weights[i]));
    putchar('\n');
}

static sgm_status report(const points_job *job, const sgm_point_rating *known,
                         const sgm_point_cases *cases)
{
    sgm_point_rating fitted;
    printf("%d objects; mean over sets of the Dice of the look that is chosen, of the best\n",
           cases->count);
    print_score("by predicted IoU:", cases, NULL);
    if (known) print_score("by the file's point_rating:", cases, known);
    if (!job->options.validation) {
        SGM_TRY(sgm_point_rating_fit(cases, &fitted));
        print_score("by what follows, fitted on them:", cases, &fitted);
        print_rating(&fitted);
    }
    return job->csv ? sgm_point_cases_csv(cases, job->csv) : SGM_OK;
}

static sgm_status fit(const void *user, sgm_model *model)
{
    const points_job *job = user;
    sgm_pack *pack;
    sgm_point_cases cases;
    sgm_point_rating known;
    const char *text =
        sgm_checkpoint_metadata(sgm_model_checkpoint(model), SGM_METADATA_POINT_RATING);
    bool is_known = text && sgm_point_rating_read(text, &known) == SGM_OK;
    SGM_TRY(sgm_points_have_scales(model));
    SGM_TRY(sgm_pack_open(job->data, &pack));
    sgm_status status = sgm_point_cases_measure(model, pack, &job->options, &cases);
    if (status == SGM_OK) {
        status = report(job, is_known ? &known : NULL, &cases);
        sgm_point_cases_clear(&cases);
    }
    sgm_pack_close(pack);
    return status;
}

int verb_points(int argc, char **argv)
{
    points_job job = {.options = {.objects = 24, .min_area = 64, .progress = tool_progress}};
    bool helped;
    tool_model model = {0};
    const option options[] = {
        {"--variant", OPTION_TEXT, &model.variant, NULL, "NAME", "the network (segmodel info)"},
        {"--base", OPTION_TEXT, &model.base, NULL, "FILE", "what lies beneath a file of additions"},
        {"--data", OPTION_TEXT, &job.data, NULL, "PACK", "its training images are used"},
        {"--validation", OPTION_FLAG, &job.options.validation, NULL, NULL,
         "its validation images are; nothing is fitted"},
        {"--csv", OPTION_TEXT, &job.csv, NULL, "FILE", "writes every look: its Dice and its terms"},
        {"--objects", OPTION_INT, &job.options.objects, NULL, "N", "per data set (24)"},
        {"--device", OPTION_DEVICE, &job.device.device, NULL, "auto|cpu|cuda", "where to compute"},
        {"--precision", OPTION_PRECISION, &job.device.precision, NULL, "fp32|bf16", "of the model"},
        {"--threads", OPTION_INT, &job.device.threads, NULL, "N", "default: one per core"},
        {0}};
    command_line line = {.usage = "segmodel points MODEL --data PACK [--variant NAME]",
                         .help = "Fits the weights by which a lone point chooses among looks at "
                                 "several scales;\nwhat it prints is for segmodel convert's "
                                 "--pointRating.",
                         .options = options,
                         .positional = &model.path,
                         .positional_wanted = 1,
                         .positional_room = 1};
    sgm_status status = parse_options(argc, argv, &line, &helped);
    if (status != SGM_OK || helped) return tool_exit(status);
    if (!job.data || job.options.objects < 1) {
        fprintf(stderr, "segmodel: points needs --data PACK and at least one object\n");
        return EXIT_USAGE;
    }
    status = spare_input(job.csv, model.path);
    if (status == SGM_OK) status = spare_input(job.csv, model.base);
    if (status == SGM_OK) status = spare_input(job.csv, job.data);
    if (status == SGM_OK) status = can_write(job.csv);
    if (status == SGM_OK) status = tool_with_model(&job.device, &model, fit, &job);
    return tool_exit(status);
}
