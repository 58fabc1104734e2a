/* The same voxels in another order, for two volumes of one object. */
#include "io_status.h"
#include "segmentation_turn.h"
#include "sgio/volume.h"
#include "voxels.h"

#include <stdlib.h>
#include <string.h>

static void copy_turned(const sgio_volume *from, const sgio_geometry *grid, const sgio_turn *turn,
                        size_t bytes, char *to)
{
    const char *data = from->data;
    int64_t start, step[3];
    sgio_turn_steps(from->geometry.size, turn, &start, step);
    for (int64_t k = 0; k < grid->size[2]; k++)
        for (int64_t j = 0; j < grid->size[1]; j++)
            for (int64_t i = 0; i < grid->size[0]; i++, to += bytes) {
                const int64_t at = start + i * step[0] + j * step[1] + k * step[2];
                memcpy(to, data + (size_t)at * bytes, bytes);
            }
}

/* Files stand for slices in their old order. */
static void drop_files(sgio_volume *volume)
{
    for (size_t i = 0; volume->files && i < volume->file_count; i++)
        free(volume->files[i]);
    free(volume->files);
    free(volume->file_frames);
    volume->files = NULL;
    volume->file_frames = NULL;
    volume->file_count = 0;
}

static sgio_status turn_round(sgio_volume *volume, const sgio_geometry *grid, const sgio_turn *turn)
{
    const size_t bytes = sgio_raw_bytes((int)volume->type) * (size_t)volume->channels;
    const size_t all = (size_t)(grid->size[0] * grid->size[1] * grid->size[2]) * bytes;
    char *turned = malloc(all);
    if (!turned) return sgio_fail_memory(all, "a volume turned round");
    copy_turned(volume, grid, turn, bytes, turned);
    free(volume->data);
    volume->data = turned;
    drop_files(volume);
    return SGIO_OK;
}

sgio_status sgio_volume_fit(sgio_volume *volume, const sgio_geometry *grid, double tolerance_mm,
                            int *fits)
{
    sgio_turn turn;
    sgio_status status = SGIO_OK;
    *fits = 1;
    if (!sgio_geometry_equal(&volume->geometry, grid, tolerance_mm)) {
        *fits =
            !volume->frame_names && sgio_turn_find(&volume->geometry, grid, tolerance_mm, &turn);
        if (*fits) status = turn_round(volume, grid, &turn);
    }
    if (*fits && status == SGIO_OK) volume->geometry = *grid;
    return status;
}
