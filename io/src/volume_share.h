/* Files of several volumes (4-D): which one is meant, and a list of them. */
#ifndef SGIO_VOLUME_SHARE_H
#define SGIO_VOLUME_SHARE_H

#include "sgio/geometry.h"
#include "voxels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SGIO_MOST_VOLUMES = 1000000 };

/* Sets share->number by options->series, a number from 1, where share->count is more than 1.
 * SGIO_UNREADABLE says how many there are. */
sgio_status sgio_choose_volume(const char *path, const sgio_geometry *grid, const char *series,
                               sgio_voxel_share *share);

/* A line for each of them, as sgio_list_series has it; *text is malloc'ed. */
sgio_status sgio_list_volumes(const char *path, const char *format, const sgio_geometry *grid,
                              int64_t count, char **text);

#ifdef __cplusplus
}
#endif
#endif
