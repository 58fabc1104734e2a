/* Names of the segments in plain label maps, gathered from rows: of segmentations that these begin
 * with (initial, boxes, maskPrompts), and of their prompts. */
#ifndef PROMPTSEG_BATCH_NAMES_H
#define PROMPTSEG_BATCH_NAMES_H

#include "batch_drawn.h"
#include "batch_plan.h"
#include "cli_warnings.h"
#include "engine.h"

typedef struct batch_name {
    const char *name; /* borrowed: of `drawn`, or of a row */
    size_t rank;      /* of several segments of that name in one file */
    int wanted;       /* value in the first segmentation that has it; 0: none has */
} batch_name;

/* Each name of a rank once: first those of segmentations, then those of prompts, both in the
 * manifest's order. Start with {0}. */
typedef struct batch_names {
    batch_drawn_set drawn;
    batch_name *items;
    size_t count, capacity;
    int is_partial; /* rows were left out, or names in segmentations are not known */
} batch_names;

/* Gathers those of rows with plain outputs, and each row's own; `all` 0: without rows in state
 * BATCH_ELSEWHERE. What cannot be read is left to its row. 0; CLI_EXIT_MEMORY, or
 * CLI_EXIT_CANCELLED once a signal came. Release with batch_names_clear, also after a failure. */
int batch_names_gather(batch_plan *plan, const pipeline_engine *engine, int all, batch_names *out);
void batch_names_clear(batch_names *names);

/* Says which segmentations that rows of this run begin with could not be read. */
void batch_names_warn(const batch_names *names, cli_warnings *warnings);

/* 1 when the row will make a plain label map. */
int batch_names_is_plain(const batch_row *row);

#endif
