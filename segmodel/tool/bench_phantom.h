/* A volume to time on where no scan is at hand. */
#ifndef SEGMODEL_TOOL_BENCH_PHANTOM_H
#define SEGMODEL_TOOL_BENCH_PHANTOM_H

#include "core/status.h"

/* Writes a CT-like phantom of size[] voxels (i, j, k) as int16 .npy in Hounsfield units: air, an
 * elliptic body, an organ in its middle that grows and shrinks along k, noise of 20 HU. */
sgm_status bench_write_phantom(const char *path, const double size[3]);

#endif
