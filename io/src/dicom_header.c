/* What one DICOM image says of itself before its pixels. */
#include "byte_source.h"
#include "dicom_enhanced.h"
#include "dicom_groups.h"
#include "dicom_header_parts.h"
#include "dicom_tomographic.h"
#include "dicom_toolkit.h"
#include "io_status.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 65535, MOST_FRAMES = 1000000, MOST_FRAMES_IN_SPACE = 65536 };
static const size_t most_pixel_bytes = (size_t)1 << 30; /* of one slice */

static const char *kind_of_object(const sgio_dicom_header *header)
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

/* Objects whose frames follow one another in time where they do not say where they lie: ultrasound,
 * endoscopy, what a frame grabber captured. */
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

static sgio_status refuse_frames(const sgio_dicom_header *header, const char *why)
{
    const sgio_dicom_slice *slice = header->slice;
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: multi-frame DICOM (%s, %d frames) %s is not supported; convert it to "
                     "NIfTI or to single frames first",
                     slice->path, kind_of_object(header), slice->stored_frames, why);
}

/* Frames that say where they lie are slices, others of some kinds follow one another in time. Big
 * endian is retired, and odd frames of bytes in words would straddle them there. */
static sgio_status check_frames(const sgio_dicom_header *header, const char *sop_class)
{
    sgio_dicom_slice *slice = header->slice;
    int in_space;
    sgio_status status = sgio_dicom_frames_have_places(header->set, &in_space);
    if (status != SGIO_OK || slice->stored_frames == 1) return status;
    in_space = in_space || sgio_dicom_is_tomographic(header->set);
    if (!in_space && !is_sequence(sop_class))
        return refuse_frames(header, "whose frames do not say where they lie");
    if (slice->stored_frames > (in_space ? MOST_FRAMES_IN_SPACE : MOST_FRAMES))
        return refuse_frames(header, "of so many frames");
    if (!in_space) slice->frames = slice->stored_frames;
    if (strcmp(slice->transfer_syntax, "1.2.840.10008.1.2.2") == 0)
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: %d frames in big endian are not supported; dcmconv +te makes little "
                         "endian of them",
                         slice->path, slice->stored_frames);
    return SGIO_OK;
}

/* Objects with rows and columns that are no pictures; NULL for all others. */
static const char *other_object(const char *sop_class)
{
    static const struct {
        const char *sop_class, *name;
    } others[] = {
        {"1.2.840.10008.5.1.4.1.1.66.4", "a DICOM segmentation"},
        {"1.2.840.10008.5.1.4.1.1.66.7", "a DICOM segmentation (label map)"},
        {"1.2.840.10008.5.1.4.1.1.30", "a parametric map"},
        {"1.2.840.10008.5.1.4.1.1.481.2", "a radiotherapy dose"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(others[i].sop_class, sop_class) == 0) return others[i].name;
    return NULL;
}

/* What volumes are made of: images of one frame, of frames in space, or sequences, with a decoder.
 */
static sgio_status check_object(const sgio_dicom_header *header, sgio_dicom_about *about)
{
    const sgio_dicom_slice *slice = header->slice;
    const char *path = slice->path;
    char sop_class[80];
    sgio_dicom_text(header->set, DICOM_SOP_CLASS, sop_class, sizeof sop_class);
    about->no_image = 1;
    const char *other = other_object(sop_class);
    if (other) return sgio_fail(SGIO_UNREADABLE, "%s: %s, not an image", path, other);
    if (sgio_dicom_find(header->set, DICOM_DIRECTORY_RECORDS))
        return sgio_fail(SGIO_UNREADABLE, "%s: a DICOM directory record, not an image", path);
    if (slice->rows <= 0 || slice->columns <= 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: DICOM without an image (%s)", path,
                         kind_of_object(header));
    about->no_image = 0;
    sgio_status status = check_frames(header, sop_class);
    if (status != SGIO_OK) return status;
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
static sgio_status check_length(const sgio_dicom_header *header)
{
    const sgio_dicom_slice *slice = header->slice;
    size_t bytes = sgio_dicom_pixel_bytes(slice), frames = (size_t)slice->stored_frames;
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

static void read_pixel_description(const sgio_dicom_header *header)
{
    sgio_dicom_slice *slice = header->slice;
    slice->rows = sgio_header_whole(header, DICOM_ROWS, 0);
    slice->columns = sgio_header_whole(header, DICOM_COLUMNS, 0);
    slice->samples = sgio_header_whole(header, DICOM_SAMPLES, 1);
    slice->frames = 1;
    slice->stored_frames = sgio_header_whole(header, DICOM_FRAMES, 1);
    if (slice->stored_frames < 1) slice->stored_frames = 1;
    slice->planar = sgio_header_whole(header, DICOM_PLANAR, 0) == 1;
    slice->bits_allocated = sgio_header_whole(header, DICOM_BITS_ALLOCATED, 0);
    slice->bits_stored = sgio_header_whole(header, DICOM_BITS_STORED, slice->bits_allocated);
    slice->high_bit = sgio_header_whole(header, DICOM_HIGH_BIT, slice->bits_stored - 1);
    slice->is_signed = sgio_header_whole(header, DICOM_PIXEL_SIGN, 0) == 1;
    sgio_dicom_text(header->set, DICOM_PHOTOMETRIC, slice->photometric, sizeof slice->photometric);
}

/* Ultrasound has its scale in regions, in centimetres (PS3.3 C.8.5.5). One region says it for the
 * picture; several may differ. */
static sgio_status read_region(void *user, const sgio_dicom_set *region)
{
    sgio_dicom_slice *slice = user;
    const sgio_dicom_header inner = {region, slice};
    double x, y, units_x, units_y;
    sgio_header_number(&inner, DICOM_REGION_UNITS_X, 0, 0, &units_x);
    sgio_header_number(&inner, DICOM_REGION_UNITS_Y, 0, 0, &units_y);
    sgio_header_number(&inner, DICOM_REGION_DELTA_X, 0, 0, &x);
    sgio_header_number(&inner, DICOM_REGION_DELTA_Y, 0, 0, &y);
    if (units_x != 3 || units_y != 3 || !(fabs(x) > 0) || !(fabs(y) > 0)) return SGIO_OK;
    slice->has_spacing = ++slice->regions == 1;
    slice->column_spacing = 10 * fabs(x);
    slice->row_spacing = 10 * fabs(y);
    return SGIO_OK;
}

static sgio_status read_spacing(const sgio_dicom_header *header)
{
    sgio_dicom_slice *slice = header->slice;
    sgio_status status = sgio_header_spacing(header, DICOM_PIXEL_SPACING);
    if (status == SGIO_OK && !slice->has_spacing)
        status = sgio_header_spacing(header, DICOM_IMAGER_PIXEL_SPACING);
    if (status != SGIO_OK || slice->has_spacing) return status;
    slice->row_spacing = slice->column_spacing = 1;
    status = sgio_dicom_for_items(header->set, DICOM_REGIONS, read_region, slice);
    if (!slice->has_spacing) slice->row_spacing = slice->column_spacing = 1;
    return status;
}

static sgio_status read_plane(const sgio_dicom_header *header)
{
    sgio_dicom_slice *slice = header->slice;
    int has_position = 0, has_directions = 0;
    sgio_status status = read_spacing(header);
    if (status == SGIO_OK)
        status = sgio_header_vector(header, DICOM_POSITION, 3, slice->position, &has_position);
    if (status == SGIO_OK && has_position)
        status = sgio_header_directions(header, DICOM_ORIENTATION, &has_directions);
    sgio_header_thickness(header);
    slice->has_plane = has_position && has_directions;
    return status;
}

/* Writers mix up US and SS; PixelRepresentation decides what was meant. */
static void read_padding(const sgio_dicom_header *header)
{
    sgio_dicom_slice *slice = header->slice;
    double value;
    slice->has_padding =
        sgio_header_number(header, DICOM_PADDING, 0, 0, &value) && fabs(value) < 65536;
    if (!slice->has_padding) return;
    if (value < 0) value += 65536;
    slice->padding = slice->is_signed ? (double)(int16_t)(uint16_t)value : value;
}

static sgio_status read_values(const sgio_dicom_header *header)
{
    header->slice->has_modality_lut = sgio_dicom_find(header->set, DICOM_MODALITY_LUT) != NULL;
    read_padding(header);
    return sgio_header_rescale(header);
}

static void read_identity(const sgio_dicom_header *header)
{
    const sgio_dicom_set *set = header->set;
    sgio_dicom_slice *slice = header->slice;
    sgio_dicom_text(set, DICOM_SOP_INSTANCE, slice->instance_uid, sizeof slice->instance_uid);
    sgio_dicom_text(set, DICOM_MODALITY, slice->modality, sizeof slice->modality);
    sgio_dicom_text(set, DICOM_SERIES_DESCRIPTION, slice->description, sizeof slice->description);
    sgio_dicom_text(set, DICOM_IMAGE_TYPE, slice->image_type, sizeof slice->image_type);
    sgio_dicom_text(set, DICOM_CONTRAST_AGENT, slice->contrast, sizeof slice->contrast);
    sgio_dicom_text(set, DICOM_KERNEL, slice->kernel, sizeof slice->kernel);
    sgio_dicom_text(set, DICOM_PROTOCOL, slice->protocol, sizeof slice->protocol);
    sgio_header_number(header, DICOM_SERIES_TIME, 0, NAN, &slice->series_time);
    slice->series_number = sgio_header_whole(header, DICOM_SERIES_NUMBER, 0);
    slice->instance_number = sgio_header_whole(header, DICOM_INSTANCE_NUMBER, 0);
    for (int i = 0; i < SGIO_DICOM_ATTRIBUTES; i++)
        slice->attributes[i] = NAN;
    slice->attributes[SGIO_DICOM_IMAGE_TYPE] = sgio_header_checksum(slice->image_type);
    sgio_header_attributes(header);
}

static sgio_status read_header(const sgio_dicom_header *header, sgio_dicom_about *about)
{
    sgio_dicom_slice *slice = header->slice;
    snprintf(slice->transfer_syntax, sizeof slice->transfer_syntax, "%s",
             sgio_dicom_transfer_syntax(header->set->file));
    read_identity(header);
    read_pixel_description(header);
    sgio_status status = check_object(header, about);
    if (status == SGIO_OK) status = check_pixels(slice);
    if (status == SGIO_OK) status = check_length(header);
    if (status == SGIO_OK) status = read_plane(header);
    if (status == SGIO_OK) status = read_values(header);
    return status;
}

static sgio_status add_slices(const sgio_dicom_set *set, const sgio_dicom_slice *slice,
                              sgio_dicom_slices *slices)
{
    const int in_space = slice->frames == 1;
    if (in_space && sgio_dicom_has_groups(set)) return sgio_dicom_add_frames(set, slice, slices);
    if (in_space && slice->stored_frames > 1) return sgio_dicom_add_tomographic(set, slice, slices);
    return sgio_dicom_slices_add(slices, slice);
}

static sgio_status read_set(const sgio_dicom_set *set, const char *path, sgio_dicom_slices *slices,
                            sgio_dicom_about *about)
{
    sgio_dicom_slice slice = {0};
    const sgio_dicom_header header = {set, &slice};
    slice.path = strdup(path);
    if (!slice.path) return sgio_fail_memory(strlen(path), path);
    snprintf(slice.series_uid, sizeof slice.series_uid, "%s", about->series_uid);
    sgio_status status = read_header(&header, about);
    if (status == SGIO_OK) status = add_slices(set, &slice, slices);
    sgio_dicom_slice_clear(&slice);
    return status;
}

sgio_status sgio_dicom_read_header(const char *path, sgio_dicom_slices *slices,
                                   sgio_dicom_about *about)
{
    const size_t before = slices->count;
    sgio_dicom_file *file;
    sgio_dicom_set set;
    memset(about, 0, sizeof *about);
    sgio_status status = sgio_dicom_open(path, 0, &file);
    if (status != SGIO_OK) return status;
    status = sgio_dicom_read_set(file, &set);
    sgio_dicom_text(&set, DICOM_SERIES_INSTANCE, about->series_uid, sizeof about->series_uid);
    if (status == SGIO_OK) status = read_set(&set, path, slices, about);
    if (status != SGIO_OK) sgio_dicom_slices_cut(slices, before);
    sgio_dicom_set_clear(&set);
    sgio_dicom_close(file);
    return status;
}
