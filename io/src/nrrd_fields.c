#include "nrrd_fields.h"

#include "io_status.h"
#include "text_number.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

/* Reads the value of one "field: value" line. */
typedef sgio_status (*field_reader)(const char *path, const char *value, sgio_nrrd *header);

static sgio_status bad_field(const char *path, const char *field, const char *value,
                             const char *wanted)
{
    return sgio_fail(SGIO_UNREADABLE, "%s: NRRD field \"%s\" is \"%.80s\", wanted %s", path, field,
                     value, wanted);
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
    return sgio_text_ends(value + n);
}

/* A number with a blank or the end behind it: "0,5" is no 0. */
static int read_token(const char **p, double *out)
{
    return sgio_take_double(p, out) && (**p == 0 || **p == ' ' || **p == '\t');
}

static sgio_status read_dimension(const char *path, const char *value, sgio_nrrd *header)
{
    int64_t dimension;
    if (!sgio_whole_integer(value, 1, SGIO_NRRD_AXES, &dimension))
        return bad_field(path, "dimension", value, "a whole number from 1 to 16");
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

static sgio_status read_type(const char *path, const char *value, sgio_nrrd *header)
{
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (same_word(value, type_names[i].name)) {
            header->raw = type_names[i].raw;
            return SGIO_OK;
        }
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: NRRD type \"%.40s\" is not supported, wanted a type of numbers", path,
                     value);
}

static sgio_status read_encoding(const char *path, const char *value, sgio_nrrd *header)
{
    if (same_word(value, "raw"))
        header->encoding = SGIO_NRRD_RAW;
    else if (same_word(value, "gzip") || same_word(value, "gz"))
        header->encoding = SGIO_NRRD_GZIP;
    else
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: NRRD encoding \"%.40s\" is not supported, wanted raw or gzip", path,
                         value);
    return SGIO_OK;
}

static sgio_status read_endian(const char *path, const char *value, sgio_nrrd *header)
{
    int little = same_word(value, "little");
    if (!little && !same_word(value, "big"))
        return bad_field(path, "endian", value, "little or big");
    header->swap = little != sgio_little_endian();
    return SGIO_OK;
}

static sgio_status read_sizes(const char *path, const char *value, sgio_nrrd *header)
{
    const char *p = value;
    int good = 1;
    for (int axis = 0; axis < header->dimension && good; axis++)
        good = sgio_take_integer(&p, 1, INT64_MAX, &header->axes[axis].size);
    return good && sgio_text_ends(p)
               ? SGIO_OK
               : bad_field(path, "sizes", value, "a positive whole number for each axis");
}

/* NaN stands for "none" on axes such as a list. */
static int read_per_axis(const char *value, int count, double *numbers)
{
    int good = 1;
    for (int axis = 0; axis < count && good; axis++) {
        value = skip_blanks(value);
        if (strncasecmp(value, "nan", 3) == 0) {
            numbers[axis] = NAN;
            value += 3;
        } else {
            good = read_token(&value, &numbers[axis]);
        }
    }
    return good && sgio_text_ends(value);
}

static sgio_status read_spacings(const char *path, const char *value, sgio_nrrd *header)
{
    double numbers[SGIO_NRRD_AXES];
    if (!read_per_axis(value, header->dimension, numbers))
        return bad_field(path, "spacings", value, "a number for each axis");
    for (int axis = 0; axis < header->dimension; axis++)
        header->axes[axis].spacing = numbers[axis];
    return SGIO_OK;
}

static sgio_status read_axis_mins(const char *path, const char *value, sgio_nrrd *header)
{
    double numbers[SGIO_NRRD_AXES];
    if (!read_per_axis(value, header->dimension, numbers))
        return bad_field(path, "axis mins", value, "a number for each axis");
    for (int axis = 0; axis < header->dimension; axis++)
        header->axes[axis].min = numbers[axis];
    return SGIO_OK;
}

static sgio_status set_space(sgio_nrrd *header, int dimension, double x, double y)
{
    header->space_dimension = dimension;
    header->space_sign[0] = x;
    header->space_sign[1] = y;
    header->space_sign[2] = 1;
    return SGIO_OK;
}

/* Spaces that do not name patient axes are taken as LPS, as ITK and Slicer do. */
static sgio_status read_space(const char *path, const char *value, sgio_nrrd *header)
{
    static const struct {
        const char *names[2], *with_time[2];
        double x, y; /* signs towards LPS */
    } spaces[] = {
        {{"left-posterior-superior", "lps"}, {"left-posterior-superior-time", "lpst"}, 1, 1},
        {{"right-anterior-superior", "ras"}, {"right-anterior-superior-time", "rast"}, -1, -1},
        {{"left-anterior-superior", "las"}, {"left-anterior-superior-time", "last"}, 1, -1},
        {{"scanner-xyz", "scanner-xyz"}, {"scanner-xyz-time", "scanner-xyzt"}, 1, 1},
        {{"3d-right-handed", "3drh"}, {"3d-right-handed-time", "3drht"}, 1, 1},
        {{"3d-left-handed", "3dlh"}, {"3d-left-handed-time", "3dlht"}, 1, 1},
    };
    for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
        for (int n = 0; n < 2; n++) {
            header->space_has_time = same_word(value, spaces[i].with_time[n]);
            if (header->space_has_time || same_word(value, spaces[i].names[n]))
                return set_space(header, 3 + header->space_has_time, spaces[i].x, spaces[i].y);
        }
    return bad_field(path, "space", value, "a patient or scanner space, with time or without");
}

static sgio_status read_space_dimension(const char *path, const char *value, sgio_nrrd *header)
{
    int64_t dimension;
    if (!sgio_whole_integer(value, 2, 4, &dimension))
        return bad_field(path, "space dimension", value, "2, 3 or 4");
    if (header->space_dimension) /* a named space has said it, and more */
        return header->space_dimension == dimension
                   ? SGIO_OK
                   : bad_field(path, "space dimension", value,
                               header->space_has_time ? "the 4 of the space"
                                                      : "the 3 of the space");
    return set_space(header, (int)dimension, 1, 1);
}

/* "(1,0,0)" with as many components as the space has. */
static int read_vector(const char **p, int components, double *out)
{
    const char *q = skip_blanks(*p);
    if (*q++ != '(') return 0;
    for (int i = 0; i < components; i++) {
        if (!sgio_take_double(&q, &out[i])) return 0;
        q = skip_blanks(q);
        if (*q++ != (i + 1 < components ? ',' : ')')) return 0;
    }
    *p = q;
    return 1;
}

static sgio_status read_directions(const char *path, const char *value, sgio_nrrd *header)
{
    const char *p = value;
    int good = 1;
    for (int axis = 0; axis < header->dimension && good; axis++) {
        p = skip_blanks(p);
        header->axes[axis].has_direction = strncmp(p, "none", 4) != 0;
        if (header->axes[axis].has_direction)
            good = read_vector(&p, header->space_dimension, header->axes[axis].direction);
        else
            p += 4;
    }
    return good && sgio_text_ends(p) ? SGIO_OK
                                     : bad_field(path, "space directions", value,
                                                 "for each axis none or a vector such as (1,0,0)");
}

static sgio_status read_origin(const char *path, const char *value, sgio_nrrd *header)
{
    const char *p = value;
    header->has_origin =
        read_vector(&p, header->space_dimension, header->origin) && sgio_text_ends(p);
    return header->has_origin ? SGIO_OK
                              : bad_field(path, "space origin", value, "a vector such as (0,0,0)");
}

static sgio_status read_kinds(const char *path, const char *value, sgio_nrrd *header)
{
    const char *p = value;
    for (int axis = 0; axis < header->dimension; axis++) {
        p = skip_blanks(p);
        size_t n = strcspn(p, " \t");
        if (n == 0 || n >= sizeof header->axes[axis].kind)
            return bad_field(path, "kinds", value, "a word for each axis");
        for (size_t i = 0; i < n; i++)
            header->axes[axis].kind[i] = (char)tolower((unsigned char)p[i]);
        header->axes[axis].kind[n] = 0;
        p += n;
    }
    return SGIO_OK;
}

/* Quoted words, one per axis. Lengths are not converted (the readers say why), so the first that is
 * not the millimetre is kept. */
static sgio_status read_units(const char *path, const char *value, sgio_nrrd *header)
{
    static const char *const millimetre[] = {"", "mm", "millimeter", "millimeters", "millimetre"};
    (void)path;
    while ((value = strchr(value, '"'))) {
        size_t n = strcspn(++value, "\"");
        int known = 0;
        for (size_t i = 0; i < sizeof millimetre / sizeof *millimetre; i++)
            known |= n == strlen(millimetre[i]) && strncasecmp(value, millimetre[i], n) == 0;
        if (!known && !header->unit[0] && n < sizeof header->unit) memcpy(header->unit, value, n);
        value += n + (value[n] == '"');
    }
    return SGIO_OK;
}

static sgio_status read_centerings(const char *path, const char *value, sgio_nrrd *header)
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

static sgio_status read_data_file(const char *path, const char *value, sgio_nrrd *header)
{
    if (strncmp(value, "LIST", 4) == 0 || strchr(value, '%'))
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: NRRD voxels spread over several files are not supported", path);
    header->data_file = value;
    return *value ? SGIO_OK : bad_field(path, "data file", value, "a file name");
}

static sgio_status read_line_skip(const char *path, const char *value, sgio_nrrd *header)
{
    return sgio_whole_integer(value, 0, 1 << 20, &header->line_skip)
               ? SGIO_OK
               : bad_field(path, "line skip", value, "a whole number from 0 to 1048576");
}

static sgio_status read_byte_skip(const char *path, const char *value, sgio_nrrd *header)
{
    return sgio_whole_integer(value, -1, INT64_C(1) << 40, &header->byte_skip)
               ? SGIO_OK
               : bad_field(path, "byte skip", value, "-1 or a whole number from 0 to 2^40");
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
    {"space units", read_units, 0, 0},
    {"units", read_units, 0, 0},
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

/* The first name of the same field; "units" and "space units" are two. */
static size_t main_name(size_t field)
{
    for (size_t i = 0; i < field; i++)
        if (fields[i].read == fields[field].read && fields[i].read != read_units) return i;
    return field;
}

/* Two values of a field would be two volumes: Teem refuses them too. */
static sgio_status note_given(const char *path, const char *name, size_t field, sgio_nrrd *header)
{
    uint32_t bit = UINT32_C(1) << main_name(field);
    if (header->given & bit)
        return sgio_fail(SGIO_UNREADABLE, "%s: NRRD field \"%s\" comes twice; remove one of them",
                         path, name);
    header->given |= bit;
    return SGIO_OK;
}

/* Content, measurement frame and the like do not matter here. */
sgio_status sgio_nrrd_set_field(const char *path, const char *name, const char *value,
                                sgio_nrrd *header)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (!same_word(name, fields[i].name)) continue;
        if ((fields[i].per_axis && header->dimension == 0) ||
            (fields[i].in_space && header->space_dimension == 0))
            return sgio_fail(SGIO_UNREADABLE, "%s: NRRD field \"%s\" comes before the %s it needs",
                             path, name, fields[i].in_space ? "space" : "dimension");
        sgio_status status = note_given(path, fields[i].name, i, header);
        return status == SGIO_OK ? fields[i].read(path, value, header) : status;
    }
    return SGIO_OK;
}
