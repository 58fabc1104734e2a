#include "dicom_palette.h"

#include "dicom_set.h"
#include "io_status.h"
#include "voxels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ENTRIES = 65536 };

static const struct {
    enum sgio_dicom_tag size, table;
} parts[3] = {{DICOM_RED_TABLE_SIZE, DICOM_RED_TABLE},
              {DICOM_GREEN_TABLE_SIZE, DICOM_GREEN_TABLE},
              {DICOM_BLUE_TABLE_SIZE, DICOM_BLUE_TABLE}};

int sgio_dicom_has_palette(const sgio_dicom_slice *slice)
{
    return slice->samples == 1 && strcmp(slice->photometric, "PALETTE COLOR") == 0;
}

static sgio_status no_palette(const sgio_dicom_set *set, enum sgio_dicom_tag tag, const char *why)
{
    return sgio_fail(
        SGIO_UNREADABLE,
        "%s: its colours are numbers into a palette, whose %s %s; dcmj2pnm --write-png "
        "may make a picture of it",
        sgio_dicom_path(set->file), sgio_dicom_keyword(tag), why);
}

static int is_whole_within(double value, double low, double high)
{
    return value >= low && value <= high && rint(value) == value;
}

/* How many entries (0 stands for 65536), what the first one stands for, bits of an entry. Files may
 * write them as any kind of number. */
static sgio_status read_size(const sgio_dicom_set *set, enum sgio_dicom_tag tag, int is_signed,
                             double size[3])
{
    for (int i = 0; i < 3; i++)
        if (sgio_dicom_number(set, tag, i, &size[i]) != SGIO_DICOM_NUMBER)
            return no_palette(set, tag, "is missing");
    if (size[0] < 0) size[0] += MOST_ENTRIES; /* written as a signed number */
    if (size[0] == 0) size[0] = MOST_ENTRIES;
    if (is_signed && size[1] > INT16_MAX) size[1] -= MOST_ENTRIES;
    if (!is_signed && size[1] < 0) size[1] += MOST_ENTRIES;
    if (!is_whole_within(size[0], 1, MOST_ENTRIES))
        return no_palette(set, tag, "makes no sense: wanted 1 to 65536 entries");
    if (!is_whole_within(size[1], INT16_MIN, UINT16_MAX))
        return no_palette(set, tag, "makes no sense: wanted a first value of 16 bits");
    if (size[2] == 8 || size[2] == 16) return SGIO_OK;
    return no_palette(set, tag, "has entries of neither 8 nor 16 bits");
}

/* Entries of 8 bits lie in bytes of their own, or, as some writers have it, in words. */
static sgio_status read_table(const sgio_dicom_set *set, enum sgio_dicom_tag tag, size_t count,
                              int bits, uint16_t *out)
{
    const sgio_dicom_element *table = sgio_dicom_find(set, tag);
    unsigned char bytes[2 * MOST_ENTRIES];
    if (!table) return no_palette(set, tag, "is missing");
    const int in_words = bits == 16 || table->length >= 2 * count;
    const size_t wanted = in_words ? 2 * count : count;
    if (table->length < wanted || sgio_dicom_copy(set->file, table->at, wanted, bytes) != 0)
        return no_palette(set, tag, "is too short");
    for (size_t i = 0; i < count; i++) {
        const unsigned char *word = bytes + 2 * i;
        const int big = table->encoding.big_endian;
        out[i] = in_words ? (uint16_t)(word[big ? 0 : 1] << 8 | word[big ? 1 : 0]) : bytes[i];
    }
    return SGIO_OK;
}

/* The upper byte of entries of 16 bits, unless all of a palette use the lower one alone. */
static void make_colours(const uint16_t *table, size_t count, int bits, sgio_dicom_palette *out)
{
    uint16_t most = 0;
    for (size_t i = 0; i < 3 * count; i++)
        if (table[i] > most) most = table[i];
    const int shift = bits == 16 && most > UINT8_MAX ? 8 : 0;
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < 3; c++)
            out->colours[i][c] = (uint8_t)(table[c * count + i] >> shift);
}

static sgio_status read_tables(const sgio_dicom_set *set, int is_signed, sgio_dicom_palette *out)
{
    double size[3][3];
    sgio_status status = SGIO_OK;
    for (int c = 0; c < 3 && status == SGIO_OK; c++)
        status = read_size(set, parts[c].size, is_signed, size[c]);
    if (status != SGIO_OK) return status;
    if (memcmp(size[0], size[1], sizeof size[0]) || memcmp(size[0], size[2], sizeof size[0]))
        return no_palette(set, parts[1].size, "is not that of the red one");
    const size_t count = (size_t)size[0][0];
    uint16_t *table = malloc(3 * count * sizeof *table);
    out->colours = malloc(count * sizeof *out->colours);
    out->first = (int64_t)size[0][1];
    out->count = (int64_t)count;
    if (!table || !out->colours)
        status = sgio_fail_memory(3 * count * sizeof *table, sgio_dicom_path(set->file));
    for (int c = 0; c < 3 && status == SGIO_OK; c++)
        status = read_table(set, parts[c].table, count, (int)size[0][2], table + (size_t)c * count);
    if (status == SGIO_OK) make_colours(table, count, (int)size[0][2], out);
    free(table);
    return status;
}

sgio_status sgio_dicom_read_palette(const sgio_dicom_slice *slice, sgio_dicom_palette *out)
{
    sgio_dicom_file *file = NULL;
    sgio_dicom_set set = {0};
    memset(out, 0, sizeof *out);
    sgio_status status = sgio_dicom_open(slice->path, 0, &file);
    if (status == SGIO_OK) status = sgio_dicom_read_set(file, &set);
    if (status == SGIO_OK) status = read_tables(&set, slice->is_signed, out);
    sgio_dicom_set_clear(&set);
    sgio_dicom_close(file);
    return status;
}

void sgio_dicom_palette_clear(sgio_dicom_palette *palette)
{
    free(palette->colours);
    memset(palette, 0, sizeof *palette);
}

static int64_t value_at(const sgio_dicom_slice *slice, const void *stored, size_t i)
{
    switch (slice->bits_allocated) {
    case 8:
        return slice->is_signed ? ((const int8_t *)stored)[i] : ((const uint8_t *)stored)[i];
    case 16:
        return slice->is_signed ? ((const int16_t *)stored)[i] : ((const uint16_t *)stored)[i];
    default:
        return slice->is_signed ? (int64_t)((const int32_t *)stored)[i]
                                : (int64_t)((const uint32_t *)stored)[i];
    }
}

void sgio_dicom_palette_apply(const sgio_dicom_palette *palette, const sgio_dicom_slice *slice,
                              const void *stored, size_t count, uint8_t *rgb)
{
    for (size_t i = 0; i < count; i++) {
        int64_t entry = value_at(slice, stored, i) - palette->first;
        if (entry < 0) entry = 0;
        if (entry >= palette->count) entry = palette->count - 1;
        memcpy(rgb + 3 * i, palette->colours[entry], 3);
    }
}
