#include "predict/picture/preprocess.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIDE = 32768 };

sgm_status sgm_frame_make(const sgm_model_config *config, int width, int height, sgm_frame *frame)
{
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "an image is 1 to %d pixels wide and high, not %d x %d", MAX_SIDE, width,
                        height);
    int side = config->image_size;
    *frame = (sgm_frame){.original = {width, height}, .resized = {side, side}};
    if (config->protocol->stretch) return SGM_OK;
    double scale = (double)side / (width > height ? width : height);
    frame->resized.width = (int)(width * scale + 0.5);
    frame->resized.height = (int)(height * scale + 0.5);
    /* A strip so thin that it vanishes keeps one line. */
    if (frame->resized.width < 1) frame->resized.width = 1;
    if (frame->resized.height < 1) frame->resized.height = 1;
    return SGM_OK;
}

static sgm_status check_image(const sgm_image *image)
{
    if (!image || !image->data) return sgm_fail(SGM_INVALID_ARGUMENT, "the image has no data");
    if (image->channels != 1 && image->channels != 3)
        return sgm_fail(SGM_INVALID_ARGUMENT, "an image has 1 or 3 channels, not %d",
                        image->channels);
    return SGM_OK;
}

/* ITU-R 601 luma with Pillow's rounding (convert("L")). */
static uint8_t luma(const uint8_t *rgb)
{
    return (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
}

/* The image without gaps between rows, in `channels` channels (3 to 1 becomes grey). */
static uint8_t *pack(const sgm_image *image, int channels)
{
    size_t width = (size_t)image->width, height = (size_t)image->height;
    ptrdiff_t stride = image->stride ? image->stride : (ptrdiff_t)image->width * image->channels;
    uint8_t *packed = malloc(width * height * (size_t)channels);
    if (!packed) return NULL;
    for (size_t y = 0; y < height; y++) {
        const uint8_t *row = image->data + (ptrdiff_t)y * stride;
        uint8_t *to = packed + y * width * (size_t)channels;
        if (channels == image->channels)
            memcpy(to, row, width * (size_t)channels);
        else
            for (size_t x = 0; x < width; x++)
                to[x] = luma(row + 3 * x);
    }
    return packed;
}

/* What every grey level becomes, per channel. */
typedef struct levels {
    float value[3][256];
} levels;

static void mean_and_deviation(levels *l, float scale)
{
    static const float mean[3] = {123.675f, 116.28f, 103.53f},
                       deviation[3] = {58.395f, 57.12f, 57.375f};
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++)
            l->value[c][v] = ((float)v * scale - mean[c]) / deviation[c];
}

static void min_max(levels *l, const uint8_t *pixels, size_t count)
{
    uint8_t low = 255, high = 0;
    for (size_t i = 0; i < count; i++) {
        if (pixels[i] < low) low = pixels[i];
        if (pixels[i] > high) high = pixels[i];
    }
    double range = high > low ? high - low : 1e-8;
    for (int v = 0; v < 256; v++)
        l->value[0][v] = l->value[1][v] = l->value[2][v] = (float)((v - low) / range);
}

static void divide_by_255(levels *l)
{
    for (int v = 0; v < 256; v++)
        l->value[0][v] = l->value[1][v] = l->value[2][v] = (float)v / 255.0f;
}

/* Resized pixels into the top left of the square; the rest is 0 (padding comes after the
 * normalisation). */
static void place(const uint8_t *pixels, sgm_size size, int channels, const levels *l, int side,
                  float *input)
{
    memset(input, 0, (size_t)side * (size_t)side * 3 * sizeof *input);
    for (int y = 0; y < size.height; y++) {
        const uint8_t *p = pixels + (size_t)y * (size_t)(size.width * channels);
        float *to = input + (size_t)y * (size_t)side * 3;
        for (int x = 0; x < size.width; x++, p += channels, to += 3)
            for (int c = 0; c < 3; c++)
                to[c] = l->value[c][p[channels == 3 ? c : 0]];
    }
}

/* Grey levels as the protocol maps them; `pixels` are the resized ones. */
static void fill_levels(levels *l, sgm_levels kind, const uint8_t *pixels, size_t count)
{
    if (kind == SGM_LEVELS_IMAGENET)
        mean_and_deviation(l, 1);
    else if (kind == SGM_LEVELS_UNIT_IMAGENET)
        mean_and_deviation(l, 1.0f / 255);
    else if (kind == SGM_LEVELS_UNIT)
        divide_by_255(l);
    else
        min_max(l, pixels, count);
}

static sgm_status resample(sgm_resampling kind, const uint8_t *from, sgm_size from_size,
                           int channels, uint8_t *to, sgm_size to_size)
{
    if (kind == SGM_RESAMPLING_CUBIC)
        return sgm_resample_cubic(from, from_size, channels, to, to_size);
    if (kind == SGM_RESAMPLING_AREA)
        return sgm_resample_area(from, from_size, channels, to, to_size);
    return sgm_resample_pillow(from, from_size, channels, to, to_size);
}

/* Protocols that resize to 8 bits and then map grey levels. */
static sgm_status by_levels(const sgm_model_config *config, const uint8_t *packed, int channels,
                            const sgm_frame *frame, float *input)
{
    size_t count = (size_t)frame->resized.width * (size_t)frame->resized.height * (size_t)channels;
    uint8_t *resized = malloc(count);
    if (!resized) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to resize an image");
    sgm_status status = resample(config->protocol->resampling, packed, frame->original, channels,
                                 resized, frame->resized);
    if (status == SGM_OK) {
        levels l;
        fill_levels(&l, config->protocol->levels, resized, count);
        place(resized, frame->resized, channels, &l, config->image_size, input);
    }
    free(resized);
    return status;
}

/* NumPy's percentile (linear between ranks) of 8-bit values. */
static double percentile(const size_t histogram[256], size_t count, double percent)
{
    double rank = percent / 100 * (double)(count - 1);
    size_t low = (size_t)rank, below = 0;
    int level = 0;
    while (below + histogram[level] <= low)
        below += histogram[level++];
    int next = level;
    if (below + histogram[level] == low + 1)
        for (next = level + 1; next < 256 && !histogram[next];)
            next++;
    if (next > 255) next = level;
    return level + (rank - (double)low) * (next - level);
}

static void clip_to_percentiles(uint8_t *grey, size_t count, const double percents[2])
{
    size_t histogram[256] = {0};
    for (size_t i = 0; i < count; i++)
        histogram[grey[i]]++;
    double low = percentile(histogram, count, percents[0]);
    double high = percentile(histogram, count, percents[1]);
    for (size_t i = 0; i < count; i++)
        grey[i] = (uint8_t)(int)fmin(fmax(grey[i], low), high);
}

/* Protocols that resize floats: bilinear to the square, rounded, then min-max of whole numbers. */
static sgm_status by_floats(const uint8_t *clipped, const sgm_frame *frame, float *input)
{
    size_t in = (size_t)frame->original.width * (size_t)frame->original.height;
    size_t out = (size_t)frame->resized.width * (size_t)frame->resized.height;
    float *values = malloc((in + out) * sizeof *values), *resized = values + in;
    if (!values) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to resize an image");
    for (size_t i = 0; i < in; i++)
        values[i] = clipped[i];
    sgm_status status = sgm_resample_linear(values, frame->original, 1, resized, frame->resized);
    float least = INFINITY, most = -INFINITY;
    for (size_t i = 0; status == SGM_OK && i < out; i++) {
        resized[i] = rintf(resized[i]);
        least = fminf(least, resized[i]);
        most = fmaxf(most, resized[i]);
    }
    /* The official code divides by zero on a flat image; here it is all zeros. */
    float range = most > least ? most - least : 1;
    for (size_t i = 0; status == SGM_OK && i < out; i++)
        input[3 * i] = input[3 * i + 1] = input[3 * i + 2] = (resized[i] - least) / range;
    free(values);
    return status;
}

int sgm_picture_channels(const sgm_model_config *config, const sgm_image *image)
{
    return config->protocol->grey ? 1 : image->channels;
}

sgm_status sgm_picture_pixels(const sgm_model_config *config, const sgm_image *image,
                              uint8_t **pixels)
{
    SGM_TRY(check_image(image));
    *pixels = pack(image, sgm_picture_channels(config, image));
    if (!*pixels) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an image");
    const double *clip = config->protocol->clip;
    if (clip[1] > clip[0])
        clip_to_percentiles(*pixels, (size_t)image->width * (size_t)image->height, clip);
    return SGM_OK;
}

sgm_status sgm_preprocess(const sgm_model_config *config, const sgm_image *image, float *input,
                          sgm_frame *frame)
{
    uint8_t *pixels;
    SGM_TRY(check_image(image));
    SGM_TRY(sgm_frame_make(config, image->width, image->height, frame));
    SGM_TRY(sgm_picture_pixels(config, image, &pixels));
    sgm_status status =
        config->protocol->resampling == SGM_RESAMPLING_FLOATS
            ? by_floats(pixels, frame, input)
            : by_levels(config, pixels, sgm_picture_channels(config, image), frame, input);
    free(pixels);
    return status;
}

/* ------------------------------------------------------------------- the same as tables for
 * devices */

static sgm_status axis_of(const sgm_picture_rule *rule, sgm_resampling kind, int in, int out,
                          sgm_taps *taps)
{
    switch (kind) {
    case SGM_RESAMPLING_AREA:
        return sgm_area_taps(rule->resample, in, out, taps);
    case SGM_RESAMPLING_CUBIC:
        return sgm_cubic_taps(in, out, taps);
    case SGM_RESAMPLING_FLOATS:
        return sgm_linear_taps(in, out, taps);
    case SGM_RESAMPLING_PILLOW:
        break;
    }
    return sgm_pillow_taps(in, out, taps);
}

static sgm_resample_rule rule_of(sgm_resampling kind, const sgm_frame *frame)
{
    switch (kind) {
    case SGM_RESAMPLING_AREA:
        return sgm_area_rule(frame->original, frame->resized);
    case SGM_RESAMPLING_CUBIC:
        return SGM_RESAMPLE_CUBIC;
    case SGM_RESAMPLING_FLOATS:
        return SGM_RESAMPLE_FLOATS;
    case SGM_RESAMPLING_PILLOW:
        break;
    }
    return SGM_RESAMPLE_PILLOW;
}

sgm_status sgm_picture_rule_make(const sgm_model_config *config, const sgm_frame *frame,
                                 int channels, sgm_picture_rule *rule)
{
    levels l = {0};
    sgm_resampling kind = config->protocol->resampling;
    *rule = (sgm_picture_rule){
        .resample = rule_of(kind, frame), .channels = channels, .side = config->image_size};
    rule->full_range = config->protocol->levels == SGM_LEVELS_RANGE;
    if (!rule->full_range) fill_levels(&l, config->protocol->levels, NULL, 0);
    memcpy(rule->levels, l.value, sizeof rule->levels);
    SGM_TRY(axis_of(rule, kind, frame->original.width, frame->resized.width, &rule->across));
    sgm_status status =
        axis_of(rule, kind, frame->original.height, frame->resized.height, &rule->down);
    if (status != SGM_OK) sgm_picture_rule_clear(rule);
    return status;
}

void sgm_picture_rule_clear(sgm_picture_rule *rule)
{
    sgm_taps_clear(&rule->across);
    sgm_taps_clear(&rule->down);
}

/* Four interleaved multiply-rotate lanes of 8 bytes, folded at the end. */
uint64_t sgm_hash_bytes(const void *bytes, size_t size)
{
    const uint64_t multiplier = UINT64_C(0x9E3779B97F4A7C15);
    const unsigned char *p = bytes;
    uint64_t lane[4] = {1, 2, 3, 4}, word, hash = size;
    for (; size >= 32; size -= 32, p += 32)
        for (int i = 0; i < 4; i++) {
            memcpy(&word, p + 8 * i, 8);
            lane[i] = (lane[i] ^ word) * multiplier;
            lane[i] ^= lane[i] >> 29;
        }
    for (; size > 0; size--, p++)
        lane[0] = (lane[0] ^ *p) * multiplier;
    for (int i = 0; i < 4; i++) {
        hash = (hash ^ lane[i]) * multiplier;
        hash ^= hash >> 32;
    }
    return hash;
}
