#include "hash_weights.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { SEED = 1, IMAGE_SEED = 0x1111 };

uint64_t hash_fnv1a64(const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ p[i]) * 0x100000001B3u;
    return h;
}

/* Output number i of SplitMix64 (Steele, Lea, Flood 2014) seeded with key. */
static uint64_t split_mix(uint64_t key, uint64_t i)
{
    uint64_t z = key + (i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static double uniform(uint64_t key, uint64_t i)
{
    return (double)(split_mix(key, i) >> 40) * 0x1p-23 - 1.0;
}

/* ---------------------------------------------------------------------------------------- rules */

static bool ends(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n >= m && strcmp(name + n - m, ending) == 0;
}

static bool has(const char *name, const char *part)
{
    return strstr(name, part) != NULL;
}

static bool is_token(const char *name)
{
    return has(name, "iou_token") || has(name, "mask_tokens") || has(name, "point_embeddings") ||
           has(name, "not_a_point_embed") || has(name, "no_mask_embed") ||
           has(name, "cls_embeddings");
}

static double gain(const char *name)
{
    if (strncmp(name, "backbone.", 9) == 0) return 1.5;
    if (has(name, "output_hypernetworks_mlps")) return 1.5;
    if (ends(name, "q_proj.weight") || ends(name, "k_proj.weight")) return 2.0;
    return ends(name, "qkv.weight") ? 1.5 : 1.0;
}

/* sqrt(3 / fan-in) keeps the variance. A transposed convolution with stride = kernel sums over its
 * first dimension. */
static double fan_scale(const char *name, int rank, const int64_t *shape)
{
    double fan = 1;
    for (int i = 1; i < rank; i++)
        fan *= (double)shape[i];
    if (rank == 4 && has(name, "output_upscaling")) fan = (double)shape[0];
    return gain(name) * sqrt(3.0 / fan);
}

hash_rule hash_rule_for(const char *name, int rank, const int64_t *shape)
{
    if (ends(name, "running_var")) return (hash_rule){1, 0.3};
    if (ends(name, "running_mean")) return (hash_rule){0, 0.1};
    if (has(name, "gaussian_matrix")) return (hash_rule){0, 1};
    if (has(name, "rel_pos") || ends(name, ".rel_h") || ends(name, ".rel_w"))
        return (hash_rule){0, 0.1};
    if (has(name, "attention_biases")) return (hash_rule){0, 0.5};
    if (ends(name, "pos_embed")) return (hash_rule){0, 0.3};
    if (has(name, "class_embeddings")) return (hash_rule){0, 0.1};
    if (is_token(name)) return (hash_rule){0, 1};
    if (has(name, "adapter_rescale")) return (hash_rule){0, 0.5};
    if (rank <= 1) return ends(name, "weight") ? (hash_rule){1, 0.1} : (hash_rule){0, 0.1};
    return (hash_rule){0, fan_scale(name, rank, shape)};
}

void hash_fill(const char *name, hash_rule rule, size_t first, size_t count, float *out)
{
    uint64_t key = hash_fnv1a64(name, strlen(name)) ^ SEED;
    for (size_t i = 0; i < count; i++) {
        double scaled = uniform(key, first + i) * rule.scale; /* two roundings: no fma here */
        out[i] = (float)(scaled + rule.base);
    }
}

void hash_weights(const char *name, int rank, const int64_t *shape, float *out)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++)
        count *= (size_t)shape[i];
    hash_fill(name, hash_rule_for(name, rank, shape), 0, count, out);
}

void hash_uniform(const char *text, size_t count, float *out)
{
    hash_fill(text, (hash_rule){0, 1}, 0, count, out);
}

/* ------------------------------------------------------------------------------------- pictures */

static bool in_disc(int x, int y, int cx, int cy, int radius)
{
    return (x - cx) * (x - cx) + (y - cy) * (y - cy) < radius * radius;
}

/* A gradient with a bright disc, an inverted rectangle, a checker texture and noise. */
static int pixel(int x, int y, int c, int width, int height, int variant)
{
    int radius = (width < height ? width : height) / 4;
    int v = x * (96 + 32 * c) / width + y * (128 - 24 * c) / height + 24;
    if (in_disc(x, y, width * 3 / 8, height / 2, radius)) v += 90 - 45 * c;
    if (x >= width * 5 / 8 && x < width * 7 / 8 && y >= height / 8 && y < height / 2)
        v = 230 - v + 20 * c;
    v += (((x >> 4) ^ (y >> 4)) & 7) * 3;
    uint64_t index = ((uint64_t)y * (uint64_t)width + (uint64_t)x) * 3 + (uint64_t)c;
    v += (int)(split_mix((uint64_t)(IMAGE_SEED + variant), index) >> 59) - 16;
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

void hash_image(int width, int height, int variant, uint8_t *out)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                *out++ = (uint8_t)pixel(x, y, c, width, height, variant);
}

void hash_mask_logits(int size, int cx, int cy, int radius, float *out)
{
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            int d = radius * radius - (x - cx) * (x - cx) - (y - cy) * (y - cy);
            double v = d / 256.0;
            *out++ = (float)(v < -10 ? -10 : v > 10 ? 10 : v);
        }
}

void hash_disc_mask(int size, int cx, int cy, int radius, uint8_t *out)
{
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++)
            *out++ = in_disc(x, y, cx, cy, radius);
}
