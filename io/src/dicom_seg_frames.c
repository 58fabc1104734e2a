#include "dicom_seg.h"

#include "byte_source.h"
#include "io_status.h"
#include "vectors.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_FRAMES = 1 << 20 };

static sgio_status refuse(const sgio_seg_file *seg, const char *why)
{
    return sgio_fail(SGIO_UNREADABLE, "%s: not readable as DICOM SEG: %s",
                     sgio_dicom_path(seg->file), why);
}

static int numbers(const sgio_dicom_set *set, enum sgio_dicom_tag tag, int count, double *out)
{
    for (int i = 0; i < count; i++) {
        sgio_dicom_found found = sgio_dicom_number(set, tag, i, &out[i]);
        if (found != SGIO_DICOM_NUMBER && found != SGIO_DICOM_COMMA) return 0;
    }
    return 1;
}

static int whole(const sgio_dicom_set *set, enum sgio_dicom_tag tag, int fallback)
{
    double value;
    int found = numbers(set, tag, 1, &value) && value >= -1e9 && value <= 1e9;
    return found ? (int)value : fallback;
}

/* Of length 1, as those of volumes: three decimals of a cosine may lack a pixel's tenth at the end
 * of a row. */
static sgio_status read_orientation(void *user, const sgio_dicom_set *item)
{
    sgio_seg_file *seg = user;
    double cosines[6];
    if (!numbers(item, DICOM_ORIENTATION, 6, cosines)) return SGIO_OK;
    memcpy(seg->row, cosines, sizeof seg->row);
    memcpy(seg->column, cosines + 3, sizeof seg->column);
    sgio_normalise(seg->row);
    sgio_normalise(seg->column);
    return SGIO_OK;
}

static sgio_status read_measures(void *user, const sgio_dicom_set *item)
{
    sgio_seg_file *seg = user;
    double spacing[2];
    if (numbers(item, DICOM_PIXEL_SPACING, 2, spacing)) {
        seg->row_spacing = spacing[0];
        seg->column_spacing = spacing[1];
    }
    if (!numbers(item, DICOM_SPACING_BETWEEN, 1, &seg->between) &&
        !numbers(item, DICOM_SLICE_THICKNESS, 1, &seg->between))
        seg->between = 0;
    return SGIO_OK;
}

/* What frames say each, or share. */
typedef struct frame_reader {
    sgio_seg_file *seg;
    sgio_seg_frame frame; /* of the shared groups first, then of each frame */
    int has_position, has_segment;
} frame_reader;

static sgio_status read_position(void *user, const sgio_dicom_set *item)
{
    frame_reader *reader = user;
    if (numbers(item, DICOM_POSITION, 3, reader->frame.position)) reader->has_position = 1;
    return SGIO_OK;
}

static sgio_status read_segment(void *user, const sgio_dicom_set *item)
{
    frame_reader *reader = user;
    reader->frame.segment = whole(item, DICOM_SEGMENT_REFERENCE, 0);
    reader->has_segment = reader->frame.segment > 0;
    return SGIO_OK;
}

static sgio_status read_groups(void *user, const sgio_dicom_set *groups)
{
    frame_reader *reader = user;
    sgio_seg_file *seg = reader->seg;
    sgio_status status = sgio_dicom_for_items(groups, DICOM_PLANE_POSITIONS, read_position, reader);
    if (status == SGIO_OK)
        status = sgio_dicom_for_items(groups, DICOM_SEGMENT_IDENTIFICATION, read_segment, reader);
    if (status == SGIO_OK)
        status = sgio_dicom_for_items(groups, DICOM_PLANE_ORIENTATIONS, read_orientation, seg);
    if (status == SGIO_OK)
        status = sgio_dicom_for_items(groups, DICOM_PIXEL_MEASURES, read_measures, seg);
    return status;
}

static sgio_status read_frame(void *user, const sgio_dicom_set *groups)
{
    frame_reader *reader = user;
    sgio_seg_file *seg = reader->seg;
    frame_reader own = *reader;
    double row[3], column[3];
    memcpy(row, seg->row, sizeof row);
    memcpy(column, seg->column, sizeof column);
    sgio_status status = read_groups(&own, groups);
    if (status != SGIO_OK) return status;
    if (seg->count > 0 &&
        (memcmp(row, seg->row, sizeof row) != 0 || memcmp(column, seg->column, sizeof column) != 0))
        return refuse(seg, "its frames have different orientations");
    if (!own.has_position) return refuse(seg, "a frame has no position");
    if (!own.has_segment && seg->bits == 1) return refuse(seg, "a frame names no segment");
    double most;
    if (!numbers(&seg->set, DICOM_FRAMES, 1, &most) || seg->count >= most)
        return refuse(seg, "it describes more frames than it has");
    seg->frames[seg->count++] = own.frame;
    return SGIO_OK;
}

static sgio_status read_frames(sgio_seg_file *seg)
{
    frame_reader reader = {.seg = seg};
    int frames = whole(&seg->set, DICOM_FRAMES, 0);
    if (frames < 1 || frames > MOST_FRAMES) return refuse(seg, "its number of frames");
    seg->frames = calloc((size_t)frames, sizeof *seg->frames);
    if (!seg->frames)
        return sgio_fail_memory((size_t)frames * sizeof *seg->frames, sgio_dicom_path(seg->file));
    sgio_status status = sgio_dicom_for_items(&seg->set, DICOM_SHARED_GROUPS, read_groups, &reader);
    if (status == SGIO_OK)
        status = sgio_dicom_for_items(&seg->set, DICOM_FRAME_GROUPS, read_frame, &reader);
    if (status != SGIO_OK) return status;
    if (seg->count != (size_t)frames) return refuse(seg, "it describes fewer frames than it has");
    int has_plane = seg->row_spacing > 0 && seg->column_spacing > 0;
    return has_plane ? SGIO_OK : refuse(seg, "no pixel spacing");
}

static sgio_status read_kind(sgio_seg_file *seg)
{
    char sop_class[65], kind[17];
    sgio_dicom_text(&seg->set, DICOM_SOP_CLASS, sop_class, sizeof sop_class);
    sgio_dicom_text(&seg->set, DICOM_SEGMENTATION_TYPE, kind, sizeof kind);
    seg->rows = whole(&seg->set, DICOM_ROWS, 0);
    seg->columns = whole(&seg->set, DICOM_COLUMNS, 0);
    seg->bits = whole(&seg->set, DICOM_BITS_ALLOCATED, 0);
    seg->is_fractional = strcmp(kind, "FRACTIONAL") == 0;
    seg->most = whole(&seg->set, DICOM_MAXIMUM_FRACTION, 255);
    if (seg->rows < 1 || seg->columns < 1 || seg->rows > 65535 || seg->columns > 65535)
        return refuse(seg, "its size");
    if (!strcmp(sop_class, SGIO_DICOM_LABELMAP_CLASS))
        return seg->bits == 8 || seg->bits == 16 ? SGIO_OK : refuse(seg, "its bits");
    if (seg->is_fractional) return seg->bits == 8 ? SGIO_OK : refuse(seg, "its bits");
    return seg->bits == 1 ? SGIO_OK : refuse(seg, "its bits");
}

static sgio_status find_pixels(sgio_seg_file *seg)
{
    const sgio_dicom_element *element = sgio_dicom_find(&seg->set, DICOM_PIXELS);
    uint64_t bits = (uint64_t)seg->rows * (uint64_t)seg->columns * (uint64_t)seg->bits;
    if (!element) return refuse(seg, "no pixels");
    if (element->open_length) return refuse(seg, "its pixels are compressed");
    if (bits > UINT64_MAX / 8 / seg->count) return refuse(seg, "its size");
    uint64_t wanted = (bits * seg->count + 7) / 8;
    seg->pixels = element->at;
    if (sgio_dicom_available(seg->file, element->at, element->length) < wanted)
        return refuse(seg, "its pixels are cut off");
    return SGIO_OK;
}

/* Of deflated files: what their length can hold, up to the 4 GiB of an element. */
static uint64_t most_pixels(const char *path)
{
    static const uint64_t most = UINT32_MAX;
    uint64_t bytes = 0;
    if (sgio_file_bytes(path, &bytes) != SGIO_OK) return 0;
    return bytes < most / SGIO_DEFLATE_MAX_RATIO ? bytes * SGIO_DEFLATE_MAX_RATIO : most;
}

sgio_status sgio_seg_open(const char *path, sgio_seg_file *seg)
{
    memset(seg, 0, sizeof *seg);
    sgio_status status = sgio_dicom_open(path, most_pixels(path), &seg->file);
    if (status == SGIO_OK) status = sgio_dicom_read_set(seg->file, &seg->set);
    if (status == SGIO_OK) status = read_kind(seg);
    if (status == SGIO_OK) status = read_frames(seg);
    if (status == SGIO_OK) status = find_pixels(seg);
    return status;
}

void sgio_seg_close(sgio_seg_file *seg)
{
    free(seg->frames);
    sgio_dicom_set_clear(&seg->set);
    sgio_dicom_close(seg->file);
    memset(seg, 0, sizeof *seg);
}

/* Bits of binary frames follow one another without padding, the lowest of a byte first. */
static void unpack(const unsigned char *bytes, size_t skip, size_t count, uint16_t *values)
{
    for (size_t i = 0; i < count; i++)
        values[i] = bytes[(skip + i) / 8] >> (skip + i) % 8 & 1;
}

static void widen(const sgio_seg_file *seg, const unsigned char *bytes, size_t count,
                  uint16_t *values)
{
    int big = sgio_dicom_find(&seg->set, DICOM_PIXELS)->encoding.big_endian;
    for (size_t i = 0; i < count; i++) {
        if (seg->bits == 8)
            values[i] = bytes[i];
        else
            values[i] =
                (uint16_t)(bytes[2 * i + (big ? 1 : 0)] | bytes[2 * i + (big ? 0 : 1)] << 8);
        if (seg->is_fractional) values[i] = 2 * values[i] >= seg->most;
    }
}

int sgio_seg_read_frame(sgio_seg_file *seg, size_t n, uint16_t *values)
{
    size_t count = (size_t)seg->rows * (size_t)seg->columns;
    uint64_t first = (uint64_t)n * count * (uint64_t)seg->bits,
             last = first + count * (uint64_t)seg->bits;
    size_t bytes = (size_t)((last + 7) / 8 - first / 8);
    unsigned char *stored = malloc(bytes);
    int failed = !stored || sgio_dicom_copy(seg->file, seg->pixels + first / 8, bytes, stored) != 0;
    if (!failed && seg->bits == 1) unpack(stored, (size_t)(first % 8), count, values);
    if (!failed && seg->bits > 1) widen(seg, stored, count, values);
    free(stored);
    return failed ? -1 : 0;
}
