#include "meta_header.h"

#include "io_status.h"
#include "text_number.h"
#include "volume_formats.h"
#include "volume_share.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MAX_DIMENSIONS = 4, VALUE_BYTES = 1024 };

/* The fields before they are combined. */
typedef struct meta_fields {
    int dimensions;
    double size[MAX_DIMENSIONS], spacing[MAX_DIMENSIONS], offset[MAX_DIMENSIONS];
    double matrix[MAX_DIMENSIONS * MAX_DIMENSIONS]; /* row i: direction of axis i */
    int has_matrix, has_spacing; /* has_spacing: 1 from ElementSize, 2 from ElementSpacing */
    int big_endian, binary;
    uint32_t given; /* bits of the fields so far: none comes twice */
} meta_fields;

static sgio_status bad_field(const char *path, const char *key, const char *value, int count)
{
    return sgio_fail(SGIO_UNREADABLE, "%s: MetaImage field %s is \"%.80s\", wanted %d number(s)",
                     path, key, value, count);
}

/* Exactly `count`, each a whole word: "0,5" is no 0. */
static int read_numbers(const char *value, int count, double *out)
{
    for (int i = 0; i < count; i++) {
        if (!sgio_take_double(&value, &out[i])) return 0;
        if (*value && *value != ' ' && *value != '\t') return 0;
    }
    return sgio_text_ends(value);
}

static int is_true(const char *value)
{
    return value[0] == 'T' || value[0] == 't' || value[0] == '1';
}

static sgio_status read_type(const char *path, const char *value, sgio_meta_header *header)
{
    static const struct {
        const char *name;
        int raw;
    } names[] = {
        {"MET_CHAR", SGIO_I8},           {"MET_UCHAR", SGIO_U8},
        {"MET_SHORT", SGIO_I16},         {"MET_USHORT", SGIO_U16},
        {"MET_INT", SGIO_I32},           {"MET_UINT", SGIO_U32},
        {"MET_LONG_LONG", SGIO_RAW_I64}, {"MET_ULONG_LONG", SGIO_RAW_U64},
        {"MET_FLOAT", SGIO_F32},         {"MET_DOUBLE", SGIO_F64},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(value, names[i].name) == 0) {
            header->format.raw = names[i].raw;
            return SGIO_OK;
        }
    return sgio_fail(SGIO_UNREADABLE, "%s: MetaImage element type \"%.40s\" is not supported", path,
                     value);
}

static sgio_status read_dimensions(const char *path, const char *value, meta_fields *fields)
{
    int64_t dimensions;
    if (sgio_whole_integer(value, 2, MAX_DIMENSIONS, &dimensions)) {
        fields->dimensions = (int)dimensions;
        return SGIO_OK;
    }
    return sgio_fail(SGIO_UNREADABLE, "%s: MetaImage with %.20s dimensions, wanted 2 to 4", path,
                     value);
}

static sgio_status read_channels(const char *path, const char *value, sgio_meta_header *header)
{
    int64_t channels;
    if (sgio_whole_integer(value, 1, 3, &channels) && channels != 2) {
        header->channels = (int)channels;
        return SGIO_OK;
    }
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: %.20s values per voxel, wanted one, or three colours; extract the wanted "
                     "one first",
                     path, value);
}

static sgio_status read_numeric(const char *path, const char *key, const char *value, int count,
                                double *out)
{
    if (count == 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: MetaImage field %s comes before NDims", path, key);
    return read_numbers(value, count, out) ? SGIO_OK : bad_field(path, key, value, count);
}

/* The spacing of voxels counts; their size only where that is not given. */
static sgio_status read_spacing(const char *path, const char *key, const char *value, int rank,
                                meta_fields *fields)
{
    double ignored[MAX_DIMENSIONS];
    int wins = rank >= fields->has_spacing;
    if (wins) fields->has_spacing = rank;
    return read_numeric(path, key, value, fields->dimensions, wins ? fields->spacing : ignored);
}

static sgio_status read_unit(const char *value, sgio_meta_header *header)
{
    if (strcasecmp(value, "mm") != 0 && strcmp(value, "?") != 0)
        snprintf(header->unit, sizeof header->unit, "%.20s", value);
    return SGIO_OK;
}

static sgio_status read_data_file(const char *path, const char *value, sgio_meta_header *header)
{
    if (strncmp(value, "LIST", 4) == 0 || strchr(value, '%') || !*value)
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: MetaImage voxels spread over several files are not supported", path);
    snprintf(header->data_file, sizeof header->data_file, "%s", value);
    return SGIO_OK;
}

static int any_of(const char *key, const char *a, const char *b, const char *c)
{
    return strcmp(key, a) == 0 || strcmp(key, b) == 0 || strcmp(key, c) == 0;
}

/* Two values of a field would be two volumes. */
static sgio_status note_given(const char *path, const char *key, meta_fields *fields)
{
    static const char *const keys[] = {"NDims",
                                       "DimSize",
                                       "ElementType",
                                       "ElementNumberOfChannels",
                                       "Offset",
                                       "Position",
                                       "Origin",
                                       "TransformMatrix",
                                       "Rotation",
                                       "Orientation",
                                       "ElementSpacing",
                                       "ElementSize",
                                       "DistanceUnits",
                                       "HeaderSize",
                                       "CompressedData",
                                       "BinaryData",
                                       "BinaryDataByteOrderMSB",
                                       "ElementByteOrderMSB"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(key, keys[i]) != 0) continue;
        if (fields->given & UINT32_C(1) << i)
            return sgio_fail(SGIO_UNREADABLE,
                             "%s: MetaImage field %s comes twice; remove one of them", path, key);
        fields->given |= UINT32_C(1) << i;
    }
    return SGIO_OK;
}

static sgio_status read_field(const char *path, const char *key, const char *value,
                              meta_fields *fields, sgio_meta_header *header)
{
    int n = fields->dimensions;
    if (!strcmp(key, "NDims")) return read_dimensions(path, value, fields);
    if (!strcmp(key, "DimSize")) return read_numeric(path, key, value, n, fields->size);
    if (!strcmp(key, "ElementType")) return read_type(path, value, header);
    if (!strcmp(key, "ElementNumberOfChannels")) return read_channels(path, value, header);
    if (!strcmp(key, "ElementDataFile")) return read_data_file(path, value, header);
    if (any_of(key, "Offset", "Position", "Origin"))
        return read_numeric(path, key, value, n, fields->offset);
    if (any_of(key, "TransformMatrix", "Rotation", "Orientation")) {
        fields->has_matrix = 1;
        return read_numeric(path, key, value, n * n, fields->matrix);
    }
    if (!strcmp(key, "ElementSpacing")) return read_spacing(path, key, value, 2, fields);
    if (!strcmp(key, "ElementSize")) return read_spacing(path, key, value, 1, fields);
    if (!strcmp(key, "DistanceUnits")) return read_unit(value, header);
    if (!strcmp(key, "HeaderSize"))
        return sgio_whole_integer(value, -1, INT64_C(1) << 40, &header->header_size)
                   ? SGIO_OK
                   : bad_field(path, key, value, 1);
    if (!strcmp(key, "CompressedData")) header->compressed = is_true(value);
    if (!strcmp(key, "BinaryData")) fields->binary = is_true(value);
    if (!strcmp(key, "BinaryDataByteOrderMSB") || !strcmp(key, "ElementByteOrderMSB"))
        fields->big_endian = is_true(value);
    return SGIO_OK;
}

/* Splits "Key = value"; both are trimmed. */
static int split_line(const char *line, size_t length, char *key, char *value)
{
    const char *equals = memchr(line, '=', length);
    if (!equals) return 0;
    const char *from[2] = {line, equals + 1}, *to[2] = {equals, line + length};
    char *out[2] = {key, value};
    for (int i = 0; i < 2; i++) {
        while (from[i] < to[i] && strchr(" \t\r", *from[i]))
            from[i]++;
        while (to[i] > from[i] && strchr(" \t\r", to[i][-1]))
            to[i]--;
        size_t n = (size_t)(to[i] - from[i]);
        if (n >= VALUE_BYTES) return 0;
        memcpy(out[i], from[i], n);
        out[i][n] = 0;
    }
    return 1;
}

/* ElementDataFile is by definition the last field. */
static sgio_status read_lines(const char *path, const char *bytes, size_t size, meta_fields *fields,
                              sgio_meta_header *header)
{
    char key[VALUE_BYTES], value[VALUE_BYTES];
    const char *line = bytes, *end = bytes + size;
    while (line < end && !header->data_file[0]) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t length = (size_t)((newline ? newline : end) - line);
        if (memchr(line, 0, length) || !split_line(line, length, key, value))
            return sgio_fail(SGIO_UNREADABLE, "%s: not a MetaImage header (line at byte %zu)", path,
                             (size_t)(line - bytes));
        sgio_status status = note_given(path, key, fields);
        if (status == SGIO_OK) status = read_field(path, key, value, fields, header);
        if (status != SGIO_OK) return status;
        line += length + (newline != NULL);
    }
    header->header_bytes = (size_t)(line - bytes);
    return SGIO_OK;
}

static sgio_status check_complete(const char *path, const meta_fields *fields,
                                  const sgio_meta_header *header)
{
    const char *missing = NULL;
    if (!fields->dimensions) missing = "NDims";
    if (fields->dimensions && fields->size[0] == 0) missing = "DimSize";
    if (header->format.raw < 0) missing = "ElementType";
    if (!header->data_file[0]) missing = "ElementDataFile";
    if (missing) return sgio_fail(SGIO_UNREADABLE, "%s: MetaImage without %s", path, missing);
    if (!fields->binary)
        return sgio_fail(SGIO_UNREADABLE, "%s: MetaImage with text voxels is not supported", path);
    return SGIO_OK;
}

/* Volumes along the fourth dimension, which lies there alone. */
static sgio_status set_volumes(const char *path, const meta_fields *fields, double length,
                               int64_t *volumes)
{
    const double *m = fields->matrix;
    const int n = MAX_DIMENSIONS;
    if (length > SGIO_MOST_VOLUMES)
        return sgio_fail(SGIO_UNREADABLE, "%s: %g volumes are not credible", path, length);
    *volumes = (int64_t)length;
    for (int axis = 0; axis < 3 && *volumes > 1 && fields->has_matrix; axis++)
        if (m[axis * n + 3] != 0 || m[3 * n + axis] != 0)
            return sgio_fail(SGIO_UNREADABLE,
                             "%s: its TransformMatrix turns axis %d into the fourth dimension, "
                             "wanted volumes that lie there alone",
                             path, axis);
    return SGIO_OK;
}

static sgio_status set_size(const char *path, const meta_fields *fields, sgio_meta_header *header)
{
    sgio_geometry *geometry = &header->geometry;
    header->volumes = 1;
    for (int axis = 0; axis < MAX_DIMENSIONS; axis++) {
        double length = axis < fields->dimensions ? fields->size[axis] : 1;
        if (!(length >= 1 && length <= 9e15))
            return sgio_fail(SGIO_UNREADABLE, "%s: size %g along axis %d, wanted at least 1", path,
                             length, axis);
        if (axis == 3) return set_volumes(path, fields, length, &header->volumes);
        geometry->size[axis] = (int64_t)length;
    }
    return SGIO_OK;
}

/* Returns the bits of the axes for which 1 mm is taken. */
static int set_matrix(const meta_fields *fields, sgio_geometry *geometry)
{
    int n = fields->dimensions, axes = n < 3 ? n : 3;
    for (int axis = 0; axis < axes; axis++) {
        double spacing = fields->has_spacing ? fields->spacing[axis] : 1;
        for (int r = 0; r < axes; r++) {
            double cosine = fields->has_matrix ? fields->matrix[axis * n + r] : r == axis;
            geometry->matrix[r][axis] = cosine * spacing;
        }
        geometry->matrix[axis][3] = fields->offset[axis];
    }
    int unknown = fields->has_spacing ? 0 : (1 << axes) - 1;
    return unknown | sgio_complete_geometry(geometry);
}

sgio_status sgio_meta_parse(const char *path, const char *bytes, size_t size,
                            sgio_meta_header *header)
{
    meta_fields fields = {.binary = 1};
    memset(header, 0, sizeof *header);
    header->format = (sgio_voxel_format){-1, 0, 1, 0};
    header->channels = 1;
    sgio_status status = read_lines(path, bytes, size, &fields, header);
    if (status == SGIO_OK) status = check_complete(path, &fields, header);
    if (status == SGIO_OK) status = set_size(path, &fields, header);
    if (status != SGIO_OK) return status;
    header->format.swap = fields.big_endian == sgio_little_endian();
    header->spacing_assumed = set_matrix(&fields, &header->geometry);
    return sgio_check_geometry(path, &header->geometry);
}
