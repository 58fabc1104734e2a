#include "dicom_reference.h"

#include "dicom_places.h"
#include "dicom_toolkit.h"
#include "io_status.h"
#include "segmentation_turn.h"
#include "text_number.h"
#include "vectors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FRAME_OF_REFERENCE = 0x00200052 };

static sgio_status no_reference(const char *path, const char *kind, const char *why)
{
    return sgio_fail(SGIO_USAGE,
                     "%s: a %s refers to the DICOM slices that were segmented, but %s; .seg.nrrd "
                     "keeps everything",
                     path, kind, why);
}

static sgio_status open_set(const char *path, sgio_dicom_file **file, sgio_dicom_set *set)
{
    memset(set, 0, sizeof *set);
    sgio_status status = sgio_dicom_open(path, 0, file);
    return status == SGIO_OK ? sgio_dicom_read_set(*file, set) : status;
}

/* Which frame of its file slice i is, from 1; 0 where the file holds no other. */
static int frame_of(const sgio_volume *source, size_t i)
{
    return source->file_frames ? source->file_frames[i] : 0;
}

static sgio_status find_missing(const sgio_dicom_set *set, int frame, const char **missing)
{
    sgio_dicom_places places = {0};
    sgio_dicom_plane plane;
    const size_t n = frame > 0 ? (size_t)frame - 1 : 0;
    sgio_status status = sgio_dicom_read_places(set, &places);
    const int has_position = n < places.count && places.items[n].has_position;
    sgio_dicom_places_clear(&places);
    if (status == SGIO_OK) status = sgio_dicom_read_plane(set, (int)n, &plane);
    if (status != SGIO_OK) return status;
    *missing = !has_position           ? sgio_dicom_keyword(DICOM_POSITION)
               : !plane.has_directions ? sgio_dicom_keyword(DICOM_ORIENTATION)
                                       : NULL;
    return SGIO_OK;
}

/* Whether the first slice says where it lies: a picture alone may be segmented without. `whose` is
 * who has it, for the sentence. */
static sgio_status check_plane(const char *path, const char *kind, const char *whose,
                               const sgio_volume *series)
{
    sgio_dicom_file *file = NULL;
    sgio_dicom_set set;
    const char *missing = NULL;
    char why[96];
    sgio_status status = open_set(series->files[0], &file, &set);
    if (status == SGIO_OK) status = find_missing(&set, frame_of(series, 0), &missing);
    sgio_dicom_set_clear(&set);
    sgio_dicom_close(file);
    if (status != SGIO_OK || !missing) return status;
    snprintf(why, sizeof why, "%s have no %s", whose, missing);
    return no_reference(path, kind, why);
}

static sgio_status no_series(const char *path, const char *kind, const char *option)
{
    char why[160] = "the input is no DICOM series";
    if (option)
        snprintf(why, sizeof why,
                 "the input is no DICOM series (%.40s names the one it was made of)", option);
    return no_reference(path, kind, why);
}

static void describe_grid(const sgio_geometry *grid, char *out, size_t size)
{
    const double(*m)[4] = grid->matrix;
    double spacing[3], d[3][3];
    sgio_geometry_spacing(grid, spacing);
    sgio_geometry_direction(grid, d);
    snprintf(out, size,
             "%lld x %lld x %lld voxels of %.6g x %.6g x %.6g mm, the first at (%.6g, %.6g, %.6g) "
             "LPS, axes (%.4g, %.4g, %.4g) (%.4g, %.4g, %.4g) (%.4g, %.4g, %.4g)",
             (long long)grid->size[0], (long long)grid->size[1], (long long)grid->size[2],
             spacing[0], spacing[1], spacing[2], m[0][3], m[1][3], m[2][3], d[0][0], d[1][0],
             d[2][0], d[0][1], d[1][1], d[2][1], d[0][2], d[1][2], d[2][2]);
}

static sgio_status other_grid(const char *path, const sgio_geometry *grid,
                              const sgio_segmentation_write_options *options)
{
    char ours[400], theirs[400];
    describe_grid(grid, ours, sizeof ours);
    describe_grid(&options->reference->geometry, theirs, sizeof theirs);
    return sgio_fail(SGIO_USAGE, "%s: the input has %s; the reference %.200s has %s", path, ours,
                     options->reference_path ? options->reference_path : "", theirs);
}

/* The series that is not the source. */
static sgio_status check_other(const char *path, const char *kind, const sgio_geometry *grid,
                               const sgio_segmentation_write_options *options)
{
    const sgio_volume *series = options->reference;
    sgio_turn turn;
    if (series->file_count == 0)
        return no_reference(path, kind, "the reference is no DICOM series");
    if (!sgio_turn_find(grid, &series->geometry, sgio_geometry_rounding(grid), &turn))
        return other_grid(path, grid, options);
    return check_plane(path, kind, "those of the reference", series);
}

sgio_status sgio_dicom_check_reference(const char *path, const char *kind,
                                       const sgio_geometry *grid,
                                       const sgio_segmentation_write_options *options)
{
    const sgio_volume *source = options->source;
    if (options->reference) return check_other(path, kind, grid, options);
    if (source && source->is_sequence)
        return no_reference(path, kind, "frames of a sequence in time have no place in space");
    if (!source || !source->files || source->file_count == 0)
        return no_series(path, kind, options->reference_option);
    if (!sgio_geometry_equal(grid, &source->geometry, 1e-3))
        return no_reference(path, kind, "the segmentation is on another grid");
    return check_plane(path, kind, "they", source);
}

sgio_status sgio_dicom_job_begin(const sgio_label_job *job, sgio_dicom_job *out)
{
    const sgio_volume *series = job->options->reference;
    const sgio_geometry *grid = &job->segmentation->geometry;
    sgio_turn turn;
    *out = (sgio_dicom_job){.job = *job, .options = *job->options};
    out->job.options = &out->options;
    if (!series) return SGIO_OK;
    out->options.source = series;
    out->job.segmentation = &out->turned;
    if (!sgio_turn_find(grid, &series->geometry, sgio_geometry_rounding(grid), &turn))
        return other_grid(job->path, grid, job->options);
    return sgio_segmentation_turn(job->segmentation, &series->geometry, &turn, &out->turned);
}

void sgio_dicom_job_clear(sgio_dicom_job *job)
{
    sgio_turned_clear(&job->turned);
}

static sgio_status changed(const char *path)
{
    return sgio_fail(SGIO_UNREADABLE, "%s: cannot be referred to: it has changed since it was read",
                     path);
}

static sgio_status take_plane(const sgio_volume *source, sgio_dicom_reference *reference)
{
    sgio_dicom_plane *plane = &reference->plane;
    const int frame = frame_of(source, 0);
    sgio_status status = sgio_dicom_read_plane(&reference->set, frame > 0 ? frame - 1 : 0, plane);
    if (status != SGIO_OK) return status;
    if (!plane->has_directions) return changed(source->files[0]);
    sgio_dicom_use_grid(&source->geometry, plane);
    memcpy(reference->row, plane->cosines, sizeof reference->row);
    memcpy(reference->column, plane->cosines + 3, sizeof reference->column);
    sgio_normalise(reference->row);
    sgio_normalise(reference->column);
    reference->row_spacing = plane->spacing[0];
    reference->column_spacing = plane->spacing[1];
    return SGIO_OK;
}

/* Scanners write names in a character set that they do not declare: what set that is cannot be
 * told, so that the bytes are copied as they are, and what is declared with them. */
static void find_characters(sgio_dicom_set *set)
{
    static const uint32_t copied[] = {0x00080050, 0x00080090, 0x00081030, 0x00100010,
                                      0x00100020, 0x00120063, 0x00200010, 0x00201040};
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        if (!sgio_dicom_text_fits(set, copied[i])) set->character_set = SGIO_DICOM_OTHER_CHARACTERS;
}

static sgio_status read_first(const sgio_volume *source, sgio_dicom_reference *reference)
{
    const char *path = source->files[0];
    sgio_status status = open_set(path, &reference->file, &reference->set);
    if (status != SGIO_OK) return status;
    find_characters(&reference->set);
    sgio_dicom_exact_text(&reference->set, DICOM_STUDY_INSTANCE, reference->study,
                          sizeof reference->study);
    if (!reference->study[0]) sgio_dicom_new_uid(reference->study);
    char *uid = reference->frame_of_reference;
    sgio_dicom_exact_text(&reference->set, FRAME_OF_REFERENCE, uid,
                          sizeof reference->frame_of_reference);
    reference->made_frame_of_reference = !uid[0];
    if (!uid[0]) sgio_dicom_new_uid(uid);
    return take_plane(source, reference);
}

/* What the file that was opened last says: frames of one file follow one another. */
typedef struct opened {
    const char *path; /* NULL before */
    sgio_dicom_source about;
    sgio_dicom_places places;
} opened;

static sgio_status open_source(const char *path, opened *file)
{
    sgio_dicom_file *bytes = NULL;
    sgio_dicom_set set;
    sgio_dicom_source *about = &file->about;
    if (file->path && strcmp(file->path, path) == 0) return SGIO_OK;
    sgio_dicom_places_clear(&file->places);
    file->path = path;
    memset(about, 0, sizeof *about);
    sgio_status status = open_set(path, &bytes, &set);
    if (status == SGIO_OK) status = sgio_dicom_read_places(&set, &file->places);
    sgio_dicom_text(&set, DICOM_SOP_CLASS, about->sop_class, sizeof about->sop_class);
    sgio_dicom_text(&set, DICOM_SOP_INSTANCE, about->instance, sizeof about->instance);
    sgio_dicom_text(&set, DICOM_SERIES_INSTANCE, about->series, sizeof about->series);
    sgio_dicom_set_clear(&set);
    sgio_dicom_close(bytes);
    return status;
}

static sgio_status fill_source(const opened *file, int frame, const sgio_geometry *grid,
                               sgio_dicom_source *out)
{
    double index[3];
    size_t n = frame > 0 ? (size_t)frame - 1 : 0;
    if (n >= file->places.count || !file->places.items[n].has_position) return changed(file->path);
    const sgio_dicom_place *place = &file->places.items[n];
    *out = file->about;
    out->frame = frame;
    memcpy(out->position, place->position, sizeof out->position);
    memcpy(out->position_text, place->text, sizeof out->position_text);
    if (sgio_geometry_lps_to_index(grid, out->position, index) != 0) return changed(file->path);
    const double k = rint(index[2]);
    if (!(k >= 0 && k < (double)grid->size[2])) return changed(file->path);
    out->k = (int64_t)k;
    return SGIO_OK;
}

static int is_taken(const sgio_dicom_reference *reference, int64_t k)
{
    return reference->count > 0 && reference->slices[reference->count - 1].k >= k;
}

static int is_repeated(const sgio_volume *source, size_t i)
{
    return i > 0 && strcmp(source->files[i], source->files[i - 1]) == 0 &&
           frame_of(source, i) == frame_of(source, i - 1);
}

/* Resampled volumes name the nearest slice for every one: each counts once, where it really is. */
static sgio_status read_slices(const sgio_volume *source, sgio_dicom_reference *reference)
{
    opened file = {0};
    sgio_status status = SGIO_OK;
    for (size_t i = 0; i < source->file_count && status == SGIO_OK; i++) {
        sgio_dicom_source *next = &reference->slices[reference->count];
        if (is_repeated(source, i)) continue;
        status = open_source(source->files[i], &file);
        if (status == SGIO_OK)
            status = fill_source(&file, frame_of(source, i), &source->geometry, next);
        if (status == SGIO_OK && !is_taken(reference, next->k)) reference->count++;
    }
    sgio_dicom_places_clear(&file.places);
    reference->interpolated = source->file_count - reference->count;
    return status;
}

sgio_status sgio_dicom_read_reference(const sgio_segmentation_write_options *options,
                                      sgio_dicom_reference *reference)
{
    const sgio_volume *source = options->source;
    double normal[3], step[3];
    memset(reference, 0, sizeof *reference);
    reference->slices = calloc(source->file_count, sizeof *reference->slices);
    if (!reference->slices) return sgio_fail_memory(source->file_count, source->files[0]);
    sgio_status status = read_first(source, reference);
    if (status == SGIO_OK) status = read_slices(source, reference);
    if (status != SGIO_OK) return status;
    sgio_cross(reference->row, reference->column, normal);
    for (int r = 0; r < 3; r++)
        step[r] = source->geometry.matrix[r][2];
    reference->thickness = fabs(sgio_dot(normal, step)) / sqrt(sgio_dot(normal, normal));
    reference->is_sheared = source->sheared;
    return SGIO_OK;
}

void sgio_dicom_reference_clear(sgio_dicom_reference *reference)
{
    free(reference->slices);
    sgio_dicom_set_clear(&reference->set);
    sgio_dicom_close(reference->file);
    memset(reference, 0, sizeof *reference);
}

static int keeps_characters(const sgio_dicom_reference *reference)
{
    return reference->set.character_set == SGIO_DICOM_OTHER_CHARACTERS;
}

void sgio_dicom_write_character_set(sgio_dicom_writer *writer,
                                    const sgio_dicom_reference *reference)
{
    const uint32_t tag = DICOM_CHARACTER_SET;
    if (keeps_characters(reference))
        sgio_dicom_copy_optional(writer, reference, tag, "CS");
    else
        sgio_dicom_write_text(writer, tag, "CS", "ISO_IR 192");
}

/* At most 64 bytes (LO), whole characters; a backslash would part values. */
void sgio_dicom_write_name(sgio_dicom_writer *writer, const sgio_dicom_reference *reference,
                           uint32_t tag, const char *vr, const char *text)
{
    char name[65];
    size_t used = 0;
    for (const char *c = text; *c && used + 1 < sizeof name; c++) {
        unsigned char byte = (unsigned char)*c;
        int odd = byte < ' ' || byte == 127 || byte == '\\' ||
                  (byte >= 0x80 && keeps_characters(reference));
        name[used++] = odd ? '_' : *c;
    }
    if (text[used]) /* cut: not within a character */
        while (used > 0 && ((unsigned char)text[used] & 0xc0) == 0x80)
            used--;
    name[used] = 0;
    sgio_dicom_write_text(writer, tag, vr, name);
}

void sgio_dicom_copy_text(sgio_dicom_writer *writer, const sgio_dicom_reference *reference,
                          uint32_t tag, const char *vr)
{
    char text[1024];
    sgio_dicom_exact_text(&reference->set, tag, text, sizeof text);
    sgio_dicom_write_text(writer, tag, vr, text);
}

void sgio_dicom_copy_optional(sgio_dicom_writer *writer, const sgio_dicom_reference *reference,
                              uint32_t tag, const char *vr)
{
    char text[1024];
    if (sgio_dicom_exact_text(&reference->set, tag, text, sizeof text))
        sgio_dicom_write_text(writer, tag, vr, text);
}

/* A number that is no DS is written anew, and nothing for what is no number. */
static void copy_decimal(sgio_dicom_writer *writer, const sgio_dicom_reference *reference,
                         enum sgio_dicom_tag tag)
{
    char text[SGIO_DICOM_DECIMALS(1)];
    double value;
    if (!sgio_dicom_numbers(&reference->set, tag, 1, &value)) return;
    sgio_dicom_number_text(&reference->set, tag, 1, &value, text);
    sgio_dicom_write_text(writer, tag, "DS", text);
}

void sgio_dicom_copy_patient(sgio_dicom_writer *writer, const sgio_dicom_reference *reference)
{
    sgio_dicom_copy_text(writer, reference, 0x00100010, "PN");
    sgio_dicom_copy_text(writer, reference, 0x00100020, "LO");
    sgio_dicom_copy_text(writer, reference, 0x00100030, "DA");
    sgio_dicom_copy_text(writer, reference, 0x00100040, "CS");
    sgio_dicom_copy_optional(writer, reference, 0x00101010, "AS");
    copy_decimal(writer, reference, (enum sgio_dicom_tag)0x00101030); /* the weight */
    sgio_dicom_copy_optional(writer, reference, 0x00120062, "CS");
    sgio_dicom_copy_optional(writer, reference, 0x00120063, "LO");
}

int sgio_dicom_begins_series(const sgio_dicom_reference *reference, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(reference->slices[i].series, reference->slices[n].series) == 0) return 0;
    return 1;
}

/* Frames of an instance follow one another, unless slices of several are mixed. */
int sgio_dicom_begins_instance(const sgio_dicom_reference *reference, size_t n)
{
    const sgio_dicom_source *slices = reference->slices;
    if (slices[n].frame == 0) return 1;
    for (size_t i = n; i-- > 0;)
        if (strcmp(slices[i].instance, slices[n].instance) == 0) return 0;
    return 1;
}

void sgio_dicom_name_source(sgio_dicom_writer *writer, const sgio_dicom_source *slice,
                            int with_frame)
{
    char frame[16];
    sgio_dicom_write_text(writer, 0x00081150, "UI", slice->sop_class);
    sgio_dicom_write_text(writer, 0x00081155, "UI", slice->instance);
    snprintf(frame, sizeof frame, "%d", slice->frame);
    if (with_frame && slice->frame > 0) sgio_dicom_write_text(writer, 0x00081160, "IS", frame);
}

void sgio_dicom_now(char date[16], char clock[16])
{
    struct tm parts;
    time_t now = time(NULL);
    localtime_r(&now, &parts);
    strftime(date, 16, "%Y%m%d", &parts);
    strftime(clock, 16, "%H%M%S", &parts);
}
