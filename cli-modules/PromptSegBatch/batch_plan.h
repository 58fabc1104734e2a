/* A batch: a manifest whose rows are command lines of PromptSeg.
 *
 * Columns: id, image, and any option of PromptSeg about one case (prompts, foreground, roi,
 * initial, series, window, ...; "segment" stands for segmentName); output, report and picture name
 * files in the output folder. What a row leaves empty comes from the batch's own command line, else
 * it has PromptSeg's default. Options that may be repeated hold several values between semicolons.
 * Input paths are relative to the manifest, output paths to the output folder. */
#ifndef PROMPTSEG_BATCH_PLAN_H
#define PROMPTSEG_BATCH_PLAN_H

#include "cli_table.h"
#include "options.h"

typedef enum batch_state {
    BATCH_WAITING,
    BATCH_DONE,
    BATCH_FAILED,
    BATCH_ELSEWHERE /* of another shard, or taken by another process */
} batch_state;

typedef struct batch_row {
    const char *id;
    const cli_table_row *cells;
    char *output;           /* owned: the path */
    char *report, *picture; /* owned: the paths; NULL: none is wanted, or it cannot run */
    char *problem;          /* owned: why it cannot run; NULL: it can */
    int problem_code;
    char **names; /* owned, with the array: of the segments in a plain label map (batch_labels.h) */
    size_t name_count;
    int keeps_values;      /* it begins with a segmentation, whose values it keeps where it can */
    int repeats_names;     /* that one has several segments of one name */
    int has_unknown_names; /* beside these */
    uint64_t key;          /* what the result depends on (batch_key.h) */
    batch_state state;
} batch_row;

typedef struct batch_plan {
    const cli_options *options; /* of the batch */
    cli_tool *tool;             /* PromptSeg's description; owned */
    const char *manifest, *folder;
    char *root;             /* the manifest's folder; owned */
    char *inputs, *outputs; /* owned: root and folder with a slash behind */
    cli_table table;
    const cli_parameter **columns; /* per column: PromptSeg's parameter; NULL: id, image, output */
    int id_column, image_column, output_column;
    batch_row *rows;
    size_t count;
    label_values labels; /* of all names in plain label maps (batch_labels.h) */
    char *labels_path;   /* of their table; owned */
} batch_plan;

/* Reads the manifest and judges it as a whole: unknown or missing columns, ids that are empty,
 * twice there or no file names, outputs that are twice there, lie outside the folder or are an
 * input of any row, are CLI_EXIT_USAGE. A row that cannot be understood by itself is no error here:
 * its `problem` says why. Makes no file. Release with batch_plan_clear, also after a failure. */
int batch_plan_read(const cli_options *options, const void *promptseg_xml, size_t xml_size,
                    batch_plan *out);
void batch_plan_clear(batch_plan *plan);

/* A row as PromptSeg's command line. */
typedef struct batch_command {
    char **words; /* owned, with their texts */
    size_t count, capacity;
    cli_options *parsed;
    pipeline_options typed;
} batch_command;

/* 0, or an exit code with a message. Release with batch_command_clear, also after a failure. */
int batch_command_make(const batch_plan *plan, const batch_row *row, batch_command *out);
void batch_command_clear(batch_command *command);

#endif
