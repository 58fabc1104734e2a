#include "train/augment.h"

static void each(float *image, int size, float scale, float shift)
{
    for (int i = 0; i < size * size * 3; i++)
        image[i] = fminf(fmaxf(image[i] * scale + shift, 0), 255);
}

/* Another window: both ends move inwards by up to a quarter of the range, or outwards. */
static void jitter_window(float *image, int size, double strength, sgm_rng *rng)
{
    double low = sgm_rng_range(rng, -0.15, 0.2) * strength * 255;
    double high = 255 - sgm_rng_range(rng, -0.15, 0.25) * strength * 255;
    double scale = 255 / (high - low);
    each(image, size, (float)scale, (float)(-low * scale));
}

static void gamma_curve(float *image, int size, double strength, sgm_rng *rng)
{
    float table[256];
    double gamma = exp(sgm_rng_range(rng, -0.45, 0.45) * strength);
    for (int i = 0; i < 256; i++)
        table[i] = (float)(255 * pow(i / 255.0, gamma));
    for (int i = 0; i < size * size * 3; i++) {
        int at = (int)image[i];
        float part = image[i] - (float)at;
        image[i] = at >= 255 ? table[255] : table[at] + part * (table[at + 1] - table[at]);
    }
}

static void to_grey(float *image, int size)
{
    for (int i = 0; i < size * size; i++) {
        float *p = image + 3 * i;
        p[0] = p[1] = p[2] = 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2];
    }
}

static void cast_colour(float *image, int size, double strength, sgm_rng *rng)
{
    float gain[3];
    for (int c = 0; c < 3; c++)
        gain[c] = (float)exp(sgm_rng_range(rng, -0.25, 0.25) * strength);
    for (int i = 0; i < size * size * 3; i++)
        image[i] = fminf(image[i] * gain[i % 3], 255);
}

/* A smooth multiplicative field: a quadratic over the image, as coils give it. */
static void bias_field(float *image, int size, double strength, sgm_rng *rng)
{
    double k[5];
    for (int i = 0; i < 5; i++)
        k[i] = sgm_rng_range(rng, -0.3, 0.3) * strength;
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            double u = 2.0 * x / size - 1, v = 2.0 * y / size - 1;
            double f = k[0] * u + k[1] * v + k[2] * u * u + k[3] * v * v + k[4] * u * v;
            float gain = (float)(1 + f);
            for (int c = 0; c < 3; c++) {
                float *p = image + 3 * (y * size + x) + c;
                *p = fminf(fmaxf(*p * gain, 0), 255);
            }
        }
}

/* Three-tap binomial along both axes, `passes` times. */
static void blur(float *image, int size, int passes, float *scratch)
{
    int row = 3 * size;
    for (int pass = 0; pass < 2 * passes; pass++) {
        int step = pass % 2 ? row : 3;
        for (int i = 0; i < size * row; i++) {
            int at = pass % 2 ? i / row : i % row / 3;
            float left = at > 0 ? image[i - step] : image[i];
            float right = at < size - 1 ? image[i + step] : image[i];
            scratch[i] = 0.25f * left + 0.5f * image[i] + 0.25f * right;
        }
        for (int i = 0; i < size * row; i++)
            image[i] = scratch[i];
    }
}

static void noise(float *image, int size, double sigma, int grey, sgm_rng *rng)
{
    for (int i = 0; i < size * size; i++) {
        float n = (float)(sigma * sgm_rng_normal(rng));
        for (int c = 0; c < 3; c++) {
            if (!grey && c) n = (float)(sigma * sgm_rng_normal(rng));
            image[3 * i + c] = fminf(fmaxf(image[3 * i + c] + n, 0), 255);
        }
    }
}

static int is_grey(const float *image, int size)
{
    for (int i = 0; i < size * size; i += 7)
        if (image[3 * i] != image[3 * i + 1] || image[3 * i] != image[3 * i + 2]) return 0;
    return 1;
}

void sgm_augment(float *image, int size, double strength, sgm_rng *rng, float *scratch)
{
    if (strength <= 0) return;
    int grey = is_grey(image, size);
    if (!grey && sgm_rng_chance(rng, 0.15)) {
        to_grey(image, size);
        grey = 1;
    }
    if (!grey && sgm_rng_chance(rng, 0.4)) cast_colour(image, size, strength, rng);
    if (sgm_rng_chance(rng, 0.6)) jitter_window(image, size, strength, rng);
    if (sgm_rng_chance(rng, 0.5)) gamma_curve(image, size, strength, rng);
    if (sgm_rng_chance(rng, 0.04)) each(image, size, -1, 255);
    if (sgm_rng_chance(rng, 0.2)) bias_field(image, size, strength, rng);
    if (sgm_rng_chance(rng, 0.15)) blur(image, size, 1 + (int)sgm_rng_below(rng, 3), scratch);
    if (sgm_rng_chance(rng, 0.25))
        noise(image, size, strength * sgm_rng_range(rng, 1, 14), grey, rng);
}

static void between_extremes(float *image, int size)
{
    float low = image[0], high = image[0];
    for (int i = 1; i < size * size * 3; i++) {
        low = fminf(low, image[i]);
        high = fmaxf(high, image[i]);
    }
    float scale = 1 / fmaxf(high - low, 1e-6f);
    for (int i = 0; i < size * size * 3; i++)
        image[i] = (image[i] - low) * scale;
}

void sgm_normalise(float *image, int size, const sgm_protocol *protocol)
{
    static const float MEAN[3] = {123.675f, 116.28f, 103.53f};
    static const float DEVIATION[3] = {58.395f, 57.12f, 57.375f};
    if (protocol->grey) to_grey(image, size);
    float scale = protocol->levels == SGM_LEVELS_UNIT_IMAGENET ? 1.0f / 255 : 1;
    if (protocol->levels == SGM_LEVELS_IMAGENET || protocol->levels == SGM_LEVELS_UNIT_IMAGENET)
        for (int i = 0; i < size * size * 3; i++)
            image[i] = (image[i] * scale - MEAN[i % 3]) / DEVIATION[i % 3];
    else if (protocol->levels == SGM_LEVELS_UNIT)
        for (int i = 0; i < size * size * 3; i++)
            image[i] /= 255;
    else
        between_extremes(image, size);
}
