#include "segmodel/volume.h"

#include <string.h>

size_t sgm_struct_size(const char *name)
{
#define ROW(type)                                                                                  \
    {                                                                                              \
#type, sizeof(type)                                                                        \
    }
    static const struct {
        const char *name;
        size_t size;
    } rows[] = {ROW(sgm_call),           ROW(sgm_context_options),
                ROW(sgm_model_info),     ROW(sgm_image),
                ROW(sgm_point),          ROW(sgm_box),
                ROW(sgm_prompt),         ROW(sgm_predict_options),
                ROW(sgm_mask),           ROW(sgm_volume),
                ROW(sgm_seed),           ROW(sgm_roi),
                ROW(sgm_object),         ROW(sgm_embedding_store),
                ROW(sgm_volume_options), ROW(sgm_slice_report),
                ROW(sgm_walk_report),    ROW(sgm_live_result),
                ROW(sgm_live_slice),     ROW(sgm_object_result),
                ROW(sgm_volume_result)};
#undef ROW
    for (size_t i = 0; name && i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].name, name) == 0) return rows[i].size;
    return 0;
}
