/* Pixels of the frames of a DICOM image: found by our own reader of elements, decoded where
 * compressed, and brought into one form. */
#include "dicom_codecs.h"
#include "dicom_fragments.h"
#include "dicom_set.h"
#include "dicom_slice.h"
#include "io_status.h"
#include "voxels.h"

#include <stdlib.h>
#include <string.h>

struct sgio_dicom_pixels {
    const sgio_dicom_slice *slice;
    sgio_dicom_file *file;
    sgio_dicom_element element;     /* its pixel data */
    sgio_dicom_fragments fragments; /* where they are compressed */
    const char *otherwise;          /* how colours are stored, where not as the header says */
};

/* One frame being read. */
typedef struct image {
    const sgio_dicom_slice *slice;
    sgio_dicom_file *file;
    const sgio_dicom_element *element;
    const sgio_dicom_fragments *fragments;
    int frame; /* from 0 */
    void *pixels;
    int is_ybr, is_planar, is_subsampled; /* how colours lie once decoded */
    const char *otherwise;
} image;

static size_t pixel_count(const sgio_dicom_slice *slice)
{
    return (size_t)slice->rows * (size_t)slice->columns;
}

size_t sgio_dicom_pixel_bytes(const sgio_dicom_slice *slice)
{
    return pixel_count(slice) * (size_t)slice->samples * (size_t)(slice->bits_allocated / 8);
}

static int has_syntax(const sgio_dicom_slice *slice, const char *uid)
{
    return strcmp(slice->transfer_syntax, uid) == 0;
}

static int is_rle(const sgio_dicom_slice *slice)
{
    return has_syntax(slice, "1.2.840.10008.1.2.5");
}

static int is_jpeg2000(const sgio_dicom_slice *slice)
{
    return has_syntax(slice, "1.2.840.10008.1.2.4.90") ||
           has_syntax(slice, "1.2.840.10008.1.2.4.91");
}

static int is_compressed(const sgio_dicom_slice *slice)
{
    return is_rle(slice) || strncmp(slice->transfer_syntax, "1.2.840.10008.1.2.4.", 20) == 0;
}

/* YBR_FULL_422 stores two pixels as Y Y Cb Cr. Ultrasound machines declare it and store YBR_FULL: a
 * value that is long enough for that is taken as that. */
static void find_subsampling(image *image)
{
    const sgio_dicom_slice *slice = image->slice;
    const uint64_t full = (uint64_t)sgio_dicom_pixel_bytes(slice) * (uint64_t)slice->stored_frames;
    image->is_subsampled = slice->bits_allocated == 8 && slice->samples == 3 &&
                           strcmp(slice->photometric, "YBR_FULL_422") == 0;
    if (!image->is_subsampled || image->element->open_length || image->element->length < full)
        return;
    image->is_subsampled = 0;
    image->otherwise = "its colours are said to be YBR_FULL_422 and are as many as those of "
                       "YBR_FULL; taken as that";
}

static size_t stored_bytes(const image *image)
{
    if (image->is_subsampled) return 2 * pixel_count(image->slice);
    return sgio_dicom_pixel_bytes(image->slice);
}

static void swap_bytes(unsigned char *bytes, size_t count, size_t width)
{
    for (size_t at = 0; at + width <= count; at += width)
        for (size_t i = 0; i < width / 2; i++) {
            unsigned char kept = bytes[at + i];
            bytes[at + i] = bytes[at + width - 1 - i];
            bytes[at + width - 1 - i] = kept;
        }
}

/* Pixels are in the byte order of the file, single bytes packed into words (OW) included: an odd
 * last byte is then the second one of its word. */
static sgio_status use_native_order(const image *image, size_t bytes)
{
    size_t width = (size_t)image->slice->bits_allocated / 8;
    unsigned char *pixels = image->pixels;
    if (image->element->encoding.big_endian != sgio_little_endian()) return SGIO_OK;
    if (strcmp(image->element->vr, "OB") == 0) return SGIO_OK;
    swap_bytes(pixels, bytes, width > 1 ? width : 2);
    if (bytes & 1 &&
        sgio_dicom_copy(image->file, image->element->at + bytes, 1, pixels + bytes - 1))
        return sgio_fail(SGIO_UNREADABLE, "%s: truncated: its last pixel is cut",
                         image->slice->path);
    return SGIO_OK;
}

static sgio_status read_native(const image *image)
{
    const sgio_dicom_element *element = image->element;
    size_t wanted = stored_bytes(image);
    uint64_t before = (uint64_t)image->frame * wanted, found = 0;
    if (before < element->length)
        found = sgio_dicom_available(image->file, element->at + before, element->length - before);
    if (element->open_length)
        return sgio_fail(SGIO_UNREADABLE, "%s: its pixels are in fragments, but not compressed",
                         image->slice->path);
    if (found < wanted ||
        sgio_dicom_copy(image->file, element->at + before, wanted, image->pixels) != 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: truncated: %llu bytes of pixels, wanted %zu",
                         image->slice->path, (unsigned long long)found, wanted);
    return use_native_order(image, wanted);
}

static sgio_status decode(image *image, const unsigned char *stream, size_t size)
{
    const sgio_dicom_slice *slice = image->slice;
    image->is_planar = 0;
    if (is_rle(slice)) return sgio_rle_decode(slice, stream, size, image->pixels);
    if (is_jpeg2000(slice)) return sgio_jpeg2000_decode(slice, stream, size, image->pixels);
    sgio_jpeg_colours colours = {0};
    const sgio_status status = sgio_jpeg_decode(slice, stream, size, image->pixels, &colours);
    image->is_ybr = colours.are_ybr;
    image->is_planar = colours.are_planar;
    if (colours.said_rgb)
        image->otherwise =
            "its colours are said to be RGB and are YCbCr in its JPEG; taken as that";
    return status;
}

static sgio_status read_compressed(image *image)
{
    unsigned char *stream = NULL;
    size_t size = 0;
    sgio_status status =
        sgio_dicom_join_fragments(image->fragments, (size_t)image->frame, &stream, &size);
    if (status == SGIO_OK) status = decode(image, stream, size);
    free(stream);
    return status;
}

/* Three planes to triples; `width` bytes a sample. */
static sgio_status interleave(const image *image, size_t width)
{
    size_t count = pixel_count(image->slice), bytes = 3 * count * width;
    unsigned char *planes = malloc(bytes), *to = image->pixels;
    if (!planes) return sgio_fail_memory(bytes, image->slice->path);
    memcpy(planes, to, bytes);
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < 3; c++)
            memcpy(to + (3 * i + c) * width, planes + (c * count + i) * width, width);
    free(planes);
    return SGIO_OK;
}

/* In place from the back: pixel pairs need 4 bytes stored and 6 expanded. */
static void expand_422(const sgio_dicom_slice *slice, uint8_t *pixels)
{
    for (size_t pair = pixel_count(slice) / 2; pair-- > 0;) {
        const uint8_t *from = pixels + 4 * pair;
        const uint8_t y0 = from[0], y1 = from[1], cb = from[2], cr = from[3];
        const uint8_t expanded[6] = {y0, cb, cr, y1, cb, cr};
        memcpy(pixels + 6 * pair, expanded, sizeof expanded);
    }
}

static uint8_t clamp(double value)
{
    return (uint8_t)(value < 0 ? 0 : value > 254.5 ? 255 : value + 0.5);
}

/* PS3.3 C.7.6.3.1.2 (the ITU-R BT.601 matrix at full range). */
static void ybr_to_rgb(size_t count, uint8_t *pixels)
{
    for (size_t i = 0; i < count; i++, pixels += 3) {
        const double y = pixels[0], cb = pixels[1] - 128.0, cr = pixels[2] - 128.0;
        pixels[0] = clamp(y + 1.402 * cr);
        pixels[1] = clamp(y - 0.344136 * cb - 0.714136 * cr);
        pixels[2] = clamp(y + 1.772 * cb);
    }
}

static sgio_status finish_colour(const image *image)
{
    const sgio_dicom_slice *slice = image->slice;
    if (slice->bits_allocated == 16 && image->is_ybr)
        return sgio_fail(SGIO_UNREADABLE, "%s: 16-bit YBR colour is not supported", slice->path);
    if (image->is_subsampled) expand_422(slice, image->pixels);
    sgio_status status = SGIO_OK;
    if (image->is_planar) status = interleave(image, (size_t)slice->bits_allocated / 8);
    if (status == SGIO_OK && image->is_ybr) ybr_to_rgb(pixel_count(slice), image->pixels);
    return status;
}

/* Bits outside the stored ones hold overlays in old files; the sign bit is the highest stored one.
 */
static int64_t stored_value(const sgio_dicom_slice *slice, uint32_t value)
{
    int low = slice->high_bit + 1 - slice->bits_stored;
    uint64_t mask = ((uint64_t)1 << slice->bits_stored) - 1;
    uint64_t kept = ((uint64_t)value >> low) & mask;
    int64_t sign = slice->is_signed ? (int64_t)1 << (slice->bits_stored - 1) : 0;
    return ((int64_t)kept ^ sign) - sign;
}

static void reduce_bits(const sgio_dicom_slice *slice, void *pixels)
{
    size_t count = pixel_count(slice) * (size_t)slice->samples;
    if (slice->bits_stored == slice->bits_allocated) return;
    for (size_t i = 0; i < count; i++) {
        if (slice->bits_allocated == 8)
            ((uint8_t *)pixels)[i] = (uint8_t)stored_value(slice, ((uint8_t *)pixels)[i]);
        else if (slice->bits_allocated == 16)
            ((uint16_t *)pixels)[i] = (uint16_t)stored_value(slice, ((uint16_t *)pixels)[i]);
        else
            ((uint32_t *)pixels)[i] = (uint32_t)stored_value(slice, ((uint32_t *)pixels)[i]);
    }
}

static sgio_status read_image(image *image)
{
    const sgio_dicom_slice *slice = image->slice;
    int compressed = is_compressed(slice);
    image->is_ybr = strncmp(slice->photometric, "YBR_FULL", 8) == 0;
    if (!compressed) find_subsampling(image);
    image->is_planar = slice->planar && !image->is_subsampled;
    sgio_status status = compressed ? read_compressed(image) : read_native(image);
    if (status != SGIO_OK) return status;
    if (slice->samples == 3) return finish_colour(image);
    reduce_bits(slice, image->pixels);
    return SGIO_OK;
}

static sgio_status find_element(sgio_dicom_pixels *pixels)
{
    sgio_dicom_cursor cursor;
    int more;
    sgio_dicom_begin(pixels->file, &cursor);
    while ((more = sgio_dicom_next(pixels->file, &cursor, &pixels->element)) > 0 &&
           pixels->element.tag != (uint32_t)DICOM_PIXELS) {
    }
    if (more > 0) return SGIO_OK;
    if (more < 0) return SGIO_UNREADABLE;
    return sgio_fail(SGIO_UNREADABLE, "%s: DICOM without pixels", pixels->slice->path);
}

static sgio_status find_pixels(sgio_dicom_pixels *pixels)
{
    const sgio_dicom_slice *slice = pixels->slice;
    const uint64_t bytes = (uint64_t)sgio_dicom_pixel_bytes(slice) * (uint64_t)slice->stored_frames;
    sgio_status status = sgio_dicom_open(slice->path, bytes, &pixels->file);
    if (status == SGIO_OK) status = find_element(pixels);
    if (status != SGIO_OK || !is_compressed(slice)) return status;
    return sgio_dicom_find_fragments(pixels->file, &pixels->element, (size_t)slice->stored_frames,
                                     &pixels->fragments);
}

sgio_status sgio_dicom_pixels_open(const sgio_dicom_slice *slice, sgio_dicom_pixels **out)
{
    sgio_dicom_pixels *pixels = calloc(1, sizeof *pixels);
    *out = NULL;
    if (!pixels) return sgio_fail_memory(sizeof *pixels, slice->path);
    pixels->slice = slice;
    sgio_status status = find_pixels(pixels);
    if (status == SGIO_OK)
        *out = pixels;
    else
        sgio_dicom_pixels_close(pixels);
    return status;
}

sgio_status sgio_dicom_pixels_read(sgio_dicom_pixels *pixels, int frame, void *to)
{
    image image = {.slice = pixels->slice,
                   .file = pixels->file,
                   .element = &pixels->element,
                   .fragments = &pixels->fragments,
                   .frame = frame,
                   .pixels = to};
    const sgio_status status = read_image(&image);
    pixels->otherwise = image.otherwise;
    return status;
}

const char *sgio_dicom_pixels_otherwise(const sgio_dicom_pixels *pixels)
{
    return pixels->otherwise;
}

void sgio_dicom_pixels_close(sgio_dicom_pixels *pixels)
{
    if (!pixels) return;
    sgio_dicom_fragments_clear(&pixels->fragments);
    sgio_dicom_close(pixels->file);
    free(pixels);
}
