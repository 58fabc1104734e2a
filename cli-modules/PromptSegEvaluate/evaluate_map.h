/* The grey map of --map, brought to the voxels of the reference. */
#ifndef PROMPTSEG_EVALUATE_MAP_H
#define PROMPTSEG_EVALUATE_MAP_H

#include "cli_warnings.h"
#include "sgio/labelmap.h"

/* Pictures of two sets go together by their numbers (one that the map lacks is black, with a
 * warning), volumes by their places: the map is turned round where it is stored along other axes,
 * and of a grid that a file had before both were put on one (`own`) is black around that, with a
 * warning.
 * Where either has no place, as pictures, voxel stands for voxel. 0, or CLI_EXIT_INPUT with a
 * sentence, or CLI_EXIT_MEMORY. */
int evaluate_fit_map(const char *path, const char *reference_path,
                     const sgio_segmentation *reference, const sgio_geometry own[2],
                     cli_warnings *warnings, sgio_volume *map);

#endif
