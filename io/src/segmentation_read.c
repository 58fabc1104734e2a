#include "segmentation_parts.h"

#include "formats.h"
#include "io_status.h"
#include "volume_formats.h"

#include <string.h>
#include <sys/stat.h>

sgio_status sgio_segmentation_finish(sgio_segmentation *out, const char *file, sgio_warning_fn warn,
                                     void *user)
{
    sgio_status status = SGIO_OK;
    if (out->segment_count == 0) {
        if (out->layer_count > 1)
            return sgio_fail(SGIO_UNREADABLE, "%s: several layers and no segments", file);
        status = sgio_segmentation_name_values(out, 0, file, warn, user);
    }
    if (status != SGIO_OK) return status;
    int64_t strangers = sgio_segmentation_measure(out);
    if (strangers < 0) return sgio_fail_memory(SGIO_MAX_LABEL, file);
    if (strangers > 0)
        sgio_warn(warn, user, "%s: %lld voxels belong to no segment and are dropped", file,
                  (long long)strangers);
    sgio_segmentation_shrink(out);
    return SGIO_OK;
}

sgio_status sgio_labels_from_voxels(const char *path, const sgio_voxel_format *format,
                                    const void *stored, size_t count, uint16_t *labels)
{
    if (sgio_voxels_to_u16(format, stored, count, labels) == 0) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: not a label map: it has values that are no whole number from 0 to %d",
                     path, SGIO_MAX_LABEL);
}

static void warn_if_lossy(const sgio_volume *volume, const char *name,
                          const sgio_segmentation_read_options *options)
{
    if (volume->is_lossy)
        sgio_warn(options->warn, options->warn_user,
                  "%s: JPEG changes the values of pixels, so that labels have wrong ones along "
                  "their borders; PNG keeps them",
                  name);
}

static sgio_status take_volume(const sgio_volume *volume, const char *name,
                               const sgio_segmentation_read_options *options,
                               sgio_segmentation *out)
{
    const int known = options->are_labels;
    const sgio_voxel_format format = {(int)volume->type, 0, 1, 0};
    int layer;
    if (volume->channels != 1)
        return sgio_fail(SGIO_UNREADABLE, "%s: a colour image is not a label map", name);
    sgio_status status = sgio_segmentation_init(out, &volume->geometry);
    if (status == SGIO_OK) status = sgio_segmentation_number_frames(out, volume, name);
    if (status == SGIO_OK) status = sgio_segmentation_add_layer(out, 2, &layer);
    if (status == SGIO_OK)
        status = sgio_labels_from_voxels(name, &format, volume->data,
                                         sgio_voxel_count(&out->geometry), out->layers[0].data);
    if (status == SGIO_OK && known)
        status = sgio_segmentation_name_values(out, known, name, NULL, NULL);
    if (status == SGIO_OK) warn_if_lossy(volume, name, options);
    return status == SGIO_OK
               ? sgio_segmentation_finish(out, name, options->warn, options->warn_user)
               : status;
}

/* Onto the wanted grid, or nothing at all. */
static sgio_status finish_reading(sgio_status status, sgio_segmentation *out, const char *name,
                                  const sgio_segmentation_read_options *options)
{
    if (status == SGIO_OK && out->frame_numbers && options->volume && options->volume->frame_names)
        status = sgio_segmentation_follow_frames(out, options->volume, name, options->warn,
                                                 options->warn_user);
    if (status == SGIO_OK && options->grid)
        status = sgio_segmentation_fit(out, options->grid, name, options->warn, options->warn_user);
    if (status != SGIO_OK) sgio_segmentation_clear(out);
    return status;
}

static const sgio_segmentation_read_options no_options;

sgio_status sgio_segmentation_from_volume(const sgio_volume *volume, const char *name,
                                          const sgio_segmentation_read_options *options,
                                          sgio_segmentation *out)
{
    if (!options) options = &no_options;
    memset(out, 0, sizeof *out);
    return finish_reading(take_volume(volume, name, options, out), out, name, options);
}

static sgio_status read_as_volume(const char *path, const sgio_segmentation_read_options *options,
                                  sgio_segmentation *out)
{
    sgio_volume volume;
    const sgio_read_options reading = {.warn = options->warn,
                                       .warn_user = options->warn_user,
                                       .progress = options->progress,
                                       .progress_user = options->progress_user,
                                       .palette_indices = 1};
    sgio_status status = sgio_volume_load(path, &reading, &volume);
    if (status != SGIO_OK) return status;
    status = take_volume(&volume, path, options, out);
    sgio_volume_clear(&volume);
    return status;
}

static int is_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

sgio_status sgio_segmentation_read(const char *path, const sgio_segmentation_read_options *options,
                                   sgio_segmentation *out)
{
    const sgio_format *format = NULL;
    if (!options) options = &no_options;
    memset(out, 0, sizeof *out);
    sgio_status status = is_file(path) ? sgio_format_find(path, &format) : SGIO_OK;
    if (status != SGIO_OK) return status;
    status = format && format->read_segmentation ? format->read_segmentation(path, options, out)
                                                 : read_as_volume(path, options, out);
    return finish_reading(status, out, path, options);
}
