/* test_image WORK
 *
 * PNG pictures of `segmodel predict`: what the network sees is what PromptSeg shows it. */
#include "check.h"

#include "tool/tool_image.h"

#include <png.h>
#include <stdlib.h>

enum { SIDE = 128, PIXELS = SIDE * SIDE };

static char path[1024];

/* Writes PNG `depth` bits deep; `words`: values of the colour type, row by row. */
static void save(int colour_type, int depth, int values, const uint16_t *words, double gamma)
{
    FILE *file = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_byte row[SIDE * 4 * 2];
    png_init_io(png, file);
    png_set_IHDR(png, info, SIDE, SIDE, depth, colour_type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (gamma > 0) png_set_gAMA(png, info, gamma);
    png_write_info(png, info);
    for (int y = 0; y < SIDE; y++) {
        size_t n = 0;
        for (int i = 0; i < SIDE * values; i++) {
            unsigned word = words[y * SIDE * values + i];
            if (depth == 16) row[n++] = (png_byte)(word >> 8);
            row[n++] = (png_byte)word;
        }
        png_write_row(png, row);
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    fclose(file);
}

static uint16_t *make(int values, int alpha)
{
    uint16_t *words = malloc(sizeof *words * PIXELS * 4);
    for (int i = 0; i < PIXELS * values; i++)
        words[i] = (uint16_t)(i * 7 % 256);
    for (int i = 0; alpha && i < PIXELS; i++)
        words[i * values + values - 1] = (uint16_t)(i % 3 * 100);
    return words;
}

/* Bytes come as they are stored, without the `hidden` last value of each pixel. */
static void check_stored(int colour_type, int values, int hidden, double gamma)
{
    image_file file;
    uint16_t *words = make(values, hidden);
    int seen = values - hidden, wrong = 0;
    save(colour_type, 8, values, words, gamma);
    if (CHECK_OK(image_file_read(path, &file)) &&
        CHECK(file.image.width == SIDE && file.image.height == SIDE &&
              file.image.channels == seen)) {
        for (int i = 0; i < PIXELS * seen; i++)
            wrong += file.pixels[i] != words[i / seen * values + i % seen];
        CHECK(wrong == 0);
    }
    image_file_clear(&file);
    free(words);
}

/* Greys of 16 bits from 1000 to 3000 with a bright pixel: black and white are the percentiles, as
 * in a volume, not 0 and 65535. */
static void check_wide(void)
{
    image_file file;
    uint16_t *words = make(1, 0);
    for (int i = 0; i < PIXELS; i++)
        words[i] = (uint16_t)(1000 + i % 2001);
    words[77] = 60000;
    save(PNG_COLOR_TYPE_GRAY, 16, 1, words, 0);
    if (CHECK_OK(image_file_read(path, &file)) && CHECK(file.image.channels == 1)) {
        CHECK(file.pixels[0] == 0 && file.pixels[77] == 255 && file.pixels[2000] == 255);
        CHECK_NEAR(file.pixels[1000], 127.5, 1);
        CHECK_NEAR(file.pixels[500], 63, 1);
    }
    image_file_clear(&file);
    free(words);
}

static void check_refused(void)
{
    image_file file;
    uint16_t *words = make(3, 0);
    save(PNG_COLOR_TYPE_RGB, 16, 3, words, 0);
    CHECK_STATUS(image_file_read(path, &file), SGM_UNREADABLE, path);
    FILE *cut = fopen(path, "r+b");
    fseek(cut, 200, SEEK_SET);
    fputs("no longer what it was, for some bytes", cut);
    fclose(cut);
    CHECK_STATUS(image_file_read(path, &file), SGM_UNREADABLE, path);
    free(words);
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    snprintf(path, sizeof path, "%s/tool_image_test.png", argv[1]);
    check_stored(PNG_COLOR_TYPE_GRAY, 1, 0, 0);
    check_stored(PNG_COLOR_TYPE_GRAY, 1, 0, 1.0);
    check_stored(PNG_COLOR_TYPE_RGB, 3, 0, 1.0);
    check_stored(PNG_COLOR_TYPE_RGB_ALPHA, 4, 1, 0);
    check_stored(PNG_COLOR_TYPE_GRAY_ALPHA, 2, 1, 1.0);
    check_wide();
    check_refused();
    return check_report();
}
