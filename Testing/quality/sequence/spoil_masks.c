/* Masks of a clip as a worse network would make them, from its labels:
 *   spoil_masks FRAMES LABELS SEED OUT/frames.csv
 * FRAMES and LABELS are folders or patterns of numbered pictures. Of each frame's mask, by chance:
 * grown or shrunk by up to a quarter of its radius, then moved by up to a fifth of it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/distance_map.h"
#include "metrics/draw.h"
#include "sgio/labelmap.h"
#include "sgio/volume.h"

static void must(int good, const char *why)
{
    if (good) return;
    fprintf(stderr, "spoil_masks: %s\n", why);
    exit(2);
}

static void *must_alloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    must(memory != NULL, "no memory");
    return memory;
}

/* Pixels nearer than `reach` to the mask join it; a negative reach takes its rim away. */
static void grow(uint8_t *mask, const int64_t size[3], double reach)
{
    const size_t pixels = (size_t)(size[0] * size[1]);
    double *squared = must_alloc(pixels, sizeof *squared);
    uint8_t *asked = must_alloc(pixels, 1);
    for (size_t i = 0; i < pixels; i++)
        asked[i] = reach > 0 ? !mask[i] : mask[i];
    must(sgm_distance_map(asked, size, 0, squared, NULL) == SGM_OK, sgm_last_message());
    for (size_t i = 0; i < pixels; i++)
        if (asked[i] && squared[i] <= reach * reach) mask[i] = reach > 0;
    free(squared);
    free(asked);
}

static void move(uint8_t *mask, const int64_t size[3], int64_t dx, int64_t dy)
{
    uint8_t *moved = must_alloc((size_t)(size[0] * size[1]), 1);
    for (int64_t y = 0; y < size[1]; y++)
        for (int64_t x = 0; x < size[0]; x++) {
            const int64_t fx = x - dx, fy = y - dy;
            if (fx >= 0 && fy >= 0 && fx < size[0] && fy < size[1])
                moved[y * size[0] + x] = mask[fy * size[0] + fx];
        }
    memcpy(mask, moved, (size_t)(size[0] * size[1]));
    free(moved);
}

static void spoil(uint8_t *mask, const int64_t size[3], uint64_t key, uint64_t frame)
{
    size_t area = 0;
    for (int64_t i = 0; i < size[0] * size[1]; i++)
        area += mask[i] != 0;
    const double radius = sqrt((double)area / 3.141592653589793);
    const double turn = 6.283185307179586 * sgm_draw_unit(key, 4 * frame + 1);
    const double way = 0.2 * radius * sgm_draw_unit(key, 4 * frame + 2);
    grow(mask, size, radius * (0.5 * sgm_draw_unit(key, 4 * frame) - 0.25));
    move(mask, size, lrint(way * cos(turn)), lrint(way * sin(turn)));
}

int main(int argc, char **argv)
{
    sgio_volume frames, labels;
    sgio_segmentation out;
    size_t index;
    must(argc == 5, "usage: spoil_masks FRAMES LABELS SEED OUT/frames.csv");
    must(sgio_volume_read(argv[1], NULL, &frames) == SGIO_OK, sgio_last_message());
    must(sgio_volume_read(argv[2], NULL, &labels) == SGIO_OK, sgio_last_message());
    must(labels.channels == 1 && labels.type == SGIO_U8 &&
             !memcmp(frames.geometry.size, labels.geometry.size, sizeof frames.geometry.size),
         "labels are grey, one for each frame");
    for (int64_t k = 0; k < labels.geometry.size[2]; k++)
        must(sgio_volume_frame_number(&labels, k) == sgio_volume_frame_number(&frames, k),
             "labels have the numbers of the frames");
    const int64_t plane[3] = {labels.geometry.size[0], labels.geometry.size[1], 1};
    const uint64_t key = sgm_draw_key("spoil:", argv[3], 0);
    uint8_t *masks = labels.data;
    for (int64_t k = 0; k < labels.geometry.size[2]; k++)
        spoil(masks + k * plane[0] * plane[1], plane, key, (uint64_t)k);
    must(sgio_segmentation_init(&out, &frames.geometry) == SGIO_OK, sgio_last_message());
    must(sgio_segmentation_add(&out, "spoilt", NULL, &index) == SGIO_OK, sgio_last_message());
    must(sgio_segmentation_set_mask(&out, index, masks) == SGIO_OK, sgio_last_message());
    const sgio_segmentation_write_options how = {.source = &frames, .source_path = argv[1]};
    must(sgio_segmentation_write(&out, argv[4], &how, NULL) == SGIO_OK, sgio_last_message());
    sgio_segmentation_clear(&out);
    sgio_volume_clear(&frames);
    sgio_volume_clear(&labels);
    return 0;
}
