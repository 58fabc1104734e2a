#include "synthetic_network.h"

#include "core/status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Intensities that belong together where a mask says what is meant. */
enum { sure_tolerance = 10 };

static int walks_by_mask(const synthetic_network *network)
{
    return sgm_walk_is_by_mask(&network->predictor.walk);
}

static double scale_of(const synthetic_network *network)
{
    int longest = network->width > network->height ? network->width : network->height;
    return (double)network->predictor.image_size / longest;
}

static int clamp(double value, int count)
{
    int at = (int)floor(value);
    return at < 0 ? 0 : at >= count ? count - 1 : at;
}

/* Embedding column or row of a picture coordinate. */
static int cell_of(const synthetic_network *network, double x, int length)
{
    double scale = scale_of(network);
    return clamp((x + 0.5) * scale, (int)ceil(length * scale - 1e-9));
}

static sgm_status synthetic_hash(void *self, const sgm_image *image, uint64_t *hash)
{
    (void)self;
    *hash = (uint64_t)image->width << 32 ^ (uint64_t)image->height;
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++) {
            ptrdiff_t stride = image->stride ? image->stride : image->width * image->channels;
            *hash = (*hash ^ image->data[y * stride + x * image->channels]) * 0x100000001b3u;
        }
    return SGM_OK;
}

static sgm_status synthetic_encode(void *self, const sgm_image *image, float *embedding)
{
    synthetic_network *network = self;
    int side = network->predictor.image_size;
    ptrdiff_t stride = image->stride ? image->stride : image->width * image->channels;
    network->encodes++;
    network->width = image->width;
    network->height = image->height;
    double scale = scale_of(network);
    for (int row = 0; row < side; row++)
        for (int column = 0; column < side; column++) {
            int x = (int)floor((column + 0.5) / scale), y = (int)floor((row + 0.5) / scale);
            int is_padding = x >= image->width || y >= image->height;
            *embedding++ = is_padding ? -1000 : image->data[y * stride + x * image->channels];
        }
    return SGM_OK;
}

static sgm_status synthetic_select(void *self, const float *embedding, int width, int height)
{
    synthetic_network *network = self;
    memcpy(network->embedding, embedding, sizeof(float) * network->predictor.embedding_count);
    network->width = width;
    network->height = height;
    return SGM_OK;
}

static sgm_status synthetic_maps(void *self, sgm_feature_map *maps, int *count)
{
    synthetic_network *network = self;
    int side = network->predictor.image_size;
    for (int i = 0; i < side * side; i++)
        network->map[i] = network->embedding[i] / 255;
    maps[0] = (sgm_feature_map){side, side, 1, network->map};
    *count = 1;
    return SGM_OK;
}

void synthetic_show_maps(synthetic_network *network)
{
    network->predictor.maps = synthetic_maps;
}

/* Walking by masks: does a cell have the intensity of a point's place? */
static int looks_like(const synthetic_network *network, const sgm_point *point, int column, int row)
{
    int side = network->predictor.image_size;
    int x = cell_of(network, point->x, network->width);
    int y = cell_of(network, point->y, network->height);
    return walks_by_mask(network) &&
           fabsf(network->embedding[row * side + column] - network->embedding[y * side + x]) < 10;
}

/* Is a cell inside the box and not near a background point? */
static int is_allowed(const synthetic_network *network, const sgm_prompt *prompt, int column,
                      int row)
{
    double scale = scale_of(network);
    double x = (column + 0.5) / scale - 0.5, y = (row + 0.5) / scale - 0.5;
    if (prompt->box && !network->ignores_box &&
        (x < prompt->box->x0 - 0.5 || x > prompt->box->x1 + 0.5 || y < prompt->box->y0 - 0.5 ||
         y > prompt->box->y1 + 0.5))
        return 0;
    for (size_t i = 0; i < prompt->point_count; i++)
        if (prompt->points[i].label == SGM_BACKGROUND &&
            (hypot(prompt->points[i].x - x, prompt->points[i].y - y) < 2 ||
             looks_like(network, &prompt->points[i], column, row)))
            return 0;
    return 1;
}

static void push(synthetic_network *network, const sgm_prompt *prompt, float wanted, int column,
                 int row, int *size)
{
    int side = network->predictor.image_size, at = row * side + column;
    if (column < 0 || row < 0 || column >= side || row >= side || network->logits[at] > 0) return;
    if (!(fabsf(network->embedding[at] - wanted) <= (float)network->tolerance)) return;
    if (!is_allowed(network, prompt, column, row)) return;
    network->logits[at] = 8;
    network->stack[(*size)++] = at;
}

static void grow(synthetic_network *network, const sgm_prompt *prompt, double x, double y)
{
    int side = network->predictor.image_size, size = 0;
    int column = cell_of(network, x, network->width), row = cell_of(network, y, network->height);
    float wanted = network->embedding[row * side + column];
    push(network, prompt, wanted, column, row, &size);
    while (size) {
        int at = network->stack[--size];
        push(network, prompt, wanted, at % side - 1, at / side, &size);
        push(network, prompt, wanted, at % side + 1, at / side, &size);
        push(network, prompt, wanted, at % side, at / side - 1, &size);
        push(network, prompt, wanted, at % side, at / side + 1, &size);
    }
    network->iou = 0.5f + wanted / 510;
}

/* All that is connected to what the mask prompt holds, where that looks like the object. */
static void grow_mask(synthetic_network *network, const sgm_prompt *prompt)
{
    int side = network->predictor.image_size, tolerance = network->tolerance;
    double scale = scale_of(network);
    network->tolerance = sure_tolerance;
    for (int at = 0; at < side * side; at++) {
        double x = (at % side + 0.5) / scale - 0.5, y = (at / side + 0.5) / scale - 0.5;
        if (prompt->mask[at] < 7 || x > network->width - 1 || y > network->height - 1) continue;
        if (fabsf(network->embedding[at] - (float)network->object_grey) <=
            (float)network->object_reach)
            grow(network, prompt, x, y);
    }
    network->tolerance = tolerance;
    network->iou = network->rating;
}

static void count_prompt(synthetic_network *network, const sgm_prompt *prompt)
{
    network->decodes++;
    network->mask_prompts += prompt->mask != NULL;
    if (prompt->mask) network->mask_peak = -INFINITY;
    for (int i = 0;
         prompt->mask && i < network->predictor.image_size * network->predictor.image_size; i++)
        network->mask_peak = fmaxf(network->mask_peak, prompt->mask[i]);
    network->last = *prompt;
    network->points += (int)prompt->point_count;
    network->boxes += prompt->box != NULL;
    network->loose_boxes += prompt->box && prompt->loose_box;
    if (prompt->box) network->last_box = *prompt->box;
    for (size_t i = 0; i < prompt->point_count; i++)
        network->background_points += prompt->points[i].label == SGM_BACKGROUND;
}

static sgm_status synthetic_decode(void *self, const sgm_prompt *prompt,
                                   const sgm_predict_options *options, sgm_mask *out)
{
    synthetic_network *network = self;
    int side = network->predictor.image_size, foreground = 0;
    (void)options;
    count_prompt(network, prompt);
    for (int i = 0; i < side * side; i++)
        network->logits[i] = -8;
    int tolerance = network->tolerance;
    if (prompt->mask && walks_by_mask(network)) network->tolerance = sure_tolerance;
    for (size_t i = 0; i < prompt->point_count; i++) {
        if (prompt->points[i].label == SGM_BACKGROUND) continue;
        grow(network, prompt, prompt->points[i].x, prompt->points[i].y);
        foreground = 1;
    }
    network->tolerance = tolerance;
    if (prompt->mask && walks_by_mask(network))
        grow_mask(network, prompt);
    else if (!foreground && prompt->box)
        grow(network, prompt, (prompt->box->x0 + prompt->box->x1) / 2,
             (prompt->box->y0 + prompt->box->y1) / 2);
    free(network->mask);
    network->mask = malloc((size_t)network->width * (size_t)network->height);
    if (!network->mask) return sgm_fail(SGM_OUT_OF_MEMORY, "synthetic mask");
    for (int y = 0; y < network->height; y++)
        for (int x = 0; x < network->width; x++)
            network->mask[(size_t)y * (size_t)network->width + (size_t)x] =
                network->logits[cell_of(network, y, network->height) * side +
                                cell_of(network, x, network->width)] > 0;
    *out = (sgm_mask){.data = network->mask,
                      .width = network->width,
                      .height = network->height,
                      .predicted_iou = network->iou,
                      .low_res = network->logits,
                      .iou = &network->iou,
                      .mask_tokens = 1,
                      .low_res_shape = {side, side}};
    return SGM_OK;
}

static sgm_status synthetic_cancelled(void *self)
{
    synthetic_network *network = self;
    if (network->cancel_after && network->encodes >= network->cancel_after)
        return sgm_fail(SGM_CANCELLED, "cancelled");
    return SGM_OK;
}

void synthetic_init(synthetic_network *network, int side)
{
    memset(network, 0, sizeof *network);
    network->tolerance = 40;
    network->rating = 0.9f;
    network->predictor = (sgm_predictor){
        .self = network,
        .image_size = side,
        .low_res_shape = {side, side},
        .embedding_count = (size_t)side * (size_t)side,
        .walk = {.logits = true, .box = true, .points = SGM_WALK_POINTS},
        .walk_in_box = {.logits = true, .box = true, .points = SGM_WALK_POINTS},
        .stop_rating = 0.35f,
        .key = 12345,
        .input_hash = synthetic_hash,
        .encode = synthetic_encode,
        .select = synthetic_select,
        .decode = synthetic_decode,
        .cancelled = synthetic_cancelled,
    };
}

/* ------------------------------------------------------------------------------------ in batches
 */

static void *batch_alloc(void *self)
{
    synthetic_network *network = self;
    return malloc(sizeof(float) * network->predictor.embedding_count);
}

static void batch_free(void *self, void *embedding)
{
    (void)self;
    free(embedding);
}

static sgm_status batch_copy(const synthetic_network *network, void *to, const void *from)
{
    memcpy(to, from, sizeof(float) * network->predictor.embedding_count);
    return SGM_OK;
}

static sgm_status batch_read(void *self, const void *embedding, float *values)
{
    return batch_copy(self, values, embedding);
}

static sgm_status batch_write(void *self, void *embedding, const float *values)
{
    return batch_copy(self, embedding, values);
}

static sgm_status batch_stage(void *self, int place, const sgm_image *image)
{
    synthetic_network *network = self;
    if (!network->staged[place]) network->staged[place] = batch_alloc(self);
    return synthetic_encode(self, image, network->staged[place]);
}

static sgm_status batch_encode(void *self, int count, void *const embeddings[])
{
    synthetic_network *network = self;
    network->batches++;
    for (int i = 0; i < count; i++)
        batch_copy(network, embeddings[i], network->staged[i]);
    return SGM_OK;
}

void synthetic_encode_in_batches(synthetic_network *network, int batch)
{
    network->predictor.alloc = batch_alloc;
    network->predictor.free = batch_free;
    network->predictor.read = batch_read;
    network->predictor.write = batch_write;
    network->predictor.batch = batch;
    network->predictor.stage = batch_stage;
    network->predictor.encode_staged = batch_encode;
}

void synthetic_clear(synthetic_network *network)
{
    free(network->mask);
    network->mask = NULL;
    for (int i = 0; i < 16; i++) {
        free(network->staged[i]);
        network->staged[i] = NULL;
    }
}
