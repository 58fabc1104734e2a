/* What one DICOM image says of itself before its pixels. */
#include "byte_source.h"
#include "dicom_set.h"
#include "dicom_slice.h"
#include "dicom_toolkit.h"
#include "io_status.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MOST_ROWS = 65535, MOST_FRAMES = 1000000 };
static const size_t most_pixel_bytes = (size_t)1 << 30; /* of one slice */

/* The header being read. */
typedef struct header {
    const sgio_dicom_set *set;
    sgio_dicom_slice *slice;
} header;

/* "PixelSpacing \"0,5\\0,5\"" */
static void quote(const header *header, enum sgio_dicom_tag tag, char *out, size_t size)
{
    char text[64];
    sgio_dicom_text(header->set, tag, text, sizeof text);
    snprintf(out, size, "%s \"%s\"", sgio_dicom_keyword(tag), text);
}

/* What is not written as a number is noted; *value is `fallback` then. 1 when there is a value. */
static int number(const header *header, enum sgio_dicom_tag tag, int index, double fallback,
                  double *value)
{
    sgio_dicom_slice *slice = header->slice;
    sgio_dicom_found found = sgio_dicom_number(header->set, tag, index, value);
    if (found == SGIO_DICOM_COMMA && !slice->with_comma[0])
        quote(header, tag, slice->with_comma, sizeof slice->with_comma);
    if (found == SGIO_DICOM_NO_NUMBER && !slice->not_a_number[0])
        quote(header, tag, slice->not_a_number, sizeof slice->not_a_number);
    if (found == SGIO_DICOM_NUMBER || found == SGIO_DICOM_COMMA) return 1;
    *value = fallback;
    return 0;
}

static int whole(const header *header, enum sgio_dicom_tag tag, int fallback)
{
    double value;
    number(header, tag, 0, fallback, &value);
    return fabs(value) < 1e9 ? (int)value : fallback;
}

static sgio_status refuse_number(const header *header, enum sgio_dicom_tag tag)
{
    char quoted[96];
    quote(header, tag, quoted, sizeof quoted);
    return sgio_fail(SGIO_UNREADABLE, "%s: %s makes no sense", header->slice->path, quoted);
}

/* `count` numbers. *has is 0 when the element is absent or empty; anything but numbers, and too few
 * of them, are refused, for they decide where voxels are. */
static sgio_status read_vector(const header *header, enum sgio_dicom_tag tag, int count,
                               double *out, int *has)
{
    *has = 0;
    for (int i = 0; i < count; i++) {
        double value;
        if (!number(header, tag, i, 0, &value)) {
            int absent = sgio_dicom_number(header->set, tag, 0, &value) == SGIO_DICOM_ABSENT;
            return absent ? SGIO_OK : refuse_number(header, tag);
        }
        out[i] = value;
    }
    *has = 1;
    return SGIO_OK;
}

static const char *kind_of_object(const header *header)
{
    static _Thread_local char uid[80];
    if (!sgio_dicom_text(header->set, DICOM_SOP_CLASS, uid, sizeof uid)) return "no SOP class";
    const char *name = sgio_dicom_uid_name(uid);
    return name ? name : uid;
}

/* Syntaxes newer than the toolkit, which would otherwise be refused by bare UID. */
static const char *name_of_syntax(const char *uid)
{
    static const struct {
        const char *uid, *name;
    } newer[] = {
        {"1.2.840.10008.1.2.4.110", "JPEG XL Lossless"},
        {"1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression"},
        {"1.2.840.10008.1.2.4.112", "JPEG XL"},
        {"1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 Lossless"},
        {"1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 RPCL Lossless"},
        {"1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000"},
    };
    for (size_t i = 0; i < sizeof newer / sizeof *newer; i++)
        if (strcmp(newer[i].uid, uid) == 0) return newer[i].name;
    const char *name = sgio_dicom_uid_name(uid);
    return name ? name : "unknown";
}

static int is_decodable(const char *uid)
{
    static const char *const readable[] = {
        "1.2.840.10008.1.2",      "1.2.840.10008.1.2.1",    "1.2.840.10008.1.2.1.99",
        "1.2.840.10008.1.2.2",    "1.2.840.10008.1.2.5",    "1.2.840.10008.1.2.4.50",
        "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70",
        "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.90",
        "1.2.840.10008.1.2.4.91",
    };
    for (size_t i = 0; i < sizeof readable / sizeof *readable; i++)
        if (strcmp(readable[i], uid) == 0) return 1;
    return 0;
}

/* Objects whose frames follow one another in time: ultrasound, endoscopy, what a frame grabber
 * captured. Frames of all others lie in space, where their own places would have to be read. */
static int is_sequence(const char *sop_class)
{
    static const char *const classes[] = {
        "1.2.840.10008.5.1.4.1.1.3.1",      /* ultrasound multi-frame */
        "1.2.840.10008.5.1.4.1.1.3",        /* the same, retired */
        "1.2.840.10008.5.1.4.1.1.7.2",      /* secondary capture, multi-frame: grey bytes, */
        "1.2.840.10008.5.1.4.1.1.7.3",      /* grey words, */
        "1.2.840.10008.5.1.4.1.1.7.4",      /* colours */
        "1.2.840.10008.5.1.4.1.1.77.1.1.1", /* video endoscopy */
    };
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(classes[i], sop_class) == 0) return 1;
    return 0;
}

/* Big endian is retired, and odd frames of bytes in words would straddle them there. */
static sgio_status check_frames(const header *header, const char *sop_class)
{
    const sgio_dicom_slice *slice = header->slice;
    if (slice->frames == 1) return SGIO_OK;
    if (!is_sequence(sop_class) || slice->frames > MOST_FRAMES)
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: multi-frame DICOM (%s, %d frames) is not supported; convert it to "
                         "NIfTI or to single frames first",
                         slice->path, kind_of_object(header), slice->frames);
    if (strcmp(slice->transfer_syntax, "1.2.840.10008.1.2.2") == 0)
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: %d frames in big endian are not supported; dcmconv +te makes little "
                         "endian of them",
                         slice->path, slice->frames);
    return SGIO_OK;
}

/* What volumes are made of: images of one frame, or sequences, with a decoder. */
static sgio_status check_object(const header *header)
{
    const sgio_dicom_slice *slice = header->slice;
    const char *path = slice->path;
    char sop_class[80];
    sgio_dicom_text(header->set, DICOM_SOP_CLASS, sop_class, sizeof sop_class);
    header->slice->no_image = 1;
    if (strcmp(sop_class, "1.2.840.10008.5.1.4.1.1.66.4") == 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: a DICOM segmentation, not an image", path);
    if (sgio_dicom_find(header->set, DICOM_DIRECTORY_RECORDS))
        return sgio_fail(SGIO_UNREADABLE, "%s: a DICOM directory record, not an image", path);
    if (slice->rows <= 0 || slice->columns <= 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: DICOM without an image (%s)", path,
                         kind_of_object(header));
    header->slice->no_image = 0;
    sgio_status status = check_frames(header, sop_class);
    if (status != SGIO_OK) return status;
    if (sgio_dicom_find(header->set, DICOM_SHARED_GROUPS))
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: enhanced DICOM (%s) is not supported; convert it to NIfTI first",
                         path, kind_of_object(header));
    if (strstr(slice->image_type, "MOSAIC"))
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: a Siemens mosaic (all slices tiled into one picture) is not "
                         "supported; convert it to NIfTI first, for example with dcm2niix",
                         path);
    if (!is_decodable(slice->transfer_syntax))
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: transfer syntax %s (%s) is not supported; decompress it first, for "
                         "example with gdcmconv --raw or dcmdjpeg",
                         path, name_of_syntax(slice->transfer_syntax), slice->transfer_syntax);
    return SGIO_OK;
}

static sgio_status check_pixels(const sgio_dicom_slice *slice)
{
    int bits = slice->bits_allocated;
    if ((slice->samples != 1 && slice->samples != 3) || (bits != 8 && bits != 16 && bits != 32) ||
        slice->rows > MOST_ROWS || slice->columns > MOST_ROWS)
        return sgio_fail(SGIO_UNREADABLE, "%s: %d sample(s) of %d bits per pixel are not supported",
                         slice->path, slice->samples, bits);
    if (slice->bits_stored < 1 || slice->bits_stored > bits || slice->high_bit >= bits ||
        slice->high_bit < slice->bits_stored - 1)
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: %d bits stored with high bit %d in %d allocated make no sense",
                         slice->path, slice->bits_stored, slice->high_bit, bits);
    if (slice->samples == 3 && bits != 8 && bits != 16)
        return sgio_fail(SGIO_UNREADABLE, "%s: colour of %d bits is not supported", slice->path,
                         bits);
    return SGIO_OK;
}

/* The most bytes of pixels that a file of that length can hold. Blank pictures compress without a
 * bound in JPEG-LS and JPEG 2000: 64 MiB are always believed, beyond that a ratio of 4096. */
static uint64_t most_stored(const sgio_dicom_slice *slice, uint64_t file_bytes)
{
    static const uint64_t believed = (uint64_t)64 << 20;
    if (strcmp(slice->transfer_syntax, "1.2.840.10008.1.2.1.99") == 0)
        return file_bytes * SGIO_DEFLATE_MAX_RATIO;
    if (strncmp(slice->transfer_syntax, "1.2.840.10008.1.2.4.", 20) == 0 ||
        strcmp(slice->transfer_syntax, "1.2.840.10008.1.2.5") == 0)
        return file_bytes * 4096 > believed ? file_bytes * 4096 : believed;
    return file_bytes;
}

/* Memory is asked for by rows and columns later: these must be credible for the file's length. */
static sgio_status check_length(const header *header)
{
    const sgio_dicom_slice *slice = header->slice;
    size_t bytes = sgio_dicom_pixel_bytes(slice), frames = (size_t)slice->frames;
    int is_subsampled = strcmp(slice->photometric, "YBR_FULL_422") == 0;
    uint64_t file_bytes = sgio_dicom_bytes_on_disk(header->set->file);
    if (bytes > most_pixel_bytes)
        return sgio_fail(SGIO_UNREADABLE, "%s: size %d x %d is not credible", slice->path,
                         slice->columns, slice->rows);
    if ((is_subsampled ? bytes / 3 * 2 : bytes) * frames > most_stored(slice, file_bytes))
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: truncated: %llu bytes cannot hold its %d x %d pixels, which need %zu",
                         slice->path, (unsigned long long)file_bytes, slice->columns, slice->rows,
                         bytes * frames);
    return SGIO_OK;
}

static void read_pixel_description(const header *header)
{
    sgio_dicom_slice *slice = header->slice;
    slice->rows = whole(header, DICOM_ROWS, 0);
    slice->columns = whole(header, DICOM_COLUMNS, 0);
    slice->samples = whole(header, DICOM_SAMPLES, 1);
    slice->frames = whole(header, DICOM_FRAMES, 1);
    if (slice->frames < 1) slice->frames = 1;
    slice->planar = whole(header, DICOM_PLANAR, 0) == 1;
    slice->bits_allocated = whole(header, DICOM_BITS_ALLOCATED, 0);
    slice->bits_stored = whole(header, DICOM_BITS_STORED, slice->bits_allocated);
    slice->high_bit = whole(header, DICOM_HIGH_BIT, slice->bits_stored - 1);
    slice->is_signed = whole(header, DICOM_PIXEL_SIGN, 0) == 1;
    sgio_dicom_text(header->set, DICOM_PHOTOMETRIC, slice->photometric, sizeof slice->photometric);
}

static int normalise(double v[3])
{
    double length = sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
    for (int r = 0; r < 3; r++)
        v[r] /= length;
    return length > 0.5 && length < 2; /* written with few digits perhaps, but a direction */
}

static sgio_status check_spacing(const header *header, enum sgio_dicom_tag tag)
{
    const sgio_dicom_slice *slice = header->slice;
    if (slice->row_spacing > 0 && slice->column_spacing > 0) return SGIO_OK;
    return refuse_number(header, tag);
}

/* Ultrasound has its scale in regions, in centimetres (PS3.3 C.8.5.5). One region says it for the
 * picture; several may differ. */
static sgio_status read_region(void *user, const sgio_dicom_set *region)
{
    sgio_dicom_slice *slice = user;
    const header inner = {region, slice};
    double x, y, units_x, units_y;
    number(&inner, DICOM_REGION_UNITS_X, 0, 0, &units_x);
    number(&inner, DICOM_REGION_UNITS_Y, 0, 0, &units_y);
    number(&inner, DICOM_REGION_DELTA_X, 0, 0, &x);
    number(&inner, DICOM_REGION_DELTA_Y, 0, 0, &y);
    if (units_x != 3 || units_y != 3 || !(fabs(x) > 0) || !(fabs(y) > 0)) return SGIO_OK;
    slice->has_spacing = ++slice->regions == 1;
    slice->column_spacing = 10 * fabs(x);
    slice->row_spacing = 10 * fabs(y);
    return SGIO_OK;
}

static sgio_status read_spacing(const header *header)
{
    sgio_dicom_slice *slice = header->slice;
    double spacing[2] = {1, 1};
    enum sgio_dicom_tag tag = DICOM_PIXEL_SPACING;
    sgio_status status = read_vector(header, tag, 2, spacing, &slice->has_spacing);
    if (status == SGIO_OK && !slice->has_spacing) {
        tag = DICOM_IMAGER_PIXEL_SPACING;
        status = read_vector(header, tag, 2, spacing, &slice->has_spacing);
    }
    if (status != SGIO_OK) return status;
    slice->row_spacing = spacing[0];
    slice->column_spacing = spacing[1];
    if (slice->has_spacing) return check_spacing(header, tag);
    status = sgio_dicom_for_items(header->set, DICOM_REGIONS, read_region, slice);
    if (!slice->has_spacing) slice->row_spacing = slice->column_spacing = 1;
    return status;
}

static sgio_status check_directions(const header *header)
{
    sgio_dicom_slice *slice = header->slice;
    double dot = 0;
    int directions = normalise(slice->row) && normalise(slice->column);
    for (int r = 0; r < 3; r++)
        dot += slice->row[r] * slice->column[r];
    if (directions && fabs(dot) < 0.01) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: image orientation is not a pair of perpendicular vectors", slice->path);
}

static sgio_status read_plane(const header *header)
{
    sgio_dicom_slice *slice = header->slice;
    double cosines[6];
    int has_position, has_orientation;
    sgio_status status = read_spacing(header);
    if (status == SGIO_OK)
        status = read_vector(header, DICOM_POSITION, 3, slice->position, &has_position);
    if (status == SGIO_OK)
        status = read_vector(header, DICOM_ORIENTATION, 6, cosines, &has_orientation);
    if (status != SGIO_OK) return status;
    number(header, DICOM_SLICE_THICKNESS, 0, 0, &slice->thickness);
    if (!(slice->thickness > 0)) slice->thickness = 0;
    slice->has_plane = has_position && has_orientation;
    if (!slice->has_plane) return SGIO_OK;
    memcpy(slice->row, cosines, sizeof slice->row);
    memcpy(slice->column, cosines + 3, sizeof slice->column);
    return check_directions(header);
}

/* Writers mix up US and SS; PixelRepresentation decides what was meant. */
static void read_padding(const header *header)
{
    sgio_dicom_slice *slice = header->slice;
    double value;
    slice->has_padding = number(header, DICOM_PADDING, 0, 0, &value) && fabs(value) < 65536;
    if (!slice->has_padding) return;
    if (value < 0) value += 65536;
    slice->padding = slice->is_signed ? (double)(int16_t)(uint16_t)value : value;
}

/* A slope or an intercept that cannot be read would be wrong intensities without a word. */
static sgio_status read_values(const header *header)
{
    sgio_dicom_slice *slice = header->slice;
    int has_intercept;
    sgio_status status = read_vector(header, DICOM_SLOPE, 1, &slice->slope, &slice->has_rescale);
    if (status == SGIO_OK)
        status = read_vector(header, DICOM_INTERCEPT, 1, &slice->intercept, &has_intercept);
    if (status != SGIO_OK) return status;
    if (slice->has_rescale && slice->slope == 0) return refuse_number(header, DICOM_SLOPE);
    if (!slice->has_rescale) slice->slope = 1;
    if (!has_intercept) slice->intercept = 0;
    slice->has_rescale = slice->has_rescale || has_intercept;
    double most = ldexp(fabs(slice->slope), slice->bits_stored) + fabs(slice->intercept);
    if (!(most <= FLT_MAX)) return refuse_number(header, DICOM_SLOPE);
    slice->has_modality_lut = sgio_dicom_find(header->set, DICOM_MODALITY_LUT) != NULL;
    read_padding(header);
    return SGIO_OK;
}

static void read_identity(const header *header)
{
    static const enum sgio_dicom_tag tags[SGIO_DICOM_ATTRIBUTES - 1] = {
        /* in the order of the enumeration */
        DICOM_ECHO_TIME,          DICOM_TEMPORAL_POSITION, DICOM_B_VALUE,      DICOM_TRIGGER_TIME,
        DICOM_ACQUISITION_NUMBER, DICOM_ACQUISITION_TIME,  DICOM_CONTENT_TIME,
    };
    const sgio_dicom_set *set = header->set;
    sgio_dicom_slice *slice = header->slice;
    sgio_dicom_text(set, DICOM_SOP_INSTANCE, slice->instance_uid, sizeof slice->instance_uid);
    sgio_dicom_text(set, DICOM_MODALITY, slice->modality, sizeof slice->modality);
    sgio_dicom_text(set, DICOM_SERIES_DESCRIPTION, slice->description, sizeof slice->description);
    sgio_dicom_text(set, DICOM_IMAGE_TYPE, slice->image_type, sizeof slice->image_type);
    sgio_dicom_text(set, DICOM_CONTRAST_AGENT, slice->contrast, sizeof slice->contrast);
    sgio_dicom_text(set, DICOM_KERNEL, slice->kernel, sizeof slice->kernel);
    sgio_dicom_text(set, DICOM_PROTOCOL, slice->protocol, sizeof slice->protocol);
    number(header, DICOM_SERIES_TIME, 0, NAN, &slice->series_time);
    slice->series_number = whole(header, DICOM_SERIES_NUMBER, 0);
    slice->instance_number = whole(header, DICOM_INSTANCE_NUMBER, 0);
    const char *type = slice->image_type;
    slice->attributes[SGIO_DICOM_IMAGE_TYPE] =
        (double)crc32(0, (const Bytef *)type, (uInt)strlen(type));
    for (int i = 1; i < SGIO_DICOM_ATTRIBUTES; i++)
        number(header, tags[i - 1], 0, NAN, &slice->attributes[i]);
}

static sgio_status read_header(const header *header)
{
    sgio_dicom_slice *slice = header->slice;
    snprintf(slice->transfer_syntax, sizeof slice->transfer_syntax, "%s",
             sgio_dicom_transfer_syntax(header->set->file));
    read_identity(header);
    read_pixel_description(header);
    sgio_status status = check_object(header);
    if (status == SGIO_OK) status = check_pixels(slice);
    if (status == SGIO_OK) status = check_length(header);
    if (status == SGIO_OK) status = read_plane(header);
    if (status == SGIO_OK) status = read_values(header);
    return status;
}

static sgio_status read_file(const char *path, sgio_dicom_slice *slice)
{
    sgio_dicom_file *file;
    sgio_dicom_set set;
    sgio_status status = sgio_dicom_open(path, 0, &file);
    if (status != SGIO_OK) return status;
    slice->path = strdup(path);
    if (!slice->path) status = sgio_fail_memory(strlen(path), path);
    if (status == SGIO_OK) {
        const header header = {&set, slice};
        status = sgio_dicom_read_set(file, &set);
        sgio_dicom_text(&set, DICOM_SERIES_INSTANCE, slice->series_uid, sizeof slice->series_uid);
        if (status == SGIO_OK) status = read_header(&header);
        sgio_dicom_set_clear(&set);
    }
    sgio_dicom_close(file);
    return status;
}

sgio_status sgio_dicom_read_header(const char *path, sgio_dicom_slice *slice)
{
    memset(slice, 0, sizeof *slice);
    sgio_status status = read_file(path, slice);
    if (status == SGIO_OK) return SGIO_OK;
    free(slice->path);
    slice->path = NULL;
    return status;
}
