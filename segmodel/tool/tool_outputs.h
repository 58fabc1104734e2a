/* Where results go, looked at before the work that they are results of. */
#ifndef SEGMODEL_TOOL_OUTPUTS_H
#define SEGMODEL_TOOL_OUTPUTS_H

#include "segmodel/segmodel.h"

/* Whether a file can be written; NULL: there is none to write. SGM_UNWRITABLE. */
sgm_status can_write(const char *path);

/* Makes the folder of `names` (up to NULL), each of which can be written there and is none of the
 * `inputs` (up to a count; NULL: not given). SGM_UNWRITABLE, SGM_INVALID_ARGUMENT. */
sgm_status open_outputs(const char *folder, const char *const *names, const char *const *inputs,
                        size_t input_count);

#endif
