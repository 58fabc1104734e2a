#include "io_test_dicom.h"

#include "io_test_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 4, COLUMNS = 5 };

static unsigned char *file;
static size_t used, room;

static void put(const void *bytes, size_t size)
{
    if (used + size > room) {
        room = 2 * (used + size);
        file = realloc(file, room);
        if (!file) abort();
    }
    if (size > 0) memcpy(file + used, bytes, size);
    used += size;
}

static void put_number(uint32_t value, int bytes)
{
    unsigned char b[4];
    for (int i = 0; i < bytes; i++)
        b[i] = (unsigned char)(value >> 8 * i);
    put(b, (size_t)bytes);
}

static void put_tag(uint32_t tag)
{
    put_number(tag >> 16, 2);
    put_number(tag & 0xffff, 2);
}

static void put_item(uint32_t tag, uint32_t length)
{
    put_tag(tag);
    put_number(length, 4);
}

static void put_long_head(uint32_t tag, const char *vr, uint32_t length)
{
    put_tag(tag);
    put(vr, 2);
    put_number(0, 2);
    put_number(length, 4);
}

void dicom_bytes(uint32_t tag, const char *vr, const void *bytes, size_t size)
{
    if (strstr("OB OW SQ UN UT", vr)) {
        put_long_head(tag, vr, (uint32_t)(size + (size & 1)));
    } else {
        put_tag(tag);
        put(vr, 2);
        put_number((uint32_t)(size + (size & 1)), 2);
    }
    put(bytes, size);
    if (size & 1) put(strcmp(vr, "UI") ? " " : "", 1);
}

void dicom_text(uint32_t tag, const char *vr, const char *text)
{
    if (text) dicom_bytes(tag, vr, text, strlen(text));
}

void dicom_u16(uint32_t tag, unsigned value)
{
    const unsigned char b[2] = {(unsigned char)value, (unsigned char)(value >> 8)};
    dicom_bytes(tag, "US", b, 2);
}

void dicom_double(uint32_t tag, double value)
{
    dicom_bytes(tag, "FD", &value, sizeof value);
}

void dicom_begin(const char *syntax)
{
    static const char preamble[128];
    used = 0;
    put(preamble, sizeof preamble);
    put("DICM", 4);
    dicom_text(0x00020010, "UI", syntax);
}

void dicom_open_sequence(uint32_t tag)
{
    put_long_head(tag, "SQ", 0xffffffff);
}

void dicom_open_item(void)
{
    put_item(0xfffee000, 0xffffffff);
}

void dicom_close_item(void)
{
    put_item(0xfffee00d, 0);
}

void dicom_close_sequence(void)
{
    put_item(0xfffee0dd, 0);
}

void dicom_item(const void *bytes, size_t size)
{
    put_item(0xfffee000, (uint32_t)(size + (size & 1)));
    put(bytes, size);
    if (size & 1) put("", 1);
}

void dicom_open_fragments(const void *table, size_t size)
{
    put_long_head(0x7fe00010, "OB", 0xffffffff);
    dicom_item(table, size);
}

void dicom_fragment(const void *bytes, size_t size)
{
    dicom_open_fragments("", 0);
    dicom_item(bytes, size);
    dicom_close_sequence();
}

void dicom_save(const char *name)
{
    write_file(name, file, used);
}

void dicom_save_sparse(const char *name, uint64_t size)
{
    dicom_save(name);
    if (truncate(scratch_path(name), (off_t)size) != 0) abort();
}

dicom_slice dicom_slice_at(double z)
{
    static char texts[8][2][32];
    static int next;
    char(*text)[32] = texts[next++ % 8];
    snprintf(text[0], sizeof text[0], "-10\\20\\%g", z);
    snprintf(text[1], sizeof text[1], "%d", (int)(10 * z) + 1);
    return (dicom_slice){"1.2.3", text[0], "0.75\\0.5", "1", "-1024", NULL, text[1], 100, NULL};
}

void dicom_identity(const dicom_slice *slice)
{
    dicom_identity_of("1.2.840.10008.5.1.4.1.1.2", "CT", slice);
}

void dicom_identity_of(const char *sop_class, const char *modality, const dicom_slice *slice)
{
    char uid[64];
    snprintf(uid, sizeof uid, "%s.9.%s", slice->series, slice->instance);
    dicom_text(0x00080016, "UI", sop_class);
    dicom_text(0x00080018, "UI", uid);
    dicom_text(0x00080060, "CS", modality);
    dicom_text(0x0008103e, "LO", slice->description);
    dicom_text(0x0020000e, "UI", slice->series);
    dicom_text(0x00200013, "IS", slice->instance);
    dicom_text(0x00200032, "DS", slice->position);
    const char *axial = slice->position ? "1\\0\\0\\0\\1\\0" : NULL;
    dicom_text(0x00200037, "DS", slice->orientation ? slice->orientation : axial);
}

void dicom_picture(int rows, int columns, int samples, int bits, const char *colours)
{
    dicom_u16(0x00280002, (unsigned)samples);
    dicom_text(0x00280004, "CS", colours);
    if (samples > 1) dicom_u16(0x00280006, 0);
    dicom_u16(0x00280010, (unsigned)rows);
    dicom_u16(0x00280011, (unsigned)columns);
    dicom_u16(0x00280100, (unsigned)bits);
    dicom_u16(0x00280101, (unsigned)bits);
    dicom_u16(0x00280102, (unsigned)bits - 1);
    dicom_u16(0x00280103, 0);
}

void dicom_pixels(const dicom_slice *slice)
{
    unsigned char pixels[2 * ROWS * COLUMNS];
    dicom_text(0x00281052, "DS", slice->intercept);
    dicom_text(0x00281053, "DS", slice->slope);
    for (int n = 0; n < ROWS * COLUMNS; n++) {
        pixels[2 * n] = (unsigned char)(slice->first_value + n);
        pixels[2 * n + 1] = (unsigned char)((slice->first_value + n) >> 8);
    }
    dicom_bytes(0x7fe00010, "OW", pixels, sizeof pixels);
}

void dicom_save_slice(const char *name, const dicom_slice *slice)
{
    dicom_begin(SYNTAX_PLAIN);
    dicom_identity(slice);
    dicom_picture(ROWS, COLUMNS, 1, 16, "MONOCHROME2");
    dicom_text(0x00280030, "DS", slice->spacing);
    dicom_pixels(slice);
    dicom_save(name);
}
