/* Several slices at each place of one series, one place after another, in no order within it: what
 * tells their volumes apart, in files of one slice, among the leftovers of a converter, and in the
 * functional groups of an enhanced image. */
#include "io_test_dicom.h"
#include "io_test_files.h"
#include "io_test_volume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PLACES = 5, VOLUMES = 3, SLICES = PLACES * VOLUMES, ROWS = 4, COLUMNS = 5 };
enum { PIXELS = ROWS * COLUMNS };

/* The order of the volumes at each place. */
static const int orders[PLACES][VOLUMES] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {2, 1, 0}, {1, 2, 0}};

/* An attribute with its values in the three volumes, and how the listing says them. */
typedef struct attribute {
    uint32_t tag, group, of_group; /* groups of enhanced images; 0: has its own tests */
    const char *vr;
    const char *texts[VOLUMES];
    double numbers[VOLUMES][3];
    const char *said[VOLUMES];
} attribute;

static const attribute attributes[] = {
    {0x00180082,
     0x00189115,
     0x00189079,
     "DS",
     {"100", "150", "2200.5"},
     {{100}, {150}, {2200.5}},
     {"  inversion 100 ms\n", "  inversion 150 ms\n", "  inversion 2200.5 ms\n"}},
    {0x00181314,
     0x00189112,
     0x00181314,
     "DS",
     {"5", "12.5", "20"},
     {{0}},
     {"  flip angle 5\n", "  flip angle 12.5\n", "  flip angle 20\n"}},
    {0x00189089,
     0,
     0,
     "FD",
     {NULL},
     {{1, -0.0001, 0}, {0, 0.7071068, -0.7071068}, {0, 0, 1}},
     {"  gradient 1 0 0\n", "  gradient 0 0.707 -0.707\n", "  gradient 0 0 1\n"}},
    {0x00209241,
     0,
     0,
     "FL",
     {NULL},
     {{0}, {25}, {62.5}},
     {"  cardiac phase 0 %\n", "  cardiac phase 25 %\n", "  cardiac phase 62.5 %\n"}},
    {0x00209245,
     0,
     0,
     "FL",
     {NULL},
     {{0}, {25}, {50}},
     {"  respiratory phase 0 %\n", "  respiratory phase 25 %\n", "  respiratory phase 50 %\n"}},
};

enum { ATTRIBUTES = sizeof attributes / sizeof *attributes };

static void write_attribute(const attribute *a, int v)
{
    const float single = (float)a->numbers[v][0];
    if (a->texts[v])
        dicom_text(a->tag, a->vr, a->texts[v]);
    else if (strcmp(a->vr, "FL") == 0)
        dicom_bytes(a->tag, "FL", &single, sizeof single);
    else
        dicom_bytes(a->tag, a->vr, a->numbers[v], sizeof a->numbers[v]);
}

static void in_group(const attribute *a, int v)
{
    if (a->of_group == a->tag)
        dicom_text(a->tag, a->vr, a->texts[v]);
    else
        dicom_double(a->of_group, a->numbers[v][0]);
}

static int value_of(int place, int v)
{
    return 1000 * v + 100 * place;
}

/* A file for each slice in the folder "s", of which nothing else tells the volume. */
static void save_slices(const attribute *a)
{
    char name[24], instance[16], position[32];
    for (int i = 0; i < SLICES; i++) {
        const int place = i / VOLUMES, v = orders[place][i % VOLUMES];
        snprintf(name, sizeof name, "s/%02d.dcm", i);
        snprintf(instance, sizeof instance, "%d", i + 1);
        snprintf(position, sizeof position, "0\\0\\%d", 3 * place);
        const dicom_slice slice = {.series = "1.2.3",
                                   .position = position,
                                   .instance = instance,
                                   .first_value = value_of(place, v)};
        dicom_begin(SYNTAX_PLAIN);
        dicom_identity_of("1.2.840.10008.5.1.4.1.1.4", "MR", &slice);
        if (a) write_attribute(a, v);
        dicom_picture(ROWS, COLUMNS, 1, 16, "MONOCHROME2");
        dicom_text(0x00280030, "DS", "1\\1");
        dicom_pixels(&slice);
        dicom_save(name);
    }
}

static void open_group(uint32_t tag)
{
    dicom_open_sequence(tag);
    dicom_open_item();
}

static void close_group(void)
{
    dicom_close_item();
    dicom_close_sequence();
}

static void write_frame_groups(const attribute *a, uint32_t group, int place, int v)
{
    char position[32];
    snprintf(position, sizeof position, "0\\0\\%d", 3 * place);
    dicom_open_item();
    open_group(0x00209113);
    dicom_text(0x00200032, "DS", position);
    close_group();
    open_group(group);
    if (group == a->group)
        in_group(a, v);
    else
        write_attribute(a, v);
    close_group();
    dicom_close_item();
}

/* The same slices as frames of one file; the attribute in `group`. */
static void save_frames(const attribute *a, uint32_t group)
{
    static uint16_t pixels[SLICES * PIXELS];
    dicom_begin(SYNTAX_PLAIN);
    dicom_text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.4.1");
    dicom_text(0x00080018, "UI", "1.2.3.9.1");
    dicom_text(0x00080060, "CS", "MR");
    dicom_text(0x0020000e, "UI", "1.2.3");
    dicom_text(0x00280008, "IS", "15");
    dicom_picture(ROWS, COLUMNS, 1, 16, "MONOCHROME2");
    dicom_open_sequence(0x52009229);
    dicom_open_item();
    open_group(0x00209116);
    dicom_text(0x00200037, "DS", "1\\0\\0\\0\\1\\0");
    close_group();
    open_group(0x00289110);
    dicom_text(0x00280030, "DS", "1\\1");
    close_group();
    dicom_close_item();
    dicom_close_sequence();
    dicom_open_sequence(0x52009230);
    for (int i = 0; i < SLICES; i++) {
        const int place = i / VOLUMES, v = orders[place][i % VOLUMES];
        write_frame_groups(a, group, place, v);
        for (int n = 0; n < PIXELS; n++)
            pixels[i * PIXELS + n] = (uint16_t)(value_of(place, v) + n);
    }
    dicom_close_sequence();
    dicom_bytes(0x7fe00010, "OW", pixels, sizeof pixels);
    dicom_save("a.dcm");
}

static void count_warning(void *count, const char *sentence)
{
    *(int *)count += holds(sentence, "nothing but their order tells which belong together");
}

/* Reads one of the volumes; how often it was said that it may be mixed. */
static int read_one(const char *name, int number)
{
    char series[8];
    int warnings = 0;
    const sgio_read_options options = {
        .series = series, .warn = count_warning, .warn_user = &warnings};
    snprintf(series, sizeof series, "%d", number);
    sgio_volume_clear(&volume);
    if (sgio_volume_read(scratch_path(name), &options, &volume) != SGIO_OK)
        fail_msg("%s", sgio_last_message());
    return warnings;
}

static void expect_apart(const char *name, const attribute *a)
{
    char *text = NULL;
    if (sgio_list_series(scratch_path(name), &text) != SGIO_OK) fail_msg("%s", sgio_last_message());
    for (int v = 0; v < VOLUMES; v++)
        if (!strstr(text, a->said[v])) fail_msg("\"%s\" is not in\n%s", a->said[v], text);
    free(text);
    for (int number = 1; number <= VOLUMES; number++) {
        assert_int_equal(read_one(name, number), 0);
        assert_int_equal(volume.geometry.size[2], PLACES);
        const double first = sgio_volume_value(&volume, 0);
        for (size_t i = 0; i < PLACES * PIXELS; i++) {
            const double wanted = first + 100 * (double)(i / PIXELS) + (double)(i % PIXELS);
            assert_true(sgio_volume_value(&volume, i) == wanted);
        }
    }
}

static void slices_say_it(void **state)
{
    (void)state;
    make_folder("s");
    for (int i = 0; i < ATTRIBUTES; i++) {
        save_slices(&attributes[i]);
        expect_apart("s", &attributes[i]);
    }
}

static void leftovers_of_a_converter_say_it(void **state)
{
    (void)state;
    for (int i = 0; i < ATTRIBUTES; i++) {
        save_frames(&attributes[i], 0x00209171);
        expect_apart("a.dcm", &attributes[i]);
    }
}

static void groups_of_a_frame_say_it(void **state)
{
    (void)state;
    for (int i = 0; i < ATTRIBUTES; i++) {
        if (attributes[i].group == 0) continue;
        save_frames(&attributes[i], attributes[i].group);
        expect_apart("a.dcm", &attributes[i]);
    }
}

static void what_nothing_says_is_warned_about(void **state)
{
    (void)state;
    make_folder("s");
    save_slices(NULL);
    for (int number = 1; number <= VOLUMES; number++)
        assert_int_equal(read_one("s", number), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(slices_say_it, open_scratch, close_scratch),
        cmocka_unit_test_setup_teardown(leftovers_of_a_converter_say_it, open_scratch,
                                        close_scratch),
        cmocka_unit_test_setup_teardown(groups_of_a_frame_say_it, open_scratch, close_scratch),
        cmocka_unit_test_setup_teardown(what_nothing_says_is_warned_about, open_scratch,
                                        close_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
