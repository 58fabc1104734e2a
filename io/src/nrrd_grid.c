/* Where an NRRD's voxels lie. */
#include "nrrd_header.h"

#include "io_status.h"
#include "volume_formats.h"

#include <math.h>
#include <string.h>

static int has_any_direction(const sgio_nrrd *header)
{
    for (int axis = 0; axis < header->dimension; axis++)
        if (header->axes[axis].has_direction) return 1;
    return 0;
}

int sgio_nrrd_is_spatial(const sgio_nrrd *header, int axis)
{
    static const char *const spatial[] = {"", "domain", "space", "none", "???"};
    if (has_any_direction(header)) return header->axes[axis].has_direction;
    for (size_t i = 0; i < sizeof spatial / sizeof *spatial; i++)
        if (strcmp(header->axes[axis].kind, spatial[i]) == 0) return 1;
    return 0;
}

int sgio_nrrd_odd_axis(const sgio_nrrd *header, int usual)
{
    if (header->dimension != 4) return -1;
    for (int axis = 0; axis < 4; axis++)
        if (!sgio_nrrd_is_spatial(header, axis) || header->axes[axis].has_direction) return -1;
    const int first_is_one = header->axes[0].size == 1, last_is_one = header->axes[3].size == 1;
    if (first_is_one == last_is_one) return usual;
    return first_is_one ? 0 : 3;
}

/* Without directions: along the axes of the space, or of LPS where none is named (as ITK), spacing
 * 1 unless given. `column` is the spatial axis. */
static void plain_column(const sgio_nrrd *header, int axis, int column, sgio_geometry *geometry,
                         int *assumed)
{
    const sgio_nrrd_axis *own = &header->axes[axis];
    const double sign = header->space_dimension ? header->space_sign[column] : 1;
    const double spacing = isnan(own->spacing) ? 1 : fabs(own->spacing);
    if (isnan(own->spacing)) *assumed |= 1 << column;
    for (int r = 0; r < 3; r++)
        geometry->matrix[r][column] = r == column ? sign * spacing : 0;
    if (!isnan(own->min))
        geometry->matrix[column][3] = sign * (own->min + (own->node_centered ? 0 : spacing / 2));
}

static void directed_column(const sgio_nrrd *header, int axis, int column, sgio_geometry *geometry)
{
    for (int r = 0; r < 3; r++)
        geometry->matrix[r][column] = header->space_sign[r] * header->axes[axis].direction[r];
}

sgio_status sgio_nrrd_geometry(const char *path, const sgio_nrrd *header, sgio_geometry *geometry,
                               int *assumed)
{
    int count = 0;
    *assumed = 0;
    memset(geometry, 0, sizeof *geometry);
    for (int axis = 0; axis < header->dimension; axis++) {
        if (!sgio_nrrd_is_spatial(header, axis)) continue;
        if (count < 3) {
            geometry->size[count] = header->axes[axis].size;
            if (header->axes[axis].has_direction)
                directed_column(header, axis, count, geometry);
            else
                plain_column(header, axis, count, geometry, assumed);
        }
        count++;
    }
    if (count < 2 || count > 3)
        return sgio_fail(SGIO_UNREADABLE, "%s: %d spatial axes, wanted 2 or 3", path, count);
    if (count == 2) geometry->size[2] = 1;
    for (int r = 0; r < 3 && header->has_origin; r++)
        geometry->matrix[r][3] = header->space_sign[r] * header->origin[r];
    *assumed |= sgio_complete_geometry(geometry);
    return sgio_check_geometry(path, geometry);
}

/* Whether the file's space is another than LPS. */
static int is_turned(const sgio_nrrd *header)
{
    return header->space_dimension &&
           memcmp(header->space_sign, (double[]){1, 1, 1}, sizeof header->space_sign) != 0;
}

static int has_any_spacing(const sgio_nrrd *header)
{
    for (int axis = 0; axis < header->dimension; axis++)
        if (!isnan(header->axes[axis].spacing)) return 1;
    return 0;
}

int sgio_nrrd_itk_differs(const sgio_nrrd *header)
{
    if (has_any_direction(header)) return is_turned(header) && header->space_has_time;
    return header->space_dimension && (is_turned(header) || has_any_spacing(header));
}

void sgio_nrrd_say_space(const char *path, const sgio_nrrd *header, sgio_warning_fn warn,
                         void *user)
{
    const int turned = is_turned(header);
    if (turned && !has_any_direction(header))
        sgio_warn(warn, user,
                  "%s: its space is named, but no space directions are; the axes are taken to run "
                  "along those of the space",
                  path);
    else if (turned && header->space_has_time)
        sgio_warn(warn, user,
                  "%s: its axes are taken as those of the space it names, a patient's with time; "
                  "ITK takes them as left-posterior-superior",
                  path);
}
