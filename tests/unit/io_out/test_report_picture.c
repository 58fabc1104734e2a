/* The JSON report, and pictures: size, orientation, colours where they belong. */
#include "io_out_support.h"

#include "sgio/picture.h"
#include "sgio/report.h"

#include <jansson.h>
#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

static void the_report_holds_what_it_was_given(void **state)
{
    static const sgio_report_slice slices[] = {{11, 0.75, 40, 1}, {12, 0.5, 20, 0}};
    static const sgio_report_segment segments[] = {
        {"L\xC3\xA4sion",
         1,
         60,
         {1, 2, 11},
         {4, 3, 12},
         0.125,
         0.625,
         "low quality",
         NULL,
         slices,
         2},
        {"empty", 2, 0, {0}, {0}, 0, NAN, NULL, NULL, NULL, 0}};
    static const char *const notes[] = {"slices overlap"};
    const sgio_report report = {.program = "PromptSeg",
                                .version = "0.1",
                                .input = "in\xFF.nii",
                                .output = "out.nrrd",
                                .size = {5, 4, 3},
                                .spacing = {0.5, 0.5, 2},
                                .spacing_assumed = 1,
                                .modality = "CT",
                                .hounsfield = 1,
                                .axis = "k",
                                .window = {-160, 240},
                                .model = "m.safetensors",
                                .device = "cpu",
                                .precision = "bf16",
                                .threads = 2,
                                .seconds_total = 0.25,
                                .seconds_read = INFINITY,
                                .peak_memory = sgio_peak_memory(),
                                .embeddings_encoded = 5,
                                .embeddings_cached = -1,
                                .segments = segments,
                                .segment_count = 2,
                                .warnings = notes,
                                .warning_count = 1};
    size_t bytes;
    (void)state;
    assert_int_equal(sgio_report_write(NULL, scratch("r.json"), &report), SGIO_OK);
    char *text = read_file(scratch("r.json"), &bytes);
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    json_t *first = json_array_get(json_object_get(root, "segments"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "name")), "L\xC3\xA4sion");
    assert_int_equal(json_integer_value(json_object_get(first, "voxels")), 60);
    assert_near(json_real_value(json_object_get(first, "ml")), 0.125, 0);
    assert_true(json_is_true(json_object_get(first, "ml_is_guess")));
    assert_true(json_is_true(json_object_get(json_object_get(root, "volume"), "spacing_assumed")));
    assert_true(json_is_true(json_object_get(json_object_get(root, "volume"), "hounsfield")));
    json_t *box = json_object_get(first, "bounding_box"), *low = json_array_get(box, 0);
    json_t *high = json_array_get(box, 1);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(json_integer_value(json_array_get(low, i)), segments[0].first[i]);
        assert_int_equal(json_integer_value(json_array_get(high, i)), segments[0].last[i]);
    }
    json_t *slice = json_array_get(json_object_get(first, "slices"), 1);
    assert_int_equal(json_integer_value(json_object_get(slice, "index")), 12);
    assert_near(json_real_value(json_object_get(slice, "predicted_quality")), 0.5, 0);
    assert_true(json_is_false(json_object_get(slice, "prompted")));
    json_t *stopped = json_object_get(first, "stopped");
    assert_string_equal(json_string_value(json_object_get(stopped, "below")), "low quality");
    assert_true(json_is_null(json_object_get(stopped, "above")));
    json_t *second = json_array_get(json_object_get(root, "segments"), 1);
    assert_true(json_is_null(json_object_get(second, "predicted_quality")));
    assert_true(json_is_null(json_object_get(second, "bounding_box")));
    assert_string_equal(json_string_value(json_object_get(root, "input")), "in?.nii");
    json_t *seconds = json_object_get(root, "seconds");
    assert_near(json_real_value(json_object_get(seconds, "total")), 0.25, 0);
    assert_true(json_is_null(json_object_get(seconds, "read")));
    json_t *embeddings = json_object_get(root, "embeddings");
    assert_int_equal(json_integer_value(json_object_get(embeddings, "encoded")), 5);
    assert_true(json_is_null(json_object_get(embeddings, "from_cache")));
    assert_int_equal(json_array_size(json_object_get(root, "warnings")), 1);
    assert_true(json_integer_value(json_object_get(root, "peak_memory_bytes")) > 1000000);
    json_decref(root);
    free(text);
    remove_scratch("r.json");
    assert_int_equal(sgio_report_write(NULL, scratch("none/r.json"), &report), SGIO_UNWRITABLE);
}

typedef struct picture {
    int width, height;
    uint8_t *rgb;
} picture;

static picture load_png(const char *path)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&image, path));
    image.format = PNG_FORMAT_RGB;
    picture p = {(int)image.width, (int)image.height, malloc(PNG_IMAGE_SIZE(image))};
    assert_non_null(p.rgb);
    assert_true(png_image_finish_read(&image, NULL, p.rgb, 0, NULL));
    return p;
}

static const uint8_t *pixel(const picture *p, int x, int y)
{
    assert_true(x >= 0 && y >= 0 && x < p->width && y < p->height);
    return p->rgb + 3 * (y * p->width + x);
}

static void pixels_are_written_as_given(void **state)
{
    static const uint8_t rgb[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    (void)state;
    assert_int_equal(sgio_png_write_rgb(NULL, scratch("p.png"), rgb, 3, 2), SGIO_OK);
    picture p = load_png(scratch("p.png"));
    assert_int_equal(p.width, 3);
    assert_memory_equal(p.rgb, rgb, sizeof rgb);
    free(p.rgb);
    remove_scratch("p.png");
}

/* One bright voxel at the patient's left, anterior and superior end must show at the right of an
 * axial slice and at its top, whatever the order and the signs of the grid's axes. */
static void patient_left_is_right_and_anterior_is_up(void **state)
{
    enum { N = 8, TILE = 80, GAP = 6 };
    (void)state;
    for (int code = 0; code < 8; code++) {
        double sx = code & 1 ? -1 : 1, sy = code & 2 ? -1 : 1;
        int swap = code & 4;
        sgio_geometry grid = {.size = {N, N, 1}};
        grid.matrix[swap ? 1 : 0][0] = swap ? sy : sx;
        grid.matrix[swap ? 0 : 1][1] = swap ? sx : sy;
        grid.matrix[2][2] = 1;
        uint8_t data[N * N] = {0};
        int left = sx > 0 ? N - 1 : 0, anterior = sy > 0 ? 0 : N - 1;
        data[swap ? left * N + anterior : anterior * N + left] = 255;
        sgio_volume volume = {.geometry = grid, .type = SGIO_U8, .channels = 1, .data = data};
        sgio_segmentation s;
        sgio_picture_options options = {.axis = 2, .window = {0, 255}, .tile_pixels = TILE};
        assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
        assert_int_equal(sgio_picture_write(NULL, scratch("p.png"), &volume, &s, NULL, &options),
                         SGIO_OK);
        picture p = load_png(scratch("p.png"));
        assert_int_equal(p.width, TILE + 2 * GAP);
        assert_int_equal(pixel(&p, GAP + TILE - 2, GAP + 2)[0], 255);
        assert_int_equal(pixel(&p, GAP + TILE - 2, GAP + TILE - 3)[0], 0);
        assert_int_equal(pixel(&p, GAP + 2, GAP + TILE - 3)[0], 0);
        free(p.rgb);
        sgio_segmentation_clear(&s);
        remove_scratch("p.png");
    }
}

/* The difference of such values is infinite. */
static void values_near_the_largest_double_are_shown(void **state)
{
    enum { N = 8, TILE = 80, GAP = 6 };
    (void)state;
    sgio_geometry grid = {.size = {N, N, 1}, .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    double data[N * N];
    for (int v = 0; v < N * N; v++)
        data[v] = v < N * N / 2 ? 1.7e308 : -1.7e308;
    sgio_volume volume = {.geometry = grid, .type = SGIO_F64, .channels = 1, .data = data};
    sgio_picture_options options = {.axis = 2, .tile_pixels = TILE};
    sgio_segmentation s;
    assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
    assert_int_equal(sgio_picture_write(NULL, scratch("p.png"), &volume, &s, NULL, &options),
                     SGIO_OK);
    picture p = load_png(scratch("p.png"));
    assert_int_equal(pixel(&p, GAP + TILE / 2, GAP + 20)[0], 255);
    assert_int_equal(pixel(&p, GAP + TILE / 2, GAP + TILE - 3)[0], 0);
    free(p.rgb);
    sgio_segmentation_clear(&s);
    remove_scratch("p.png");
}

static void superior_is_up_in_coronal_and_sagittal_slices(void **state)
{
    enum { N = 8, TILE = 80, GAP = 6 };
    (void)state;
    for (int axis = 0; axis < 2; axis++) {
        sgio_geometry grid = {.size = {N, N, N},
                              .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
        uint8_t *data = calloc(N * N * N, 1);
        memset(data + (N - 1) * N * N, 255, N * N); /* the topmost slice */
        sgio_volume volume = {.geometry = grid, .type = SGIO_U8, .channels = 1, .data = data};
        sgio_segmentation s;
        int64_t middle = N / 2;
        sgio_picture_options options = {.axis = axis,
                                        .window = {0, 255},
                                        .tile_pixels = TILE,
                                        .slices = &middle,
                                        .slice_count = 1};
        assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
        assert_int_equal(sgio_picture_write(NULL, scratch("p.png"), &volume, &s, NULL, &options),
                         SGIO_OK);
        picture p = load_png(scratch("p.png"));
        assert_int_equal(pixel(&p, GAP + TILE - 3, GAP + 1)[0], 255);
        assert_int_equal(pixel(&p, GAP + TILE - 3, GAP + TILE - 3)[0], 0);
        free(p.rgb);
        free(data);
        sgio_segmentation_clear(&s);
        remove_scratch("p.png");
    }
}

/* Spacing 1 x 3: pixels are square in millimetres. The segment's outline has its colour, the
 * foreground point is green, the background point red. */
static void outlines_and_points_are_where_they_belong(void **state)
{
    enum { GAP = 6, SCALE = 10 };
    sgio_geometry grid = {.size = {30, 10, 2},
                          .matrix = {{1, 0, 0, 0}, {0, 3, 0, 0}, {0, 0, 1, 0}}};
    uint8_t data[600] = {0}, mask[600] = {0};
    const double magenta[3] = {1, 0, 1}, plus[3] = {15, 15, 1}, minus[3] = {2, 3, 1};
    int64_t slice = 1;
    size_t index;
    sgio_segmentation s;
    sgio_prompts prompts = {0};
    (void)state;
    for (int j = 3; j <= 7; j++)
        for (int i = 10; i <= 20; i++)
            mask[300 + j * 30 + i] = 1;
    assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
    assert_int_equal(sgio_segmentation_add(&s, "x", magenta, &index), SGIO_OK);
    assert_int_equal(sgio_segmentation_set_mask(&s, index, mask), SGIO_OK);
    assert_int_equal(sgio_prompts_add_point(&prompts, "x", plus, 1, ""), SGIO_OK);
    assert_int_equal(sgio_prompts_add_point(&prompts, "x", minus, 0, ""), SGIO_OK);
    sgio_volume volume = {.geometry = grid, .type = SGIO_U8, .channels = 1, .data = data};
    sgio_picture_options options = {
        .axis = 2, .window = {0, 255}, .tile_pixels = 300, .slices = &slice, .slice_count = 1};
    assert_int_equal(sgio_picture_write(NULL, scratch("p.png"), &volume, &s, &prompts, &options),
                     SGIO_OK);
    picture p = load_png(scratch("p.png"));
    assert_int_equal(p.width, 300 + 2 * GAP);
    assert_true(p.height > 300 + 2 * GAP); /* a legend below */
    const uint8_t *outline = pixel(&p, GAP + 10 * SCALE, GAP + 5 * 3 * SCALE);
    assert_memory_equal(outline, ((uint8_t[]){255, 0, 255}), 3);
    const uint8_t *outside = pixel(&p, GAP + 10 * SCALE - 2, GAP + 5 * 3 * SCALE);
    assert_memory_equal(outside, ((uint8_t[]){0, 0, 0}), 3);
    const uint8_t *inside = pixel(&p, GAP + 12 * SCALE, GAP + 5 * 3 * SCALE);
    assert_true(inside[0] > 20 && inside[0] < 120 && inside[1] == 0);
    const uint8_t *green = pixel(&p, GAP + 155, GAP + 165);
    assert_true(green[1] > 200 && green[0] < 100);
    const uint8_t *red = pixel(&p, GAP + 25, GAP + 45);
    assert_true(red[0] > 200 && red[1] < 100);
    free(p.rgb);
    options.without_legend = 1;
    assert_int_equal(sgio_picture_write(NULL, scratch("p.png"), &volume, &s, &prompts, &options),
                     SGIO_OK);
    p = load_png(scratch("p.png"));
    assert_int_equal(p.height, 300 + 2 * GAP);
    free(p.rgb);
    sgio_prompts_clear(&prompts);
    sgio_segmentation_clear(&s);
    remove_scratch("p.png");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_report_holds_what_it_was_given),
        cmocka_unit_test(pixels_are_written_as_given),
        cmocka_unit_test(patient_left_is_right_and_anterior_is_up),
        cmocka_unit_test(values_near_the_largest_double_are_shown),
        cmocka_unit_test(superior_is_up_in_coronal_and_sagittal_slices),
        cmocka_unit_test(outlines_and_points_are_where_they_belong)};
    return cmocka_run_group_tests(tests, scratch_group_setup, scratch_group_teardown);
}
