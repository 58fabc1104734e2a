/* Enhanced (multi-frame) DICOM whose frames lie in space: what their functional groups say. The
 * files are written byte by byte, in the layouts of Philips (values scaled frame by frame), Siemens
 * XA (a file for each slice) and highdicom (frames in any order). */
#include "io_test_dicom.h"
#include "io_test_files.h"
#include "io_test_volume.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROWS = 2, COLUMNS = 3, PIXELS = ROWS * COLUMNS, MOST = 16 };

/* A frame: pixel n holds value + n. What is NULL or 0 is not written. */
typedef struct frame {
    const char *position, *orientation, *slope, *rescale_type, *type, *stack, *acquired_at;
    double echo;
    int value;
    const char *source_echo; /* of the slice it was converted from */
    const double *gradient;
    float phase; /* of the heart, percent */
} frame;

/* An object of `count` frames; shared groups hold spacing, and the directions `orientation`. */
typedef struct object {
    const char *name, *instance, *orientation;
    int count, groups;    /* groups: written of them; -1 all */
    const char *modality; /* NULL: MR */
} object;

static const char oblique[] = "0.8\\0.6\\0\\0\\0\\-1"; /* normal (-0.6, 0.8, 0) */

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

static void text_group(uint32_t group, uint32_t tag, const char *vr, const char *text)
{
    if (!text) return;
    open_group(group);
    dicom_text(tag, vr, text);
    close_group();
}

static void write_content(const frame *f)
{
    if (!f->stack && !f->acquired_at) return;
    open_group(0x00209111);
    dicom_text(0x00189074, "DT", f->acquired_at);
    dicom_text(0x00209056, "SH", f->stack);
    close_group();
}

static void write_frame_groups(const frame *f)
{
    dicom_open_item();
    if (f->echo > 0) {
        open_group(0x00189114);
        dicom_double(0x00189082, f->echo);
        close_group();
    }
    if (f->gradient) {
        open_group(0x00189117);
        dicom_double(0x00189087, 1000);
        open_group(0x00189076);
        dicom_bytes(0x00189089, "FD", f->gradient, 3 * sizeof *f->gradient);
        close_group();
        close_group();
    }
    if (f->phase > 0) {
        open_group(0x00189118);
        dicom_bytes(0x00209241, "FL", &f->phase, sizeof f->phase);
        close_group();
    }
    text_group(0x00189226, 0x00089007, "CS", f->type);
    text_group(0x00209171, 0x00180081, "DS", f->source_echo);
    write_content(f);
    text_group(0x00209113, 0x00200032, "DS", f->position);
    text_group(0x00209116, 0x00200037, "DS", f->orientation);
    if (f->slope) {
        open_group(0x00289145);
        dicom_text(0x00281052, "DS", "-5");
        dicom_text(0x00281053, "DS", f->slope);
        if (f->rescale_type) dicom_text(0x00281054, "LO", f->rescale_type);
        close_group();
    }
    dicom_close_item();
}

static void write_groups(const object *o, const frame *frames)
{
    const int written = o->groups < 0 ? o->count : o->groups;
    dicom_open_sequence(0x52009229);
    dicom_open_item();
    text_group(0x00209116, 0x00200037, "DS", o->orientation);
    open_group(0x00289110);
    dicom_text(0x00180050, "DS", "2");
    dicom_text(0x00280030, "DS", "0.75\\0.5");
    close_group();
    dicom_close_item();
    dicom_close_sequence();
    dicom_open_sequence(0x52009230);
    for (int i = 0; i < written; i++)
        write_frame_groups(&frames[i]);
    dicom_close_sequence();
}

static void write_pixels(const object *o, const frame *frames)
{
    uint16_t pixels[MOST * PIXELS];
    for (int i = 0; i < o->count; i++)
        for (int n = 0; n < PIXELS; n++)
            pixels[i * PIXELS + n] = (uint16_t)(frames[i].value + n);
    dicom_bytes(0x7fe00010, "OW", pixels, (size_t)(o->count * PIXELS) * sizeof *pixels);
}

static void save(const object *o, const frame *frames)
{
    char uid[64], count[16];
    snprintf(uid, sizeof uid, "1.2.3.9.%s", o->instance);
    snprintf(count, sizeof count, "%d", o->count);
    dicom_begin(SYNTAX_PLAIN);
    dicom_text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.4.1");
    dicom_text(0x00080018, "UI", uid);
    dicom_text(0x00080060, "CS", o->modality ? o->modality : "MR");
    dicom_text(0x0020000e, "UI", "1.2.3");
    dicom_text(0x00200013, "IS", o->instance);
    dicom_text(0x00280008, "IS", count);
    dicom_picture(ROWS, COLUMNS, 1, 16, "MONOCHROME2");
    write_groups(o, frames);
    write_pixels(o, frames);
    dicom_save(o->name);
}

static object object_of(const char *name, int count)
{
    return (object){name, "1", oblique, count, -1, NULL};
}

static void read_volume(const char *name, const char *series)
{
    const sgio_read_options options = {.series = series};
    sgio_volume_clear(&volume);
    if (sgio_volume_read(scratch_path(name), &options, &volume) != SGIO_OK)
        fail_msg("%s", sgio_last_message());
}

static void expect_slice(int64_t k, double first)
{
    for (int n = 0; n < PIXELS; n++)
        assert_true(sgio_volume_value(&volume, (size_t)k * PIXELS + (size_t)n) == first + n);
}

static void expect_column(int column, double x, double y, double z)
{
    const double wanted[3] = {x, y, z};
    for (int r = 0; r < 3; r++)
        assert_true(fabs(volume.geometry.matrix[r][column] - wanted[r]) < 1e-9);
}

static void frames_lie_where_their_groups_say(void **state)
{
    /* Steps of 2.5 mm along the normal, in no order. */
    const frame frames[] = {
        {.position = "7\\12\\3", .value = 300},
        {.position = "10\\8\\3", .value = 100},
        {.position = "8.5\\10\\3", .value = 200},
    };
    const object o = object_of("a.dcm", 3);
    (void)state;
    save(&o, frames);
    read_volume("a.dcm", NULL);
    assert_int_equal(volume.geometry.size[2], 3);
    expect_column(0, 0.4, 0.3, 0);
    expect_column(1, 0, 0, -0.75);
    expect_column(2, -1.5, 2, 0);
    expect_column(3, 10, 8, 3);
    for (int k = 0; k < 3; k++)
        expect_slice(k, 100 * (k + 1));
    assert_false(volume.is_sequence || volume.spacing_assumed || volume.sheared);
    assert_int_equal(volume.file_count, 3);
    assert_string_equal(volume.files[1], scratch_path("a.dcm"));
    assert_int_equal(volume.file_frames[0], 2);
    assert_int_equal(volume.file_frames[1], 3);
    assert_int_equal(volume.file_frames[2], 1);
}

static void each_frame_has_its_own_scale_and_directions(void **state)
{
    const frame frames[] = {
        {.position = "10\\8\\3", .orientation = oblique, .slope = "2", .value = 100},
        {.position = "8.5\\10\\3", .orientation = oblique, .slope = "0.5", .value = 200},
    };
    object o = object_of("a.dcm", 2);
    (void)state;
    o.orientation = NULL;
    save(&o, frames);
    read_volume("a.dcm", NULL);
    assert_true(volume.rescaled);
    for (size_t n = 0; n < PIXELS; n++) {
        assert_true(sgio_volume_value(&volume, n) == 2 * (100.0 + (double)n) - 5);
        assert_true(sgio_volume_value(&volume, PIXELS + n) == 0.5 * (200.0 + (double)n) - 5);
    }
}

/* The unit lies beside the slope; one frame of another is enough. */
static void each_frame_has_its_own_unit(void **state)
{
    static const struct {
        const char *modality, *types[2];
        int hounsfield;
    } rows[] = {
        {"CT", {"HU", "HU_MOD"}, 1}, {"CT", {NULL, NULL}, 1},     {"CT", {"HU", "MGML"}, 0},
        {"CT", {"Z_EFF", "HU"}, 0},  {"CT", {"MGML", "MGML"}, 0}, {"MR", {"HU", "HU"}, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        frame frames[] = {{.position = "10\\8\\3", .slope = "2", .value = 100},
                          {.position = "8.5\\10\\3", .slope = "2", .value = 200}};
        object o = object_of("a.dcm", 2);
        for (int k = 0; k < 2; k++)
            frames[k].rescale_type = rows[i].types[k];
        o.modality = rows[i].modality;
        save(&o, frames);
        read_volume("a.dcm", NULL);
        assert_true(volume.rescaled);
        assert_int_equal(volume.hounsfield, rows[i].hounsfield);
    }
}

/* "LISTING LINES": how many, and whether each of `parts` is among them. */
static void expect_listed(const char *name, size_t count, const char *const *parts)
{
    char *text = NULL;
    size_t lines = 0;
    if (sgio_list_series(scratch_path(name), &text) != SGIO_OK) fail_msg("%s", sgio_last_message());
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    assert_int_equal(lines, count);
    for (size_t i = 0; i < count; i++)
        if (!strstr(text, parts[i])) fail_msg("\"%s\" is not in\n%s", parts[i], text);
    free(text);
}

static void echoes_are_volumes_of_their_own(void **state)
{
    static const char *const parts[] = {"echo 5 ms", "echo 80 ms"};
    const frame frames[] = {
        {.position = "10\\8\\3", .echo = 5, .value = 100},
        {.position = "10\\8\\3", .echo = 80, .value = 1100},
        {.position = "8.5\\10\\3", .echo = 5, .value = 200},
        {.position = "8.5\\10\\3", .echo = 80, .value = 1200},
    };
    const object o = object_of("a.dcm", 4);
    (void)state;
    save(&o, frames);
    expect_listed("a.dcm", 2, parts);
    expect_file_refused("a.dcm", "holds 2 volumes");
    read_volume("a.dcm", "2");
    expect_slice(0, 1100);
    expect_slice(1, 1200);
}

static void count_warning(void *count, const char *sentence)
{
    *(int *)count += holds(sentence, "nothing but their order tells which belong together");
}

static int warnings_of(const char *name, const char *series)
{
    int count = 0;
    const sgio_read_options options = {
        .series = series, .warn = count_warning, .warn_user = &count};
    sgio_volume_clear(&volume);
    if (sgio_volume_read(scratch_path(name), &options, &volume) != SGIO_OK)
        fail_msg("%s", sgio_last_message());
    return count;
}

/* Three places twice, in an order that says nothing. */
static void mix_frames(frame frames[6])
{
    static const char *const places[] = {"10\\8\\3", "8.5\\10\\3", "7\\12\\3"};
    static const int order[6][2] = {{0, 1}, {2, 0}, {0, 0}, {1, 1}, {2, 1}, {1, 0}};
    memset(frames, 0, 6 * sizeof *frames);
    for (int i = 0; i < 6; i++) {
        frames[i].position = places[order[i][0]];
        frames[i].value = 1000 * order[i][1] + 100 * order[i][0];
    }
}

/* Converters keep what they have no group for in sequences of leftovers. */
static void echoes_of_converted_slices_are_volumes_of_their_own(void **state)
{
    static const char *const parts[] = {"echo 10 ms", "echo 80 ms"};
    const object o = object_of("a.dcm", 6);
    frame frames[6];
    (void)state;
    mix_frames(frames);
    for (int i = 0; i < 6; i++)
        frames[i].source_echo = frames[i].value < 1000 ? "10" : "80";
    save(&o, frames);
    expect_listed("a.dcm", 2, parts);
    for (int v = 0; v < 2; v++) {
        assert_int_equal(warnings_of("a.dcm", v ? "1" : "2"), 0);
        const double first = sgio_volume_value(&volume, 0) < 1000 ? 0 : 1000;
        for (int k = 0; k < 3; k++)
            expect_slice(k, first + 100 * k);
    }
}

static void frames_that_only_an_odd_order_parts_are_told(void **state)
{
    static const char *const odd[] = {"(told by order alone)  from frame 1 of a.dcm",
                                      "(told by order alone)  from frame 3 of a.dcm"};
    static const char *const even[] = {"mm    from frame 1 of a.dcm",
                                       "mm    from frame 4 of a.dcm"};
    const object o = object_of("a.dcm", 6);
    frame frames[6];
    (void)state;
    mix_frames(frames);
    save(&o, frames);
    expect_listed("a.dcm", 2, odd);
    assert_int_equal(warnings_of("a.dcm", "2"), 1);
    frames[2].position = frames[5].position;
    frames[3].position = frames[0].position;
    save(&o, frames); /* each place once, then each again */
    expect_listed("a.dcm", 2, even);
    assert_int_equal(warnings_of("a.dcm", "2"), 0);
}

static void gradients_and_phases_part_frames(void **state)
{
    static const double x[3] = {1, -0.0001, 0}, y[3] = {0, 0.7071068, -0.7071068};
    static const char *const directions[] = {"  gradient 1 0 0\n", "  gradient 0 0.707 -0.707\n"};
    static const char *const phases[] = {"  cardiac phase 40 %\n", "  cardiac phase 75 %\n"};
    const object o = object_of("a.dcm", 6);
    frame frames[6];
    (void)state;
    mix_frames(frames);
    for (int i = 0; i < 6; i++)
        frames[i].gradient = frames[i].value < 1000 ? x : y;
    save(&o, frames);
    expect_listed("a.dcm", 2, directions);
    assert_int_equal(warnings_of("a.dcm", "2"), 0);
    mix_frames(frames);
    for (int i = 0; i < 6; i++)
        frames[i].phase = frames[i].value < 1000 ? 40 : 75;
    save(&o, frames);
    expect_listed("a.dcm", 2, phases);
    assert_int_equal(warnings_of("a.dcm", "1"), 0);
}

static void types_times_and_stacks_part_frames(void **state)
{
    static const char *const types[] = {"FAT", "WATER"};
    static const char *const times[] = {"acquired 10:20:30.500", "acquired 10:20:41.000"};
    const object o = object_of("a.dcm", 4);
    const frame by_type[] = {
        {.position = "10\\8\\3", .type = "ORIGINAL\\PRIMARY\\DIXON\\FAT"},
        {.position = "8.5\\10\\3", .type = "ORIGINAL\\PRIMARY\\DIXON\\FAT"},
        {.position = "10\\8\\3", .type = "ORIGINAL\\PRIMARY\\DIXON\\WATER"},
        {.position = "8.5\\10\\3", .type = "ORIGINAL\\PRIMARY\\DIXON\\WATER"},
    };
    const frame by_time[] = {
        {.position = "10\\8\\3", .acquired_at = "20261201102030.5+0100"},
        {.position = "8.5\\10\\3", .acquired_at = "20261201102030.5+0100"},
        {.position = "10\\8\\3", .acquired_at = "20261201102041+0100"},
        {.position = "8.5\\10\\3", .acquired_at = "20261201102041+0100"},
    };
    (void)state;
    save(&o, by_type);
    expect_listed("a.dcm", 2, types);
    save(&o, by_time);
    expect_listed("a.dcm", 2, times);
}

/* Two stacks of even slices side by side are no uneven one. */
static void stacks_of_one_orientation_stay_apart(void **state)
{
    static const char *const parts[] = {"3x2x3  0.5x0.75x1 mm", "3x2x4  0.5x0.75x2 mm"};
    const frame frames[] = {
        {.position = "0\\0\\0", .stack = "1"},  {.position = "0\\0\\1", .stack = "1"},
        {.position = "0\\0\\2", .stack = "1"},  {.position = "0\\0\\50", .stack = "2"},
        {.position = "0\\0\\52", .stack = "2"}, {.position = "0\\0\\54", .stack = "2"},
        {.position = "0\\0\\56", .stack = "2"},
    };
    object o = object_of("a.dcm", 7);
    (void)state;
    o.orientation = "1\\0\\0\\0\\1\\0";
    save(&o, frames);
    expect_listed("a.dcm", 2, parts);
}

static void a_file_for_each_slice_is_a_volume(void **state)
{
    const frame frames[] = {{.position = "10\\8\\3", .value = 100},
                            {.position = "8.5\\10\\3", .value = 200},
                            {.position = "7\\12\\3", .value = 300}};
    const object files[] = {{"s/3.dcm", "1", oblique, 1, -1, NULL},
                            {"s/2.dcm", "2", oblique, 1, -1, NULL},
                            {"s/1.dcm", "3", oblique, 1, -1, NULL}};
    (void)state;
    make_folder("s");
    for (int i = 0; i < 3; i++)
        save(&files[i], &frames[i]);
    read_volume("s/2.dcm", NULL);
    assert_int_equal(volume.geometry.size[2], 3);
    for (int k = 0; k < 3; k++) {
        expect_slice(k, 100 * (k + 1));
        assert_int_equal(volume.file_frames[k], 0);
    }
}

/* The same object under two names, as after an export that was made twice. */
static void copies_of_an_object_count_once(void **state)
{
    const frame frames[] = {{.position = "10\\8\\3", .value = 100},
                            {.position = "8.5\\10\\3", .value = 200}};
    object o = object_of("s/a.dcm", 2);
    (void)state;
    make_folder("s");
    save(&o, frames);
    o.name = "s/b.dcm";
    save(&o, frames);
    read_volume("s", NULL);
    assert_int_equal(volume.geometry.size[2], 2);
    expect_slice(1, 200);
}

static void frames_that_do_not_fit_are_refused(void **state)
{
    frame frames[] = {
        {.position = "10\\8\\3"}, {.position = "8.5\\10\\3"}, {.position = "7\\12\\3"}};
    object o = object_of("a.dcm", 3);
    (void)state;
    o.groups = 2;
    save(&o, frames);
    expect_file_refused("a.dcm", "3 frames, but functional groups of 2");
    o.groups = -1;
    frames[1].position = NULL;
    save(&o, frames);
    expect_file_refused("a.dcm", "its frame 2 has no ImagePositionPatient");
    frames[1] = (frame){.position = "8.5\\10\\3", .slope = "0"};
    save(&o, frames);
    expect_file_refused("a.dcm", "RescaleSlope \"0\" makes no sense");
    frames[1] = (frame){.position = "8.5\\10\\x"};
    save(&o, frames);
    expect_file_refused("a.dcm", "ImagePositionPatient \"8.5\\10\\x\" makes no sense");
    frames[1] = (frame){.position = "8.5\\10\\3", .orientation = "1\\0\\0\\1\\0\\0"};
    save(&o, frames);
    expect_file_refused("a.dcm", "not a pair of perpendicular vectors");
    frames[0] = (frame){0};
    frames[1] = frames[2] = frames[0];
    save(&o, frames);
    expect_file_refused("a.dcm", "whose frames do not say where they lie");
}

static void a_missing_slice_is_told_by_its_frames(void **state)
{
    const frame frames[] = {{.position = "10\\8\\3"},
                            {.position = "8.5\\10\\3"},
                            {.position = "7\\12\\3"},
                            {.position = "4\\16\\3"}};
    const object o = object_of("a.dcm", 4);
    (void)state;
    save(&o, frames);
    expect_file_refused("a.dcm", "slices 3 and 4 lie 5.000 mm apart, others 2.500 mm (frame 3 of");
}

/* Two times of three slices that nothing tells apart but the order of frames; one slice of the
 * first is missing, and none of the second takes its place. */
static void times_with_a_missing_frame_stay_apart(void **state)
{
    static const char *const parts[] = {"3x2x2", "3x2x3"};
    const frame frames[] = {
        {.position = "10\\8\\3", .value = 100},  {.position = "7\\12\\3", .value = 300},
        {.position = "10\\8\\3", .value = 1100}, {.position = "8.5\\10\\3", .value = 1200},
        {.position = "7\\12\\3", .value = 1300},
    };
    const object o = object_of("a.dcm", 5);
    (void)state;
    save(&o, frames);
    expect_listed("a.dcm", 2, parts);
    read_volume("a.dcm", "2");
    for (int k = 0; k < 3; k++)
        expect_slice(k, 1000 + 100 * (k + 1));
}

/* SPECT: the first slice's place, and a step whose sign says on which side the others lie. */
static void save_tomographic(const char *type, const char *step, const char *slots)
{
    uint16_t pixels[4 * PIXELS], vector[4] = {2, 1, 2, 1};
    const uint16_t times[4] = {1, 1, 2, 2};
    dicom_begin(SYNTAX_PLAIN);
    dicom_text(0x00080008, "CS", type);
    dicom_text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.20");
    dicom_text(0x00080018, "UI", "1.2.3.9.1");
    dicom_text(0x00080060, "CS", "NM");
    dicom_text(0x00180050, "DS", "4");
    dicom_text(0x00180088, "DS", step);
    dicom_text(0x0020000e, "UI", "1.2.3");
    dicom_text(0x00280008, "IS", slots ? "4" : "2");
    dicom_picture(ROWS, COLUMNS, 1, 16, "MONOCHROME2");
    dicom_text(0x00280030, "DS", "4\\5");
    open_group(0x00540022);
    dicom_text(0x00200032, "DS", "10\\8\\3");
    dicom_text(0x00200037, "DS", oblique);
    close_group();
    if (slots) dicom_bytes(0x00540070, "US", times, sizeof times);
    dicom_bytes(0x00540080, "US", vector, (slots ? 4 : 2) * sizeof *vector);
    for (int n = 0; n < 4 * PIXELS; n++)
        pixels[n] = (uint16_t)(100 * (n / PIXELS) + n % PIXELS);
    dicom_bytes(0x7fe00010, "OW", pixels, (slots ? 4 : 2) * PIXELS * sizeof *pixels);
    dicom_save("nm.dcm");
}

static void reconstructed_slices_of_spect_lie_behind_one_another(void **state)
{
    static const char *const parts[] = {"time point 1", "time point 2"};
    (void)state;
    save_tomographic("ORIGINAL\\PRIMARY\\RECON TOMO\\EMISSION", "2.5", NULL);
    read_volume("nm.dcm", NULL); /* the normal is (-0.6, 0.8, 0) */
    expect_column(0, 4, 3, 0);
    expect_column(2, -1.5, 2, 0);
    expect_column(3, 10, 8, 3);
    expect_slice(0, 100); /* slice 1 is frame 2 */
    expect_slice(1, 0);
    assert_int_equal(volume.file_frames[0], 2);
    save_tomographic("ORIGINAL\\PRIMARY\\RECON TOMO\\EMISSION", "-2.5", NULL);
    read_volume("nm.dcm", NULL);
    expect_column(2, -1.5, 2, 0);
    expect_column(3, 11.5, 6, 3);
    expect_slice(0, 0);
    save_tomographic("ORIGINAL\\PRIMARY\\RECON GATED TOMO\\EMISSION", "2.5", "1");
    expect_listed("nm.dcm", 2, parts);
    read_volume("nm.dcm", "2");
    expect_slice(0, 300);
    expect_slice(1, 200);
    save_tomographic("ORIGINAL\\PRIMARY\\TOMO\\EMISSION", "2.5", NULL);
    expect_file_refused("nm.dcm", "whose frames do not say where they lie");
    save_tomographic("ORIGINAL\\PRIMARY\\RECON TOMO\\EMISSION", "0", NULL);
    expect_file_refused("nm.dcm", "no SpacingBetweenSlices");
}

static void pixels_that_are_cut_are_refused(void **state)
{
    const frame frames[] = {{.position = "10\\8\\3"}, {.position = "8.5\\10\\3"}};
    const object o = object_of("b.dcm", 2);
    (void)state;
    save(&o, frames);
    struct stat info;
    assert_int_equal(stat(scratch_path("b.dcm"), &info), 0);
    assert_int_equal(truncate(scratch_path("b.dcm"), info.st_size - 2), 0);
    expect_file_refused("b.dcm", "truncated");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_lie_where_their_groups_say, open_scratch,
                                        close_scratch),
        cmocka_unit_test_setup_teardown(each_frame_has_its_own_scale_and_directions, open_scratch,
                                        close_scratch),
        cmocka_unit_test_setup_teardown(each_frame_has_its_own_unit, open_scratch, close_scratch),
        cmocka_unit_test_setup_teardown(echoes_are_volumes_of_their_own, open_scratch,
                                        close_scratch),
        cmocka_unit_test_setup_teardown(echoes_of_converted_slices_are_volumes_of_their_own,
                                        open_scratch, close_scratch),
        cmocka_unit_test_setup_teardown(frames_that_only_an_odd_order_parts_are_told, open_scratch,
                                        close_scratch),
        cmocka_unit_test_setup_teardown(gradients_and_phases_part_frames, open_scratch,
                                        close_scratch),
        cmocka_unit_test_setup_teardown(types_times_and_stacks_part_frames, open_scratch,
                                        close_scratch),
        cmocka_unit_test_setup_teardown(stacks_of_one_orientation_stay_apart, open_scratch,
                                        close_scratch),
        cmocka_unit_test_setup_teardown(a_file_for_each_slice_is_a_volume, open_scratch,
                                        close_scratch),
        cmocka_unit_test_setup_teardown(copies_of_an_object_count_once, open_scratch,
                                        close_scratch),
        cmocka_unit_test_setup_teardown(frames_that_do_not_fit_are_refused, open_scratch,
                                        close_scratch),
        cmocka_unit_test_setup_teardown(a_missing_slice_is_told_by_its_frames, open_scratch,
                                        close_scratch),
        cmocka_unit_test_setup_teardown(times_with_a_missing_frame_stay_apart, open_scratch,
                                        close_scratch),
        cmocka_unit_test_setup_teardown(reconstructed_slices_of_spect_lie_behind_one_another,
                                        open_scratch, close_scratch),
        cmocka_unit_test_setup_teardown(pixels_that_are_cut_are_refused, open_scratch,
                                        close_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
