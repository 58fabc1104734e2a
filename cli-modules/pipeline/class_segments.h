/* Segments that no prompt asks for: of a network with classes, or of one that makes its own prompt
 * of a picture. */
#ifndef PROMPTSEG_PIPELINE_CLASS_SEGMENTS_H
#define PROMPTSEG_PIPELINE_CLASS_SEGMENTS_H

#include "engine.h"

/* Nothing changes where the case has prompts and --class is not "all". Without prompts its segments
 * become the classes that --class names, or all of them, each named as the model calls it, and
 * work->classes says which is which. 0; CLI_EXIT_PROMPT: prompts are missing, too many, or the
 * class does not exist; CLI_EXIT_MEMORY. */
int class_segments_make(const pipeline_engine *engine, pipeline_case *work);

#endif
