#include "dicom_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* Of this writer, made once from a random UUID. */
static const char implementation_uid[] = "2.25.230375302241348195295816927287260557255";
static const char implementation_name[] = "PROMPTSEG";

static const uint32_t item_tag = 0xfffee000;

static void put(sgio_dicom_writer *writer, const void *bytes, size_t count)
{
    if (writer->failed) return;
    if (writer->size + count > writer->room) {
        size_t room = 2 * (writer->size + count);
        unsigned char *grown = realloc(writer->data, room);
        writer->failed = !grown;
        if (!grown) return;
        writer->data = grown;
        writer->room = room;
    }
    if (count > 0) memcpy(writer->data + writer->size, bytes, count);
    writer->size += count;
}

static void store(unsigned char *to, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        to[i] = (unsigned char)(value >> 8 * i);
}

static void put_number(sgio_dicom_writer *writer, uint32_t value, int bytes)
{
    unsigned char b[4];
    store(b, value, bytes);
    put(writer, b, (size_t)bytes);
}

static void put_tag(sgio_dicom_writer *writer, uint32_t tag)
{
    put_number(writer, tag >> 16, 2);
    put_number(writer, tag & 0xffff, 2);
}

static int has_long_head(const char *vr)
{
    return strcmp(vr, "OB") == 0 || strcmp(vr, "SQ") == 0 || strcmp(vr, "UT") == 0;
}

static void put_head(sgio_dicom_writer *writer, uint32_t tag, const char *vr, size_t length)
{
    int explicit = !writer->implicit || tag >> 16 == 2;
    put_tag(writer, tag);
    if (explicit) put(writer, vr, 2);
    if (explicit && !has_long_head(vr)) {
        if (length > 0xffff) writer->failed = 1;
        put_number(writer, (uint32_t)length, 2);
        return;
    }
    if (explicit) put_number(writer, 0, 2);
    if (length > 0xfffffffe) writer->failed = 1;
    put_number(writer, (uint32_t)length, 4);
}

void sgio_dicom_write_text(sgio_dicom_writer *writer, uint32_t tag, const char *vr,
                           const char *text)
{
    size_t length = text ? strlen(text) : 0;
    put_head(writer, tag, vr, length + (length & 1));
    put(writer, text, length);
    if (length & 1) put(writer, strcmp(vr, "UI") == 0 ? "" : " ", 1);
}

void sgio_dicom_write_u16(sgio_dicom_writer *writer, uint32_t tag, int count,
                          const uint16_t *values)
{
    put_head(writer, tag, "US", 2 * (size_t)count);
    for (int i = 0; i < count; i++)
        put_number(writer, values[i], 2);
}

void sgio_dicom_write_u32(sgio_dicom_writer *writer, uint32_t tag, int count,
                          const uint32_t *values)
{
    put_head(writer, tag, "UL", 4 * (size_t)count);
    for (int i = 0; i < count; i++)
        put_number(writer, values[i], 4);
}

void sgio_dicom_write_tag(sgio_dicom_writer *writer, uint32_t tag, uint32_t value)
{
    put_head(writer, tag, "AT", 4);
    put_tag(writer, value);
}

void sgio_dicom_write_bytes_head(sgio_dicom_writer *writer, uint32_t tag, uint32_t length)
{
    put_head(writer, tag, "OB", length);
}

static void remember_length(sgio_dicom_writer *writer)
{
    if (writer->depth >= SGIO_DICOM_NESTING) writer->failed = 1;
    if (!writer->failed) writer->open[writer->depth++] = writer->size - 4;
}

static void fill_length(sgio_dicom_writer *writer)
{
    if (writer->failed) return;
    size_t at = writer->open[--writer->depth], length = writer->size - at - 4;
    if (length > 0xfffffffe) writer->failed = 1;
    store(writer->data + at, (uint32_t)length, 4);
}

void sgio_dicom_open_sequence(sgio_dicom_writer *writer, uint32_t tag)
{
    put_head(writer, tag, "SQ", 0);
    remember_length(writer);
}

void sgio_dicom_open_item(sgio_dicom_writer *writer)
{
    put_tag(writer, item_tag);
    put_number(writer, 0, 4);
    remember_length(writer);
}

void sgio_dicom_close_item(sgio_dicom_writer *writer)
{
    fill_length(writer);
}

void sgio_dicom_close_sequence(sgio_dicom_writer *writer)
{
    fill_length(writer);
}

void sgio_dicom_write_code(sgio_dicom_writer *writer, uint32_t tag, const char *scheme,
                           const char *value, const char *meaning)
{
    char cut[65];
    snprintf(cut, sizeof cut, "%s", meaning);
    sgio_dicom_open_sequence(writer, tag);
    sgio_dicom_open_item(writer);
    sgio_dicom_write_text(writer, 0x00080100, "SH", value);
    sgio_dicom_write_text(writer, 0x00080102, "SH", scheme);
    sgio_dicom_write_text(writer, 0x00080104, "LO", cut);
    sgio_dicom_close_item(writer);
    sgio_dicom_close_sequence(writer);
}

void sgio_dicom_write_meta(sgio_dicom_writer *writer, const char *sop_class, const char *instance,
                           const char *transfer_syntax)
{
    static const char preamble[128];
    put(writer, preamble, sizeof preamble);
    put(writer, "DICM", 4);
    const uint32_t nothing = 0;
    sgio_dicom_write_u32(writer, 0x00020000, 1, &nothing);
    size_t start = writer->size;
    put_head(writer, 0x00020001, "OB", 2);
    put(writer, "\0\1", 2);
    sgio_dicom_write_text(writer, 0x00020002, "UI", sop_class);
    sgio_dicom_write_text(writer, 0x00020003, "UI", instance);
    sgio_dicom_write_text(writer, 0x00020010, "UI", transfer_syntax);
    sgio_dicom_write_text(writer, 0x00020012, "UI", implementation_uid);
    sgio_dicom_write_text(writer, 0x00020013, "SH", implementation_name);
    if (!writer->failed) store(writer->data + start - 4, (uint32_t)(writer->size - start), 4);
}

static void fill_random(unsigned char bytes[16])
{
    if (getrandom(bytes, 16, 0) == 16) return;
    struct timespec now; /* without a source of chance: the clock, which suffices to differ */
    clock_gettime(CLOCK_REALTIME, &now);
    memset(bytes, 0, 16);
    memcpy(bytes, &now, sizeof now < 16 ? sizeof now : 16);
}

/* 128 bits as a decimal number, divided by ten until nothing is left. */
void sgio_dicom_new_uid(char uid[SGIO_DICOM_UID_BYTES])
{
    unsigned char bytes[16];
    char digits[48];
    int count = 0, left = 1;
    fill_random(bytes);
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* version 4 (RFC 4122) */
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    while (left) {
        int rest = 0;
        left = 0;
        for (int i = 0; i < 16; i++) {
            int value = rest << 8 | bytes[i];
            bytes[i] = (unsigned char)(value / 10);
            rest = value % 10;
            left |= bytes[i];
        }
        digits[count++] = (char)('0' + rest);
    }
    snprintf(uid, SGIO_DICOM_UID_BYTES, "2.25.");
    for (int i = 0; i < count; i++)
        uid[5 + i] = digits[count - 1 - i];
    uid[5 + count] = 0;
}

void sgio_dicom_writer_clear(sgio_dicom_writer *writer)
{
    free(writer->data);
    memset(writer, 0, sizeof *writer);
}
