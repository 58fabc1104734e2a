#include "tool.h"
#include "tool_options.h"
#include "tool_outputs.h"

#include "quality/quality.h"

#include <stdio.h>

typedef struct quality_job {
    const char *data, *out;
    sgm_context_options device;
    sgm_quality_options options;
} quality_job;

static sgm_status write_tables(const quality_job *job, const sgm_quality *quality)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/quality.csv", job->out);
    SGM_TRY(sgm_quality_csv(quality, path));
    snprintf(path, sizeof path, "%s/quality.md", job->out);
    SGM_TRY(sgm_quality_markdown(quality, path));
    printf("%d objects: %s/quality.csv, %s/quality.md\n", quality->count, job->out, job->out);
    if (quality->left_out)
        printf("%d validation images of volumes and sequences are left out\n", quality->left_out);
    return SGM_OK;
}

static sgm_status examine_model(const void *user, sgm_model *model)
{
    const quality_job *job = user;
    sgm_pack *pack;
    sgm_quality quality;
    SGM_TRY(sgm_pack_open(job->data, &pack));
    sgm_status status = sgm_quality_measure(model, pack, &job->options, &quality);
    if (status == SGM_OK) {
        status = write_tables(job, &quality);
        sgm_quality_clear(&quality);
    }
    sgm_pack_close(pack);
    return status;
}

int verb_quality(int argc, char **argv)
{
    quality_job job = {
        .options = {.objects = 20, .min_area = 64, .tolerance = 2, .progress = tool_progress}};
    bool helped;
    tool_model model = {0};
    const option options[] = {
        {"--variant", OPTION_TEXT, &model.variant, NULL, "NAME", "the network (segmodel info)"},
        {"--base", OPTION_TEXT, &model.base, NULL, "FILE", "what lies beneath a file of additions"},
        {"--data", OPTION_TEXT, &job.data, NULL, "PACK", "its validation images are used"},
        {"--out", OPTION_TEXT, &job.out, NULL, "DIR", "folder for quality.csv and quality.md"},
        {"--objects", OPTION_INT, &job.options.objects, NULL, "N", "per data set (20)"},
        {"--withoutVolumes", OPTION_FLAG, &job.options.without_volumes, NULL, NULL,
         "only pictures, no slices of volumes or sequences"},
        {"--device", OPTION_DEVICE, &job.device.device, NULL, "auto|cpu|cuda", "where to compute"},
        {"--precision", OPTION_PRECISION, &job.device.precision, NULL, "fp32|bf16", "of the model"},
        {"--threads", OPTION_INT, &job.device.threads, NULL, "N", "default: one per core"},
        {0}};
    command_line line = {.usage = "segmodel quality MODEL --data PACK --out DIR [--variant NAME]",
                         .help = "Dice and surface Dice on a pack's validation images for one "
                                 "point, three points, a box\nand a corrected box, beside the "
                                 "ellipse in the box and region growing. Slices of volumes and "
                                 "frames of sequences\nare pictures too.",
                         .options = options,
                         .positional = &model.path,
                         .positional_wanted = 1,
                         .positional_room = 1};
    sgm_status status = parse_options(argc, argv, &line, &helped);
    if (status != SGM_OK || helped) return tool_exit(status);
    if (!job.data || !job.out || job.options.objects < 1) {
        fprintf(stderr, "segmodel: quality needs --data PACK, --out DIR and at least one object\n");
        return EXIT_USAGE;
    }
    static const char *const names[] = {"quality.csv", "quality.md", NULL};
    const char *inputs[] = {model.path, model.base, job.data};
    status = open_outputs(job.out, names, inputs, sizeof inputs / sizeof *inputs);
    if (status == SGM_OK) status = tool_with_model(&job.device, &model, examine_model, &job);
    return tool_exit(status);
}
