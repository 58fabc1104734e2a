/* Writes small clips and masks of their frames, for PromptSeg --maskPrompts. argv[1]: a folder that
 * holds clip, labels, spoilt, worse, some, wide, odd, stray, none, map and colours.
 *
 * clip: six coloured frames of 96 x 80 (numbers 1, 2, 3, 9, 10, 11) of a bright disc that moves.
 * labels: the disc. spoilt: the disc moved and grown or shrunk, as another network's masks; worse:
 * by three times as much. odd: two frames of different sizes. some: those of frames 2 and 10 alone.
 * clip.nrrd, spoilt.nrrd: the same as stacks. The others are wrong in one way each. */
#include <png.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 96, HEIGHT = 80, FRAMES = 6 };

static const int numbers[FRAMES] = {1, 2, 3, 9, 10, 11};
static uint8_t pixels[3 * (WIDTH + 4) * HEIGHT];

static void save(const char *folder, const char *name, int width, png_uint_32 format)
{
    char path[4096];
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .format = format,
                       .width = (png_uint_32)width,
                       .height = HEIGHT};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!png_image_write_to_file(&image, path, 0, pixels, 0, NULL)) {
        fprintf(stderr, "%s: %s\n", path, image.message);
        exit(1);
    }
}

static int in_disc(int x, int y, double cx, double cy, double radius)
{
    const double dx = x - cx, dy = y - cy;
    return dx * dx + dy * dy <= radius * radius;
}

static double centre_x(int frame)
{
    return 36 + 3 * frame;
}

static double centre_y(int frame)
{
    return 44 - 2 * frame;
}

static void draw_frame(int frame)
{
    unsigned seed = 7 + (unsigned)frame;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            const int inside = in_disc(x, y, centre_x(frame), centre_y(frame), 17);
            uint8_t *p = pixels + 3 * (y * WIDTH + x);
            seed = seed * 1664525u + 1013904223u;
            const int noise = (int)(seed >> 24) % 13;
            p[0] = (uint8_t)((inside ? 200 : 90) + noise);
            p[1] = (uint8_t)((inside ? 120 : 50) + noise);
            p[2] = (uint8_t)((inside ? 110 : 45) + noise);
        }
}

static void draw_mask(int frame, double dx, double dy, double grown, int width, int value)
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < width; x++)
            pixels[y * width + x] =
                (uint8_t)(in_disc(x, y, centre_x(frame) + dx, centre_y(frame) + dy, 17 + grown)
                              ? value
                              : 0);
}

static void save_mask(const char *root, const char *folder, int number, int width)
{
    char path[4096], name[64];
    snprintf(path, sizeof path, "%s/%s", root, folder);
    snprintf(name, sizeof name, "mask_%d.png", number);
    save(path, name, width, PNG_FORMAT_GRAY);
}

static void save_frames(const char *root)
{
    char path[4096], name[64];
    snprintf(path, sizeof path, "%s/clip", root);
    for (int f = 0; f < FRAMES; f++) {
        draw_frame(f);
        snprintf(name, sizeof name, "frame%d.png", numbers[f]);
        save(path, name, WIDTH, PNG_FORMAT_RGB);
    }
}

static void save_masks(const char *root)
{
    static const double off[FRAMES][3] = {{4, 3, 3},    {-5, 1, -4}, {2, -5, 4},
                                          {-3, -4, -3}, {5, -2, 2},  {-2, 5, -4}};
    for (int f = 0; f < FRAMES; f++) {
        draw_mask(f, 0, 0, 0, WIDTH, 255);
        save_mask(root, "labels", numbers[f], WIDTH);
        draw_mask(f, off[f][0], off[f][1], off[f][2], WIDTH, 255);
        save_mask(root, "spoilt", numbers[f], WIDTH);
        if (numbers[f] == 2 || numbers[f] == 10) save_mask(root, "some", numbers[f], WIDTH);
        if (numbers[f] == 2) save_mask(root, "stray", 77, WIDTH);
        draw_mask(f, 3 * off[f][0], 3 * off[f][1], 3 * off[f][2], WIDTH, 255);
        save_mask(root, "worse", numbers[f], WIDTH);
        draw_mask(f, 0, 0, 0, WIDTH + 4, 255);
        save_mask(root, "wide", numbers[f], WIDTH + 4);
        if (numbers[f] == 2) save_mask(root, "odd", 2, WIDTH + 4);
        if (numbers[f] == 3) save_mask(root, "odd", 3, WIDTH);
        draw_mask(f, 0, 0, 0, WIDTH, 0);
        save_mask(root, "none", numbers[f], WIDTH);
    }
}

/* Frames of grey and of colours, as maps and masks come. */
static void save_odd_ones(const char *root)
{
    char path[4096];
    for (int f = 0; f < FRAMES; f++) {
        for (int i = 0; i < WIDTH * HEIGHT; i++)
            pixels[i] = (uint8_t)(i % WIDTH * 2);
        save_mask(root, "map", numbers[f], WIDTH);
    }
    draw_frame(0);
    snprintf(path, sizeof path, "%s/colours", root);
    save(path, "mask_1.png", WIDTH, PNG_FORMAT_RGB);
}

/* The same clip and spoilt masks as NRRD: stacks that say nothing of time. */
static void save_stack(const char *root, const char *name, int colours, int frames)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *file = fopen(path, "wb");
    if (!file) exit(1);
    fprintf(file, "NRRD0004\ntype: unsigned char\ndimension: %d\n", colours ? 4 : 3);
    fprintf(file, "space: left-posterior-superior\nsizes:%s %d %d %d\n", colours ? " 3" : "", WIDTH,
            HEIGHT, frames);
    fprintf(file, "space directions:%s (1,0,0) (0,1,0) (0,0,1)\nkinds:%s domain domain domain\n",
            colours ? " none" : "", colours ? " RGB-color" : "");
    fprintf(file, "encoding: raw\nspace origin: (0,0,0)\n\n");
    for (int f = 0; f < frames; f++) {
        if (colours)
            draw_frame(f);
        else
            draw_mask(f, f % 2 ? 3 : -3, 2, f % 2 ? 3 : -3, WIDTH, 1);
        fwrite(pixels, 1, (size_t)(WIDTH * HEIGHT * (colours ? 3 : 1)), file);
    }
    if (fclose(file) != 0) exit(1);
}

int main(int argc, char **argv)
{
    if (argc != 2) return 1;
    save_stack(argv[1], "clip.nrrd", 1, FRAMES);
    save_stack(argv[1], "spoilt.nrrd", 0, FRAMES);
    save_stack(argv[1], "short.nrrd", 0, FRAMES - 1);
    save_frames(argv[1]);
    save_masks(argv[1]);
    save_odd_ones(argv[1]);
    return 0;
}
