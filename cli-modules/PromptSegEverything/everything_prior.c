#include "everything_prior.h"

#include <math.h>
#include <stdlib.h>

#include "cli_exit.h"

static uint8_t grey_at(const sgm_image *picture, int x, int y)
{
    const ptrdiff_t stride =
        picture->stride ? picture->stride : (ptrdiff_t)picture->width * picture->channels;
    const uint8_t *p = picture->data + y * stride + (ptrdiff_t)x * picture->channels;
    if (picture->channels == 1) return *p;
    return (uint8_t)((299 * p[0] + 587 * p[1] + 114 * p[2] + 500) / 1000);
}

/* Whether a pixel has a neighbour (of four) on the other side of the outline. */
static int on_outline(const uint8_t *mask, int width, int height, int x, int y)
{
    const uint8_t *p = mask + (size_t)y * (size_t)width + (size_t)x;
    return (x > 0 && p[-1] != *p) || (x + 1 < width && p[1] != *p) || (y > 0 && p[-width] != *p) ||
           (y + 1 < height && p[width] != *p);
}

static void add_mask(const slice_masks *masks, size_t index, uint8_t *mask, double *sum,
                     uint8_t *rgb)
{
    const sgm_found *found = &masks->items[index].found;
    const double weight = masks->from_boxes ? found->predicted_iou : found->stability_score;
    slice_mask_draw(masks, index, mask);
    for (int y = 0; y < masks->height; y++)
        for (int x = 0; x < masks->width; x++) {
            const size_t at = (size_t)y * (size_t)masks->width + (size_t)x;
            if (mask[at]) sum[at] += fmax(weight, 0);
            if (on_outline(mask, masks->width, masks->height, x, y)) rgb[3 * at + 2] = 255;
        }
}

static void store(const sgm_image *picture, const double *sum, uint8_t *rgb)
{
    const size_t pixels = (size_t)picture->width * (size_t)picture->height;
    double most = 0;
    for (size_t i = 0; i < pixels; i++)
        most = fmax(most, sum[i]);
    for (size_t i = 0; i < pixels; i++) {
        rgb[3 * i] =
            grey_at(picture, (int)(i % (size_t)picture->width), (int)(i / (size_t)picture->width));
        rgb[3 * i + 1] = (uint8_t)(most > 0 ? floor(255 * sum[i] / most + 0.5) : 0);
    }
}

int everything_prior(const sgm_image *picture, const slice_masks *masks, uint8_t *rgb)
{
    const size_t pixels = (size_t)picture->width * (size_t)picture->height;
    double *sum = calloc(pixels, sizeof *sum);
    uint8_t *mask = malloc(pixels);
    int failed = 0;
    if (sum && mask) {
        for (size_t i = 0; i < pixels; i++)
            rgb[3 * i + 2] = 0;
        for (size_t i = 0; i < masks->count; i++)
            add_mask(masks, i, mask, sum, rgb);
        store(picture, sum, rgb);
    } else {
        failed = cli_fail(CLI_EXIT_MEMORY, "no memory for the masks' channels");
    }
    free(sum);
    free(mask);
    return failed;
}
