/* Files of several volumes (4-D): which one is meant, and a list of them. */
#ifndef SGIO_VOLUME_SHARE_H
#define SGIO_VOLUME_SHARE_H

#include "sgio/geometry.h"
#include "voxels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SGIO_MOST_VOLUMES = 1000000 };

/* Sets share->number by options->series, a number from 1. SGIO_UNREADABLE says how many there are.
 */
sgio_status sgio_choose_volume(const char *path, const sgio_geometry *grid,
                               const sgio_read_options *options, sgio_voxel_share *share);

/* The same for what holds one volume: SGIO_UNREADABLE where options->series names another one. */
sgio_status sgio_choose_only(const char *path, const sgio_read_options *options);

/* A line for each of them, as sgio_list_series has it; *text is malloc'ed. */
sgio_status sgio_list_volumes(const char *path, const char *format, const sgio_geometry *grid,
                              int64_t count, char **text);

#ifdef __cplusplus
}
#endif
#endif
