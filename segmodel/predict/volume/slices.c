#include "segmodel/slices.h"

#include "core/call.h"
#include "core/sized.h"
#include "core/status.h"
#include "predict/picture/window.h"
#include "predict/volume/live.h"
#include "predict/volume/stack.h"

#include <stdlib.h>

struct sgm_slices {
    sgm_volume volume;
    sgm_stack stack;
};

static sgm_status open_stack(sgm_slices *slices, const sgm_volume_options *options)
{
    const double manual[2] = {options->window_low, options->window_high};
    sgm_volume *volume = &slices->volume;
    sgm_plane plane;
    const char *doubt;
    double low, high;
    if (options->hounsfield != SGM_HOUNSFIELD_AUTO) volume->hounsfield = options->hounsfield;
    if (options->padding != SGM_PADDING_AUTO) {
        volume->has_padding = options->padding == SGM_PADDING_VALUE;
        volume->padding = options->padding_value;
    }
    SGM_TRY(sgm_window_settle(volume, options->window, manual, &low, &high, &doubt));
    if (doubt) sgm_call_warn("%s", doubt);
    SGM_TRY(sgm_plane_choose(volume, options->axis, NULL, 0, &plane));
    return sgm_stack_init(&slices->stack, volume, &plane, low, high);
}

sgm_status sgm_slices_create(const sgm_volume *volume, const sgm_volume_options *given,
                             const sgm_call *call, sgm_slices **out)
{
    sgm_volume_options options;
    sgm_call_scope scope;
    if (!volume || !out)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_slices_create: volume or out is NULL");
    *out = NULL;
    SGM_TRY(sgm_volume_check(volume));
    SGM_TRY(sgm_volume_options_read(given, &options));
    sgm_slices *slices = calloc(1, sizeof *slices);
    if (!slices) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a volume's slices");
    slices->volume = *volume;
    sgm_status status = sgm_call_enter(&scope, call);
    if (status == SGM_OK) {
        status = open_stack(slices, &options);
        sgm_call_leave(&scope);
    }
    if (status == SGM_OK)
        *out = slices;
    else
        sgm_slices_destroy(slices);
    return status;
}

void sgm_slices_destroy(sgm_slices *slices)
{
    if (!slices) return;
    sgm_stack_clear(&slices->stack);
    free(slices);
}

sgm_status sgm_slices_get_info(const sgm_slices *slices, sgm_slices_info *info)
{
    const sgm_plane *plane = &slices->stack.plane;
    const sgm_slices_info known = {
        sizeof known, plane->axis,   plane->slices,
        plane->width, plane->height, {slices->stack.slicer.low, slices->stack.slicer.high}};
    return sgm_sized_write("sgm_slices_info", &known, sizeof known, sizeof known, info);
}

static sgm_status check_slice(const sgm_slices *slices, int64_t slice)
{
    if (slices && slice >= 0 && slice < slices->stack.plane.slices) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT, "there is no slice %lld; there are %lld",
                    (long long)slice,
                    slices ? (long long)slices->stack.plane.slices : (long long)0);
}

sgm_status sgm_slices_picture(sgm_slices *slices, int64_t slice, sgm_image *picture)
{
    SGM_TRY(check_slice(slices, slice));
    sgm_stack_show(&slices->stack, slice);
    *picture = slices->stack.picture;
    return SGM_OK;
}

sgm_status sgm_slices_voxels(const sgm_slices *slices, int64_t slice, int64_t *voxels)
{
    SGM_TRY(check_slice(slices, slice));
    sgm_slice_voxels(&slices->stack.plane, slices->volume.size, slice, voxels);
    return SGM_OK;
}

sgm_status sgm_slices_paint(const sgm_slices *slices, int64_t slice, const uint8_t *mask,
                            uint16_t value, uint16_t *labels, int64_t *painted)
{
    SGM_TRY(check_slice(slices, slice));
    const sgm_plane *plane = &slices->stack.plane;
    int64_t count = sgm_slice_store(plane, mask, slices->stack.voxels);
    for (int64_t v = 0; v < plane->rows; v++)
        for (int64_t u = 0; u < plane->columns; u++)
            if (slices->stack.voxels[v * plane->columns + u])
                labels[sgm_plane_offset(plane, slices->volume.size, slice, u, v)] = value;
    if (painted) *painted = count;
    return SGM_OK;
}
