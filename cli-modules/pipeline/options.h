/* PromptSeg's command line as a typed struct: read and checked once, here; no other part of the
 * pipeline looks an option up by its name. Texts are borrowed from the cli_options. */
#ifndef PROMPTSEG_PIPELINE_OPTIONS_H
#define PROMPTSEG_PIPELINE_OPTIONS_H

#include "cli_options.h"
#include "label_values.h"
#include "segmodel/volume.h"

/* What does the work: made once, serves many cases. */
typedef struct engine_options {
    const char *model; /* NULL: the bundled one */
    const char *base;  /* what the model's additions lie on; NULL: it is whole */
    const char *variant;
    sgm_device device;
    sgm_precision precision;
    int threads;          /* 0: one per core */
    const char *cache;    /* NULL: none */
    uint64_t cache_limit; /* bytes */
} engine_options;

typedef struct option_texts {
    const char **items; /* the array is owned, the texts are not */
    size_t count;
} option_texts;

typedef enum prompt_kind {
    PROMPT_FOREGROUND,
    PROMPT_BACKGROUND,
    PROMPT_ROI,
    PROMPT_FILE
} prompt_kind;

typedef struct option_prompt {
    prompt_kind kind;
    const char *text; /* the point, the box, or the file's name */
} option_prompt;

/* What is segmented: one volume, its prompts, an earlier segmentation. */
typedef struct case_options {
    const char *input;
    const char *series; /* NULL: there must be one */
    int allow_gaps;
    option_prompt *given; /* points, boxes and prompt files as the command line has them: an answer
                             to clicks depends on their order; the array is owned */
    size_t given_count;
    option_texts prompts; /* the files among them */
    const char *boxes;    /* a segmentation whose segments' boxes are prompts; NULL: none */
    const char *initial;  /* NULL: none */
    const char *labels;   /* a label map that the result is compared with; NULL: none */
    int convert;          /* the initial segmentation is the result: there are no prompts */
    const char
        *mask_prompts;     /* masks of another network for the frames of a sequence; NULL: none */
    int is_sequence;       /* the third axis is time, whatever the file says */
    int takes_reference;   /* the program has --reference */
    const char *reference; /* DICOM series that a SEG or RTSTRUCT refers to; NULL: the input */
    const char *segment_name;
    int names_segment;      /* the user chose that name */
    const char *class_name; /* number or name of a class, "all"; NULL: none is asked for */
    int has_colour;
    double colour[3];
    sgm_volume_options volume; /* axis, window, propagation; store and progress are the engine's */
} case_options;

/* How much of a path a report shows. */
typedef enum report_paths {
    REPORT_PATHS_GIVEN,
    REPORT_PATHS_RELATIVE,
    REPORT_PATHS_NONE
} report_paths;

typedef struct result_options {
    const char *output;
    const char *report, *picture; /* NULL: none */
    const char *names;            /* a table of label values and names; NULL: none */
    const char *thumbnail;        /* a small picture of one slice; NULL: none */
    const label_values *labels;   /* by name, for plain label maps; NULL: in their order */
    report_paths paths;
} result_options;

typedef struct pipeline_options {
    engine_options engine;
    case_options work;
    result_options result;
    label_values labels; /* owned: --labelValues */
} pipeline_options;

/* Parts alone, for programs whose description has these options too: the engine; axis and window (0
 * or CLI_EXIT_USAGE with a message); --reportPaths. */
void pipeline_read_engine(const cli_options *options, engine_options *engine);
int pipeline_read_cut(const cli_options *options, sgm_volume_options *volume);
void pipeline_read_paths(const cli_options *options, result_options *result);

/* Reads `options` (of PromptSeg's description) into *out. 0; CLI_EXIT_USAGE with a message; or
 * CLI_EXIT_MEMORY. Release with pipeline_options_clear, also after a failure. */
int pipeline_options_read(const cli_options *options, pipeline_options *out);
void pipeline_options_clear(pipeline_options *options);

#endif
