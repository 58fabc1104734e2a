/* What a row's result depends on, as one number: a row is done when a status file says so for the
 * same number. */
#ifndef PROMPTSEG_BATCH_KEY_H
#define PROMPTSEG_BATCH_KEY_H

#include <stdint.h>

#include "batch_plan.h"
#include "engine.h"

/* Goes over: the options that shape a segmentation; the input, --boxes, --initial and --reference
 * by name, size and time of change (batch_identity.h); prompt files by their content; the weights
 * and precision; the program's version. Fails with CLI_EXIT_INPUT for an image that is not there,
 * and with CLI_EXIT_PROMPT for prompts that cannot be read. */
int batch_key_make(const batch_command *command, const pipeline_engine *engine, const char *version,
                   const char *outputs, uint64_t *key);

#endif
