#include "dicom_reference.h"

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

static int read_numbers(const sgio_dicom_set *set, enum sgio_dicom_tag tag, int count, double *out)
{
    for (int i = 0; i < count; i++) {
        sgio_dicom_found found = sgio_dicom_number(set, tag, i, &out[i]);
        if (found != SGIO_DICOM_NUMBER && found != SGIO_DICOM_COMMA) return 0;
    }
    return 1;
}

static int has_position(const char *path)
{
    sgio_dicom_file *file = NULL;
    sgio_dicom_set set;
    double position[3];
    int has =
        open_set(path, &file, &set) == SGIO_OK && read_numbers(&set, DICOM_POSITION, 3, position);
    sgio_dicom_set_clear(&set);
    sgio_dicom_close(file);
    return has;
}

/* Far beyond what decimal places and floats make of a grid, far below a voxel. */
static double tolerance(const sgio_geometry *grid)
{
    double spacing[3];
    sgio_geometry_spacing(grid, spacing);
    return fmax(0.01, 0.02 * fmin(spacing[0], fmin(spacing[1], spacing[2])));
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
    if (!sgio_turn_find(grid, &series->geometry, tolerance(grid), &turn))
        return other_grid(path, grid, options);
    if (!has_position(series->files[0]))
        return no_reference(path, kind, "those of the reference have no ImagePositionPatient");
    return SGIO_OK;
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
        return no_reference(path, kind,
                            "the input is no DICOM series (--reference names the one it was made "
                            "of)");
    if (!sgio_geometry_equal(grid, &source->geometry, 1e-3))
        return no_reference(path, kind, "the segmentation is on another grid");
    if (!has_position(source->files[0]))
        return no_reference(path, kind, "they have no ImagePositionPatient");
    return SGIO_OK;
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
    if (!sgio_turn_find(grid, &series->geometry, tolerance(grid), &turn))
        return other_grid(job->path, grid, job->options);
    return sgio_segmentation_turn(job->segmentation, &series->geometry, &turn, &out->turned);
}

void sgio_dicom_job_clear(sgio_dicom_job *job)
{
    sgio_turned_clear(&job->turned);
}

/* Whether a text is `count` values of VR DS: decimal numbers of at most 16 characters. */
static int is_decimal_text(const char *text, int count)
{
    for (int i = 0; i < count; i++, text++) {
        const char *end = text;
        double value;
        if (!sgio_take_double(&end, &value)) return 0;
        end += strspn(end, " ");
        if (end - text > SGIO_DICOM_DECIMAL || *end != (i + 1 < count ? '\\' : 0)) return 0;
        text = end;
    }
    return 1;
}

/* As many digits as a DS has room for, 15 at most: further ones are noise of doubles. */
static int print_decimal(char out[SGIO_DICOM_DECIMAL + 1], double value)
{
    int length = SGIO_DICOM_DECIMAL + 1;
    for (int digits = 15; length > SGIO_DICOM_DECIMAL; digits--)
        length = sgio_print(out, SGIO_DICOM_DECIMAL + 1, "%.*g", digits, value);
    return length;
}

/* Values of an element as they are in the file; written anew where they are no DS, which of a text
 * with more digits than a DS may have is true. `out` has room for `count` values. */
static void number_text(const sgio_dicom_set *set, enum sgio_dicom_tag tag, int count,
                        const double *values, char *out)
{
    char text[SGIO_DICOM_DECIMALS(7)];
    sgio_dicom_exact_text(set, (uint32_t)tag, text, sizeof text);
    if (is_decimal_text(text, count)) {
        strcpy(out, text);
        return;
    }
    for (int i = 0; i < count; i++) {
        if (i > 0) *out++ = '\\';
        out += print_decimal(out, values[i]);
    }
}

static sgio_status changed(const char *path)
{
    return sgio_fail(SGIO_UNREADABLE, "%s: cannot be referred to: it has changed since it was read",
                     path);
}

static sgio_status fill_source(const char *path, const sgio_dicom_set *set,
                               const sgio_geometry *grid, sgio_dicom_source *out)
{
    double index[3];
    memset(out, 0, sizeof *out);
    sgio_dicom_text(set, DICOM_SOP_CLASS, out->sop_class, sizeof out->sop_class);
    sgio_dicom_text(set, DICOM_SOP_INSTANCE, out->instance, sizeof out->instance);
    sgio_dicom_text(set, DICOM_SERIES_INSTANCE, out->series, sizeof out->series);
    if (!read_numbers(set, DICOM_POSITION, 3, out->position)) return changed(path);
    number_text(set, DICOM_POSITION, 3, out->position, out->position_text);
    if (sgio_geometry_lps_to_index(grid, out->position, index) != 0) return changed(path);
    out->k = (int64_t)rint(index[2]);
    return out->k >= 0 && out->k < grid->size[2] ? SGIO_OK : changed(path);
}

static sgio_status read_plane(sgio_dicom_reference *reference, const char *path)
{
    const sgio_dicom_set *set = &reference->set;
    double cosines[6], spacing[2];
    if (!read_numbers(set, DICOM_ORIENTATION, 6, cosines)) return changed(path);
    memcpy(reference->row, cosines, sizeof reference->row);
    memcpy(reference->column, cosines + 3, sizeof reference->column);
    number_text(set, DICOM_ORIENTATION, 6, cosines, reference->orientation_text);
    enum sgio_dicom_tag tag = DICOM_PIXEL_SPACING;
    if (!read_numbers(set, tag, 2, spacing)) tag = DICOM_IMAGER_PIXEL_SPACING;
    if (!read_numbers(set, tag, 2, spacing)) spacing[0] = spacing[1] = 1;
    reference->row_spacing = spacing[0];
    reference->column_spacing = spacing[1];
    number_text(set, tag, 2, spacing, reference->spacing_text);
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

static sgio_status read_first(const char *path, sgio_dicom_reference *reference)
{
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
    return read_plane(reference, path);
}

static int is_taken(const sgio_dicom_reference *reference, int64_t k)
{
    return reference->count > 0 && reference->slices[reference->count - 1].k >= k;
}

/* Resampled volumes name the nearest file for every slice: each counts once, where it really is. */
static sgio_status read_slices(const sgio_volume *source, sgio_dicom_reference *reference)
{
    for (size_t i = 0; i < source->file_count; i++) {
        sgio_dicom_file *file = NULL;
        sgio_dicom_set set;
        if (i > 0 && strcmp(source->files[i], source->files[i - 1]) == 0) continue;
        sgio_dicom_source *next = &reference->slices[reference->count];
        sgio_status status = open_set(source->files[i], &file, &set);
        if (status == SGIO_OK)
            status = fill_source(source->files[i], &set, &source->geometry, next);
        sgio_dicom_set_clear(&set);
        sgio_dicom_close(file);
        if (status != SGIO_OK) return status;
        if (!is_taken(reference, next->k)) reference->count++;
    }
    reference->interpolated = source->file_count - reference->count;
    return SGIO_OK;
}

sgio_status sgio_dicom_read_reference(const sgio_segmentation_write_options *options,
                                      sgio_dicom_reference *reference)
{
    const sgio_volume *source = options->source;
    double normal[3], step[3];
    memset(reference, 0, sizeof *reference);
    reference->slices = calloc(source->file_count, sizeof *reference->slices);
    if (!reference->slices) return sgio_fail_memory(source->file_count, source->files[0]);
    sgio_status status = read_first(source->files[0], reference);
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
    if (!read_numbers(&reference->set, tag, 1, &value)) return;
    number_text(&reference->set, tag, 1, &value, text);
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

void sgio_dicom_now(char date[16], char clock[16])
{
    struct tm parts;
    time_t now = time(NULL);
    localtime_r(&now, &parts);
    strftime(date, 16, "%Y%m%d", &parts);
    strftime(clock, 16, "%H%M%S", &parts);
}
