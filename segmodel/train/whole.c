#include "train/whole.h"

#include <stdlib.h>
#include <string.h>

sgm_look_change sgm_look_change_draw(double strength, sgm_rng *rng)
{
    sgm_look_change c = {0};
    if (strength <= 0) return c;
    c.flip_x = sgm_rng_chance(rng, 0.5);
    c.flip_y = sgm_rng_chance(rng, 0.25);
    double contrast = exp(0.2 * strength * sgm_rng_normal(rng));
    double shift = 0.08 * strength * sgm_rng_normal(rng);
    double power = exp(0.25 * strength * sgm_rng_normal(rng));
    c.levels = true;
    for (int i = 0; i < 256; i++) {
        double v = pow(i / 255.0, power);
        v = 0.5 + contrast * (v - 0.5) + shift;
        c.curve[i] = (uint8_t)(255 * fmin(fmax(v, 0), 1) + 0.5);
    }
    return c;
}

/* The item's pixels after the change; malloc'ed. */
static uint8_t *changed_pixels(const sgm_pack_item *item, const sgm_look_change *change)
{
    int w = item->width, h = item->height, n = item->channels;
    uint8_t *to = malloc((size_t)w * (size_t)h * (size_t)n);
    for (int y = 0; to && y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < n; c++) {
                int u = change->flip_x ? w - 1 - x : x, v = change->flip_y ? h - 1 - y : y;
                uint8_t level =
                    item->image[((size_t)v * (size_t)w + (size_t)u) * (size_t)n + (size_t)c];
                to[((size_t)y * (size_t)w + (size_t)x) * (size_t)n + (size_t)c] =
                    change->levels ? change->curve[level] : level;
            }
    return to;
}

sgm_status sgm_whole_picture(const sgm_model_config *config, const sgm_pack_item *item,
                             const sgm_look_change *change, float *input, sgm_frame *frame)
{
    sgm_image image = {.data = item->image,
                       .width = item->width,
                       .height = item->height,
                       .channels = item->channels};
    if (!change->flip_x && !change->flip_y && !change->levels)
        return sgm_preprocess(config, &image, input, frame);
    uint8_t *pixels = changed_pixels(item, change);
    if (!pixels) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for a picture");
    image.data = pixels;
    sgm_status status = sgm_preprocess(config, &image, input, frame);
    free(pixels);
    return status;
}

/* What the pixel is. */
static int value_at(const sgm_pack_item *item, const sgm_target *object, const uint8_t *mask, int x,
                    int y)
{
    if (!object) return sgm_pack_label(item, x, y);
    if (x < object->x0 || y < object->y0 || x > object->x1 || y > object->y1) return 0;
    size_t width = (size_t)(object->x1 - object->x0 + 1);
    return mask[(size_t)(y - object->y0) * width + (size_t)(x - object->x0)];
}

/* The pixel nearest to the centre of cell i of `cells` that cover `covered` (in the network's
 * pixels) where the picture has `resized` of them and is `extent` pixels; -1: outside. */
static int pixel_of(int i, int cells, double covered, int resized, int extent, bool flip)
{
    int at = (int)floor((i + 0.5) * covered / cells * extent / resized);
    if (at < 0 || at >= extent) return -1;
    return flip ? extent - 1 - at : at;
}

void sgm_whole_cells(const sgm_model_config *config, const sgm_pack_item *item,
                     const sgm_look_change *change, const sgm_target *object,
                     const uint8_t *object_mask, sgm_target_grid grid, float *cells)
{
    sgm_frame frame = {0};
    if (sgm_frame_make(config, item->width, item->height, &frame) != SGM_OK) return;
    double covered_x = grid.of_picture ? frame.resized.width : config->image_size;
    double covered_y = grid.of_picture ? frame.resized.height : config->image_size;
    for (int y = 0; y < grid.height; y++) {
        int v =
            pixel_of(y, grid.height, covered_y, frame.resized.height, item->height, change->flip_y);
        for (int x = 0; x < grid.width; x++) {
            int u = pixel_of(x, grid.width, covered_x, frame.resized.width, item->width,
                             change->flip_x);
            *cells++ = u < 0 || v < 0 ? 0 : (float)value_at(item, object, object_mask, u, v);
        }
    }
}

void sgm_whole_mask(const sgm_model_config *config, const sgm_pack_item *item,
                    const sgm_look_change *change, const sgm_target *object,
                    const uint8_t *object_mask, uint8_t *mask)
{
    sgm_frame frame = {0};
    int side = config->image_size;
    if (sgm_frame_make(config, item->width, item->height, &frame) != SGM_OK) return;
    for (int y = 0; y < side; y++) {
        int v = pixel_of(y, side, side, frame.resized.height, item->height, change->flip_y);
        for (int x = 0; x < side; x++) {
            int u = pixel_of(x, side, side, frame.resized.width, item->width, change->flip_x);
            *mask++ = u >= 0 && v >= 0 && value_at(item, object, object_mask, u, v) != 0;
        }
    }
}
