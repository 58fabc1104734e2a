#include "nrrd_fields.h"

#include "io_status.h"
#include "volume_formats.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Reads the value of one "field: value" line. */
typedef sgio_status (*field_reader)(const char *path, const char *value, sgio_nhdr *header);

static sgio_status bad_field(const char *path, const char *field, const char *value)
{
    return sgio_fail(SGIO_UNREADABLE, "%s: NRRD field \"%s\" makes no sense: \"%.80s\"", path,
                     field, value);
}

static const char *skip_blanks(const char *p)
{
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

static int same_word(const char *value, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i < n; i++)
        if (tolower((unsigned char)value[i]) != word[i]) return 0;
    return *skip_blanks(value + n) == 0;
}

static int read_integer(const char **p, int64_t low, int64_t high, int64_t *out)
{
    char *end;
    const char *start = skip_blanks(*p);
    long long value = strtoll(start, &end, 10);
    if (end == start || value < low || value > high) return 0;
    *out = value;
    *p = end;
    return 1;
}

static int read_double(const char **p, double *out)
{
    char *end;
    const char *start = skip_blanks(*p);
    *out = strtod(start, &end);
    *p = end;
    return end != start;
}

static sgio_status read_dimension(const char *path, const char *value, sgio_nhdr *header)
{
    int64_t dimension;
    const char *p = value;
    if (!read_integer(&p, 1, SGIO_NHDR_AXES, &dimension))
        return bad_field(path, "dimension", value);
    header->dimension = (int)dimension;
    return SGIO_OK;
}

static const struct {
    const char *name;
    int raw;
} type_names[] = {
    {"signed char", SGIO_I8},
    {"int8", SGIO_I8},
    {"int8_t", SGIO_I8},
    {"uchar", SGIO_U8},
    {"unsigned char", SGIO_U8},
    {"uint8", SGIO_U8},
    {"uint8_t", SGIO_U8},
    {"short", SGIO_I16},
    {"short int", SGIO_I16},
    {"signed short", SGIO_I16},
    {"signed short int", SGIO_I16},
    {"int16", SGIO_I16},
    {"int16_t", SGIO_I16},
    {"ushort", SGIO_U16},
    {"unsigned short", SGIO_U16},
    {"unsigned short int", SGIO_U16},
    {"uint16", SGIO_U16},
    {"uint16_t", SGIO_U16},
    {"int", SGIO_I32},
    {"signed int", SGIO_I32},
    {"int32", SGIO_I32},
    {"int32_t", SGIO_I32},
    {"uint", SGIO_U32},
    {"unsigned int", SGIO_U32},
    {"uint32", SGIO_U32},
    {"uint32_t", SGIO_U32},
    {"longlong", SGIO_RAW_I64},
    {"long long", SGIO_RAW_I64},
    {"long long int", SGIO_RAW_I64},
    {"signed long long", SGIO_RAW_I64},
    {"signed long long int", SGIO_RAW_I64},
    {"int64", SGIO_RAW_I64},
    {"int64_t", SGIO_RAW_I64},
    {"ulonglong", SGIO_RAW_U64},
    {"unsigned long long", SGIO_RAW_U64},
    {"unsigned long long int", SGIO_RAW_U64},
    {"uint64", SGIO_RAW_U64},
    {"uint64_t", SGIO_RAW_U64},
    {"float", SGIO_F32},
    {"double", SGIO_F64},
};

static sgio_status read_type(const char *path, const char *value, sgio_nhdr *header)
{
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (same_word(value, type_names[i].name)) {
            header->raw = type_names[i].raw;
            return SGIO_OK;
        }
    return sgio_fail(SGIO_UNREADABLE, "%s: NRRD type \"%.40s\" is not supported", path, value);
}

static sgio_status read_encoding(const char *path, const char *value, sgio_nhdr *header)
{
    if (same_word(value, "raw"))
        header->encoding = SGIO_NHDR_RAW;
    else if (same_word(value, "gzip") || same_word(value, "gz"))
        header->encoding = SGIO_NHDR_GZIP;
    else
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: NRRD encoding \"%.40s\" is not supported, wanted raw or gzip", path,
                         value);
    return SGIO_OK;
}

static sgio_status read_endian(const char *path, const char *value, sgio_nhdr *header)
{
    int little = same_word(value, "little");
    if (!little && !same_word(value, "big")) return bad_field(path, "endian", value);
    header->swap = little != sgio_little_endian();
    return SGIO_OK;
}

static sgio_status read_sizes(const char *path, const char *value, sgio_nhdr *header)
{
    const char *p = value;
    for (int axis = 0; axis < header->dimension; axis++)
        if (!read_integer(&p, 1, INT64_MAX, &header->axes[axis].size))
            return bad_field(path, "sizes", value);
    return SGIO_OK;
}

static sgio_status read_spacings(const char *path, const char *value, sgio_nhdr *header)
{
    const char *p = value;
    for (int axis = 0; axis < header->dimension; axis++)
        if (!read_double(&p, &header->axes[axis].spacing))
            return bad_field(path, "spacings", value);
    return SGIO_OK;
}

static sgio_status read_axis_mins(const char *path, const char *value, sgio_nhdr *header)
{
    const char *p = value;
    for (int axis = 0; axis < header->dimension; axis++)
        if (!read_double(&p, &header->axes[axis].min)) return bad_field(path, "axis mins", value);
    return SGIO_OK;
}

static sgio_status set_space(sgio_nhdr *header, int dimension, double x, double y)
{
    header->space_dimension = dimension;
    header->space_sign[0] = x;
    header->space_sign[1] = y;
    header->space_sign[2] = 1;
    return SGIO_OK;
}

/* Spaces that do not name patient axes are taken as LPS, as ITK and Slicer do. */
static sgio_status read_space(const char *path, const char *value, sgio_nhdr *header)
{
    if (same_word(value, "right-anterior-superior") || same_word(value, "ras"))
        return set_space(header, 3, -1, -1);
    if (same_word(value, "left-anterior-superior") || same_word(value, "las"))
        return set_space(header, 3, 1, -1);
    if (same_word(value, "left-posterior-superior") || same_word(value, "lps") ||
        same_word(value, "scanner-xyz") || same_word(value, "3d-right-handed") ||
        same_word(value, "3d-left-handed"))
        return set_space(header, 3, 1, 1);
    return sgio_fail(SGIO_UNREADABLE, "%s: NRRD space \"%.60s\" is not supported", path, value);
}

static sgio_status read_space_dimension(const char *path, const char *value, sgio_nhdr *header)
{
    int64_t dimension;
    const char *p = value;
    if (!read_integer(&p, 2, 3, &dimension))
        return sgio_fail(SGIO_UNREADABLE, "%s: NRRD space dimension \"%.20s\", wanted 2 or 3", path,
                         value);
    return set_space(header, (int)dimension, 1, 1);
}

/* "(1,0,0)" with as many components as the space has. */
static int read_vector(const char **p, int components, double *out)
{
    const char *q = skip_blanks(*p);
    if (*q++ != '(') return 0;
    for (int i = 0; i < components; i++) {
        if (!read_double(&q, &out[i])) return 0;
        q = skip_blanks(q);
        if (*q++ != (i + 1 < components ? ',' : ')')) return 0;
    }
    *p = q;
    return 1;
}

static sgio_status read_directions(const char *path, const char *value, sgio_nhdr *header)
{
    const char *p = value;
    for (int axis = 0; axis < header->dimension; axis++) {
        p = skip_blanks(p);
        if (strncmp(p, "none", 4) == 0) {
            p += 4;
            continue;
        }
        if (!read_vector(&p, header->space_dimension, header->axes[axis].direction))
            return bad_field(path, "space directions", value);
        header->axes[axis].has_direction = 1;
    }
    return SGIO_OK;
}

static sgio_status read_origin(const char *path, const char *value, sgio_nhdr *header)
{
    const char *p = value;
    header->has_origin = 1;
    return read_vector(&p, header->space_dimension, header->origin)
               ? SGIO_OK
               : bad_field(path, "space origin", value);
}

static sgio_status read_kinds(const char *path, const char *value, sgio_nhdr *header)
{
    const char *p = value;
    for (int axis = 0; axis < header->dimension; axis++) {
        p = skip_blanks(p);
        size_t n = strcspn(p, " \t");
        if (n == 0 || n >= sizeof header->axes[axis].kind) return bad_field(path, "kinds", value);
        for (size_t i = 0; i < n; i++)
            header->axes[axis].kind[i] = (char)tolower((unsigned char)p[i]);
        header->axes[axis].kind[n] = 0;
        p += n;
    }
    return SGIO_OK;
}

static sgio_status read_centerings(const char *path, const char *value, sgio_nhdr *header)
{
    const char *p = value;
    (void)path; /* unknown words mean "not known" */
    for (int axis = 0; axis < header->dimension; axis++) {
        p = skip_blanks(p);
        header->axes[axis].node_centered = strncmp(p, "node", 4) == 0;
        p += strcspn(p, " \t");
    }
    return SGIO_OK;
}

static sgio_status read_data_file(const char *path, const char *value, sgio_nhdr *header)
{
    if (strncmp(value, "LIST", 4) == 0 || strchr(value, '%'))
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: NRRD voxels spread over several files are not supported", path);
    header->data_file = value;
    return *value ? SGIO_OK : bad_field(path, "data file", value);
}

static sgio_status read_line_skip(const char *path, const char *value, sgio_nhdr *header)
{
    const char *p = value;
    return read_integer(&p, 0, 1 << 20, &header->line_skip) ? SGIO_OK
                                                            : bad_field(path, "line skip", value);
}

static sgio_status read_byte_skip(const char *path, const char *value, sgio_nhdr *header)
{
    const char *p = value;
    return read_integer(&p, -1, INT64_C(1) << 40, &header->byte_skip)
               ? SGIO_OK
               : bad_field(path, "byte skip", value);
}

static const struct {
    const char *name;
    field_reader read;
    int per_axis; /* only after "dimension" */
    int in_space; /* only after "space" or "space dimension" */
} fields[] = {
    {"dimension", read_dimension, 0, 0},
    {"type", read_type, 0, 0},
    {"encoding", read_encoding, 0, 0},
    {"endian", read_endian, 0, 0},
    {"sizes", read_sizes, 1, 0},
    {"spacings", read_spacings, 1, 0},
    {"axis mins", read_axis_mins, 1, 0},
    {"axismins", read_axis_mins, 1, 0},
    {"space", read_space, 0, 0},
    {"space dimension", read_space_dimension, 0, 0},
    {"space directions", read_directions, 1, 1},
    {"space origin", read_origin, 0, 1},
    {"kinds", read_kinds, 1, 0},
    {"centerings", read_centerings, 1, 0},
    {"centers", read_centerings, 1, 0},
    {"data file", read_data_file, 0, 0},
    {"datafile", read_data_file, 0, 0},
    {"line skip", read_line_skip, 0, 0},
    {"lineskip", read_line_skip, 0, 0},
    {"byte skip", read_byte_skip, 0, 0},
    {"byteskip", read_byte_skip, 0, 0},
};

/* Unknown fields (units, content, measurement frame ...) do not matter here. */
static sgio_status read_field(const char *path, const char *name, const char *value,
                              sgio_nhdr *header)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (!same_word(name, fields[i].name)) continue;
        if ((fields[i].per_axis && header->dimension == 0) ||
            (fields[i].in_space && header->space_dimension == 0))
            return sgio_fail(SGIO_UNREADABLE, "%s: NRRD field \"%s\" comes before the %s it needs",
                             path, name, fields[i].in_space ? "space" : "dimension");
        return fields[i].read(path, value, header);
    }
    return SGIO_OK;
}

static void trim_end(char *line)
{
    size_t n = strlen(line);
    while (n > 0 && (line[n - 1] == '\r' || line[n - 1] == ' ' || line[n - 1] == '\t'))
        line[--n] = 0;
}

/* Comments ("# ...") and key:=value lines are passed over. */
static sgio_status read_line(const char *path, char *line, sgio_nhdr *header)
{
    trim_end(line);
    if (*line == '#') return SGIO_OK;
    char *colon = strchr(line, ':');
    if (!colon)
        return sgio_fail(SGIO_UNREADABLE, "%s: NRRD header line without a colon: \"%.60s\"", path,
                         line);
    if (colon[1] == '=') return SGIO_OK;
    *colon = 0;
    return read_field(path, line, skip_blanks(colon + 1), header);
}

/* Splits the header into lines, in place, up to the empty one. */
static sgio_status read_lines(const char *path, char *text, sgio_nhdr *header)
{
    char *line = text;
    while (*line) {
        size_t n = strcspn(line, "\n");
        char *next = line + n + (line[n] == '\n');
        line[n] = 0;
        if (n == 0 || (n == 1 && line[0] == '\r')) {
            header->header_bytes = (size_t)(next - text);
            return SGIO_OK;
        }
        sgio_status status = line == text ? SGIO_OK : read_line(path, line, header);
        if (status != SGIO_OK) return status;
        line = next;
    }
    header->header_bytes = (size_t)(line - text);
    if (header->data_file) return SGIO_OK; /* a detached header may just end */
    return sgio_fail(SGIO_UNREADABLE, "%s: NRRD header without its closing empty line", path);
}

static sgio_status check_complete(const char *path, const sgio_nhdr *header)
{
    const char *missing = NULL;
    if (header->dimension == 0)
        missing = "dimension";
    else if (header->axes[header->dimension - 1].size == 0)
        missing = "sizes";
    else if (header->raw < 0)
        missing = "type";
    else if ((int)header->encoding < 0)
        missing = "encoding";
    else if (header->swap < 0 && sgio_raw_bytes(header->raw) > 1)
        missing = "endian";
    if (!missing) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE, "%s: NRRD header without \"%s\"", path, missing);
}

static void set_absent(sgio_nhdr *header)
{
    memset(header, 0, sizeof *header);
    header->raw = header->swap = -1;
    header->encoding = (sgio_nhdr_encoding)-1;
    for (int axis = 0; axis < SGIO_NHDR_AXES; axis++)
        header->axes[axis].spacing = header->axes[axis].min = NAN;
}

sgio_status sgio_nhdr_parse(const char *path, const char *bytes, size_t size, sgio_nhdr *header)
{
    set_absent(header);
    if (size < 8 || memcmp(bytes, "NRRD000", 7) != 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: not an NRRD file (it does not begin with NRRD000)",
                         path);
    header->text = malloc(size + 1);
    if (!header->text) return sgio_fail_memory(size, path);
    memcpy(header->text, bytes, size);
    header->text[size] = 0;
    sgio_status status = read_lines(path, header->text, header);
    if (status == SGIO_OK) status = check_complete(path, header);
    if (header->swap < 0) header->swap = 0;
    if (status != SGIO_OK) sgio_nhdr_clear(header);
    return status;
}

/* The header ends at the first empty line; voxels behind it need not be copied. */
static size_t header_length(const char *bytes, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++) {
        if (bytes[i] != '\n') continue;
        if (bytes[i + 1] == '\n') return i + 2;
        if (i + 2 < size && bytes[i + 1] == '\r' && bytes[i + 2] == '\n') return i + 3;
    }
    return size;
}

sgio_status sgio_nhdr_read(const char *path, sgio_nhdr *header)
{
    enum { FIRST_TRY = 1 << 16 };
    char *bytes;
    size_t size = 0;
    set_absent(header);
    sgio_status status = sgio_read_prefix(path, FIRST_TRY, &bytes, &size);
    if (status == SGIO_OK && size == FIRST_TRY && header_length(bytes, size) == size) {
        free(bytes);
        status = sgio_read_prefix(path, SGIO_NHDR_LIMIT, &bytes, &size);
    }
    if (status != SGIO_OK) return status;
    status = sgio_nhdr_parse(path, bytes, header_length(bytes, size), header);
    free(bytes);
    return status;
}

void sgio_nhdr_clear(sgio_nhdr *header)
{
    free(header->text);
    set_absent(header);
}

static int has_any_direction(const sgio_nhdr *header)
{
    for (int axis = 0; axis < header->dimension; axis++)
        if (header->axes[axis].has_direction) return 1;
    return 0;
}

int sgio_nhdr_is_spatial(const sgio_nhdr *header, int axis)
{
    static const char *const spatial[] = {"", "domain", "space", "none", "???"};
    if (has_any_direction(header)) return header->axes[axis].has_direction;
    for (size_t i = 0; i < sizeof spatial / sizeof *spatial; i++)
        if (strcmp(header->axes[axis].kind, spatial[i]) == 0) return 1;
    return 0;
}

/* Without a space (as ITK): axis-aligned, spacing 1 unless given. `column` is the spatial axis. */
static void plain_column(const sgio_nhdr_axis *axis, int column, sgio_geometry *geometry)
{
    double spacing = isnan(axis->spacing) ? 1 : fabs(axis->spacing);
    for (int r = 0; r < 3; r++)
        geometry->matrix[r][column] = r == column ? spacing : 0;
    if (!isnan(axis->min))
        geometry->matrix[column][3] = axis->min + (axis->node_centered ? 0 : spacing / 2);
}

static void directed_column(const sgio_nhdr *header, int axis, int column, sgio_geometry *geometry)
{
    for (int r = 0; r < 3; r++)
        geometry->matrix[r][column] = header->space_sign[r] * header->axes[axis].direction[r];
}

sgio_status sgio_nhdr_geometry(const char *path, const sgio_nhdr *header, sgio_geometry *geometry)
{
    int count = 0;
    memset(geometry, 0, sizeof *geometry);
    for (int axis = 0; axis < header->dimension; axis++) {
        if (!sgio_nhdr_is_spatial(header, axis)) continue;
        if (count < 3) {
            geometry->size[count] = header->axes[axis].size;
            if (header->axes[axis].has_direction)
                directed_column(header, axis, count, geometry);
            else
                plain_column(&header->axes[axis], count, geometry);
        }
        count++;
    }
    if (count < 2 || count > 3)
        return sgio_fail(SGIO_UNREADABLE, "%s: %d spatial axes, wanted 2 or 3", path, count);
    if (count == 2) geometry->size[2] = 1;
    for (int r = 0; r < 3 && header->has_origin; r++)
        geometry->matrix[r][3] = header->space_sign[r] * header->origin[r];
    sgio_complete_geometry(geometry);
    return sgio_check_geometry(path, geometry);
}

static sgio_status skip_lines(const char *path, int64_t lines, uint64_t *offset)
{
    sgio_source *source;
    if (lines == 0) return SGIO_OK;
    sgio_status status = sgio_source_open(path, *offset, SGIO_SOURCE_PLAIN, &source);
    while (lines > 0 && status == SGIO_OK) {
        char byte = 0;
        status = sgio_source_read(source, &byte, 1);
        ++*offset;
        lines -= byte == '\n';
    }
    sgio_source_close(source);
    return status;
}

static sgio_status last_bytes(const char *path, const sgio_nhdr *header, uint64_t *offset)
{
    uint64_t bytes = sgio_raw_bytes(header->raw), size;
    if (header->encoding != SGIO_NHDR_RAW)
        return sgio_fail(SGIO_UNREADABLE, "%s: byte skip -1 needs encoding raw", path);
    for (int axis = 0; axis < header->dimension; axis++) {
        if ((uint64_t)header->axes[axis].size > (UINT64_MAX >> 1) / bytes)
            return sgio_fail(SGIO_UNREADABLE, "%s: its sizes are not credible", path);
        bytes *= (uint64_t)header->axes[axis].size;
    }
    sgio_status status = sgio_file_bytes(path, &size);
    if (status != SGIO_OK) return status;
    if (bytes > size)
        return sgio_fail(SGIO_UNREADABLE, "%s: truncated: wanted %llu bytes of voxels", path,
                         (unsigned long long)bytes);
    *offset = size - bytes;
    return SGIO_OK;
}

static sgio_status open_at(const char *path, const sgio_nhdr *header, uint64_t offset,
                           sgio_source **source)
{
    sgio_source_kind kind = SGIO_SOURCE_PLAIN;
    if (header->encoding == SGIO_NHDR_GZIP) kind = SGIO_SOURCE_COMPRESSED;
    sgio_status status = skip_lines(path, header->line_skip, &offset);
    if (status == SGIO_OK && header->byte_skip < 0) status = last_bytes(path, header, &offset);
    if (status == SGIO_OK) status = sgio_source_open(path, offset, kind, source);
    if (status == SGIO_OK && header->byte_skip > 0)
        status = sgio_source_skip(*source, (uint64_t)header->byte_skip);
    return status;
}

sgio_status sgio_nhdr_open_data(const char *path, const sgio_nhdr *header, sgio_source **source)
{
    *source = NULL;
    if (!header->data_file) return open_at(path, header, header->header_bytes, source);
    char *data_path = sgio_path_beside(path, header->data_file);
    if (!data_path) return sgio_fail_memory(strlen(path), path);
    sgio_status status = open_at(data_path, header, 0, source);
    free(data_path);
    return status;
}
