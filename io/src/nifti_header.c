#include "nifti_header.h"

#include "io_status.h"
#include "volume_formats.h"
#include "volume_share.h"

#include <math.h>
#include <string.h>

/* Byte offsets of the fields used, by version; widths differ, see `number`. */
typedef struct layout {
    int magic, dim, datatype, pixdim, vox_offset, slope, intercept;
    int qform_code, sform_code, quatern, qoffset, srow, units;
    char dim_kind, real_kind, code_kind, offset_kind;
} layout;

/* Kinds: s int16, i int32, l int64, f float, d double. */
static const layout layouts[2] = {
    {344, 40, 70, 76, 108, 112, 116, 252, 254, 256, 268, 280, 123, 's', 'f', 's', 'f'},
    {4, 16, 12, 104, 168, 176, 184, 344, 348, 352, 376, 400, 500, 'l', 'd', 'i', 'l'},
};

enum { RGB_COLOUR = 128 };

typedef struct raw_header {
    const unsigned char *bytes;
    const layout *at;
    int swap;
} raw_header;

static size_t kind_bytes(char kind)
{
    return kind == 's' ? 2 : kind == 'i' || kind == 'f' ? 4 : 8;
}

static double number(const raw_header *raw, char kind, int offset, int index)
{
    unsigned char bytes[8];
    size_t width = kind_bytes(kind);
    const unsigned char *from = raw->bytes + offset + (size_t)index * width;
    for (size_t i = 0; i < width; i++)
        bytes[i] = from[raw->swap ? width - 1 - i : i];
    int16_t s;
    int32_t i;
    int64_t l;
    float f;
    double d;
    switch (kind) {
    case 's':
        return memcpy(&s, bytes, 2), s;
    case 'i':
        return memcpy(&i, bytes, 4), i;
    case 'l':
        return memcpy(&l, bytes, 8), (double)l;
    case 'f':
        return memcpy(&f, bytes, 4), f;
    default:
        return memcpy(&d, bytes, 8), d;
    }
}

static double real(const raw_header *raw, int offset, int index)
{
    return number(raw, raw->at->real_kind, offset, index);
}

/* sizeof_hdr tells version and byte order; the magic string tells NIfTI from ANALYZE 7.5. */
static sgio_status find_layout(const char *path, const unsigned char *bytes, size_t size,
                               raw_header *raw)
{
    int native = sgio_little_endian();
    if (size < SGIO_NIFTI_1_BYTES)
        return sgio_fail(
            SGIO_UNREADABLE,
            "%s: too short for a NIfTI header: %zu bytes of 348; it may have been copied "
            "incompletely",
            path, size);
    uint32_t little = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                      (uint32_t)bytes[3] << 24;
    uint32_t big = (uint32_t)bytes[3] | (uint32_t)bytes[2] << 8 | (uint32_t)bytes[1] << 16 |
                   (uint32_t)bytes[0] << 24;
    int is_little = little == SGIO_NIFTI_1_BYTES || little == SGIO_NIFTI_2_BYTES;
    uint32_t declared = is_little ? little : big;
    if (declared != SGIO_NIFTI_1_BYTES && declared != SGIO_NIFTI_2_BYTES)
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: not a NIfTI file (it does not begin with 348 or 540)", path);
    if (size < declared)
        return sgio_fail(SGIO_UNREADABLE, "%s: truncated NIfTI-2 header: %zu bytes", path, size);
    raw->bytes = bytes;
    raw->at = &layouts[declared == SGIO_NIFTI_2_BYTES];
    raw->swap = is_little != native;
    return SGIO_OK;
}

static sgio_status read_magic(const char *path, const raw_header *raw, int *single_file)
{
    const unsigned char *magic = raw->bytes + raw->at->magic;
    char version = raw->at == &layouts[1] ? '2' : '1';
    if (magic[0] == 'n' && (magic[1] == '+' || magic[1] == 'i') && magic[2] == version &&
        magic[3] == 0) {
        *single_file = magic[1] == '+';
        return SGIO_OK;
    }
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: ANALYZE 7.5 header without orientation; convert it to NIfTI", path);
}

static sgio_status read_size(const char *path, const raw_header *raw, int64_t size[3],
                             int64_t *volumes)
{
    double count = number(raw, raw->at->dim_kind, raw->at->dim, 0);
    if (!(count >= 1 && count <= 7))
        return sgio_fail(SGIO_UNREADABLE, "%s: %g dimensions, wanted 1 to 7", path, count);
    *volumes = 1;
    for (int axis = 0; axis < 7; axis++) {
        double length =
            axis < (int)count ? number(raw, raw->at->dim_kind, raw->at->dim, axis + 1) : 1;
        if (!(length >= 1 && length <= 9e15))
            return sgio_fail(SGIO_UNREADABLE, "%s: size %g along axis %d, wanted at least 1", path,
                             length, axis);
        if (axis < 3)
            size[axis] = (int64_t)length;
        else if (length > SGIO_MOST_VOLUMES / (double)*volumes)
            return sgio_fail(SGIO_UNREADABLE, "%s: %g volumes along dimension %d are not credible",
                             path, length, axis + 1);
        else
            *volumes *= (int64_t)length;
    }
    return SGIO_OK;
}

static sgio_status read_datatype(const char *path, const raw_header *raw, sgio_nifti_header *header)
{
    static const struct {
        int code, raw;
        const char *refused;
    } datatypes[] = {
        {2, SGIO_U8, NULL},         {4, SGIO_I16, NULL},      {8, SGIO_I32, NULL},
        {16, SGIO_F32, NULL},       {64, SGIO_F64, NULL},     {256, SGIO_I8, NULL},
        {512, SGIO_U16, NULL},      {768, SGIO_U32, NULL},    {1024, SGIO_RAW_I64, NULL},
        {1280, SGIO_RAW_U64, NULL}, {1, 0, "1-bit"},          {32, 0, "complex64"},
        {128, SGIO_U8, NULL},       {1536, 0, "float128"},    {1792, 0, "complex128"},
        {2048, 0, "complex256"},    {2304, 0, "RGBA colour"},
    };
    int code = (int)number(raw, 's', raw->at->datatype, 0);
    for (size_t i = 0; i < sizeof datatypes / sizeof *datatypes; i++) {
        if (datatypes[i].code != code) continue;
        if (datatypes[i].refused)
            return sgio_fail(SGIO_UNREADABLE,
                             "%s: %s voxels are not supported; convert it to one number per voxel "
                             "(int16 or float32) first",
                             path, datatypes[i].refused);
        header->format.raw = datatypes[i].raw;
        header->channels = code == RGB_COLOUR ? 3 : 1;
        return SGIO_OK;
    }
    return sgio_fail(SGIO_UNREADABLE, "%s: unknown NIfTI datatype %d", path, code);
}

/* A slope of 0 means "not scaled"; NaN or infinity is read the same way, as nibabel does. */
static void read_scaling(const raw_header *raw, sgio_voxel_format *format)
{
    format->slope = real(raw, raw->at->slope, 0);
    format->intercept = real(raw, raw->at->intercept, 0);
    if (isfinite(format->slope) && format->slope != 0 && isfinite(format->intercept)) return;
    format->slope = 1;
    format->intercept = 0;
}

/* xyzt_units, the bits of space: metre, millimetre, micrometre; anything else is taken as
 * millimetres, as ITK does. */
static double unit_in_mm(const raw_header *raw)
{
    enum { SPACE = 7, METRE = 1, MICROMETRE = 3 };
    int field = raw->at == &layouts[0] ? raw->bytes[raw->at->units]
                                       : (int)number(raw, 'i', raw->at->units, 0);
    return (field & SPACE) == METRE ? 1e3 : (field & SPACE) == MICROMETRE ? 1e-3 : 1;
}

/* 0 when an axis of several voxels has no direction. */
static int read_sform(const raw_header *raw, const int64_t size[3], double ras[3][4])
{
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 4; c++)
            ras[r][c] = real(raw, raw->at->srow, 4 * r + c);
    for (int axis = 0; axis < 3; axis++)
        if (size[axis] > 1 && ras[0][axis] == 0 && ras[1][axis] == 0 && ras[2][axis] == 0) return 0;
    return 1;
}

/* pixdim of an axis; where it is missing 1, and the axis' bit is set. */
static double read_spacing(const raw_header *raw, int axis, int *assumed)
{
    double spacing = real(raw, raw->at->pixdim, 1 + axis);
    if (isfinite(spacing) && spacing != 0) return spacing;
    *assumed |= 1 << axis;
    return 1;
}

/* Method 2 of nifti1.h: quaternion, offset, and pixdim[0] for the handedness. */
static void read_qform(const raw_header *raw, double ras[3][4], int *assumed)
{
    double b = real(raw, raw->at->quatern, 0);
    double c = real(raw, raw->at->quatern, 1);
    double d = real(raw, raw->at->quatern, 2);
    double square = 1 - (b * b + c * c + d * d);
    double scale = 1;
    if (square < 1e-7) { /* a rounded half turn: normalise, a = 0 */
        scale = 1 / sqrt(b * b + c * c + d * d);
        square = 0;
    }
    double a = sqrt(square);
    b *= scale, c *= scale, d *= scale;
    const double rotation[3][3] = {
        {a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)},
        {2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)},
        {2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c},
    };
    double handed = real(raw, raw->at->pixdim, 0) < 0 ? -1 : 1;
    for (int axis = 0; axis < 3; axis++) {
        double spacing = fabs(read_spacing(raw, axis, assumed));
        for (int r = 0; r < 3; r++)
            ras[r][axis] = rotation[r][axis] * spacing * (axis == 2 ? handed : 1);
        ras[axis][3] = real(raw, raw->at->qoffset, axis);
    }
}

/* Neither form coded: the file does not say where its axes point. Readers differ; like ITK, and
 * 3D Slicer with it, the axes are taken as those of LPS and the first voxel as the origin. */
static void assume_axes(const raw_header *raw, double ras[3][4], int *assumed)
{
    memset(ras, 0, 12 * sizeof(double));
    for (int axis = 0; axis < 3; axis++)
        ras[axis][axis] = read_spacing(raw, axis, assumed) * (axis < 2 ? -1 : 1);
}

static int is_coded(const raw_header *raw, int code)
{
    return number(raw, raw->at->code_kind, code, 0) > 0;
}

/* RAS in the file's unit -> LPS in mm. */
static void put_matrix(const double ras[3][4], double mm, sgio_geometry *out)
{
    for (int c = 0; c < 4; c++) {
        out->matrix[0][c] = -ras[0][c] * mm;
        out->matrix[1][c] = -ras[1][c] * mm;
        out->matrix[2][c] = ras[2][c] * mm;
    }
}

/* Shear up to what ITK 5.2 to 5.4 let pass as rotation (1.0e-4 is taken, 1.2e-4 is not). */
static int has_right_angles(const sgio_geometry *g)
{
    double d[3][3];
    sgio_geometry_direction(g, d);
    for (int a = 0; a < 3; a++) {
        int b = (a + 1) % 3;
        if (fabs(d[0][a] * d[0][b] + d[1][a] * d[1][b] + d[2][a] * d[2][b]) > 1.1e-4) return 0;
    }
    return 1;
}

static int has_spacing(const sgio_geometry *g, const sgio_geometry *wanted)
{
    double found[3], right[3];
    sgio_geometry_spacing(g, found);
    sgio_geometry_spacing(wanted, right);
    for (int a = 0; a < 3; a++)
        if (fabs(found[a] - right[a]) > 5e-4 * right[a]) return 0;
    return 1;
}

static int is_finite(const sgio_geometry *g)
{
    for (int i = 0; i < 12; i++)
        if (!isfinite(g->matrix[i / 4][i % 4])) return 0;
    return 1;
}

/* Both forms are coded. Where they tell the same place, to a tenth of a voxel, the sform is the
 * more exact one. Where they do not, readers disagree; as ITK, and 3D Slicer with it, the qform
 * counts, unless the sform is the scanner's (code 1) and no more than a turn of pixdim's grid. */
static int sform_counts(const raw_header *raw, const sgio_geometry *sform,
                        const sgio_geometry *qform, sgio_nifti_header *header)
{
    double spacing[3];
    if (!is_finite(qform)) return 1;
    sgio_geometry_spacing(qform, spacing);
    double least = fmin(spacing[0], fmin(spacing[1], spacing[2]));
    if (sgio_geometry_equal(sform, qform, 0.1 * least)) return 1;
    header->forms_differ = 1;
    return number(raw, raw->at->code_kind, raw->at->sform_code, 0) == 1 &&
           has_right_angles(sform) && has_spacing(sform, qform);
}

static void read_transform(const raw_header *raw, sgio_nifti_header *header)
{
    double ras[3][4], mm = unit_in_mm(raw);
    int assumed = 0, of_qform = 0, of_sform = 0;
    sgio_geometry sform = header->geometry, qform = header->geometry;
    int has_sform = is_coded(raw, raw->at->sform_code);
    int has_qform = is_coded(raw, raw->at->qform_code);
    int complete = has_sform && read_sform(raw, header->geometry.size, ras);
    if (has_sform) {
        put_matrix(ras, mm, &sform);
        of_sform = sgio_complete_geometry(&sform);
    }
    if (has_qform) {
        read_qform(raw, ras, &of_qform);
        put_matrix(ras, mm, &qform);
    }
    header->sform_unusable = has_sform && !complete && has_qform;
    /* Beside a qform, the thickness of a lone slice need not be guessed. */
    if (has_sform && !header->sform_unusable &&
        (!has_qform || (!of_sform && sform_counts(raw, &sform, &qform, header)))) {
        header->transform = SGIO_NIFTI_SFORM;
        header->geometry = sform;
        assumed = of_sform;
    } else if (has_qform) {
        header->transform = SGIO_NIFTI_QFORM;
        header->geometry = qform;
        assumed = of_qform;
    } else {
        header->transform = SGIO_NIFTI_NONE;
        assume_axes(raw, ras, &assumed);
        put_matrix(ras, mm, &header->geometry);
    }
    header->spacing_assumed = assumed | sgio_complete_geometry(&header->geometry);
}

static sgio_status read_offset(const char *path, const raw_header *raw, sgio_nifti_header *header)
{
    double offset = number(raw, raw->at->offset_kind, raw->at->vox_offset, 0);
    double least = 0;
    if (header->single_file)
        least = raw->at == &layouts[1] ? SGIO_NIFTI_2_BYTES : SGIO_NIFTI_1_BYTES;
    if (header->single_file && offset == 0) offset = least + 4; /* as nifti1_io does */
    if (!(offset >= least && offset <= 1e12))
        return sgio_fail(SGIO_UNREADABLE, "%s: voxels at byte %g, wanted %g or later", path, offset,
                         least);
    header->data_offset = (uint64_t)offset;
    return SGIO_OK;
}

sgio_status sgio_nifti_parse(const char *path, const unsigned char *bytes, size_t size,
                             sgio_nifti_header *header)
{
    raw_header raw;
    memset(header, 0, sizeof *header);
    sgio_status status = find_layout(path, bytes, size, &raw);
    if (status == SGIO_OK) status = read_magic(path, &raw, &header->single_file);
    if (status == SGIO_OK) status = read_size(path, &raw, header->geometry.size, &header->volumes);
    if (status == SGIO_OK) status = read_datatype(path, &raw, header);
    if (status == SGIO_OK) status = read_offset(path, &raw, header);
    if (status != SGIO_OK) return status;
    header->format.swap = raw.swap;
    read_scaling(&raw, &header->format);
    read_transform(&raw, header);
    return SGIO_OK;
}
