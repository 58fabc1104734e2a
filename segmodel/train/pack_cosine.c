/* The transform half of JPEG (ITU-T T.81: cosine transform, its example quantisation tables and
 * the usual quality scale) without the entropy coding, which is left to a general compressor. */
#include <math.h>
#include <string.h>

#include "train/pack_format.h"

enum { BLOCK = 8, CELLS = 64 };

static const uint8_t LUMA[CELLS] = {16,  11,  10,  16,  24, 40, 51,  61,  12,  12,  14,  19,  26,
                                    58,  60,  55,  14,  13, 16, 24,  40,  57,  69,  56,  14,  17,
                                    22,  29,  51,  87,  80, 62, 18,  22,  37,  56,  68,  109, 103,
                                    77,  24,  35,  55,  64, 81, 104, 113, 92,  49,  64,  78,  87,
                                    103, 121, 120, 101, 72, 92, 95,  98,  112, 100, 103, 99};

static const uint8_t CHROMA[CELLS] = {
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99,
    99, 99, 47, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99};

typedef struct cosine_plan {
    float basis[BLOCK][BLOCK]; /* [frequency][place] */
    float step[CELLS];
    int columns, rows; /* blocks */
} cosine_plan;

static void plan_make(cosine_plan *plan, int width, int height, int quality, bool chroma)
{
    double scale = quality < 50 ? 50.0 / quality : 2 - quality / 50.0;
    for (int i = 0; i < CELLS; i++) {
        double step = fmax(1, floor((chroma ? CHROMA[i] : LUMA[i]) * scale + 0.5));
        /* DC must fit into a byte: 8 * 128 / 127 */
        plan->step[i] = (float)(i == 0 ? fmax(step, 8.1) : step);
    }
    for (int k = 0; k < BLOCK; k++)
        for (int x = 0; x < BLOCK; x++)
            plan->basis[k][x] = (float)(cos((2 * x + 1) * k * 3.14159265358979323846 / 16) *
                                        (k == 0 ? sqrt(0.125) : 0.5));
    plan->columns = (width + BLOCK - 1) / BLOCK;
    plan->rows = (height + BLOCK - 1) / BLOCK;
}

size_t sgm_cosine_size(int width, int height, int channels)
{
    size_t columns = ((size_t)width + BLOCK - 1) / BLOCK,
           rows = ((size_t)height + BLOCK - 1) / BLOCK;
    return columns * rows * CELLS * (size_t)channels;
}

/* out = B in B^T (forward) or B^T in B (inverse). */
static void transform(const float basis[BLOCK][BLOCK], const float *in, float *out, bool inverse)
{
    float half[CELLS];
    for (int i = 0; i < BLOCK; i++)
        for (int j = 0; j < BLOCK; j++) {
            float sum = 0;
            for (int k = 0; k < BLOCK; k++)
                sum += (inverse ? basis[k][i] : basis[i][k]) * in[k * BLOCK + j];
            half[i * BLOCK + j] = sum;
        }
    for (int i = 0; i < BLOCK; i++)
        for (int j = 0; j < BLOCK; j++) {
            float sum = 0;
            for (int k = 0; k < BLOCK; k++)
                sum += half[i * BLOCK + k] * (inverse ? basis[k][j] : basis[j][k]);
            out[i * BLOCK + j] = sum;
        }
}

/* Channel c of a pixel, around 0: the grey value, or Y, Cb, Cr. */
static float from_pixel(const uint8_t *p, int channels, int c)
{
    if (channels == 1) return (float)p[0] - 128;
    float y = 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2];
    return c == 0 ? y - 128 : c == 1 ? (p[2] - y) * 0.564f : (p[0] - y) * 0.713f;
}

static int8_t to_byte(float value)
{
    float rounded = rintf(value);
    return (int8_t)(rounded < -127 ? -127 : rounded > 127 ? 127 : rounded);
}

static void encode_block(const cosine_plan *plan, const uint8_t *pixels, int width, int height,
                         int channels, int c, int block, int8_t *plane)
{
    float in[CELLS], out[CELLS];
    int x0 = block % plan->columns * BLOCK, y0 = block / plan->columns * BLOCK;
    for (int i = 0; i < CELLS; i++) {
        int x = x0 + i % BLOCK, y = y0 + i / BLOCK;
        if (x >= width) x = width - 1;
        if (y >= height) y = height - 1;
        in[i] = from_pixel(pixels + ((size_t)y * (size_t)width + (size_t)x) * (size_t)channels,
                           channels, c);
    }
    transform(plan->basis, in, out, false);
    size_t blocks = (size_t)plan->columns * (size_t)plan->rows;
    for (int i = 0; i < CELLS; i++)
        plane[(size_t)i * blocks + (size_t)block] = to_byte(out[i] / plan->step[i]);
}

void sgm_cosine_encode(const uint8_t *pixels, int width, int height, int channels, int quality,
                       int8_t *coefficients)
{
    cosine_plan plan;
    for (int c = 0; c < channels; c++) {
        plan_make(&plan, width, height, quality, c > 0);
        size_t blocks = (size_t)plan.columns * (size_t)plan.rows;
        for (int b = 0; b < plan.columns * plan.rows; b++)
            encode_block(&plan, pixels, width, height, channels, c, b,
                         coefficients + (size_t)c * blocks * CELLS);
    }
}

static uint8_t to_pixel(float value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value + 0.5f);
}

static void store_pixel(const float *y, const float *cb, const float *cr, int i, uint8_t *p)
{
    float luma = y[i] + 128;
    if (!cb) {
        p[0] = to_pixel(luma);
        return;
    }
    float blue = luma + cb[i] / 0.564f, red = luma + cr[i] / 0.713f;
    p[0] = to_pixel(red);
    p[1] = to_pixel((luma - 0.299f * red - 0.114f * blue) / 0.587f);
    p[2] = to_pixel(blue);
}

void sgm_cosine_decode(const int8_t *coefficients, int width, int height, int channels, int quality,
                       uint8_t *pixels)
{
    cosine_plan plans[2];
    plan_make(&plans[0], width, height, quality, false);
    plan_make(&plans[1], width, height, quality, true);
    int blocks = plans[0].columns * plans[0].rows;
    for (int b = 0; b < blocks; b++) {
        float values[3][CELLS];
        for (int c = 0; c < channels; c++) {
            const cosine_plan *plan = &plans[c > 0];
            float in[CELLS];
            const int8_t *plane = coefficients + (size_t)c * (size_t)blocks * CELLS + b;
            for (int i = 0; i < CELLS; i++)
                in[i] = plane[(size_t)i * (size_t)blocks] * plan->step[i];
            transform(plan->basis, in, values[c], true);
        }
        int x0 = b % plans[0].columns * BLOCK, y0 = b / plans[0].columns * BLOCK;
        for (int i = 0; i < CELLS; i++) {
            int x = x0 + i % BLOCK, y = y0 + i / BLOCK;
            if (x < width && y < height)
                store_pixel(values[0], channels == 3 ? values[1] : NULL, values[2], i,
                            pixels + ((size_t)y * (size_t)width + (size_t)x) * (size_t)channels);
        }
    }
}
