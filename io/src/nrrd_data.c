#include "nrrd_header.h"

#include "io_status.h"
#include "segmentation_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { CHUNK = 1 << 18, INPUT = 1 << 16, ANY_WRAPPER = 15 + 32 };
/* Deflate cannot do better than 1032:1, so a larger promise is a lie not worth the memory. */
enum { MOST_COMPRESSION = 1032 };

/* Bytes of the data section, decompressed where needed. */
typedef struct source {
    FILE *stream;
    int gzip, ended;
    z_stream inflater;
    uint8_t input[INPUT];
} source;

static int refill(source *in)
{
    in->inflater.next_in = in->input;
    in->inflater.avail_in = (uInt)fread(in->input, 1, INPUT, in->stream);
    return in->inflater.avail_in > 0;
}

/* Up to `count` bytes; fewer at the end of the data or at damage. */
static size_t take_bytes(source *in, uint8_t *bytes, size_t count)
{
    if (!in->gzip) return fread(bytes, 1, count, in->stream);
    in->inflater.next_out = bytes;
    in->inflater.avail_out = (uInt)count;
    while (in->inflater.avail_out > 0 && !in->ended) {
        if (in->inflater.avail_in == 0 && !refill(in)) break;
        int code = inflate(&in->inflater, Z_NO_FLUSH);
        if (code != Z_OK && code != Z_BUF_ERROR) in->ended = 1;
    }
    return count - in->inflater.avail_out;
}

static void swap_bytes(uint8_t *values, int bytes, size_t count)
{
    for (size_t v = 0; v < count; v++, values += bytes) {
        for (int b = 0; b < bytes / 2; b++) {
            uint8_t other = values[b];
            values[b] = values[bytes - 1 - b];
            values[bytes - 1 - b] = other;
        }
    }
}

static int64_t unsigned_value(const uint8_t *at, int bytes)
{
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    switch (bytes) {
    case 1:
        return *at;
    case 2:
        memcpy(&u16, at, sizeof u16);
        return u16;
    case 4:
        memcpy(&u32, at, sizeof u32);
        return u32;
    default:
        memcpy(&u64, at, sizeof u64);
        return u64 > SGIO_MAX_LABEL ? -1 : (int64_t)u64;
    }
}

/* Negative values have the top bit set: taken as unsigned they are too large for a label. */
static int64_t integer_value(const uint8_t *at, char kind, int bytes)
{
    int64_t value = unsigned_value(at, bytes);
    return kind == 'i' && bytes < 8 && (value >> (8 * bytes - 1)) ? -1 : value;
}

static int64_t float_value(const uint8_t *at, int bytes)
{
    float f32;
    double value;
    if (bytes == 4) {
        memcpy(&f32, at, sizeof f32);
        value = f32;
    } else {
        memcpy(&value, at, sizeof value);
    }
    return value >= 0 && value <= SGIO_MAX_LABEL && value == floor(value) ? (int64_t)value : -1;
}

int sgio_values_to_labels(const void *values, char kind, int bytes, size_t count, uint16_t *labels)
{
    const uint8_t *at = values;
    for (size_t v = 0; v < count; v++, at += bytes) {
        int64_t value = kind == 'f' ? float_value(at, bytes) : integer_value(at, kind, bytes);
        if (value < 0 || value > SGIO_MAX_LABEL) return -1;
        labels[v] = (uint16_t)value;
    }
    return 0;
}

/* Values of the layers alternate voxel by voxel. */
static void scatter(const uint16_t *labels, size_t first, size_t voxels, sgio_segmentation *out)
{
    for (size_t l = 0; l < out->layer_count; l++) {
        const uint16_t *label = labels + l;
        for (size_t v = first; v < first + voxels; v++, label += out->layer_count)
            if (*label) sgio_layer_set(&out->layers[l], v, *label);
    }
}

static sgio_status check_length(FILE *stream, const char *file, const sgio_nrrd *nrrd)
{
    uint64_t wanted = (uint64_t)sgio_voxel_count(&nrrd->geometry) * (uint64_t)nrrd->layers *
                      (uint64_t)nrrd->bytes;
    long here = ftell(stream);
    if (here < 0 || fseek(stream, 0, SEEK_END) != 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: cannot be searched", file);
    long end = ftell(stream);
    fseek(stream, here, SEEK_SET);
    uint64_t stored = end > here ? (uint64_t)(end - here) : 0;
    uint64_t possible = nrrd->gzip ? stored * MOST_COMPRESSION : stored;
    if (possible >= wanted) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: truncated: %llu bytes of data cannot hold the %llu its header promises",
                     file, (unsigned long long)stored, (unsigned long long)wanted);
}

static sgio_status make_layers(const sgio_nrrd *nrrd, sgio_segmentation *out)
{
    sgio_status status = SGIO_OK;
    int layer;
    for (int64_t l = 0; l < nrrd->layers && status == SGIO_OK; l++)
        status = sgio_segmentation_add_layer(out, nrrd->bytes == 1 ? 1 : 2, &layer);
    return status;
}

static sgio_status copy_voxels(source *in, const char *file, const sgio_nrrd *nrrd, uint8_t *chunk,
                               uint16_t *labels, sgio_segmentation *out)
{
    size_t voxels = sgio_voxel_count(&nrrd->geometry);
    size_t per_voxel = (size_t)(nrrd->layers * nrrd->bytes), per_chunk = CHUNK / per_voxel;
    for (size_t v = 0; v < voxels; v += per_chunk) {
        size_t part = voxels - v < per_chunk ? voxels - v : per_chunk;
        if (take_bytes(in, chunk, part * per_voxel) != part * per_voxel)
            return sgio_fail(SGIO_UNREADABLE, "%s: its data are truncated or damaged", file);
        if (sgio_all_zero(chunk, part * per_voxel)) continue;
        if (nrrd->big_endian) swap_bytes(chunk, nrrd->bytes, part * (size_t)nrrd->layers);
        if (sgio_values_to_labels(chunk, nrrd->kind, nrrd->bytes, part * (size_t)nrrd->layers,
                                  labels) != 0)
            return sgio_fail(SGIO_UNREADABLE,
                             "%s: not a label map: it has values that are no whole number from 0 "
                             "to %d",
                             file, SGIO_MAX_LABEL);
        scatter(labels, v, part, out);
    }
    return SGIO_OK;
}

sgio_status sgio_nrrd_read_layers(FILE *stream, const char *file, const sgio_nrrd *nrrd,
                                  sgio_segmentation *out)
{
    sgio_status status = check_length(stream, file, nrrd);
    if (status == SGIO_OK) status = make_layers(nrrd, out);
    if (status != SGIO_OK) return status;
    source *in = calloc(1, sizeof *in);
    uint8_t *chunk = malloc(CHUNK);
    uint16_t *labels = malloc(CHUNK * sizeof *labels);
    if (in && chunk && labels && inflateInit2(&in->inflater, ANY_WRAPPER) == Z_OK) {
        in->stream = stream;
        in->gzip = nrrd->gzip;
        status = copy_voxels(in, file, nrrd, chunk, labels, out);
        inflateEnd(&in->inflater);
    } else {
        status = sgio_fail_memory(CHUNK, file);
    }
    free(labels);
    free(chunk);
    free(in);
    return status;
}
