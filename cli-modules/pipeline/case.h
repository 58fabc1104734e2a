/* One case: a volume, the prompts in its voxels, and the segmentation that it starts from. */
#ifndef PROMPTSEG_PIPELINE_CASE_H
#define PROMPTSEG_PIPELINE_CASE_H

#include "cli_warnings.h"
#include "options.h"
#include "sgio/labelmap.h"
#include "sgio/prompts.h"
#include "sgio/volume.h"

typedef struct pipeline_case {
    const case_options *options; /* borrowed */
    cli_warnings *warnings;      /* borrowed */
    sgio_volume volume;
    sgio_volume reference; /* grid and files of --reference; zeroed without */
    sgio_prompts prompts;
    sgio_segmentation initial; /* on the volume's grid; empty without --initial */
    sgm_object *objects;       /* one per prompted segment, same order as prompts */
    int *classes; /* what each segment is, where classes are asked for and prompts are not given:
                     class_segments.h; NULL: prompts say what to look for */
    double seconds_read;
} pipeline_case;

/* Reads the volume, then the prompts, then --initial, and checks them against one another. Whether
 * a case may be without prompts is the engine's to say (class_segments.h). 0, or an exit code with
 * a message. Release with pipeline_case_clear, also after a failure. */
int pipeline_case_read(const case_options *options, cli_warnings *warnings, pipeline_case *out);
/* The points, boxes and prompt files alone, without a volume to check them against. */
int pipeline_case_read_given(const case_options *options, cli_warnings *warnings,
                             pipeline_case *out);
/* The volume alone, for programs that ask without prompts. */
int pipeline_case_read_volume(const case_options *options, cli_warnings *warnings,
                              pipeline_case *out);
void pipeline_case_clear(pipeline_case *work);

/* Says that there is nothing to look for: CLI_EXIT_PROMPT. */
int pipeline_case_without_prompts(void);

#endif
