/* DICOM Segmentation, binary (PS3.3 A.51): one frame per segment and source slice that has
 * something, on the source's own slices. The file is read back before it replaces anything. */
#include "dicom_reference.h"
#include "dicom_seg.h"

#include "colour_lab.h"
#include "io_status.h"
#include "segmentation_parts.h"
#include "text_number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Tags of the object, PS3.6. */
enum {
    SOURCE_IMAGES = 0x00082112,
    DERIVATION_CODE = 0x00089215,
    PURPOSE = 0x0040a170,
    PLANE_POSITION = 0x00209113,
    SEGMENT_IDENTIFICATION = 0x0062000a,
    REFERENCED_SEGMENT = 0x0062000b
};

typedef struct frame {
    size_t segment; /* index */
    size_t slice;   /* index into the reference */
} frame;

typedef struct seg_job {
    const sgio_label_job *job;
    const sgio_segmentation *from;
    sgio_dicom_reference reference;
    frame *frames;
    size_t count;
    sgio_dicom_writer out;
    char instance[SGIO_DICOM_UID_BYTES];
    size_t slice_voxels;
} seg_job;

static int label_at(const seg_job *seg, size_t s, size_t voxel)
{
    const sgio_segment *segment = &seg->from->segments[s];
    return sgio_layer_value(&seg->from->layers[segment->layer], voxel) == segment->label;
}

static int has_voxel(const seg_job *seg, size_t s, int64_t k)
{
    const sgio_segment *segment = &seg->from->segments[s];
    if (segment->voxels == 0 || k < segment->extent[4] || k > segment->extent[5]) return 0;
    size_t start = (size_t)k * seg->slice_voxels;
    for (size_t i = 0; i < seg->slice_voxels; i++)
        if (label_at(seg, s, start + i)) return 1;
    return 0;
}

static sgio_status find_frames(seg_job *seg)
{
    size_t slices = seg->reference.count, most = slices * seg->from->segment_count;
    seg->frames = malloc((most + 1) * sizeof *seg->frames);
    if (!seg->frames) return sgio_fail_memory(most * sizeof *seg->frames, seg->job->path);
    for (size_t s = 0; s < seg->from->segment_count; s++)
        for (size_t i = 0; i < slices; i++)
            if (has_voxel(seg, s, seg->reference.slices[i].k))
                seg->frames[seg->count++] = (frame){s, i};
    if (seg->count > 0) return SGIO_OK;
    return sgio_fail(SGIO_UNWRITABLE,
                     "%s: nothing was segmented, and a DICOM SEG without a frame is none",
                     seg->job->path);
}

/* 1 when two segments share a voxel: they are then in different layers. */
static int segments_overlap(const sgio_segmentation *from)
{
    size_t voxels = sgio_voxel_count(&from->geometry);
    for (size_t a = 0; a < from->layer_count; a++)
        for (size_t b = a + 1; b < from->layer_count; b++)
            for (size_t i = 0; i < voxels; i++)
                if (sgio_layer_value(&from->layers[a], i) && sgio_layer_value(&from->layers[b], i))
                    return 1;
    return 0;
}

static void text(seg_job *seg, uint32_t tag, const char *vr, const char *value)
{
    sgio_dicom_write_text(&seg->out, tag, vr, value);
}

static void copy(seg_job *seg, uint32_t tag, const char *vr)
{
    sgio_dicom_copy_text(&seg->out, &seg->reference, tag, vr);
}

static void number(seg_job *seg, uint32_t tag, unsigned value)
{
    const uint16_t stored = (uint16_t)value;
    sgio_dicom_write_u16(&seg->out, tag, 1, &stored);
}

/* Common Instance Reference: every instance, by series (slices of one series need not be neighbours
 * where several were joined). */
static void write_references(seg_job *seg)
{
    const sgio_dicom_reference *reference = &seg->reference;
    sgio_dicom_open_sequence(&seg->out, 0x00081115);
    for (size_t i = 0; i < reference->count; i++) {
        const char *series = reference->slices[i].series;
        if (!sgio_dicom_begins_series(reference, i)) continue;
        sgio_dicom_open_item(&seg->out);
        sgio_dicom_open_sequence(&seg->out, 0x0008114a);
        for (size_t j = i; j < reference->count; j++) {
            if (strcmp(reference->slices[j].series, series) != 0) continue;
            if (!sgio_dicom_begins_instance(reference, j)) continue;
            sgio_dicom_open_item(&seg->out);
            sgio_dicom_name_source(&seg->out, &reference->slices[j], 0);
            sgio_dicom_close_item(&seg->out);
        }
        sgio_dicom_close_sequence(&seg->out);
        text(seg, 0x0020000e, "UI", series);
        sgio_dicom_close_item(&seg->out);
    }
    sgio_dicom_close_sequence(&seg->out);
}

/* Groups 8 to 18. */
static void write_identity(seg_job *seg, const char *date, const char *time)
{
    sgio_dicom_write_character_set(&seg->out, &seg->reference);
    text(seg, 0x00080008, "CS", "DERIVED\\PRIMARY");
    text(seg, 0x00080016, "UI", SGIO_DICOM_SEG_CLASS);
    text(seg, 0x00080018, "UI", seg->instance);
    copy(seg, 0x00080020, "DA");
    text(seg, 0x00080023, "DA", date);
    copy(seg, 0x00080030, "TM");
    text(seg, 0x00080033, "TM", time);
    copy(seg, 0x00080050, "SH");
    text(seg, 0x00080060, "CS", "SEG");
    text(seg, 0x00080070, "LO", "PromptSeg");
    copy(seg, 0x00080090, "PN");
    sgio_dicom_copy_optional(&seg->out, &seg->reference, 0x00081030, "LO");
    text(seg, 0x0008103e, "LO", "PromptSeg segmentation");
    text(seg, 0x00081090, "LO", "PromptSeg");
    write_references(seg);
    sgio_dicom_copy_patient(&seg->out, &seg->reference);
    text(seg, 0x00181000, "LO", "1");
    text(seg, 0x00181020, "LO", "1");
}

static void write_dimension(seg_job *seg, const char *organization, uint32_t pointer,
                            uint32_t group, const char *label)
{
    sgio_dicom_open_item(&seg->out);
    text(seg, 0x00209164, "UI", organization);
    sgio_dicom_write_tag(&seg->out, 0x00209165, pointer);
    sgio_dicom_write_tag(&seg->out, 0x00209167, group);
    text(seg, 0x00209421, "LO", label);
    sgio_dicom_close_item(&seg->out);
}

static void write_dimensions(seg_job *seg)
{
    char organization[SGIO_DICOM_UID_BYTES];
    sgio_dicom_new_uid(organization);
    sgio_dicom_open_sequence(&seg->out, 0x00209221);
    sgio_dicom_open_item(&seg->out);
    text(seg, 0x00209164, "UI", organization);
    sgio_dicom_close_item(&seg->out);
    sgio_dicom_close_sequence(&seg->out);
    sgio_dicom_open_sequence(&seg->out, 0x00209222);
    write_dimension(seg, organization, REFERENCED_SEGMENT, SEGMENT_IDENTIFICATION,
                    "ReferencedSegmentNumber");
    write_dimension(seg, organization, DICOM_POSITION, PLANE_POSITION, "ImagePositionPatient");
    sgio_dicom_close_sequence(&seg->out);
}

/* Groups 20 and 28. */
static void write_picture(seg_job *seg)
{
    char series[SGIO_DICOM_UID_BYTES], frames[16];
    const sgio_geometry *grid = &seg->from->geometry;
    sgio_dicom_new_uid(series);
    text(seg, 0x0020000d, "UI", seg->reference.study);
    text(seg, 0x0020000e, "UI", series);
    copy(seg, 0x00200010, "SH");
    text(seg, 0x00200011, "IS", "300");
    text(seg, 0x00200013, "IS", "1");
    text(seg, 0x00200052, "UI", seg->reference.frame_of_reference);
    copy(seg, 0x00201040, "LO");
    write_dimensions(seg);
    snprintf(frames, sizeof frames, "%zu", seg->count);
    number(seg, 0x00280002, 1);
    text(seg, 0x00280004, "CS", "MONOCHROME2");
    text(seg, 0x00280008, "IS", frames);
    number(seg, 0x00280010, (unsigned)grid->size[1]);
    number(seg, 0x00280011, (unsigned)grid->size[0]);
    number(seg, 0x00280100, 1);
    number(seg, 0x00280101, 1);
    number(seg, 0x00280102, 0);
    number(seg, 0x00280103, 0);
    text(seg, 0x00282110, "CS", "00");
}

static void find_terms(const sgio_segment *segment, sgio_terminology *terms)
{
    const sgio_code tissue = {"SCT", "85756007", "Tissue"};
    if (segment->terminology && sgio_terminology_parse(segment->terminology, terms) == 0) return;
    memset(terms, 0, sizeof *terms);
    terms->category = terms->type = tissue;
}

static void write_type(seg_job *seg, const sgio_code *type, const sgio_code *modifier)
{
    sgio_dicom_writer *out = &seg->out;
    sgio_dicom_open_sequence(out, 0x0062000f);
    sgio_dicom_open_item(out);
    text(seg, 0x00080100, "SH", type->value);
    text(seg, 0x00080102, "SH", type->scheme);
    text(seg, 0x00080104, "LO", type->meaning);
    if (modifier->value[0])
        sgio_dicom_write_code(out, 0x00620011, modifier->scheme, modifier->value,
                              modifier->meaning);
    sgio_dicom_close_item(out);
    sgio_dicom_close_sequence(out);
}

static void write_code(seg_job *seg, uint32_t tag, const sgio_code *code)
{
    if (code->value[0])
        sgio_dicom_write_code(&seg->out, tag, code->scheme, code->value, code->meaning);
}

/* The elements of a segment in the order of their tags. */
static void write_segment(seg_job *seg, size_t s)
{
    const sgio_segment *segment = &seg->from->segments[s];
    char uid[SGIO_DICOM_UID_BYTES];
    uint16_t lab[3];
    sgio_terminology terms;
    sgio_dicom_writer *out = &seg->out;
    find_terms(segment, &terms);
    sgio_dicom_open_item(out);
    write_code(seg, 0x00082218, &terms.region);
    write_code(seg, 0x00620003, &terms.category);
    number(seg, 0x00620004, (unsigned)s + 1);
    sgio_dicom_write_name(out, &seg->reference, 0x00620005, "LO", segment->name);
    text(seg, 0x00620008, "CS", "SEMIAUTOMATIC");
    text(seg, 0x00620009, "LO", "PromptSeg");
    sgio_rgb_to_lab(segment->colour, lab);
    sgio_dicom_write_u16(out, 0x0062000d, 3, lab);
    write_type(seg, &terms.type, &terms.type_modifier);
    sgio_dicom_write_name(out, &seg->reference, 0x00620020, "UT", segment->name);
    sgio_dicom_new_uid(uid);
    text(seg, 0x00620021, "UI", uid);
    sgio_dicom_close_item(out);
}

/* Groups 62 and 70. */
static void write_segments(seg_job *seg)
{
    text(seg, 0x00620001, "CS", "BINARY");
    sgio_dicom_open_sequence(&seg->out, 0x00620002);
    for (size_t s = 0; s < seg->from->segment_count; s++)
        write_segment(seg, s);
    sgio_dicom_close_sequence(&seg->out);
    text(seg, 0x00620013, "CS", segments_overlap(seg->from) ? "YES" : "NO");
    text(seg, 0x00700080, "CS", "SEGMENTATION");
    text(seg, 0x00700081, "LO", "PromptSeg segmentation");
    text(seg, 0x00700084, "PN", "PromptSeg^Program");
}

static void write_shared_groups(seg_job *seg)
{
    char thickness[32];
    sgio_dicom_writer *out = &seg->out;
    sgio_print(thickness, sizeof thickness, "%.9g", seg->reference.thickness);
    sgio_dicom_open_sequence(out, 0x52009229);
    sgio_dicom_open_item(out);
    sgio_dicom_open_sequence(out, 0x00209116);
    sgio_dicom_open_item(out);
    text(seg, DICOM_ORIENTATION, "DS", seg->reference.plane.orientation_text);
    sgio_dicom_close_item(out);
    sgio_dicom_close_sequence(out);
    sgio_dicom_open_sequence(out, 0x00289110);
    sgio_dicom_open_item(out);
    text(seg, 0x00180050, "DS", thickness);
    text(seg, 0x00180088, "DS", thickness);
    text(seg, 0x00280030, "DS", seg->reference.plane.spacing_text);
    sgio_dicom_close_item(out);
    sgio_dicom_close_sequence(out);
    sgio_dicom_close_item(out);
    sgio_dicom_close_sequence(out);
}

/* Where the frame comes from, and that its pixels lie where the source's do. */
static void write_derivation(seg_job *seg, const sgio_dicom_source *slice)
{
    sgio_dicom_writer *out = &seg->out;
    sgio_dicom_open_sequence(out, 0x00089124);
    sgio_dicom_open_item(out);
    sgio_dicom_open_sequence(out, SOURCE_IMAGES);
    sgio_dicom_open_item(out);
    sgio_dicom_name_source(out, slice, 1);
    text(seg, 0x0028135a, "CS", "YES");
    sgio_dicom_write_code(out, PURPOSE, "DCM", "121322",
                          "Source image for image processing operation");
    sgio_dicom_close_item(out);
    sgio_dicom_close_sequence(out);
    sgio_dicom_write_code(out, DERIVATION_CODE, "DCM", "113076", "Segmentation");
    sgio_dicom_close_item(out);
    sgio_dicom_close_sequence(out);
}

static void write_frame_groups(seg_job *seg, const frame *frame)
{
    const sgio_dicom_source *slice = &seg->reference.slices[frame->slice];
    const uint32_t indices[2] = {(uint32_t)frame->segment + 1, (uint32_t)frame->slice + 1};
    sgio_dicom_writer *out = &seg->out;
    sgio_dicom_open_item(out);
    write_derivation(seg, slice);
    sgio_dicom_open_sequence(out, 0x00209111);
    sgio_dicom_open_item(out);
    sgio_dicom_write_u32(out, 0x00209157, 2, indices);
    sgio_dicom_close_item(out);
    sgio_dicom_close_sequence(out);
    sgio_dicom_open_sequence(out, PLANE_POSITION);
    sgio_dicom_open_item(out);
    text(seg, DICOM_POSITION, "DS", slice->position_text);
    sgio_dicom_close_item(out);
    sgio_dicom_close_sequence(out);
    sgio_dicom_open_sequence(out, SEGMENT_IDENTIFICATION);
    sgio_dicom_open_item(out);
    number(seg, REFERENCED_SEGMENT, (unsigned)frame->segment + 1);
    sgio_dicom_close_item(out);
    sgio_dicom_close_sequence(out);
    sgio_dicom_close_item(out);
}

static uint64_t packed_bytes(const seg_job *seg)
{
    uint64_t bytes = ((uint64_t)seg->count * seg->slice_voxels + 7) / 8;
    return bytes + (bytes & 1);
}

static sgio_status write_header(seg_job *seg, sgio_atomic_file *file)
{
    char date[16], time[16];
    uint64_t bytes = packed_bytes(seg);
    sgio_dicom_now(date, time);
    sgio_dicom_new_uid(seg->instance);
    sgio_dicom_write_meta(&seg->out, SGIO_DICOM_SEG_CLASS, seg->instance, "1.2.840.10008.1.2.1");
    write_identity(seg, date, time);
    write_picture(seg);
    write_segments(seg);
    write_shared_groups(seg);
    sgio_dicom_open_sequence(&seg->out, 0x52009230);
    for (size_t f = 0; f < seg->count; f++)
        write_frame_groups(seg, &seg->frames[f]);
    sgio_dicom_close_sequence(&seg->out);
    if (bytes > 0xfffffffe)
        return sgio_fail(SGIO_UNWRITABLE, "%s: a DICOM SEG holds less than 4 GiB of pixels",
                         seg->job->path);
    sgio_dicom_write_bytes_head(&seg->out, DICOM_PIXELS, (uint32_t)bytes);
    if (seg->out.failed) return sgio_fail_memory(seg->out.room, seg->job->path);
    return sgio_atomic_write(file, seg->out.data, seg->out.size);
}

/* Bits fill bytes from the lowest on, across the ends of frames. */
typedef struct packer {
    sgio_atomic_file *file;
    unsigned char bytes[1 << 14];
    size_t bits;
} packer;

static sgio_status flush(packer *packer)
{
    size_t count = (packer->bits + 7) / 8;
    packer->bits = 0;
    return sgio_atomic_write(packer->file, packer->bytes, count);
}

static sgio_status pack_frame(const seg_job *seg, const frame *frame, packer *packer)
{
    size_t start = (size_t)seg->reference.slices[frame->slice].k * seg->slice_voxels;
    sgio_status status = SGIO_OK;
    for (size_t i = 0; i < seg->slice_voxels && status == SGIO_OK; i++) {
        size_t at = packer->bits / 8;
        if (packer->bits % 8 == 0) packer->bytes[at] = 0;
        packer->bytes[at] |=
            (unsigned char)(label_at(seg, frame->segment, start + i) << packer->bits % 8);
        if (++packer->bits == 8 * sizeof packer->bytes) status = flush(packer);
    }
    return status;
}

static sgio_status write_pixels(const seg_job *seg, sgio_atomic_file *file)
{
    packer packer = {file, {0}, 0};
    sgio_status status = SGIO_OK;
    size_t odd = (size_t)(((uint64_t)seg->count * seg->slice_voxels + 7) / 8 & 1);
    for (size_t f = 0; f < seg->count && status == SGIO_OK; f++) {
        status = pack_frame(seg, &seg->frames[f], &packer);
        if (status == SGIO_OK)
            status = sgio_tell(seg->job->options->progress, seg->job->options->progress_user, f + 1,
                               seg->count);
    }
    if (status == SGIO_OK) status = flush(&packer);
    if (status == SGIO_OK && odd) status = sgio_atomic_write(file, "", 1);
    return status;
}

static sgio_status not_as_written(const seg_job *seg, size_t n)
{
    return sgio_fail(SGIO_UNWRITABLE, "%s: frame %zu is not read back as it was written",
                     seg->job->path, n + 1);
}

/* A DS has 16 characters, its source may have had more: far below what moves a voxel. */
static int are_near(const double *read, const double *written, int count)
{
    for (int i = 0; i < count; i++)
        if (!(fabs(read[i] - written[i]) <= 1e-6 + 1e-9 * fabs(written[i]))) return 0;
    return 1;
}

static int is_same_plane(const sgio_seg_file *read, const sgio_dicom_reference *reference)
{
    return are_near(read->row, reference->row, 3) && are_near(read->column, reference->column, 3) &&
           are_near(&read->row_spacing, &reference->row_spacing, 1) &&
           are_near(&read->column_spacing, &reference->column_spacing, 1);
}

static sgio_status compare_frame(const seg_job *seg, sgio_seg_file *read, size_t n,
                                 uint16_t *values)
{
    const frame *frame = &seg->frames[n];
    const sgio_dicom_source *slice = &seg->reference.slices[frame->slice];
    size_t start = (size_t)slice->k * seg->slice_voxels;
    if (read->frames[n].segment != (int)frame->segment + 1 ||
        !are_near(read->frames[n].position, slice->position, 3) ||
        sgio_seg_read_frame(read, n, values) != 0)
        return not_as_written(seg, n);
    for (size_t i = 0; i < seg->slice_voxels; i++)
        if (values[i] != label_at(seg, frame->segment, start + i)) return not_as_written(seg, n);
    return SGIO_OK;
}

static sgio_status compare_frames(const seg_job *seg, sgio_seg_file *read)
{
    const sgio_geometry *grid = &seg->from->geometry;
    uint16_t *values = malloc(seg->slice_voxels * sizeof *values);
    sgio_status status = SGIO_OK;
    if (!values) return sgio_fail_memory(seg->slice_voxels * sizeof *values, seg->job->path);
    if (read->count != seg->count || read->rows != grid->size[1] || read->columns != grid->size[0])
        status = not_as_written(seg, 0);
    else if (!is_same_plane(read, &seg->reference))
        status = sgio_fail(SGIO_UNWRITABLE,
                           "%s: its orientation or spacing is not read back as it was written",
                           seg->job->path);
    for (size_t n = 0; n < seg->count && status == SGIO_OK; n++)
        status = compare_frame(seg, read, n, values);
    free(values);
    return status;
}

/* Through the file system, as the next reader will see it. */
static sgio_status check_written(const seg_job *seg, sgio_atomic_file *file)
{
    char name[40];
    sgio_seg_file read;
    if (fflush(file->stream) != 0)
        return sgio_fail(SGIO_UNWRITABLE, "%s: cannot be written", seg->job->path);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fileno(file->stream));
    sgio_status status = sgio_seg_open(name, &read);
    if (status == SGIO_OK)
        status = compare_frames(seg, &read);
    else if (status == SGIO_UNREADABLE)
        status = not_as_written(seg, 0);
    sgio_seg_close(&read);
    return status;
}

static void warn(const seg_job *seg)
{
    const sgio_segmentation_write_options *options = seg->job->options;
    const char *path = seg->job->path;
    if (seg->reference.is_sheared)
        sgio_warn(options->warn, options->warn_user,
                  "%s: the gantry is tilted; 3D Slicer's importer refuses such a DICOM SEG, "
                  ".seg.nrrd is read",
                  path);
    if (seg->reference.interpolated > 0)
        sgio_warn(options->warn, options->warn_user,
                  "%s: %zu slices between those of the series are interpolated and have no frame",
                  path, seg->reference.interpolated);
    if (seg->reference.made_frame_of_reference)
        sgio_warn(options->warn, options->warn_user,
                  "%s: the series has no FrameOfReferenceUID, a new one was made", path);
}

static sgio_status run(seg_job *seg, sgio_atomic_file *file)
{
    sgio_status status = sgio_dicom_read_reference(seg->job->options, &seg->reference);
    if (status == SGIO_OK) status = find_frames(seg);
    if (status == SGIO_OK) status = write_header(seg, file);
    if (status == SGIO_OK) status = write_pixels(seg, file);
    if (status == SGIO_OK) status = check_written(seg, file);
    if (status == SGIO_OK) warn(seg);
    return status;
}

sgio_status sgio_check_dicom_seg(const char *path, const sgio_geometry *grid,
                                 const sgio_segmentation_write_options *options)
{
    return sgio_dicom_check_reference(path, "DICOM SEG", grid, options);
}

static sgio_status write_on_grid(const sgio_label_job *job, sgio_atomic_file *file)
{
    const int64_t *size = job->segmentation->geometry.size;
    seg_job seg = {
        .job = job, .from = job->segmentation, .slice_voxels = (size_t)size[0] * (size_t)size[1]};
    sgio_status status = run(&seg, file);
    sgio_dicom_reference_clear(&seg.reference);
    sgio_dicom_writer_clear(&seg.out);
    free(seg.frames);
    return status;
}

sgio_status sgio_write_dicom_seg(const sgio_label_job *job, sgio_atomic_file *file)
{
    sgio_dicom_job on_series;
    sgio_status status = sgio_dicom_job_begin(job, &on_series);
    if (status == SGIO_OK) status = write_on_grid(&on_series.job, file);
    sgio_dicom_job_clear(&on_series);
    return status;
}
