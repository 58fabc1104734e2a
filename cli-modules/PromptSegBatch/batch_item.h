/* One row on its way: read, segmented, written. Each step is one thread's at a time; none of them
 * touches what rows have in common. */
#ifndef PROMPTSEG_BATCH_ITEM_H
#define PROMPTSEG_BATCH_ITEM_H

#include "batch_plan.h"
#include "batch_run.h"
#include "result.h"

typedef struct batch_item {
    size_t row;
    double seconds; /* of work on it: waiting between the steps does not count */
    batch_command command;
    cli_warnings warnings;
    pipeline_case work;
    pipeline_result result;
    const pipeline_engine *engine; /* that made the result */
    int code;                      /* of the failure so far: further steps do nothing */
    char message[8192];            /* whole: a path that is cut would not be known */
    struct batch_item *next;
} batch_item;

/* Reads volume and prompts, and makes the folders of the outputs. NULL: no memory. A failure is the
 * item's. Release with batch_item_free. */
batch_item *batch_item_read(const batch_job *job, size_t row);
void batch_item_segment(batch_item *item, pipeline_engine *engine);

/* Writes the files, all or none. */
void batch_item_write(batch_item *item, const batch_job *job);
void batch_item_free(batch_item *item);

#endif
