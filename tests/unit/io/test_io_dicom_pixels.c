/* Compressed DICOM pixels: whole ones are exact, short or lying ones are refused. */
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
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jpeglib.h>
#include <openjpeg.h>

enum { SIDE = 32, MOST = 1 << 16 };

static unsigned char stream[MOST];
static size_t stream_size;

static void save(const char *syntax, int samples, int bits)
{
    const dicom_slice slice = dicom_slice_at(0);
    dicom_begin(syntax);
    dicom_identity(&slice);
    dicom_picture(SIDE, SIDE, samples, bits, samples == 3 ? "RGB" : "MONOCHROME2");
    dicom_fragment(stream, stream_size);
    dicom_save("one.dcm");
}

static void expect_loaded(void)
{
    if (load("one.dcm") != SGIO_OK) fail_msg("%s", sgio_last_message());
}

static unsigned pixel(int n)
{
    return (unsigned)(n * 7919 + n / 3) & 0xffff;
}

/* Literal runs of all pixels, high bytes first. */
static void make_rle(void)
{
    memset(stream, 0, 64);
    stream[0] = 2;
    stream_size = 64;
    for (int byte = 1; byte >= 0; byte--) {
        unsigned char *offset = stream + 4 + 4 * (1 - byte);
        offset[0] = (unsigned char)stream_size;
        offset[1] = (unsigned char)(stream_size >> 8);
        for (int n = 0; n < SIDE * SIDE; n++) {
            if (n % 128 == 0) stream[stream_size++] = 127;
            stream[stream_size++] = (unsigned char)(pixel(n) >> 8 * byte);
        }
    }
}

static void test_rle_is_exact_or_refused(void **state)
{
    (void)state;
    make_rle();
    save(SYNTAX_RLE, 1, 16);
    expect_loaded();
    for (int n = 0; n < SIDE * SIDE; n++)
        assert_int_equal(((uint16_t *)volume.data)[n], pixel(n));
    size_t whole = stream_size;
    for (size_t cut = 2; cut < whole; cut += 98) { /* fragment and file agree with each other */
        make_rle();
        stream_size = whole - cut;
        save(SYNTAX_RLE, 1, 16);
        expect_file_refused("one.dcm", "RLE");
    }
    make_rle();
    stream[0] = 3; /* a segment too many */
    save(SYNTAX_RLE, 1, 16);
    expect_file_refused("one.dcm", "RLE");
    make_rle();
    stream[64] = 129; /* a run longer than the picture's rest, in the end */
    save(SYNTAX_RLE, 1, 16);
    expect_file_refused("one.dcm", "RLE");
}

/* ---------------------------------------------------------------------------- frames in time */

enum { MOST_FRAMES = 48, PIECES = 2 };

static uint32_t offsets[MOST_FRAMES];

/* Literal runs of side x side bytes: pixel n of a frame holds n / 3 + frame. */
static void make_rle_frame(int side, int frame)
{
    memset(stream, 0, 64);
    stream[0] = 1;
    stream[4] = 64;
    stream_size = 64;
    for (int n = 0; n < side * side; n++) {
        if (n % 128 == 0) stream[stream_size++] = 127;
        stream[stream_size++] = (unsigned char)(n / 3 + frame);
    }
    stream_size += stream_size & 1;
}

/* Fills `offsets` with where the frames, each of `pieces` fragments, begin behind the table. */
static void find_offsets(int side, int frames, int pieces)
{
    make_rle_frame(side, 0);
    for (int n = 0; n < frames; n++)
        offsets[n] = (uint32_t)(n * (int)(stream_size + 8 * (size_t)pieces));
}

/* The table is `offsets`, as it is now. */
static void save_frames(int side, int frames, int pieces, int with_table)
{
    char count[16];
    snprintf(count, sizeof count, "%d", frames);
    dicom_begin(SYNTAX_RLE);
    dicom_text(0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.3.1");
    dicom_text(0x00080060, "CS", "US");
    dicom_text(0x00280008, "IS", count);
    dicom_picture(side, side, 1, 8, "MONOCHROME2");
    dicom_open_fragments(offsets, with_table ? 4 * (size_t)frames : 0);
    for (int n = 0; n < frames; n++) {
        make_rle_frame(side, n);
        const size_t first = pieces == 1 ? stream_size : 100;
        dicom_item(stream, first);
        if (pieces == PIECES) dicom_item(stream + first, stream_size - first);
    }
    dicom_close_sequence();
    dicom_save("one.dcm");
}

static void expect_frames(int side, int frames)
{
    expect_loaded();
    assert_int_equal(volume.geometry.size[2], frames);
    for (int n = 0; n < frames * side * side; n++)
        assert_int_equal(((uint8_t *)volume.data)[n],
                         (uint8_t)(n % (side * side) / 3 + n / (side * side)));
}

static void test_frames_are_told_apart_by_table_or_fragment(void **state)
{
    (void)state;
    find_offsets(SIDE, 5, 1);
    save_frames(SIDE, 5, 1, 1);
    expect_frames(SIDE, 5);
    save_frames(SIDE, 5, 1, 0);
    expect_frames(SIDE, 5);
    find_offsets(SIDE, 5, PIECES);
    save_frames(SIDE, 5, PIECES, 1);
    expect_frames(SIDE, 5);
    for (int n = 1; n < 5; n++) /* between the last fragment's beginning and its end */
        offsets[n] -= 20;
    save_frames(SIDE, 5, PIECES, 1);
    expect_frames(SIDE, 5);
}

static void test_tables_that_lie_are_refused(void **state)
{
    (void)state;
    find_offsets(SIDE, 5, PIECES);
    offsets[1] = offsets[3]; /* backwards from there */
    save_frames(SIDE, 5, PIECES, 1);
    expect_file_refused("one.dcm", "which of its fragments belong to which of 5");
    find_offsets(SIDE, 5, PIECES);
    offsets[2] = offsets[3] - 1; /* no fragment begins between them */
    save_frames(SIDE, 5, PIECES, 1);
    expect_file_refused("one.dcm", "one.dcm");
    find_offsets(SIDE, 5, PIECES);
    offsets[4] = UINT32_MAX;
    save_frames(SIDE, 5, PIECES, 1);
    expect_file_refused("one.dcm", "without a code stream");
    find_offsets(SIDE, 5, 1);
    offsets[1] = offsets[3]; /* then what a table is not needed for */
    save_frames(SIDE, 5, 1, 1);
    expect_frames(SIDE, 5);
}

static int reads;
ssize_t __real_pread(int file, void *to, size_t size, off_t at);
ssize_t __wrap_pread(int file, void *to, size_t size, off_t at);

ssize_t __wrap_pread(int file, void *to, size_t size, off_t at)
{
    reads++;
    return __real_pread(file, to, size, at);
}

/* Frames of 57 KiB, more than is read ahead: each is met when it is looked for and when it is read,
 * not once for every other frame. */
static void test_reading_frames_takes_as_long_as_they_are(void **state)
{
    enum { WIDE = 240, FEW = 12 };
    (void)state;
    for (int with_table = 0; with_table < 2; with_table++) {
        int counts[2];
        for (int i = 0; i < 2; i++) {
            const int frames = i ? MOST_FRAMES : FEW;
            find_offsets(WIDE, frames, 1);
            save_frames(WIDE, frames, 1, with_table);
            reads = 0;
            expect_frames(WIDE, frames);
            counts[i] = reads;
        }
        assert_true(counts[0] >= FEW);
        assert_true(counts[1] < 2 * counts[0] * MOST_FRAMES / FEW);
    }
}

/* ----------------------------------------------------------------------------------- JPEG 2000 */

static opj_image_t *make_picture(int components)
{
    opj_image_cmptparm_t parameters[3];
    memset(parameters, 0, sizeof parameters);
    for (int c = 0; c < components; c++) {
        parameters[c].dx = parameters[c].dy = 1;
        parameters[c].w = parameters[c].h = SIDE;
        parameters[c].prec = 8;
    }
    opj_image_t *image = opj_image_create((OPJ_UINT32)components, parameters,
                                          components == 3 ? OPJ_CLRSPC_SRGB : OPJ_CLRSPC_GRAY);
    assert_non_null(image);
    image->x1 = image->y1 = SIDE;
    for (int c = 0; c < components; c++)
        for (int n = 0; n < SIDE * SIDE; n++)
            image->comps[c].data[n] = (OPJ_INT32)(pixel(n + c) & 255);
    return image;
}

static void read_stream(const char *name)
{
    FILE *file = fopen(scratch_path(name), "rb");
    assert_non_null(file);
    stream_size = fread(stream, 1, MOST, file);
    fclose(file);
}

/* A code stream, lossless, without a colour transform; of tiles of that side, or one (0). */
static void make_j2k(int components, int tile)
{
    opj_cparameters_t parameters;
    opj_image_t *image = make_picture(components);
    opj_codec_t *codec = opj_create_compress(OPJ_CODEC_J2K);
    opj_set_default_encoder_parameters(&parameters);
    parameters.numresolution = 2;
    parameters.tcp_mct = 0;
    parameters.tile_size_on = tile > 0;
    parameters.cp_tdx = parameters.cp_tdy = tile;
    assert_true(opj_setup_encoder(codec, &parameters, image));
    opj_stream_t *out = opj_stream_create_default_file_stream(scratch_path("one.j2k"), OPJ_FALSE);
    assert_non_null(out);
    assert_true(opj_start_compress(codec, image, out) && opj_encode(codec, out) &&
                opj_end_compress(codec, out));
    opj_stream_destroy(out);
    opj_destroy_codec(codec);
    opj_image_destroy(image);
    read_stream("one.j2k");
}

static void test_jpeg_2000_is_exact_or_refused(void **state)
{
    (void)state;
    make_j2k(1, 0);
    save(SYNTAX_JPEG_2000, 1, 8);
    expect_loaded();
    for (int n = 0; n < SIDE * SIDE; n++)
        assert_int_equal(((uint8_t *)volume.data)[n], pixel(n) & 255);
    size_t whole = stream_size;
    for (size_t cut = 20; cut < whole / 2; cut += 61) {
        make_j2k(1, 0);
        stream_size = whole - cut;
        save(SYNTAX_JPEG_2000, 1, 8);
        expect_file_refused("one.dcm", "JPEG 2000");
        stream[stream_size - 2] = 0xff; /* as if that were all */
        stream[stream_size - 1] = 0xd9;
        save(SYNTAX_JPEG_2000, 1, 8);
        expect_file_refused("one.dcm", "JPEG 2000");
    }
}

/* Where the n-th tile part begins; 0 when there is none. */
static size_t find_tile_part(int n)
{
    for (size_t at = 0; at + 1 < stream_size; at++)
        if (stream[at] == 0xff && stream[at + 1] == 0x90 && n-- == 0) return at;
    return 0;
}

static void test_missing_tiles_of_jpeg_2000_are_not_black(void **state)
{
    (void)state;
    make_j2k(1, 16);
    save(SYNTAX_JPEG_2000, 1, 8);
    expect_loaded();
    for (int n = 0; n < SIDE * SIDE; n++)
        assert_int_equal(((uint8_t *)volume.data)[n], pixel(n) & 255);
    for (int tiles = 1; tiles < 4; tiles++) { /* the first ones, and an end */
        make_j2k(1, 16);
        stream_size = find_tile_part(tiles);
        assert_true(stream_size > 0);
        stream[stream_size++] = 0xff;
        stream[stream_size++] = 0xd9;
        save(SYNTAX_JPEG_2000, 1, 8);
        expect_file_refused("one.dcm", "JPEG 2000");
    }
}

static void put(const void *bytes, size_t size)
{
    memcpy(stream + stream_size, bytes, size);
    stream_size += size;
}

static void put_box(const char *kind, const void *bytes, size_t size)
{
    const size_t length = size + 8;
    const unsigned char head[4] = {0, 0, (unsigned char)(length >> 8), (unsigned char)length};
    put(head, 4);
    put(kind, 4);
    put(bytes, size);
}

/* A JP2 file of three components with a palette that makes one or two channels of them. */
static void wrap_with_palette(int channels)
{
    static unsigned char code[MOST], header[4096];
    size_t code_size = stream_size, used;
    memcpy(code, stream, code_size);
    stream_size = 0;
    const unsigned char size[14] = {0, 0, 0, SIDE, 0, 0, 0, SIDE, 0, 3, 7, 7, 0, 0};
    const unsigned char grey[7] = {1, 0, 0, 0, 0, 0, 17};
    put_box("ihdr", size, sizeof size);
    put_box("colr", grey, sizeof grey);
    unsigned char palette[3 + 3 + 3 * 256] = {1, 0, (unsigned char)channels};
    memset(palette + 3, 7, (size_t)channels);
    for (int i = 0; i < channels * 256; i++)
        palette[3 + channels + i] = (unsigned char)(i / channels);
    put_box("pclr", palette, 3 + (size_t)channels * 257);
    unsigned char map[12];
    for (int c = 0; c < channels; c++)
        memcpy(map + 4 * c, (const unsigned char[4]){0, 0, 1, (unsigned char)c}, 4);
    put_box("cmap", map, 4 * (size_t)channels);
    used = stream_size;
    memcpy(header, stream, used);
    stream_size = 0;
    put_box("jP  ", "\r\n\x87\n", 4);
    put_box("ftyp", "jp2 \0\0\0\0jp2 ", 12);
    put_box("jp2h", header, used);
    put_box("jp2c", code, code_size);
}

static void test_a_palette_in_jp2_that_changes_the_channels_is_refused(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 2; channels++) {
        make_j2k(3, 0);
        save(SYNTAX_JPEG_2000, 3, 8);
        expect_loaded();
        assert_int_equal(volume.channels, 3);
        wrap_with_palette(channels);
        save(SYNTAX_JPEG_2000, 3, 8);
        expect_file_refused("one.dcm", "JPEG 2000");
    }
}

static void make_jpeg(int side)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char row[64], *made = NULL, *rows[1] = {row};
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &made, &size);
    jpeg.image_width = jpeg.image_height = (JDIMENSION)side;
    jpeg.input_components = 1;
    jpeg.in_color_space = JCS_GRAYSCALE;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 100, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++)
            row[x] = (unsigned char)(4 * x + 3 * y);
        jpeg_write_scanlines(&jpeg, rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    stream_size = size;
    memcpy(stream, made, size);
    free(made);
}

static void test_jpeg_is_whole_or_refused(void **state)
{
    (void)state;
    make_jpeg(SIDE);
    save(SYNTAX_JPEG, 1, 8);
    expect_loaded();
    for (int n = 0; n < SIDE * SIDE; n++)
        assert_true(abs(((uint8_t *)volume.data)[n] -
                        (int)(uint8_t)(4 * (n % SIDE) + 3 * (n / SIDE))) <= 2);
    size_t whole = stream_size;
    for (size_t cut = 20; cut < 200; cut += 20) {
        make_jpeg(SIDE);
        stream_size = whole - cut;
        save(SYNTAX_JPEG, 1, 8);
        expect_file_refused("one.dcm", "cannot be decoded");
        stream[stream_size - 2] = 0xff; /* as if that were all */
        stream[stream_size - 1] = 0xd9;
        save(SYNTAX_JPEG, 1, 8);
        expect_file_refused("one.dcm", "cannot be decoded");
    }
    make_jpeg(16);
    save(SYNTAX_JPEG, 1, 8);
    expect_file_refused("one.dcm", "its JPEG is 16 x 16");
}

static void count_sayings(void *count, const char *sentence)
{
    *(int *)count += holds(sentence, "one.dcm: its colours are said to be");
}

static void load_colours(int warned)
{
    int sayings = 0;
    const sgio_read_options options = {.warn = count_sayings, .warn_user = &sayings};
    sgio_volume_clear(&volume);
    if (sgio_volume_read(scratch_path("one.dcm"), &options, &volume) != SGIO_OK)
        fail_msg("%s", sgio_last_message());
    assert_int_equal(volume.channels, 3);
    assert_int_equal(sayings, warned); /* once, of however many frames */
}

/* Grey pixels as colours of YBR, in full or two by two, from which RGB follows. */
/* Frames lie one behind the other. */
static void write_places(int frames)
{
    static const char *const places[] = {"0\\0\\0", "0\\0\\2", "0\\0\\4"};
    dicom_open_sequence(0x52009230);
    for (int n = 0; n < frames; n++) {
        dicom_open_item();
        dicom_open_sequence(0x00209113);
        dicom_open_item();
        dicom_text(0x00200032, "DS", places[n]);
        dicom_close_item();
        dicom_close_sequence();
        dicom_close_item();
    }
    dicom_close_sequence();
}

static void save_ybr(const char *declared, int halved, int frames, int in_space)
{
    static unsigned char bytes[3 * 3 * SIDE * SIDE];
    const dicom_slice slice = dicom_slice_at(0);
    size_t size = 0;
    for (int n = 0; n < frames * SIDE * SIDE; n++) {
        bytes[size++] = (unsigned char)(n * 7);
        if (halved && n % 2 == 0) continue;
        bytes[size++] = 128;
        bytes[size++] = 128;
    }
    char count[8];
    snprintf(count, sizeof count, "%d", frames);
    dicom_begin(SYNTAX_PLAIN);
    dicom_identity_of("1.2.840.10008.5.1.4.1.1.3.1", "US", &slice);
    dicom_text(0x00280008, "IS", count);
    dicom_picture(SIDE, SIDE, 3, 8, declared);
    if (in_space) write_places(frames);
    dicom_bytes(0x7fe00010, "OB", bytes, size);
    dicom_save("one.dcm");
}

static void test_ybr_at_full_size_is_told_by_its_length(void **state)
{
    (void)state;
    for (int way = 0; way < 4; way++)
        for (int frames = 1; frames < 4; frames++) {
            const int halved = way % 2;
            save_ybr("YBR_FULL_422", halved, frames, way / 2);
            load_colours(!halved);
            assert_int_equal(volume.geometry.size[2], frames);
            assert_int_equal(volume.is_sequence, way < 2 && frames > 1);
            for (int n = 0; n < 3 * frames * SIDE * SIDE; n++)
                assert_int_equal(((uint8_t *)volume.data)[n], (uint8_t)(n / 3 * 7));
        }
    save_ybr("YBR_FULL", 0, 2, 0);
    load_colours(0);
}

/* Blue above, red below. */
static void make_colour_jpeg(J_COLOR_SPACE stored, int jfif)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char row[3 * SIDE], *made = NULL, *rows[1] = {row};
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &made, &size);
    jpeg.image_width = jpeg.image_height = SIDE;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_colorspace(&jpeg, stored);
    jpeg.write_JFIF_header = (boolean)jfif;
    jpeg.write_Adobe_marker = (boolean)!jfif;
    jpeg_set_quality(&jpeg, 100, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < SIDE; y++) {
        memset(row, 0, sizeof row);
        for (int x = 0; x < SIDE; x++)
            row[3 * x + (y < SIDE / 2 ? 2 : 0)] = 200;
        jpeg_write_scanlines(&jpeg, rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    stream_size = size;
    memcpy(stream, made, size);
    free(made);
}

static void save_colours(const char *declared)
{
    const dicom_slice slice = dicom_slice_at(0);
    dicom_begin(SYNTAX_JPEG);
    dicom_identity(&slice);
    dicom_picture(SIDE, SIDE, 3, 8, declared);
    dicom_fragment(stream, stream_size);
    dicom_save("one.dcm");
}

/* In which colours a stream is, its own markers know better than the header. */
static void test_ycbcr_in_a_jpeg_of_rgb_is_seen(void **state)
{
    static const struct {
        J_COLOR_SPACE stored;
        int jfif;
        const char *declared;
        int warned;
    } cases[] = {{JCS_YCbCr, 1, "RGB", 1},
                 {JCS_YCbCr, 0, "RGB", 1},
                 {JCS_YCbCr, 1, "YBR_FULL_422", 0},
                 {JCS_RGB, 0, "RGB", 0}};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        make_colour_jpeg(cases[i].stored, cases[i].jfif);
        save_colours(cases[i].declared);
        load_colours(cases[i].warned);
        const uint8_t *blue = volume.data, *red = blue + 3 * SIDE * (SIDE - 1);
        assert_true(blue[0] < 8 && blue[1] < 8 && abs(blue[2] - 200) < 8);
        assert_true(abs(red[0] - 200) < 8 && red[1] < 8 && red[2] < 8);
    }
}

/* The test's own process has not asked DCMTK for anything before: it runs first. */
static void test_no_dictionary_of_the_environment_is_opened(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(scratch_path("dictionary"), 0600), 0);
    setenv("DCMDICTPATH", scratch_path("dictionary"), 1);
    alarm(20); /* who opens the FIFO waits for ever */
    make_jpeg(SIDE);
    save(SYNTAX_JPEG, 1, 8);
    expect_loaded();
    alarm(0);
    assert_string_equal(getenv("DCMDICTPATH"), scratch_path("dictionary"));
}

/* The size of a palette, as bytes of that VR. */
typedef struct descriptor {
    const char *vr;
    const void *bytes;
    size_t size;
} descriptor;

/* Four pixels that are numbers into a palette; each of its tables has `size` bytes. */
static void save_described(const descriptor *d, const void *table, size_t size)
{
    static const unsigned char pixels[4] = {0, 10, 11, 200};
    const dicom_slice slice = dicom_slice_at(0);
    dicom_begin(SYNTAX_PLAIN);
    dicom_identity(&slice);
    dicom_picture(2, 2, 1, 8, "PALETTE COLOR");
    for (uint32_t c = 0; c < 3; c++)
        dicom_bytes(0x00281101 + c, d->vr, d->bytes, d->size);
    for (uint32_t c = 0; c < 3 && table; c++)
        dicom_bytes(0x00281201 + c, "OW", (const char *)table + c * size, size);
    dicom_bytes(0x7fe00010, "OB", pixels, sizeof pixels);
    dicom_save("one.dcm");
}

/* Of `count` colours from `first` on. */
static void save_palette(int bits, int count, int first, const void *table, size_t size)
{
    const uint16_t values[3] = {(uint16_t)count, (uint16_t)first, (uint16_t)bits};
    const descriptor d = {"US", values, sizeof values};
    save_described(&d, table, size);
}

/* Numbers below the palette have its first colour, those above it its last one. */
static void expect_colours(void)
{
    static const uint8_t wanted[4][3] = {{1, 11, 21}, {1, 11, 21}, {2, 12, 22}, {3, 13, 23}};
    expect_loaded();
    assert_int_equal(volume.channels, 3);
    assert_int_equal(volume.type, SGIO_U8);
    assert_memory_equal(volume.data, wanted, sizeof wanted);
}

static void test_palettes_become_colours(void **state)
{
    static const uint8_t bytes[3][4] = {{1, 2, 3, 9}, {11, 12, 13, 9}, {21, 22, 23, 9}};
    static const uint16_t words[3][3] = {{1, 2, 3}, {11, 12, 13}, {21, 22, 23}};
    uint16_t large[3][3];
    (void)state;
    for (int c = 0; c < 9; c++)
        large[c / 3][c % 3] = (uint16_t)(words[c / 3][c % 3] << 8 | 0x7f);
    save_palette(8, 3, 10, bytes, 4);
    expect_colours();
    save_palette(8, 3, 10, words, 6); /* 8 bits in words, and 16 that use 8 */
    expect_colours();
    save_palette(16, 3, 10, words, 6);
    expect_colours();
    save_palette(16, 3, 10, large, 6);
    expect_colours();
    save_palette(16, 4, 10, words, 6);
    expect_file_refused("one.dcm", "RedPaletteColorLookupTableData is too short");
    save_palette(8, 3, 10, NULL, 0);
    expect_file_refused("one.dcm", "RedPaletteColorLookupTableData is missing");
    save_palette(12, 3, 10, words, 6);
    expect_file_refused("one.dcm", "entries of neither 8 nor 16 bits");
}

/* Whatever kind of number says its size: of so many entries only, from such a value on. */
static void test_sizes_of_palettes_that_make_no_sense_are_refused(void **state)
{
    static const uint32_t many[3] = {65537, 0, 16}, most[3] = {65536, 0, 16},
                          far[3] = {3, 65536, 8};
    static const double half[3] = {0.5, 0, 16}, huge[3] = {1e300, 0, 16}, part[3] = {3, 0.5, 8},
                        below[3] = {3, -1e300, 8}, few[3] = {-65536.5, 0, 8}, none[3] = {0, 0, 16};
    static const int32_t least[3] = {-65536, 0, 16}, less[3] = {-65537, 0, 16};
    static unsigned char tables[3][2 * 65538];
    const struct {
        descriptor size;
        const char *reason; /* NULL: read */
    } cases[] = {
        {{"UL", most, sizeof most}, NULL},
        {{"FD", none, sizeof none}, NULL},
        {{"SL", least, sizeof least}, NULL},
        {{"UL", many, sizeof many}, "65536 entries"},
        {{"SL", less, sizeof less}, "entries"},
        {{"FD", half, sizeof half}, "65536 entries"},
        {{"FD", huge, sizeof huge}, "entries"},
        {{"FD", few, sizeof few}, "65536 entries"},
        {{"DS", "0.5\\0\\16", 8}, "65536 entries"},
        {{"DS", "2.5\\0\\16", 8}, "65536 entries"},
        {{"UL", far, sizeof far}, "first value"},
        {{"FD", part, sizeof part}, "first value"},
        {{"FD", below, sizeof below}, "first value"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        save_described(&cases[i].size, tables, sizeof tables[0]);
        if (cases[i].reason)
            expect_file_refused("one.dcm", cases[i].reason);
        else
            expect_loaded();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_dictionary_of_the_environment_is_opened),
        cmocka_unit_test(test_rle_is_exact_or_refused),
        cmocka_unit_test(test_frames_are_told_apart_by_table_or_fragment),
        cmocka_unit_test(test_tables_that_lie_are_refused),
        cmocka_unit_test(test_reading_frames_takes_as_long_as_they_are),
        cmocka_unit_test(test_jpeg_2000_is_exact_or_refused),
        cmocka_unit_test(test_missing_tiles_of_jpeg_2000_are_not_black),
        cmocka_unit_test(test_a_palette_in_jp2_that_changes_the_channels_is_refused),
        cmocka_unit_test(test_jpeg_is_whole_or_refused),
        cmocka_unit_test(test_ybr_at_full_size_is_told_by_its_length),
        cmocka_unit_test(test_ycbcr_in_a_jpeg_of_rgb_is_seen),
        cmocka_unit_test(test_palettes_become_colours),
        cmocka_unit_test(test_sizes_of_palettes_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, open_scratch, close_scratch);
}
