/* RT structure sets. Implicit VR: contours of more than 64 KiB do not fit an explicit DS. */
#include "dicom_rt_write.h"

#include "contours.h"
#include "dicom_reference.h"
#include "dicom_rt_read.h"
#include "io_status.h"
#include "segmentation_parts.h"
#include "text_number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STUDY_CLASS "1.2.840.10008.3.1.2.3.1" /* what planning systems expect, though retired */

enum {
    REFERENCED_CLASS = 0x00081150,
    REFERENCED_INSTANCE = 0x00081155,
    CONTOUR_IMAGES = 0x30060016,
    ROI_NUMBER = 0x30060084
};

typedef struct rt_job {
    const sgio_label_job *job;
    const sgio_segmentation *from;
    sgio_dicom_reference reference;
    sgio_dicom_writer out;
    uint8_t *mask; /* of one slice */
    char *values;  /* of one contour */
    size_t values_room;
} rt_job;

static void text(rt_job *rt, uint32_t tag, const char *vr, const char *value)
{
    sgio_dicom_write_text(&rt->out, tag, vr, value);
}

static void number(rt_job *rt, uint32_t tag, size_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%zu", value);
    text(rt, tag, "IS", digits);
}

static void name_instance(rt_job *rt, const sgio_dicom_source *slice)
{
    sgio_dicom_open_item(&rt->out);
    sgio_dicom_name_source(&rt->out, slice, 1);
    sgio_dicom_close_item(&rt->out);
}

static void write_identity(rt_job *rt, const char *instance, const char *date, const char *time)
{
    const sgio_dicom_reference *reference = &rt->reference;
    char series[SGIO_DICOM_UID_BYTES];
    sgio_dicom_new_uid(series);
    sgio_dicom_write_character_set(&rt->out, reference);
    text(rt, 0x00080016, "UI", SGIO_DICOM_RTSTRUCT_CLASS);
    text(rt, 0x00080018, "UI", instance);
    sgio_dicom_copy_text(&rt->out, reference, 0x00080020, "DA");
    sgio_dicom_copy_text(&rt->out, reference, 0x00080030, "TM");
    sgio_dicom_copy_text(&rt->out, reference, 0x00080050, "SH");
    text(rt, 0x00080060, "CS", "RTSTRUCT");
    text(rt, 0x00080070, "LO", "PromptSeg");
    sgio_dicom_copy_text(&rt->out, reference, 0x00080090, "PN");
    sgio_dicom_copy_optional(&rt->out, reference, 0x00081030, "LO");
    text(rt, 0x0008103e, "LO", "PromptSeg structures");
    text(rt, 0x00081070, "PN", "");
    text(rt, 0x00081090, "LO", "PromptSeg");
    sgio_dicom_copy_patient(&rt->out, reference);
    text(rt, 0x0020000d, "UI", reference->study);
    text(rt, 0x0020000e, "UI", series);
    sgio_dicom_copy_text(&rt->out, reference, 0x00200010, "SH");
    text(rt, 0x00200011, "IS", "301");
    text(rt, 0x00200052, "UI", reference->frame_of_reference);
    sgio_dicom_copy_text(&rt->out, reference, 0x00201040, "LO");
    text(rt, 0x30060002, "SH", "PromptSeg");
    text(rt, 0x30060008, "DA", date);
    text(rt, 0x30060009, "TM", time);
}

/* All slices, by series: neighbours may be of different ones where several were joined. */
static void write_referenced_series(rt_job *rt)
{
    const sgio_dicom_reference *reference = &rt->reference;
    sgio_dicom_open_sequence(&rt->out, 0x30060014);
    for (size_t i = 0; i < reference->count; i++) {
        const char *series = reference->slices[i].series;
        if (!sgio_dicom_begins_series(reference, i)) continue;
        sgio_dicom_open_item(&rt->out);
        text(rt, 0x0020000e, "UI", series);
        sgio_dicom_open_sequence(&rt->out, CONTOUR_IMAGES);
        for (size_t j = i; j < reference->count; j++)
            if (strcmp(reference->slices[j].series, series) == 0)
                name_instance(rt, &reference->slices[j]);
        sgio_dicom_close_sequence(&rt->out);
        sgio_dicom_close_item(&rt->out);
    }
    sgio_dicom_close_sequence(&rt->out);
}

static void write_frame_of_reference(rt_job *rt)
{
    sgio_dicom_open_sequence(&rt->out, 0x30060010);
    sgio_dicom_open_item(&rt->out);
    text(rt, 0x00200052, "UI", rt->reference.frame_of_reference);
    sgio_dicom_open_sequence(&rt->out, 0x30060012);
    sgio_dicom_open_item(&rt->out);
    text(rt, REFERENCED_CLASS, "UI", STUDY_CLASS);
    text(rt, REFERENCED_INSTANCE, "UI", rt->reference.study);
    write_referenced_series(rt);
    sgio_dicom_close_item(&rt->out);
    sgio_dicom_close_sequence(&rt->out);
    sgio_dicom_close_item(&rt->out);
    sgio_dicom_close_sequence(&rt->out);
}

static void write_structures(rt_job *rt)
{
    sgio_dicom_open_sequence(&rt->out, 0x30060020);
    for (size_t s = 0; s < rt->from->segment_count; s++) {
        sgio_dicom_open_item(&rt->out);
        number(rt, 0x30060022, s + 1);
        text(rt, 0x30060024, "UI", rt->reference.frame_of_reference);
        sgio_dicom_write_name(&rt->out, &rt->reference, 0x30060026, "LO",
                              rt->from->segments[s].name);
        text(rt, 0x30060036, "CS", "SEMIAUTOMATIC");
        sgio_dicom_close_item(&rt->out);
    }
    sgio_dicom_close_sequence(&rt->out);
}

/* Three coordinates of at most 16 characters, four decimals of a millimetre. */
enum { POINT_BYTES = 3 * 17 + 1 };

static sgio_status make_room(rt_job *rt, size_t points)
{
    size_t room = points * POINT_BYTES + 1;
    if (room <= rt->values_room) return SGIO_OK;
    char *grown = realloc(rt->values, room);
    if (!grown) return sgio_fail_memory(room, rt->job->path);
    rt->values = grown;
    rt->values_room = room;
    return SGIO_OK;
}

static size_t write_coordinate(double value, char *to)
{
    char digits[400];
    int count = sgio_print(digits, sizeof digits, "%.4f", value);
    if (count > 16) count = sgio_print(digits, sizeof digits, "%.9g", value);
    memcpy(to, digits, (size_t)count + 1);
    return (size_t)count;
}

/* From the slice's own position and directions, which the grid's matrix rounds to an even stack. */
static void write_points(rt_job *rt, const sgio_dicom_source *slice, int32_t (*points)[2],
                         size_t count)
{
    const sgio_dicom_reference *reference = &rt->reference;
    char *to = rt->values;
    *to = 0;
    for (size_t n = 0; n < count; n++) {
        double x = points[n][0] * reference->column_spacing / SGIO_CONTOUR_UNITS;
        double y = points[n][1] * reference->row_spacing / SGIO_CONTOUR_UNITS;
        for (int r = 0; r < 3; r++) {
            double value = slice->position[r] + x * reference->row[r] + y * reference->column[r];
            if (n + (size_t)r) *to++ = '\\';
            to += write_coordinate(value, to);
        }
    }
}

static sgio_status write_contour(rt_job *rt, const sgio_dicom_source *slice, int32_t (*points)[2],
                                 size_t count)
{
    sgio_status status = make_room(rt, count);
    if (status != SGIO_OK) return status;
    write_points(rt, slice, points, count);
    sgio_dicom_open_item(&rt->out);
    sgio_dicom_open_sequence(&rt->out, CONTOUR_IMAGES);
    name_instance(rt, slice);
    sgio_dicom_close_sequence(&rt->out);
    text(rt, 0x30060042, "CS", "CLOSED_PLANAR");
    number(rt, 0x30060046, count);
    text(rt, 0x30060050, "DS", rt->values);
    sgio_dicom_close_item(&rt->out);
    return SGIO_OK;
}

static int copy_slice(rt_job *rt, const sgio_segment *segment, int64_t k)
{
    size_t count = (size_t)rt->from->geometry.size[0] * (size_t)rt->from->geometry.size[1];
    size_t start = (size_t)k * count;
    int any = 0;
    if (segment->voxels == 0 || k < segment->extent[4] || k > segment->extent[5]) return 0;
    const sgio_layer *layer = &rt->from->layers[segment->layer];
    for (size_t i = 0; i < count; i++)
        any |= rt->mask[i] = sgio_layer_value(layer, start + i) == segment->label;
    return any;
}

static sgio_status write_slice(rt_job *rt, const sgio_segment *segment,
                               const sgio_dicom_source *slice)
{
    const int64_t *size = rt->from->geometry.size;
    sgio_contours contours;
    if (!copy_slice(rt, segment, slice->k)) return SGIO_OK;
    sgio_status status = sgio_trace_contours(rt->mask, (int)size[0], (int)size[1], &contours);
    for (size_t i = 0; i < contours.count && status == SGIO_OK; i++)
        status = write_contour(rt, slice, contours.points + contours.starts[i],
                               contours.starts[i + 1] - contours.starts[i]);
    sgio_contours_clear(&contours);
    return status;
}

static sgio_status write_segment(rt_job *rt, size_t s)
{
    const sgio_segment *segment = &rt->from->segments[s];
    char colour[48];
    sgio_status status = SGIO_OK;
    snprintf(colour, sizeof colour, "%.0f\\%.0f\\%.0f", 255 * segment->colour[0],
             255 * segment->colour[1], 255 * segment->colour[2]);
    sgio_dicom_open_item(&rt->out);
    text(rt, 0x3006002a, "IS", colour);
    if (segment->voxels > 0) sgio_dicom_open_sequence(&rt->out, 0x30060040);
    for (size_t i = 0; i < rt->reference.count && status == SGIO_OK; i++)
        status = write_slice(rt, segment, &rt->reference.slices[i]);
    if (segment->voxels > 0) sgio_dicom_close_sequence(&rt->out);
    number(rt, ROI_NUMBER, s + 1);
    sgio_dicom_close_item(&rt->out);
    if (status != SGIO_OK) return status;
    return sgio_tell(rt->job->options->progress, rt->job->options->progress_user, s + 1,
                     rt->from->segment_count);
}

static sgio_status write_contours(rt_job *rt)
{
    sgio_status status = SGIO_OK;
    sgio_dicom_open_sequence(&rt->out, 0x30060039);
    for (size_t s = 0; s < rt->from->segment_count && status == SGIO_OK; s++)
        status = write_segment(rt, s);
    sgio_dicom_close_sequence(&rt->out);
    return status;
}

static void write_observations(rt_job *rt)
{
    sgio_dicom_open_sequence(&rt->out, 0x30060080);
    for (size_t s = 0; s < rt->from->segment_count; s++) {
        sgio_dicom_open_item(&rt->out);
        number(rt, 0x30060082, s + 1);
        number(rt, ROI_NUMBER, s + 1);
        text(rt, 0x300600a4, "CS", "");
        text(rt, 0x300600a6, "PN", "");
        sgio_dicom_close_item(&rt->out);
    }
    sgio_dicom_close_sequence(&rt->out);
    text(rt, 0x300e0002, "CS", "UNAPPROVED");
}

static sgio_status write_all(rt_job *rt, sgio_atomic_file *file)
{
    char instance[SGIO_DICOM_UID_BYTES], date[16], time[16];
    sgio_dicom_now(date, time);
    sgio_dicom_new_uid(instance);
    rt->out.implicit = 1;
    sgio_dicom_write_meta(&rt->out, SGIO_DICOM_RTSTRUCT_CLASS, instance, "1.2.840.10008.1.2");
    write_identity(rt, instance, date, time);
    write_frame_of_reference(rt);
    write_structures(rt);
    sgio_status status = write_contours(rt);
    if (status != SGIO_OK) return status;
    write_observations(rt);
    if (rt->out.failed) return sgio_fail_memory(rt->out.room, rt->job->path);
    return sgio_atomic_write(file, rt->out.data, rt->out.size);
}

static void warn(const rt_job *rt)
{
    const sgio_segmentation_write_options *options = rt->job->options;
    const char *path = rt->job->path;
    if (rt->reference.interpolated > 0)
        sgio_warn(options->warn, options->warn_user,
                  "%s: %zu slices between those of the series are interpolated and have no contour",
                  path, rt->reference.interpolated);
    if (rt->reference.made_frame_of_reference)
        sgio_warn(options->warn, options->warn_user,
                  "%s: the series has no FrameOfReferenceUID, a new one was made", path);
}

static sgio_status run(rt_job *rt, sgio_atomic_file *file)
{
    const int64_t *size = rt->from->geometry.size;
    sgio_status status = sgio_dicom_read_reference(rt->job->options, &rt->reference);
    if (status != SGIO_OK) return status;
    rt->mask = malloc((size_t)size[0] * (size_t)size[1]);
    if (!rt->mask) return sgio_fail_memory((size_t)(size[0] * size[1]), rt->job->path);
    status = write_all(rt, file);
    if (status == SGIO_OK) warn(rt);
    return status;
}

sgio_status sgio_check_rtstruct(const char *path, const sgio_geometry *grid,
                                const sgio_segmentation_write_options *options)
{
    return sgio_dicom_check_reference(path, "structure set", grid, options);
}

static sgio_status write_on_grid(const sgio_label_job *job, sgio_atomic_file *file)
{
    rt_job rt = {.job = job, .from = job->segmentation};
    sgio_status status = run(&rt, file);
    sgio_dicom_reference_clear(&rt.reference);
    sgio_dicom_writer_clear(&rt.out);
    free(rt.mask);
    free(rt.values);
    return status;
}

sgio_status sgio_write_rtstruct(const sgio_label_job *job, sgio_atomic_file *file)
{
    sgio_dicom_job on_series;
    sgio_status status = sgio_dicom_job_begin(job, &on_series);
    if (status == SGIO_OK) status = write_on_grid(&on_series.job, file);
    sgio_dicom_job_clear(&on_series);
    return status;
}
