#include "voxels.h"

#include "io_status.h"
#include "memory_available.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 4096 };   /* values converted at a time: 32 KiB of doubles stay in the L1 cache */
enum { PART = 1 << 20 }; /* values between two calls of a progress function; whole chunks */

static const struct {
    size_t bytes;
    double low, high; /* both 0 for floating point */
    const char *name;
} types[] = {
    [SGIO_U8] = {1, 0, UINT8_MAX, "uint8"},
    [SGIO_I8] = {1, INT8_MIN, INT8_MAX, "int8"},
    [SGIO_U16] = {2, 0, UINT16_MAX, "uint16"},
    [SGIO_I16] = {2, INT16_MIN, INT16_MAX, "int16"},
    [SGIO_U32] = {4, 0, UINT32_MAX, "uint32"},
    [SGIO_I32] = {4, INT32_MIN, INT32_MAX, "int32"},
    [SGIO_F32] = {4, 0, 0, "float32"},
    [SGIO_F64] = {8, 0, 0, "float64"},
    [SGIO_RAW_I64] = {8, (double)INT64_MIN, (double)INT64_MAX, "int64"},
    [SGIO_RAW_U64] = {8, 0, (double)UINT64_MAX, "uint64"},
};

size_t sgio_raw_bytes(int raw)
{
    return types[raw].bytes;
}

const char *sgio_type_name(sgio_type type)
{
    return types[type].name;
}

int sgio_little_endian(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1;
}

sgio_status sgio_voxels_bytes(const char *path, const int64_t size[3], int channels, int raw,
                              uint64_t *bytes)
{
    uint64_t total = types[raw].bytes * (uint64_t)channels;
    for (int axis = 0; axis < 3; axis++) {
        if (size[axis] < 1)
            return sgio_fail(SGIO_UNREADABLE, "%s: size %lld along axis %d, wanted at least 1",
                             path, (long long)size[axis], axis);
        /* INT64_MAX / 8 leaves room for the widest converted type. */
        if ((uint64_t)size[axis] > (uint64_t)(INT64_MAX / 8) / total)
            return sgio_fail(SGIO_UNREADABLE, "%s: size %lld x %lld x %lld is not credible", path,
                             (long long)size[0], (long long)size[1], (long long)size[2]);
        total *= (uint64_t)size[axis];
    }
    *bytes = total;
    return SGIO_OK;
}

static int is_integer_type(int raw)
{
    return raw != SGIO_F32 && raw != SGIO_F64;
}

static int is_unscaled(const sgio_voxel_format *format)
{
    return format->slope == 1 && format->intercept == 0;
}

static sgio_type smallest_integer(double low, double high)
{
    static const sgio_type order[] = {SGIO_U8, SGIO_I8, SGIO_I16, SGIO_U16, SGIO_I32, SGIO_U32};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (low >= types[order[i]].low && high <= types[order[i]].high) return order[i];
    return SGIO_F64;
}

sgio_type sgio_voxels_type(const sgio_voxel_format *format, double low, double high)
{
    int wide = format->raw > SGIO_F32 || format->raw == SGIO_U32 || format->raw == SGIO_I32;
    if (is_unscaled(format)) return format->raw > SGIO_F64 ? SGIO_I32 : (sgio_type)format->raw;
    if (is_integer_type(format->raw) && rint(format->slope) == format->slope &&
        rint(format->intercept) == format->intercept) {
        double a = format->slope * low + format->intercept;
        double b = format->slope * high + format->intercept;
        return smallest_integer(fmin(a, b), fmax(a, b));
    }
    return wide ? SGIO_F64 : SGIO_F32;
}

sgio_type sgio_common_type(sgio_type a, sgio_type b)
{
    if (a == b) return a;
    if (is_integer_type((int)a) && is_integer_type((int)b))
        return smallest_integer(fmin(types[a].low, types[b].low),
                                fmax(types[a].high, types[b].high));
    int needs_double = types[a].bytes == 8 || types[b].bytes == 8 ||
                       (is_integer_type((int)a) && types[a].bytes == 4) ||
                       (is_integer_type((int)b) && types[b].bytes == 4);
    return needs_double ? SGIO_F64 : SGIO_F32;
}

static void swap_bytes(void *data, size_t count, size_t width)
{
    unsigned char *p = data;
    for (size_t i = 0; i < count; i++, p += width)
        for (size_t b = 0; b < width / 2; b++) {
            unsigned char t = p[b];
            p[b] = p[width - 1 - b];
            p[width - 1 - b] = t;
        }
}

#define LOAD(T)                                                                                    \
    for (size_t i = 0; i < count; i++) {                                                           \
        T value;                                                                                   \
        memcpy(&value, (const char *)stored + i * sizeof value, sizeof value);                     \
        out[i] = (double)value;                                                                    \
    }                                                                                              \
    break

static void load_doubles(int raw, const void *stored, size_t count, double *out)
{
    switch (raw) {
    case SGIO_U8:
        LOAD(uint8_t);
    case SGIO_I8:
        LOAD(int8_t);
    case SGIO_U16:
        LOAD(uint16_t);
    case SGIO_I16:
        LOAD(int16_t);
    case SGIO_U32:
        LOAD(uint32_t);
    case SGIO_I32:
        LOAD(int32_t);
    case SGIO_F32:
        LOAD(float);
    case SGIO_F64:
        LOAD(double);
    case SGIO_RAW_I64:
        LOAD(int64_t);
    case SGIO_RAW_U64:
        LOAD(uint64_t);
    }
}

#define STORE(T)                                                                                   \
    for (size_t i = 0; i < count; i++)                                                             \
        ((T *)dst)[i] = (T)values[i];                                                              \
    break

static void store_doubles(sgio_type type, const double *values, size_t count, void *dst)
{
    switch (type) {
    case SGIO_U8:
        STORE(uint8_t);
    case SGIO_I8:
        STORE(int8_t);
    case SGIO_U16:
        STORE(uint16_t);
    case SGIO_I16:
        STORE(int16_t);
    case SGIO_U32:
        STORE(uint32_t);
    case SGIO_I32:
        STORE(int32_t);
    case SGIO_F32:
        STORE(float);
    case SGIO_F64:
        STORE(double);
    }
}

static int all_fit(sgio_type type, const double *values, size_t count)
{
    if (!is_integer_type(type)) return 1;
    for (size_t i = 0; i < count; i++)
        if (!(values[i] >= types[type].low && values[i] <= types[type].high)) return 0;
    return 1;
}

/* One chunk, in doubles: every integer of up to 32 bits and every float passes exactly. */
static void load_chunk(const sgio_voxel_format *format, const void *stored, size_t count,
                       double *values)
{
    unsigned char swapped[CHUNK * sizeof(double)];
    size_t width = types[format->raw].bytes;
    if (format->swap && width > 1) {
        memcpy(swapped, stored, count * width);
        swap_bytes(swapped, count, width);
        stored = swapped;
    }
    load_doubles(format->raw, stored, count, values);
    if (!is_unscaled(format))
        for (size_t i = 0; i < count; i++)
            values[i] = format->slope * values[i] + format->intercept;
}

static int convert_chunk(const sgio_voxel_format *format, const void *stored, size_t count,
                         sgio_type type, void *dst)
{
    double values[CHUNK];
    load_chunk(format, stored, count, values);
    if (!all_fit(type, values, count)) return -1;
    store_doubles(type, values, count, dst);
    return 0;
}

int sgio_voxels_convert(const sgio_voxel_format *format, const void *stored, size_t count,
                        sgio_type type, void *dst)
{
    const char *from = stored;
    char *to = dst;
    for (size_t done = 0; done < count; done += CHUNK) {
        size_t n = count - done < CHUNK ? count - done : CHUNK;
        if (convert_chunk(format, from, n, type, to) != 0) return -1;
        from += n * types[format->raw].bytes;
        to += n * types[type].bytes;
    }
    return 0;
}

int sgio_voxels_to_u16(const sgio_voxel_format *format, const void *stored, size_t count,
                       uint16_t *dst)
{
    double values[CHUNK];
    const char *from = stored;
    for (size_t done = 0; done < count; done += CHUNK) {
        size_t n = count - done < CHUNK ? count - done : CHUNK;
        load_chunk(format, from, n, values);
        for (size_t i = 0; i < n; i++) {
            if (!(values[i] >= 0 && values[i] <= UINT16_MAX)) return -1;
            dst[done + i] = (uint16_t)values[i];
            if (dst[done + i] != values[i]) return -1;
        }
        from += n * types[format->raw].bytes;
    }
    return 0;
}

sgio_status sgio_volume_allocate(sgio_volume *volume, const char *path)
{
    uint64_t bytes = 0;
    sgio_status status =
        sgio_voxels_bytes(path, volume->geometry.size, volume->channels, (int)volume->type, &bytes);
    if (status == SGIO_OK) status = sgio_memory_expect(bytes, path);
    if (status != SGIO_OK) return status;
    volume->data = malloc((size_t)bytes);
    return volume->data ? SGIO_OK : sgio_fail_memory((size_t)bytes, path);
}

/* Stored values of a volume as they come from a file, some MiB at a time. */
typedef struct voxel_reader {
    sgio_source *source;
    const char *path;
    const sgio_voxel_format *format;
    sgio_voxel_share share;
    sgio_volume *volume;
} voxel_reader;

/* The values of one volume of several that are stored voxel by voxel. */
static sgio_status pick(const voxel_reader *r, size_t count, unsigned char *to)
{
    unsigned char piece[CHUNK * sizeof(double)];
    const size_t width = types[r->format->raw].bytes;
    const uint64_t all = count * (uint64_t)r->share.count;
    uint64_t next = (uint64_t)r->share.number;
    for (uint64_t done = 0; done < all;) {
        size_t n = all - done < CHUNK ? (size_t)(all - done) : CHUNK;
        sgio_status status = sgio_source_read(r->source, piece, n * width);
        if (status != SGIO_OK) return status;
        for (; next < done + n; next += (uint64_t)r->share.count, to += width)
            memcpy(to, piece + (size_t)(next - done) * width, width);
        done += n;
    }
    return SGIO_OK;
}

static sgio_status take(const voxel_reader *r, size_t count, void *to)
{
    if (r->share.interleaved) return pick(r, count, to);
    return sgio_source_read(r->source, to, count * types[r->format->raw].bytes);
}

static sgio_status read_as_stored(const voxel_reader *r, size_t count, void *to)
{
    size_t width = types[r->format->raw].bytes;
    sgio_status status = take(r, count, to);
    if (status == SGIO_OK && r->format->swap) swap_bytes(to, count, width);
    return status;
}

static sgio_status read_converted(const voxel_reader *r, size_t count, void *dst)
{
    unsigned char stored[CHUNK * sizeof(double)];
    const int raw = r->format->raw;
    char *to = dst;
    for (size_t done = 0; done < count; done += CHUNK) {
        size_t n = count - done < CHUNK ? count - done : CHUNK;
        sgio_status status = take(r, n, stored);
        if (status != SGIO_OK) return status;
        if (convert_chunk(r->format, stored, n, r->volume->type, to) != 0)
            return sgio_fail(SGIO_UNREADABLE, "%s: %s voxels hold values that do not fit into %s",
                             r->path, types[raw].name, types[r->volume->type].name);
        to += n * types[r->volume->type].bytes;
    }
    return SGIO_OK;
}

static sgio_status read_values(const voxel_reader *r, size_t count,
                               const sgio_read_options *options)
{
    int as_stored = (int)r->volume->type == r->format->raw && is_unscaled(r->format);
    size_t width = types[r->volume->type].bytes;
    for (size_t done = 0; done < count; done += PART) {
        size_t n = count - done < PART ? count - done : PART;
        char *to = (char *)r->volume->data + done * width;
        sgio_status status = as_stored ? read_as_stored(r, n, to) : read_converted(r, n, to);
        if (status == SGIO_OK)
            status = sgio_tell(options->progress, options->progress_user, done + n, count);
        if (status != SGIO_OK) return status;
    }
    return SGIO_OK;
}

/* Other volumes before (or behind) the one that is read. */
static sgio_status pass_volumes(sgio_source *source, const sgio_voxel_share *share, int64_t count,
                                uint64_t bytes)
{
    return share->interleaved ? SGIO_OK : sgio_source_skip(source, (uint64_t)count * bytes);
}

sgio_status sgio_voxels_read(sgio_source *source, const char *path, const sgio_voxel_format *format,
                             const sgio_voxel_share *share, const sgio_read_options *options,
                             sgio_volume *volume)
{
    uint64_t bytes = 0;
    static const sgio_voxel_share only = {1, 0, 0};
    if (!share) share = &only;
    const voxel_reader reader = {source, path, format, *share, volume};
    sgio_status status =
        sgio_voxels_bytes(path, volume->geometry.size, volume->channels, format->raw, &bytes);
    if (status == SGIO_OK && bytes > UINT64_MAX / (uint64_t)share->count)
        status = sgio_fail(SGIO_UNREADABLE, "%s: %lld such volumes are not credible", path,
                           (long long)share->count);
    if (status == SGIO_OK) status = sgio_source_expect(source, bytes * (uint64_t)share->count);
    volume->type = sgio_voxels_type(format, types[format->raw].low, types[format->raw].high);
    if (status == SGIO_OK) status = sgio_volume_allocate(volume, path);
    if (status == SGIO_OK) status = pass_volumes(source, share, share->number, bytes);
    if (status == SGIO_OK)
        status = read_values(&reader, (size_t)bytes / types[format->raw].bytes, options);
    if (status == SGIO_OK)
        status = pass_volumes(source, share, share->count - 1 - share->number, bytes);
    return status == SGIO_OK ? sgio_source_finish(source) : status;
}
