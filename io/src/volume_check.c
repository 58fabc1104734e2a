/* Volumes that hold nothing to be found. */
#include "volume_formats.h"

#include "io_status.h"
#include "voxels.h"

#include <math.h>
#include <string.h>

static size_t value_count(const sgio_volume *v)
{
    return (size_t)v->geometry.size[0] * (size_t)v->geometry.size[1] * (size_t)v->geometry.size[2] *
           (size_t)v->channels;
}

static int any_number(const sgio_volume *v, size_t count)
{
    const float *floats = v->data;
    const double *doubles = v->data;
    if (v->type != SGIO_F32 && v->type != SGIO_F64) return 1;
    for (size_t i = 0; i < count; i++)
        if (isfinite(v->type == SGIO_F32 ? (double)floats[i] : doubles[i])) return 1;
    return 0;
}

/* All voxels of one colour or value, bit for bit. */
static int is_constant(const sgio_volume *v, size_t count)
{
    const char *bytes = v->data;
    size_t voxel = sgio_raw_bytes((int)v->type) * (size_t)v->channels;
    size_t all = count * sgio_raw_bytes((int)v->type);
    return memcmp(bytes, bytes + voxel, all - voxel) == 0;
}

sgio_status sgio_check_values(const char *path, const sgio_read_options *options,
                              const sgio_volume *volume)
{
    size_t count = value_count(volume);
    if (!any_number(volume, count))
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: every voxel is NaN or infinite: there is no picture in it", path);
    if (is_constant(volume, count))
        sgio_warn(options->warn, options->warn_user,
                  "%s: all voxels have the same value: there is nothing in it to be found", path);
    return SGIO_OK;
}
