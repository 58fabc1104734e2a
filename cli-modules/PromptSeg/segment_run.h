/* What the parts of PromptSeg share: one run from command line to written files. */
#ifndef PROMPTSEG_SEGMENT_RUN_H
#define PROMPTSEG_SEGMENT_RUN_H

#include "cli_program.h"
#include "segmodel/volume.h"
#include "sgio/labelmap.h"
#include "sgio/outputs.h"
#include "sgio/picture.h"
#include "sgio/prompts.h"
#include "sgio/report.h"
#include "sgio/volume.h"

typedef struct segment_times {
    double start, load, read, predict, write; /* seconds; start is a clock reading */
} segment_times;

typedef struct segment_run {
    cli_program *program;
    cli_progress progress;
    segment_times times;
    const char *input, *output; /* as given */
    char *model_path;           /* owned */

    sgm_context *context;
    sgm_model *model;
    sgm_model_info info;
    sgm_volume_options volume_options;
    sgm_embedding_store store;

    sgio_volume volume;
    sgio_prompts prompts;
    sgio_segmentation segmentation; /* the initial one, then the result */
    sgm_object *objects;            /* one per prompted segment, same order as prompts */
    sgm_volume_result result;
} segment_run;

double segment_clock(void);

/* Messages of the libraries become the program's. */
int segment_from_io(sgio_status status);
int segment_from_model(sgm_status status);

/* As progress function of sgio: stops once a signal came. */
int segment_stop(void *unused, double done);

/* segment_options.c: reads and checks what needs no file. Exit code. */
int segment_read_options(segment_run *run);

/* segment_model.c: context, bundled or given model, cache. */
int segment_open_model(segment_run *run);

/* segment_objects.c: prompts and initial segmentation -> objects in voxel coordinates. */
int segment_read_prompts(segment_run *run);
int segment_make_objects(segment_run *run);
void segment_free_objects(segment_run *run);

/* segment_output.c: result -> segmentation, files, return values, the lines on stdout. */
int segment_check_outputs(segment_run *run);
int segment_collect(segment_run *run);
int segment_write(segment_run *run);

#endif
