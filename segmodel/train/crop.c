#include "train/crop.h"

/* Item pixel = origin + column * x + row * y for output pixel (x, y). */
typedef struct crop_map {
    double origin[2], column[2], row[2];
} crop_map;

static crop_map map_of(const sgm_crop *crop, int size)
{
    double scale = crop->side / size, c = cos(crop->angle), s = sin(crop->angle);
    double sx = scale * crop->stretch * (crop->flip_x ? -1 : 1);
    double sy = scale / crop->stretch * (crop->flip_y ? -1 : 1);
    crop_map map = {.column = {c * sx, s * sx}, .row = {-s * sy, c * sy}};
    double half = (size - 1) / 2.0;
    map.origin[0] = crop->cx - half * (map.column[0] + map.row[0]);
    map.origin[1] = crop->cy - half * (map.column[1] + map.row[1]);
    return map;
}

static float pixel(const sgm_pack_item *item, int x, int y, int channel, float outside)
{
    if (x < 0 || y < 0 || x >= item->width || y >= item->height) return outside;
    size_t at = (size_t)y * (size_t)item->width + (size_t)x;
    return item->image[at * (size_t)item->channels + (size_t)channel];
}

static void add_bilinear(const sgm_pack_item *item, double x, double y, float outside, float weight,
                         float out[3])
{
    int ix = (int)floor(x), iy = (int)floor(y);
    float fx = (float)(x - ix), fy = (float)(y - iy);
    float w[4] = {(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy};
    for (int c = 0; c < item->channels; c++) {
        float value = w[0] * pixel(item, ix, iy, c, outside) +
                      w[1] * pixel(item, ix + 1, iy, c, outside) +
                      w[2] * pixel(item, ix, iy + 1, c, outside) +
                      w[3] * pixel(item, ix + 1, iy + 1, c, outside);
        out[c] += weight * value;
    }
}

static void add_nearest(const sgm_pack_item *item, double x, double y, float outside, float weight,
                        float out[3])
{
    int ix = (int)floor(x + 0.5), iy = (int)floor(y + 0.5);
    for (int c = 0; c < item->channels; c++)
        out[c] += weight * pixel(item, ix, iy, c, outside);
}

enum { MAX_TAPS = 4 };

void sgm_crop_image(const sgm_crop *crop, const sgm_pack_item *item, int size, float outside,
                    float *image)
{
    crop_map map = map_of(crop, size);
    int taps = (int)fmin(fmax(1, floor(crop->side / size + 0.6)), MAX_TAPS);
    float weight = 1.0f / (float)(taps * taps);
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            float *out = image + 3 * (y * size + x);
            out[0] = out[1] = out[2] = 0;
            for (int k = 0; k < taps * taps; k++) {
                double u = x + (k % taps + 0.5) / taps - 0.5, v = y + (k / taps + 0.5) / taps - 0.5;
                double px = map.origin[0] + map.column[0] * u + map.row[0] * v;
                double py = map.origin[1] + map.column[1] * u + map.row[1] * v;
                if (taps == 1)
                    add_bilinear(item, px, py, outside, weight, out);
                else
                    add_nearest(item, px, py, outside, weight, out);
            }
            if (item->channels == 1) out[1] = out[2] = out[0];
        }
}

void sgm_crop_around(const sgm_crop *crop, const sgm_pack_item *item, int size, uint8_t *around)
{
    crop_map map = map_of(crop, size);
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            double u = map.origin[0] + map.column[0] * x + map.row[0] * y;
            double v = map.origin[1] + map.column[1] * x + map.row[1] * y;
            around[y * size + x] =
                u < -0.5 || v < -0.5 || u >= item->width - 0.5 || v >= item->height - 0.5;
        }
}

void sgm_crop_mask(const sgm_crop *crop, const sgm_target *object, const uint8_t *object_mask,
                   int size, uint8_t *mask)
{
    crop_map map = map_of(crop, size);
    int width = object->x1 - object->x0 + 1;
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            int u = (int)floor(map.origin[0] + map.column[0] * x + map.row[0] * y + 0.5);
            int v = (int)floor(map.origin[1] + map.column[1] * x + map.row[1] * y + 0.5);
            bool in = u >= object->x0 && u <= object->x1 && v >= object->y0 && v <= object->y1;
            mask[y * size + x] =
                in &&
                object_mask[(size_t)(v - object->y0) * (size_t)width + (size_t)(u - object->x0)];
        }
}
