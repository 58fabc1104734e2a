#include "io_status.h"
#include "volume_formats.h"

#include <math.h>

sgio_status sgio_check_geometry(const char *path, const sgio_geometry *geometry)
{
    const double zero[3] = {0, 0, 0};
    double index[3], spacing[3];
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 4; c++)
            if (!isfinite(geometry->matrix[r][c]))
                return sgio_fail(SGIO_UNREADABLE,
                                 "%s: spacing, direction or origin is not a number", path);
    sgio_geometry_spacing(geometry, spacing);
    for (int axis = 0; axis < 3; axis++)
        if (!(spacing[axis] > 0))
            return sgio_fail(SGIO_UNREADABLE, "%s: spacing or direction of axis %d is zero", path,
                             axis);
    if (sgio_geometry_lps_to_index(geometry, zero, index) != 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: its axes lie in one plane", path);
    return SGIO_OK;
}

static int is_zero_column(const sgio_geometry *geometry, int axis)
{
    return geometry->matrix[0][axis] == 0 && geometry->matrix[1][axis] == 0 &&
           geometry->matrix[2][axis] == 0;
}

int sgio_complete_geometry(sgio_geometry *geometry)
{
    double(*m)[4] = geometry->matrix;
    int completed = 0;
    for (int axis = 0; axis < 3; axis++) {
        if (geometry->size[axis] != 1 || !is_zero_column(geometry, axis)) continue;
        int a = (axis + 1) % 3, b = (axis + 2) % 3;
        double normal[3], length = 0;
        for (int r = 0; r < 3; r++) {
            int s = (r + 1) % 3, t = (r + 2) % 3;
            normal[r] = m[s][a] * m[t][b] - m[t][a] * m[s][b];
            length += normal[r] * normal[r];
        }
        for (int r = 0; r < 3; r++)
            m[r][axis] = length > 0 ? normal[r] / sqrt(length) : r == axis;
        completed |= 1 << axis;
    }
    return completed;
}

void sgio_say_assumed(const char *path, int axes, const sgio_read_options *options,
                      sgio_volume *out)
{
    static const char *const along[8] = {
        "",         " along i",       " along j",       " along i and j",
        " along k", " along i and k", " along j and k", ""};
    if (!axes) return;
    out->spacing_assumed = 1;
    sgio_warn(options->warn, options->warn_user,
              "%s gives no spacing%s: 1 mm is assumed, so lengths and millilitres are a guess",
              path, along[axes & 7]);
}

/* ITK and 3D Slicer do not convert; a segmentation that did would not lie on the volume there. */
void sgio_say_unit(const char *path, const char *unit, const sgio_read_options *options,
                   sgio_volume *out)
{
    if (!*unit) return;
    out->spacing_assumed = 1;
    sgio_warn(
        options->warn, options->warn_user,
        "%s gives lengths in \"%s\"; they are read as millimetres, as ITK and 3D Slicer do, so "
        "lengths and millilitres are not true",
        path, unit);
}
