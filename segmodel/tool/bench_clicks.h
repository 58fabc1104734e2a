/* `segmodel bench volume`: clicks on a live volume, beside a run from nothing. */
#ifndef SEGMODEL_TOOL_BENCH_CLICKS_H
#define SEGMODEL_TOOL_BENCH_CLICKS_H

#include "segmodel/volume.h"

/* First click, next clicks on the same slice, a preview and a click on another slice, undo: time
 * and decodes; of previews and clicks on encoded slices also the time against as many bare decodes,
 * each timed just before. The first click, and what is left after undoing all others, must be
 * `mask`, a run from nothing. Nothing is timed where the object is empty. */
sgm_status bench_clicks(sgm_model *model, const sgm_volume *volume, const sgm_object *object,
                        const sgm_volume_options *options, const uint8_t *mask);

#endif
