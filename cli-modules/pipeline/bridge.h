/* Where the io library (sgio) meets the model library (sgm): statuses, voxels, prompts. Neither
 * knows the other; nothing else in the programs converts between them. */
#ifndef PROMPTSEG_PIPELINE_BRIDGE_H
#define PROMPTSEG_PIPELINE_BRIDGE_H

#include "segmodel/volume.h"
#include "sgio/prompts.h"
#include "sgio/volume.h"

/* The exit code of a status, its message handed on to cli_last_message(); 0 when all is well. */
int bridge_from_io(sgio_status status);
int bridge_from_model(sgm_status status);

/* A sgio_progress_fn that stops reading once a signal came. */
int bridge_stop(void *unused, double done);

/* The same memory as the model library sees it; valid as long as the volume. */
sgm_volume bridge_volume(const sgio_volume *volume);

/* From LPS millimetres to continuous voxel indices of that grid. */
void bridge_seed(const sgio_geometry *grid, const sgio_point *point, sgm_seed *seed);
void bridge_roi(const sgio_geometry *grid, const sgio_box *box, sgm_roi *roi);

#endif
