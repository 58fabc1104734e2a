/* Pixels of one frame of a DICOM image: found by our own reader of elements, decoded where
 * compressed, and brought into one form. */
#include "dicom_codecs.h"
#include "dicom_set.h"
#include "dicom_slice.h"
#include "io_status.h"
#include "voxels.h"

#include <stdlib.h>
#include <string.h>

/* One image being read. */
typedef struct image {
    const sgio_dicom_slice *slice;
    sgio_dicom_file *file;
    const sgio_dicom_element *element; /* its pixel data */
    int frame;                         /* the one that is wanted, from 0 */
    void *pixels;
    int is_ybr, is_planar, is_subsampled; /* how colours lie once decoded */
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

/* YBR_FULL_422 stores two pixels as Y Y Cb Cr. */
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

static sgio_status no_fragments(const image *image)
{
    return sgio_fail(SGIO_UNREADABLE, "%s: compressed pixels without a code stream",
                     image->slice->path);
}

/* Where the code stream of the wanted frame lies among the fragments. */
typedef struct stretch {
    uint64_t from, to; /* of offsets behind the offset table; an item belongs if it begins here */
} stretch;

static uint32_t little_32(const unsigned char *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Entry `number` of the offset table (PS3.5 A.4): where that frame's first item begins. */
static int offset_of(const image *image, const sgio_dicom_cursor *table, int number, uint64_t *out)
{
    unsigned char bytes[4];
    if (number >= image->slice->frames) {
        *out = UINT64_MAX;
        return 0;
    }
    if (sgio_dicom_copy(image->file, table->at + 4 * (uint64_t)number, 4, bytes) != 0) return -1;
    *out = little_32(bytes);
    return 0;
}

static size_t count_items(const image *image)
{
    sgio_dicom_cursor items, item;
    size_t count = 0;
    sgio_dicom_enter(image->element, &items);
    while (sgio_dicom_next_item(image->file, &items, &item) > 0)
        count++;
    return count;
}

enum { ITEM_HEADER = 8 };

/* By the offset table where it names every frame; else each frame must be one fragment. `number` is
 * the item's, counted from the table, which is 0. */
static sgio_status find_stretch(const image *image, const sgio_dicom_cursor *table, stretch *out,
                                int *one_each)
{
    const size_t frames = (size_t)image->slice->frames;
    *out = (stretch){0, UINT64_MAX};
    *one_each = 0;
    if (frames == 1) return SGIO_OK;
    if (table->end - table->at == 4 * (uint64_t)frames &&
        offset_of(image, table, image->frame, &out->from) == 0 &&
        offset_of(image, table, image->frame + 1, &out->to) == 0 && out->from < out->to)
        return SGIO_OK;
    *out = (stretch){0, UINT64_MAX};
    *one_each = count_items(image) == frames + 1;
    if (*one_each) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: nothing says which of its fragments belong to which of %zu frames",
                     image->slice->path, frames);
}

/* The fragments of the wanted frame, joined in *stream (malloc'ed); the first item is the offset
 * table. */
static sgio_status join_fragments(const image *image, unsigned char **stream, size_t *size)
{
    sgio_dicom_cursor items, item;
    stretch wanted = {0, UINT64_MAX};
    uint64_t begin = 0;
    size_t number = 0;
    int more, one_each = 0;
    uint64_t room = sgio_dicom_available(image->file, image->element->at, UINT64_MAX);
    *size = 0;
    if (!image->element->open_length || room == 0) return no_fragments(image);
    *stream = malloc(room);
    if (!*stream) return sgio_fail_memory(room, image->slice->path);
    sgio_dicom_enter(image->element, &items);
    while ((more = sgio_dicom_next_item(image->file, &items, &item)) > 0) {
        size_t bytes = (size_t)(item.end - item.at);
        if (number++ == 0) {
            sgio_status status = find_stretch(image, &item, &wanted, &one_each);
            if (status != SGIO_OK) return status;
            begin = item.end;
            continue;
        }
        const uint64_t offset = item.at - ITEM_HEADER - begin;
        if (one_each && number != (size_t)image->frame + 2) continue;
        if (offset < wanted.from || offset >= wanted.to) continue;
        if (sgio_dicom_copy(image->file, item.at, bytes, *stream + *size) != 0) break;
        *size += bytes;
    }
    if (more < 0) return SGIO_UNREADABLE;
    return more > 0 || *size == 0 ? no_fragments(image) : SGIO_OK;
}

static sgio_status decode(image *image, const unsigned char *stream, size_t size)
{
    const sgio_dicom_slice *slice = image->slice;
    image->is_planar = 0;
    if (is_rle(slice)) return sgio_rle_decode(slice, stream, size, image->pixels);
    if (is_jpeg2000(slice)) return sgio_jpeg2000_decode(slice, stream, size, image->pixels);
    return sgio_jpeg_decode(slice, stream, size, image->pixels, &image->is_ybr, &image->is_planar);
}

static sgio_status read_compressed(image *image)
{
    unsigned char *stream = NULL;
    size_t size = 0;
    sgio_status status = join_fragments(image, &stream, &size);
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
    image->is_subsampled = !compressed && slice->bits_allocated == 8 && slice->samples == 3 &&
                           strcmp(slice->photometric, "YBR_FULL_422") == 0;
    image->is_planar = slice->planar && !image->is_subsampled;
    sgio_status status = compressed ? read_compressed(image) : read_native(image);
    if (status != SGIO_OK) return status;
    if (slice->samples == 3) return finish_colour(image);
    reduce_bits(slice, image->pixels);
    return SGIO_OK;
}

static sgio_status read_element(const sgio_dicom_slice *slice, int frame, sgio_dicom_file *file,
                                void *pixels)
{
    sgio_dicom_cursor cursor;
    sgio_dicom_element element;
    int more;
    sgio_dicom_begin(file, &cursor);
    while ((more = sgio_dicom_next(file, &cursor, &element)) > 0 &&
           element.tag != (uint32_t)DICOM_PIXELS) {
    }
    if (more < 0) return SGIO_UNREADABLE;
    if (more == 0) return sgio_fail(SGIO_UNREADABLE, "%s: DICOM without pixels", slice->path);
    image image = {slice, file, &element, frame, pixels, 0, 0, 0};
    return read_image(&image);
}

sgio_status sgio_dicom_read_pixels(const sgio_dicom_slice *slice, int frame, void *pixels)
{
    sgio_dicom_file *file;
    const uint64_t bytes = (uint64_t)sgio_dicom_pixel_bytes(slice) * (uint64_t)slice->frames;
    sgio_status status = sgio_dicom_open(slice->path, bytes, &file);
    if (status != SGIO_OK) return status;
    status = read_element(slice, frame, file, pixels);
    sgio_dicom_close(file);
    return status;
}
