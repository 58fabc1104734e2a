#include "everything_labels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "cli_exit.h"

static size_t voxel_count(const sgio_volume *volume)
{
    const int64_t *size = volume->geometry.size;
    return (size_t)size[0] * (size_t)size[1] * (size_t)size[2];
}

static int no_memory(void)
{
    return cli_fail(CLI_EXIT_MEMORY, "no memory for a label map");
}

int everything_labels_open(everything_labels *all, const sgio_volume *volume, int layers)
{
    *all = (everything_labels){.volume = volume, .layers = layers};
    all->labels = calloc(voxel_count(volume), sizeof *all->labels);
    return all->labels ? 0 : no_memory();
}

void everything_labels_clear(everything_labels *all)
{
    for (size_t i = 0; i < all->kept_count; i++)
        slice_masks_clear(&all->kept[i]);
    free(all->kept);
    free(all->labels);
    *all = (everything_labels){0};
}

static int paint_all(everything_labels *all, const sgm_slices *slices, const slice_masks *masks)
{
    size_t *order = slice_masks_by_area(masks);
    uint8_t *mask = malloc((size_t)masks->width * (size_t)masks->height);
    int failed = order && mask ? 0 : no_memory();
    for (size_t i = 0; i < masks->count && !failed; i++) {
        slice_mask_draw(masks, order[i], mask);
        failed = bridge_from_model(sgm_slices_paint(slices, masks->slice, mask,
                                                    (uint16_t)(order[i] + 1), all->labels, NULL));
    }
    free(order);
    free(mask);
    return failed;
}

static int keep(everything_labels *all, slice_masks *masks)
{
    slice_masks *grown = realloc(all->kept, (all->kept_count + 1) * sizeof *grown);
    if (!grown) return no_memory();
    all->kept = grown;
    all->kept[all->kept_count++] = *masks;
    *masks = (slice_masks){0};
    return 0;
}

int everything_labels_add(everything_labels *all, const sgm_slices *slices, slice_masks *masks)
{
    if (masks->count > SGIO_MAX_SEGMENTS)
        return cli_fail(CLI_EXIT_OUTPUT,
                        "%zu masks on slice %lld: a segmentation holds at most %d; ask for fewer "
                        "(--most), or raise the thresholds",
                        masks->count, (long long)masks->slice, SGIO_MAX_SEGMENTS);
    if (masks->count > all->most) all->most = masks->count;
    const int failed = all->layers ? 0 : paint_all(all, slices, masks);
    if (!failed && all->layers) return keep(all, masks);
    slice_masks_clear(masks);
    return failed;
}

/* ------------------------------------------------------------------------------------ segments */

static int finish_flat(const everything_labels *all, const char *name, sgio_segmentation *out)
{
    sgio_volume view = *all->volume;
    view.data = all->labels;
    view.type = SGIO_U16;
    view.channels = 1;
    const sgio_segmentation_read_options own = {.are_labels = 1};
    return bridge_from_io(sgio_segmentation_from_volume(&view, name, &own, out));
}

/* The n-th masks of all slices as one: `voxels` is room for labels, all 0 before and after. */
static int draw_segment(const everything_labels *all, const sgm_slices *slices, size_t n,
                        uint8_t *picture, uint8_t *volume)
{
    const size_t count = voxel_count(all->volume);
    int failed = 0;
    memset(all->labels, 0, count * sizeof *all->labels);
    for (size_t i = 0; i < all->kept_count && !failed; i++) {
        if (n >= all->kept[i].count) continue;
        slice_mask_draw(&all->kept[i], n, picture);
        failed = bridge_from_model(
            sgm_slices_paint(slices, all->kept[i].slice, picture, 1, all->labels, NULL));
    }
    for (size_t i = 0; i < count; i++)
        volume[i] = all->labels[i] != 0;
    return failed;
}

static int add_segment(const everything_labels *all, const sgm_slices *slices, size_t n,
                       uint8_t *picture, uint8_t *volume, sgio_segmentation *out)
{
    char segment[32];
    size_t index;
    snprintf(segment, sizeof segment, "Segment_%zu", n + 1);
    int failed = draw_segment(all, slices, n, picture, volume);
    if (!failed) failed = bridge_from_io(sgio_segmentation_add(out, segment, NULL, &index));
    if (!failed) failed = bridge_from_io(sgio_segmentation_set_mask(out, index, volume));
    return failed;
}

static int finish_layers(const everything_labels *all, const sgm_slices *slices,
                         sgio_segmentation *out)
{
    const size_t pixels =
        all->kept_count ? (size_t)all->kept[0].width * (size_t)all->kept[0].height : 1;
    uint8_t *picture = malloc(pixels), *volume = malloc(voxel_count(all->volume));
    int failed = bridge_from_io(sgio_segmentation_init(out, &all->volume->geometry));
    if (!failed && (!picture || !volume)) failed = no_memory();
    for (size_t n = 0; n < all->most && !failed; n++)
        failed = add_segment(all, slices, n, picture, volume, out);
    free(picture);
    free(volume);
    return failed;
}

int everything_labels_finish(const everything_labels *all, const sgm_slices *slices,
                             const char *name, sgio_segmentation *out)
{
    return all->layers ? finish_layers(all, slices, out) : finish_flat(all, name, out);
}
