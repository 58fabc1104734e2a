/* `segmodel bench volume`: clicks on a live volume, beside a run from nothing. */
#ifndef SEGMODEL_TOOL_BENCH_CLICKS_H
#define SEGMODEL_TOOL_BENCH_CLICKS_H

#include "segmodel/volume.h"

/* First click, next click on the same slice, a preview and a click on another slice, undo: time,
 * decodes, and time against as many bare decodes. Clicks follow `object`'s first seed and its
 * answer; nothing is printed where the object is empty. */
sgm_status bench_clicks(sgm_model *model, const sgm_volume *volume, const sgm_object *object,
                        const sgm_volume_options *options);

#endif
