#include "nrrd_header.h"

#include "io_status.h"
#include "segmentation_parts.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_AXES = 4 };

/* Fields as found; checked together once the header ends, since their order is free. */
typedef struct fields {
    const char *file;
    int dimension;
    int64_t sizes[MAX_AXES];
    double spacings[MAX_AXES];
    double directions[MAX_AXES][3];
    int in_space[MAX_AXES]; /* axis has a direction */
    int has_sizes, has_directions, has_spacings, has_encoding, has_endian;
    double origin[3];
    double to_lps[3]; /* signs */
} fields;

static sgio_status bad_field(const fields *f, const char *field, const char *value)
{
    return sgio_fail(SGIO_UNREADABLE, "%s: NRRD field '%s' has the value '%.80s', which is not %s",
                     f->file, field, value, "valid or not supported");
}

static const char *skip_blanks(const char *text)
{
    while (*text == ' ' || *text == '\t')
        text++;
    return text;
}

/* A finite decimal number; NULL when there is none. */
static const char *take_number(const char *text, double *value)
{
    char *end;
    text = skip_blanks(text);
    const char *digits = text + (*text == '-' || *text == '+');
    if (!isdigit((unsigned char)*digits) && *digits != '.') return NULL;
    *value = strtod(text, &end);
    return end == text || !isfinite(*value) ? NULL : end;
}

typedef struct type_name {
    const char *name;
    char kind;
    int bytes;
} type_name;

static const type_name type_names[] = {
    {"signed char", 'i', 1},
    {"int8", 'i', 1},
    {"int8_t", 'i', 1},
    {"uchar", 'u', 1},
    {"unsigned char", 'u', 1},
    {"uint8", 'u', 1},
    {"uint8_t", 'u', 1},
    {"short", 'i', 2},
    {"short int", 'i', 2},
    {"signed short", 'i', 2},
    {"signed short int", 'i', 2},
    {"int16", 'i', 2},
    {"int16_t", 'i', 2},
    {"ushort", 'u', 2},
    {"unsigned short", 'u', 2},
    {"unsigned short int", 'u', 2},
    {"uint16", 'u', 2},
    {"uint16_t", 'u', 2},
    {"int", 'i', 4},
    {"signed int", 'i', 4},
    {"int32", 'i', 4},
    {"int32_t", 'i', 4},
    {"uint", 'u', 4},
    {"unsigned int", 'u', 4},
    {"uint32", 'u', 4},
    {"uint32_t", 'u', 4},
    {"longlong", 'i', 8},
    {"long long", 'i', 8},
    {"long long int", 'i', 8},
    {"signed long long", 'i', 8},
    {"signed long long int", 'i', 8},
    {"int64", 'i', 8},
    {"int64_t", 'i', 8},
    {"ulonglong", 'u', 8},
    {"unsigned long long", 'u', 8},
    {"unsigned long long int", 'u', 8},
    {"uint64", 'u', 8},
    {"uint64_t", 'u', 8},
    {"float", 'f', 4},
    {"double", 'f', 8},
};

static sgio_status set_type(const fields *f, const char *value, sgio_nrrd *out)
{
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++) {
        if (strcasecmp(type_names[i].name, value) != 0) continue;
        out->kind = type_names[i].kind;
        out->bytes = type_names[i].bytes;
        return SGIO_OK;
    }
    return bad_field(f, "type", value);
}

static sgio_status set_dimension(fields *f, const char *value)
{
    if (strcmp(value, "3") != 0 && strcmp(value, "4") != 0)
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: dimension %.20s; a label map has 3, or 4 with a list", f->file,
                         value);
    f->dimension = value[0] - '0';
    return SGIO_OK;
}

/* One number per axis; "dimension" has to come before, as the format demands. */
static sgio_status take_per_axis(const fields *f, const char *field, const char *value,
                                 double *numbers)
{
    const char *next = value;
    for (int a = 0; a < f->dimension && next; a++) {
        const char *word = skip_blanks(next);
        numbers[a] = 1;
        /* An axis without spacing, such as a list, holds nan. */
        if (strcmp(field, "spacings") == 0 && strncasecmp(word, "nan", 3) == 0)
            next = word + 3;
        else
            next = take_number(next, &numbers[a]);
    }
    if (f->dimension == 0 || !next || *skip_blanks(next)) return bad_field(f, field, value);
    return SGIO_OK;
}

static sgio_status set_sizes(fields *f, const char *value)
{
    double sizes[MAX_AXES];
    sgio_status status = take_per_axis(f, "sizes", value, sizes);
    for (int a = 0; a < f->dimension && status == SGIO_OK; a++) {
        if (!(sizes[a] >= 1 && sizes[a] < 1e9 && sizes[a] == floor(sizes[a])))
            status = bad_field(f, "sizes", value);
        else
            f->sizes[a] = (int64_t)sizes[a];
    }
    f->has_sizes = 1;
    return status;
}

static sgio_status set_space(fields *f, const char *value)
{
    static const struct {
        const char *name, *code;
        double sign[3];
    } spaces[] = {
        {"left-posterior-superior", "LPS", {1, 1, 1}},
        {"right-anterior-superior", "RAS", {-1, -1, 1}},
        {"left-anterior-superior", "LAS", {1, -1, 1}},
        {"scanner-xyz", "scanner-xyz", {1, 1, 1}},
        {"3D-right-handed", "3DRH", {1, 1, 1}},
    };
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
        if (strcasecmp(value, spaces[i].name) != 0 && strcasecmp(value, spaces[i].code) != 0)
            continue;
        memcpy(f->to_lps, spaces[i].sign, sizeof f->to_lps);
        return SGIO_OK;
    }
    return bad_field(f, "space", value);
}

/* "(x,y,z)"; NULL when it is not. */
static const char *take_vector(const char *text, double vector[3])
{
    text = skip_blanks(text);
    if (*text++ != '(') return NULL;
    for (int r = 0; r < 3; r++) {
        text = take_number(text, &vector[r]);
        if (!text) return NULL;
        text = skip_blanks(text);
        if (*text++ != (r < 2 ? ',' : ')')) return NULL;
    }
    return text;
}

static sgio_status set_directions(fields *f, const char *value)
{
    const char *next = value;
    for (int a = 0; a < f->dimension && next; a++) {
        next = skip_blanks(next);
        f->in_space[a] = strncmp(next, "none", 4) != 0;
        next = f->in_space[a] ? take_vector(next, f->directions[a]) : next + 4;
    }
    if (f->dimension == 0 || !next || *skip_blanks(next))
        return bad_field(f, "space directions", value);
    f->has_directions = 1;
    return SGIO_OK;
}

static sgio_status set_origin(fields *f, const char *value)
{
    const char *end = take_vector(value, f->origin);
    return end && !*skip_blanks(end) ? SGIO_OK : bad_field(f, "space origin", value);
}

static sgio_status set_encoding(fields *f, const char *value, sgio_nrrd *out)
{
    f->has_encoding = 1;
    out->gzip = strcasecmp(value, "gzip") == 0 || strcasecmp(value, "gz") == 0;
    return out->gzip || strcasecmp(value, "raw") == 0 ? SGIO_OK : bad_field(f, "encoding", value);
}

static sgio_status set_endian(fields *f, const char *value, sgio_nrrd *out)
{
    f->has_endian = 1;
    out->big_endian = strcasecmp(value, "big") == 0;
    return out->big_endian || strcasecmp(value, "little") == 0 ? SGIO_OK
                                                               : bad_field(f, "endian", value);
}

static sgio_status set_field(fields *f, const char *field, const char *value, sgio_nrrd *out)
{
    if (strcasecmp(field, "type") == 0) return set_type(f, value, out);
    if (strcasecmp(field, "dimension") == 0) return set_dimension(f, value);
    if (strcasecmp(field, "sizes") == 0) return set_sizes(f, value);
    if (strcasecmp(field, "space") == 0) return set_space(f, value);
    if (strcasecmp(field, "space directions") == 0) return set_directions(f, value);
    if (strcasecmp(field, "space origin") == 0) return set_origin(f, value);
    if (strcasecmp(field, "encoding") == 0) return set_encoding(f, value, out);
    if (strcasecmp(field, "endian") == 0) return set_endian(f, value, out);
    if (strcasecmp(field, "spacings") == 0) {
        f->has_spacings = 1;
        return take_per_axis(f, "spacings", value, f->spacings);
    }
    if (strcasecmp(field, "space dimension") == 0)
        return strcmp(value, "3") == 0 ? SGIO_OK : bad_field(f, field, value);
    if (strcasecmp(field, "data file") == 0 || strcasecmp(field, "datafile") == 0)
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: its data are in another file, which is not supported", f->file);
    if (strcasecmp(field, "line skip") == 0 || strcasecmp(field, "lineskip") == 0 ||
        strcasecmp(field, "byte skip") == 0 || strcasecmp(field, "byteskip") == 0)
        return strcmp(value, "0") == 0 ? SGIO_OK : bad_field(f, field, value);
    return SGIO_OK; /* kinds, units, content and the like change nothing here */
}

/* "\n" and "\\" stand for a line end and a backslash. */
static void unescape(char *text)
{
    char *out = text;
    for (char *in = text; *in; in++) {
        if (in[0] == '\\' && (in[1] == 'n' || in[1] == '\\'))
            *out++ = *++in == 'n' ? '\n' : '\\';
        else
            *out++ = *in;
    }
    *out = '\0';
}

static sgio_status add_key(const fields *f, char *name, char *value, sgio_nrrd *out)
{
    size_t count = out->key_count;
    if (count >= SGIO_NRRD_MAX_KEYS)
        return sgio_fail(SGIO_UNREADABLE, "%s: more than %d keys", f->file, SGIO_NRRD_MAX_KEYS);
    if ((count & (count - 1)) == 0) { /* a power of two: full */
        sgio_nrrd_key *keys = realloc(out->keys, (count ? 2 * count : 1) * sizeof *keys);
        if (!keys) return sgio_fail_memory(2 * count * sizeof *keys, f->file);
        out->keys = keys;
    }
    unescape(value);
    out->keys[out->key_count++] = (sgio_nrrd_key){name, value};
    return SGIO_OK;
}

static void trim(char *text)
{
    size_t n = strlen(text);
    while (n > 0 && isspace((unsigned char)text[n - 1]))
        text[--n] = '\0';
}

/* "field: value", "key:=value" or "# comment". */
static sgio_status parse_line(fields *f, char *line, sgio_nrrd *out)
{
    if (line[0] == '#') return SGIO_OK;
    char *colon = strchr(line, ':');
    if (!colon)
        return sgio_fail(SGIO_UNREADABLE, "%s: NRRD header line '%.60s' has no colon", f->file,
                         line);
    *colon = '\0';
    if (colon[1] == '=') return add_key(f, line, colon + 2, out);
    trim(colon + 1);
    return set_field(f, line, skip_blanks(colon + 1), out);
}

/* The list axis comes first where there are four axes, and has no direction. */
static sgio_status set_geometry(const fields *f, sgio_nrrd *out)
{
    int first = f->dimension - 3;
    out->layers = first ? f->sizes[0] : 1;
    if (first && f->has_directions && f->in_space[0])
        return sgio_fail(SGIO_UNREADABLE, "%s: of four axes the first must be the list of layers",
                         f->file);
    for (int c = 0; c < 3; c++) {
        int axis = first + c;
        if (f->has_directions && !f->in_space[axis])
            return sgio_fail(SGIO_UNREADABLE, "%s: axis %d has no space direction", f->file, axis);
        out->geometry.size[c] = f->sizes[axis];
        for (int r = 0; r < 3; r++) {
            double plain = r != c ? 0 : f->has_spacings ? f->spacings[axis] : 1;
            out->geometry.matrix[r][c] =
                f->has_directions ? f->to_lps[r] * f->directions[axis][r] : plain;
        }
        out->geometry.matrix[c][3] = f->to_lps[c] * f->origin[c];
    }
    return SGIO_OK;
}

static sgio_status check_fields(const fields *f, sgio_nrrd *out)
{
    const double origin[3] = {0, 0, 0};
    double index[3];
    const char *missing = !out->kind                         ? "type"
                          : !f->dimension                    ? "dimension"
                          : !f->has_sizes                    ? "sizes"
                          : !f->has_encoding                 ? "encoding"
                          : out->bytes > 1 && !f->has_endian ? "endian"
                                                             : NULL;
    if (missing)
        return sgio_fail(SGIO_UNREADABLE, "%s: NRRD field '%s' is missing", f->file, missing);
    sgio_status status = set_geometry(f, out);
    if (status != SGIO_OK) return status;
    if (out->layers > SGIO_MAX_LAYERS)
        return sgio_fail(SGIO_UNREADABLE, "%s: %lld layers, at most %d are supported", f->file,
                         (long long)out->layers, SGIO_MAX_LAYERS);
    if (sgio_check_voxels(out->geometry.size, (size_t)(out->layers * out->bytes)) != 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: its sizes are too large", f->file);
    if (sgio_geometry_lps_to_index(&out->geometry, origin, index) != 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: its space directions span no volume", f->file);
    return SGIO_OK;
}

static sgio_status parse_lines(fields *f, sgio_nrrd *out)
{
    char *next = out->text;
    if (strncmp(next, "NRRD000", 7) != 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: not a NRRD file", f->file);
    next += strcspn(next, "\n");
    next += *next == '\n';
    while (*next) {
        char *line = next;
        next += strcspn(next, "\n");
        int ended = *next == '\0';
        *next = '\0';
        next += !ended;
        size_t n = strlen(line);
        if (n > 0 && line[n - 1] == '\r') line[--n] = '\0';
        if (n == 0) break;
        sgio_status status = parse_line(f, line, out);
        if (status != SGIO_OK) return status;
    }
    return SGIO_OK;
}

sgio_status sgio_nrrd_parse_header(const char *text, size_t bytes, const char *file, sgio_nrrd *out)
{
    fields f = {.file = file, .to_lps = {1, 1, 1}};
    memset(out, 0, sizeof *out);
    out->text = malloc(bytes + 1);
    if (!out->text) return sgio_fail_memory(bytes + 1, file);
    memcpy(out->text, text, bytes);
    out->text[bytes] = '\0';
    sgio_status status = parse_lines(&f, out);
    if (status == SGIO_OK) status = check_fields(&f, out);
    if (status != SGIO_OK) sgio_nrrd_clear(out);
    return status;
}

void sgio_nrrd_clear(sgio_nrrd *nrrd)
{
    free(nrrd->text);
    free(nrrd->keys);
    memset(nrrd, 0, sizeof *nrrd);
}
