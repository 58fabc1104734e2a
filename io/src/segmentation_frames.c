/* Label maps of folders of numbered pictures: paired with other pictures by their numbers, not by
 * how many lie before them. */
#include "segmentation_parts.h"

#include "io_status.h"

#include <stdlib.h>
#include <string.h>

sgio_status sgio_segmentation_number_frames(sgio_segmentation *segmentation,
                                            const sgio_volume *volume, const char *name)
{
    const int64_t frames = volume->geometry.size[2];
    segmentation->is_sequence = volume->is_sequence;
    if (!volume->frame_names) return SGIO_OK;
    segmentation->frame_numbers = calloc((size_t)frames, sizeof *segmentation->frame_numbers);
    if (!segmentation->frame_numbers)
        return sgio_fail_memory((size_t)frames * sizeof *segmentation->frame_numbers, name);
    for (int64_t k = 0; k < frames; k++)
        segmentation->frame_numbers[k] = sgio_volume_frame_number(volume, k);
    return SGIO_OK;
}

/* Where that number stands, -1: nowhere. */
static int64_t find_number(const long *numbers, int64_t count, long number)
{
    for (int64_t k = 0; k < count; k++)
        if (numbers[k] == number) return k;
    return -1;
}

static sgio_status deal_layer(sgio_layer *layer, const int64_t *from, int64_t count, size_t pixels,
                              const char *name)
{
    const size_t bytes = pixels * (size_t)layer->bytes;
    char *dealt = calloc((size_t)count, bytes);
    if (!dealt) return sgio_fail_memory((size_t)count * bytes, name);
    for (int64_t k = 0; k < count; k++)
        if (from[k] >= 0)
            memcpy(dealt + (size_t)k * bytes, (char *)layer->data + (size_t)from[k] * bytes, bytes);
    free(layer->data);
    layer->data = dealt;
    return SGIO_OK;
}

/* Slice k becomes that which is slice from[k] now. Takes `numbers` over, also when it fails. */
static sgio_status deal(sgio_segmentation *segmentation, const int64_t *from, long *numbers,
                        int64_t count, const char *name)
{
    sgio_geometry *grid = &segmentation->geometry;
    const size_t pixels = (size_t)grid->size[0] * (size_t)grid->size[1];
    sgio_status status = SGIO_OK;
    free(segmentation->frame_numbers);
    segmentation->frame_numbers = numbers;
    for (size_t l = 0; l < segmentation->layer_count && status == SGIO_OK; l++)
        status = deal_layer(&segmentation->layers[l], from, count, pixels, name);
    if (status != SGIO_OK) return status;
    grid->size[2] = count;
    sgio_segmentation_measure(segmentation);
    return SGIO_OK;
}

sgio_status sgio_segmentation_deal_frames(sgio_segmentation *segmentation, const long *numbers,
                                          int64_t count, const char *name, int64_t *found)
{
    const int64_t here = segmentation->geometry.size[2];
    int64_t *from = calloc((size_t)count + 1, sizeof *from);
    long *own = calloc((size_t)count + 1, sizeof *own);
    *found = 0;
    if (!from || !own) {
        free(from);
        free(own);
        return sgio_fail_memory(((size_t)count + 1) * sizeof *from, name);
    }
    for (int64_t k = 0; k < count; k++) {
        own[k] = numbers[k];
        from[k] = find_number(segmentation->frame_numbers, here, numbers[k]);
        *found += from[k] >= 0;
    }
    const sgio_status status = deal(segmentation, from, own, count, name);
    free(from);
    return status;
}

static sgio_status no_common_number(const sgio_segmentation *s, const sgio_volume *volume,
                                    const char *name)
{
    const int64_t last = volume->geometry.size[2] - 1;
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: its pictures are numbered %ld to %ld, and no frame of the volume (%ld to "
                     "%ld) has the number of one",
                     name, s->frame_numbers[0], s->frame_numbers[s->geometry.size[2] - 1],
                     sgio_volume_frame_number(volume, 0), sgio_volume_frame_number(volume, last));
}

sgio_status sgio_segmentation_follow_frames(sgio_segmentation *segmentation,
                                            const sgio_volume *volume, const char *name,
                                            sgio_warning_fn warn, void *user)
{
    const int64_t pictures = segmentation->geometry.size[2], frames = volume->geometry.size[2];
    int64_t found = 0;
    sgio_segmentation of_volume = {.geometry = volume->geometry};
    sgio_status status = sgio_segmentation_number_frames(&of_volume, volume, name);
    for (int64_t k = 0; k < frames && status == SGIO_OK; k++)
        found +=
            find_number(segmentation->frame_numbers, pictures, of_volume.frame_numbers[k]) >= 0;
    if (status == SGIO_OK && found == 0) status = no_common_number(segmentation, volume, name);
    if (status == SGIO_OK)
        status = sgio_segmentation_deal_frames(segmentation, of_volume.frame_numbers, frames, name,
                                               &found);
    free(of_volume.frame_numbers);
    if (status != SGIO_OK) return status;
    if (found < frames)
        sgio_warn(
            warn, user,
            "%s: %lld of %lld frames have no picture of their number: nothing is marked there",
            name, (long long)(frames - found), (long long)frames);
    if (found < pictures)
        sgio_warn(warn, user, "%s: %lld pictures have the number of no frame and are left out",
                  name, (long long)(pictures - found));
    return SGIO_OK;
}
