#include "tool_outputs.h"
#include "tool_options.h"

#include "core/atomic_file.h"
#include "core/files.h"
#include "core/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

sgm_status can_write(const char *path)
{
    sgm_atomic_file file;
    if (!path) return SGM_OK;
    SGM_TRY(sgm_atomic_file_create(path, &file));
    sgm_atomic_file_abandon(&file);
    return SGM_OK;
}

sgm_status open_outputs(const char *folder, const char *const *names, const char *const *inputs,
                        size_t input_count)
{
    char path[4096];
    for (int n = 0; names[n]; n++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[n]);
        for (size_t i = 0; i < input_count; i++)
            SGM_TRY(spare_input(path, inputs[i]));
    }
    if (!sgm_make_folder(folder, false))
        return sgm_fail(SGM_UNWRITABLE, "%s: %s", folder, strerror(errno));
    for (int n = 0; names[n]; n++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[n]);
        SGM_TRY(can_write(path));
    }
    return SGM_OK;
}
