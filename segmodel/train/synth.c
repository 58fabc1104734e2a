#include "train/synth.h"

#include <string.h>

enum { MAX_SHAPES = 16, TARGET = 1 };

/* An ellipse whose outline is bent by a noise field: inside where
 * 1 - (u / rx)^2 - (v / ry)^2 + bend * field > 0. */
typedef struct shape {
    double cx, cy, rx, ry, cos_a, sin_a;
    float bend, softness; /* pixels over which the edge fades */
    int shift;            /* where in the shared noise it begins, so that outlines differ */
    float colour[3], texture;
    int parent; /* index of the shape it lies in, 0 for the background */
} shape;

typedef struct scene {
    int size;
    sgm_synth_style style;
    sgm_rng rng;
    bool without_target;
    shape shapes[MAX_SHAPES];
    int count;
    float *coarse, *fine; /* noise in [-1, 1], size * size */
    float *owner;         /* index of the shape seen at each pixel */
    float *spare;
    float *image;
} scene;

static double uniform(scene *s, double low, double high)
{
    return sgm_rng_range(&s->rng, low, high);
}

/* Smooth noise: random values on a grid of `cells` intervals, interpolated; += amplitude * noise.
 */
static void add_noise(scene *s, int cells, float amplitude, float *field)
{
    float grid[66 * 66];
    int n = s->size, side = (cells > 64 ? 64 : cells) + 2;
    for (int i = 0; i < side * side; i++)
        grid[i] = (float)uniform(s, -1, 1);
    float step = (float)(side - 2) / (float)n;
    for (int y = 0; y < n; y++) {
        float v = (float)y * step;
        int iy = (int)v;
        v -= (float)iy;
        v = v * v * (3 - 2 * v);
        for (int x = 0; x < n; x++) {
            float u = (float)x * step;
            int ix = (int)u;
            u -= (float)ix;
            u = u * u * (3 - 2 * u);
            const float *g = grid + iy * side + ix;
            float top = g[0] + u * (g[1] - g[0]), low = g[side] + u * (g[side + 1] - g[side]);
            field[y * n + x] += amplitude * (top + v * (low - top));
        }
    }
}

static void choose_colour(scene *s, const float *base, double contrast, float out[3])
{
    bool colour = s->style == SGM_SYNTH_ENDOSCOPY || s->style == SGM_SYNTH_MICROSCOPY;
    double grey = uniform(s, -contrast, contrast);
    if (fabs(grey) < 0.15 * contrast) grey = grey < 0 ? -0.15 * contrast : 0.15 * contrast;
    for (int c = 0; c < 3; c++) {
        double own = colour ? uniform(s, -0.4, 0.4) * contrast : 0;
        double value = base[c] + grey + own;
        out[c] = (float)(value < 5 ? 5 + uniform(s, 0, 20) : value > 250 ? 230 : value);
    }
}

static shape *add_shape(scene *s, double cx, double cy, double radius, int parent, double contrast)
{
    if (s->count == MAX_SHAPES) return NULL;
    shape *p = &s->shapes[s->count++];
    double aspect = exp(uniform(s, -0.6, 0.6)), angle = uniform(s, 0, 3.14159);
    *p = (shape){.cx = cx,
                 .cy = cy,
                 .rx = fmax(radius * aspect, 1.5),
                 .ry = fmax(radius / aspect, 1.5),
                 .cos_a = cos(angle),
                 .sin_a = sin(angle),
                 .bend = (float)(uniform(s, 0, 1) * uniform(s, 0.2, 1.3)),
                 .softness = (float)uniform(s, 0.6, 3.5),
                 .shift = (int)sgm_rng_below(&s->rng, s->size * s->size),
                 .texture = (float)(uniform(s, 0, 1) * uniform(s, 0, 30)),
                 .parent = parent};
    choose_colour(s, s->shapes[parent].colour, contrast, p->colour);
    return p;
}

/* How much a pixel belongs to the shape, 0 to 1. */
static float coverage(const scene *s, const shape *p, int x, int y)
{
    int n = s->size, count = n * n;
    double dx = x - p->cx, dy = y - p->cy;
    double u = (dx * p->cos_a + dy * p->sin_a) / p->rx, v = (dy * p->cos_a - dx * p->sin_a) / p->ry;
    int at = y * n + x + p->shift;
    double f = 1 - u * u - v * v + p->bend * s->coarse[at < count ? at : at - count];
    double sharp = fmin(p->rx, p->ry) / (2 * p->softness);
    double a = 0.5 + 0.5 * f * sharp;
    return (float)(a <= 0 ? 0 : a >= 1 ? 1 : a);
}

static void draw(scene *s, int index)
{
    const shape *p = &s->shapes[index];
    if (s->without_target && (index == TARGET || p->parent == TARGET)) return;
    int n = s->size;
    double reach = 1.6 * fmax(p->rx, p->ry) + 2;
    int x0 = (int)fmax(0, p->cx - reach), x1 = (int)fmin(n - 1, p->cx + reach);
    int y0 = (int)fmax(0, p->cy - reach), y1 = (int)fmin(n - 1, p->cy + reach);
    for (int y = y0; y <= y1; y++)
        for (int x = x0; x <= x1; x++) {
            int at = y * n + x;
            float a = coverage(s, p, x, y);
            /* parts stay inside the whole */
            if (p->parent && a > 0 && s->owner[at] != (float)p->parent &&
                s->owner[at] != (float)index)
                a = 0;
            if (a <= 0) continue;
            float tone = p->texture * s->fine[at];
            for (int c = 0; c < 3; c++) {
                float *pixel = &s->image[3 * at + c];
                *pixel += a * (p->colour[c] + tone - *pixel);
            }
            if (a >= 0.5f) s->owner[at] = (float)index;
        }
}

static void draw_background(scene *s)
{
    shape *b = &s->shapes[0];
    double level = s->style == SGM_SYNTH_XRAY ? uniform(s, 90, 190) : uniform(s, 10, 190);
    for (int c = 0; c < 3; c++)
        b->colour[c] = (float)level;
    if (s->style == SGM_SYNTH_ENDOSCOPY) {
        b->colour[0] = (float)uniform(s, 120, 220);
        b->colour[1] = (float)uniform(s, 40, 110);
        b->colour[2] = (float)uniform(s, 30, 100);
    } else if (s->style == SGM_SYNTH_MICROSCOPY && sgm_rng_chance(&s->rng, 0.6)) {
        for (int c = 0; c < 3; c++)
            b->colour[c] = (float)uniform(s, 130, 245);
    }
    b->texture = (float)uniform(s, 0, 25);
    float wide = (float)uniform(s, 0, 40);
    for (int i = 0; i < s->size * s->size; i++) {
        float tone = b->texture * s->fine[i] + wide * s->coarse[i];
        for (int c = 0; c < 3; c++)
            s->image[3 * i + c] = b->colour[c] + tone;
    }
    memset(s->owner, 0, (size_t)s->size * (size_t)s->size * sizeof *s->owner);
    s->count = 1;
}

/* The object, things beside and behind it, parts of it, and what lies in front. */
static void compose(scene *s)
{
    double n = s->size,
           contrast = uniform(s, 0, 1) < 0.4 ? uniform(s, 10, 40) : uniform(s, 30, 120);
    double radius = n * exp(uniform(s, log(0.07), log(0.38)));
    double cx = n / 2 + uniform(s, -0.5, 0.5) * (n / 2 - radius) * 0.9;
    double cy = n / 2 + uniform(s, -0.5, 0.5) * (n / 2 - radius) * 0.9;
    draw_background(s);
    add_shape(s, cx, cy, radius, 0, contrast); /* index TARGET; drawn after what is behind */
    int behind = (int)sgm_rng_below(&s->rng, 5), first = s->count;
    for (int i = 0; i < behind; i++)
        add_shape(s, uniform(s, 0, n), uniform(s, 0, n), n * exp(uniform(s, log(0.05), log(0.45))),
                  0, contrast);
    for (int i = first; i < s->count; i++)
        draw(s, i);
    /* twins: the same tissue beside the object, as nuclei and vessels come */
    int twins = sgm_rng_chance(&s->rng, 0.35) ? (int)sgm_rng_below(&s->rng, 5) : 0;
    for (int i = 0; i < twins; i++) {
        shape *twin = add_shape(s, uniform(s, 0, n), uniform(s, 0, n), radius, 0, contrast);
        if (!twin) break;
        memcpy(twin->colour, s->shapes[TARGET].colour, sizeof twin->colour);
        draw(s, s->count - 1);
    }
    draw(s, TARGET);
    int parts = sgm_rng_chance(&s->rng, 0.4) ? 1 + (int)sgm_rng_below(&s->rng, 3) : 0;
    for (int i = 0; i < parts; i++)
        if (add_shape(s, cx + uniform(s, -0.6, 0.6) * radius, cy + uniform(s, -0.6, 0.6) * radius,
                      radius * uniform(s, 0.15, 0.5), TARGET, contrast * 0.7))
            draw(s, s->count - 1);
    if (sgm_rng_chance(&s->rng, 0.25) &&
        add_shape(s, cx + uniform(s, -1.3, 1.3) * radius, cy + uniform(s, -1.3, 1.3) * radius,
                  radius * uniform(s, 0.3, 0.8), 0, contrast))
        draw(s, s->count - 1);
}

static void read_mask(const scene *s, uint8_t *mask)
{
    for (int i = 0; i < s->size * s->size; i++) {
        int owner = (int)s->owner[i];
        mask[i] = owner == TARGET || s->shapes[owner].parent == TARGET;
    }
}

/* Multiplicative grain, fading with depth, and a shadow: what ultrasound does to a picture. */
static void make_ultrasound(scene *s)
{
    int n = s->size;
    double grain = uniform(s, 0.12, 0.5), fade = uniform(s, 0, 0.6);
    double shadow = uniform(s, 0, n), width = uniform(s, 0.03, 0.12) * n;
    double depth = sgm_rng_chance(&s->rng, 0.35) ? uniform(s, 0.3, 0.8) : 0;
    float *speckle = s->spare;
    for (int i = 0; i < n * n; i++)
        speckle[i] = (float)sgm_rng_normal(&s->rng);
    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++) {
            int at = y * n + x;
            float near = speckle[at] + speckle[x ? at - 1 : at] + speckle[x > 1 ? at - 2 : at];
            double gain = (1 + grain * near * 0.58) * (1 - fade * y / n);
            if (fabs(x - shadow) < width) gain *= 1 - depth * y / n;
            for (int c = 0; c < 3; c++)
                s->image[3 * at + c] *= (float)gain;
        }
}

static void make_endoscopy(scene *s)
{
    int n = s->size;
    double cx = uniform(s, 0.3, 0.7) * n, cy = uniform(s, 0.3, 0.7) * n;
    double dark = uniform(s, 0.2, 0.8);
    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++) {
            double r = ((x - cx) * (x - cx) + (y - cy) * (y - cy)) / (0.5 * n * n);
            float gain = (float)(1.2 - dark * r);
            for (int c = 0; c < 3; c++)
                s->image[3 * (y * n + x) + c] *= gain;
        }
    int highlights = (int)sgm_rng_below(&s->rng, 5);
    for (int k = 0; k < highlights; k++) {
        double hx = uniform(s, 0, n), hy = uniform(s, 0, n), r = n * uniform(s, 0.01, 0.04);
        for (int y = (int)fmax(0, hy - r); y < fmin(n, hy + r); y++)
            for (int x = (int)fmax(0, hx - r); x < fmin(n, hx + r); x++)
                if ((x - hx) * (x - hx) + (y - hy) * (y - hy) < r * r)
                    for (int c = 0; c < 3; c++)
                        s->image[3 * (y * n + x) + c] = 250;
    }
}

/* Additive noise, and for MR a smooth gain. */
static void make_scanner(scene *s)
{
    int n = s->size;
    double sigma = s->style == SGM_SYNTH_CT ? uniform(s, 2, 18) : uniform(s, 1, 12);
    double bias = s->style == SGM_SYNTH_MR ? uniform(s, 0, 0.5) : 0;
    double bx = uniform(s, -1, 1), by = uniform(s, -1, 1);
    for (int y = 0; y < n; y++)
        for (int x = 0; x < n; x++) {
            double gain = 1 + bias * (bx * (2.0 * x / n - 1) + by * (2.0 * y / n - 1));
            double extra = sigma * sgm_rng_normal(&s->rng);
            for (int c = 0; c < 3; c++) {
                float *p = &s->image[3 * (y * n + x) + c];
                *p = (float)(*p * gain + extra);
            }
        }
}

static void finish(scene *s)
{
    if (s->style == SGM_SYNTH_ULTRASOUND)
        make_ultrasound(s);
    else if (s->style == SGM_SYNTH_ENDOSCOPY)
        make_endoscopy(s);
    else
        make_scanner(s);
    for (int i = 0; i < s->size * s->size * 3; i++)
        s->image[i] = fminf(fmaxf(s->image[i], 0), 255);
}

static bool mask_is_usable(const uint8_t *mask, int size)
{
    int area = 0;
    for (int i = 0; i < size * size; i++)
        area += mask[i];
    return area >= size * size / 400 && area < size * size * 3 / 4;
}

static void draw_scene(scene *s)
{
    memset(s->coarse, 0, (size_t)s->size * (size_t)s->size * 2 * sizeof *s->coarse);
    add_noise(s, 4 + (int)sgm_rng_below(&s->rng, 5), 0.8f, s->coarse);
    add_noise(s, 12, 0.2f, s->coarse);
    add_noise(s, 8 + (int)sgm_rng_below(&s->rng, 56), 1, s->fine);
    compose(s);
}

sgm_synth_style sgm_synth(uint64_t seed, uint64_t index, int size, bool ended, float *image,
                          uint8_t *mask, float *scratch)
{
    size_t pixels = (size_t)size * (size_t)size;
    scene s = {.size = size,
               .coarse = scratch,
               .fine = scratch + pixels,
               .owner = scratch + 2 * pixels,
               .spare = scratch + 3 * pixels,
               .image = image,
               .rng = sgm_rng_at(seed ^ 0x53594E5448u, index)};
    s.style = (sgm_synth_style)sgm_rng_below(&s.rng, SGM_SYNTH_STYLE_COUNT);
    sgm_rng before = s.rng;
    for (int attempt = 0; attempt < 8; attempt++) {
        before = s.rng;
        draw_scene(&s);
        read_mask(&s, mask);
        if (mask_is_usable(mask, size)) break;
    }
    if (!mask_is_usable(mask, size)) { /* hidden eight times: a plain disc, in front of all */
        s.count = 2;
        s.shapes[TARGET].cx = s.shapes[TARGET].cy = size / 2.0;
        s.shapes[TARGET].rx = s.shapes[TARGET].ry = size / 5.0;
        s.shapes[TARGET].bend = 0;
        draw(&s, TARGET);
        read_mask(&s, mask);
    }
    if (ended) { /* the same scene again */
        s.rng = before;
        s.without_target = true;
        draw_scene(&s);
    }
    finish(&s);
    return s.style;
}
