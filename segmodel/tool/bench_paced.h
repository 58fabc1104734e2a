/* Encodes and decodes on request, so that another program can time this one and its rivals in
 * turns: the same minutes of the same machine for both. */
#ifndef SEGMODEL_TOOL_BENCH_PACED_H
#define SEGMODEL_TOOL_BENCH_PACED_H

#include "core/status.h"

/* Loads `path`, encodes and decodes `image` once, prints "ready". Then answers each line of stdin,
 * "encode" (pixels to embedding, preprocessing included), "decode" (one point to a mask of the
 * image's size) or "network N" (the encoder alone on N images that are ready on the device), with
 * the seconds it took, until stdin ends. */
sgm_status bench_paced(const sgm_context_options *options, const char *path, const char *variant,
                       const char *image);

#endif
