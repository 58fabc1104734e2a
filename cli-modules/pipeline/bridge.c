#include "bridge.h"

#include <string.h>

#include "cli_cancel.h"
#include "cli_exit.h"

int bridge_from_io(sgio_status status)
{
    return status == SGIO_OK ? 0
                             : cli_fail(cli_exit_from_io_status(status), "%s", sgio_last_message());
}

int bridge_from_model(sgm_status status)
{
    return status == SGM_OK
               ? 0
               : cli_fail(cli_exit_from_model_status(status), "%s", sgm_last_message());
}

int bridge_stop(void *unused, double done)
{
    (void)done;
    return cli_cancelled(unused);
}

static sgm_voxel voxel_type(sgio_type type)
{
    switch (type) {
    case SGIO_U8:
        return SGM_VOXEL_U8;
    case SGIO_I8:
        return SGM_VOXEL_I8;
    case SGIO_U16:
        return SGM_VOXEL_U16;
    case SGIO_I16:
        return SGM_VOXEL_I16;
    case SGIO_U32:
        return SGM_VOXEL_U32;
    case SGIO_I32:
        return SGM_VOXEL_I32;
    case SGIO_F32:
        return SGM_VOXEL_F32;
    case SGIO_F64:
        return SGM_VOXEL_F64;
    }
    return SGM_VOXEL_U8;
}

/* What the file says of itself; AUTO where it says nothing. */
static sgm_hounsfield hounsfield_of(const sgio_volume *volume)
{
    if (!volume->modality[0]) return SGM_HOUNSFIELD_AUTO;
    return volume->hounsfield ? SGM_HOUNSFIELD_ON : SGM_HOUNSFIELD_OFF;
}

sgm_volume bridge_volume(const sgio_volume *volume)
{
    sgm_volume view = {.data = volume->data,
                       .type = voxel_type(volume->type),
                       .channels = volume->channels,
                       .hounsfield = hounsfield_of(volume),
                       .has_padding = volume->has_padding,
                       .padding = volume->padding};
    memcpy(view.size, volume->geometry.size, sizeof view.size);
    memcpy(view.matrix, volume->geometry.matrix, sizeof view.matrix);
    return view;
}

void bridge_seed(const sgio_geometry *grid, const sgio_point *point, sgm_seed *seed)
{
    sgio_geometry_lps_to_index(grid, point->lps, seed->index);
    seed->label = point->foreground ? SGM_FOREGROUND : SGM_BACKGROUND;
}

/* Half axes are differences of points, so that the origin cancels. */
void bridge_roi(const sgio_geometry *grid, const sgio_box *box, sgm_roi *roi)
{
    sgio_geometry_lps_to_index(grid, box->centre, roi->center);
    for (int axis = 0; axis < 3; axis++) {
        double tip[3], index[3];
        for (int c = 0; c < 3; c++)
            tip[c] = box->centre[c] + box->half_axis[axis][c];
        sgio_geometry_lps_to_index(grid, tip, index);
        for (int c = 0; c < 3; c++)
            roi->half_axis[axis][c] = index[c] - roi->center[c];
    }
}
