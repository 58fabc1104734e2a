/* DICOM Segmentations into memory. */
#include "dicom_seg.h"

#include "colour_lab.h"
#include "dicom_reference.h"
#include "dicom_rt_read.h"
#include "dicom_sort.h"
#include "io_status.h"
#include "segmentation_parts.h"
#include "segmentation_turn.h"
#include "vectors.h"
#include "volume_formats.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Frames whose positions differ by less are on one slice (mm). */
static const double same_place = 0.01;

typedef struct seg_reader {
    const char *path;
    const sgio_segmentation_read_options *options;
    sgio_seg_file file;
    sgio_segmentation *out;
    int numbers[SGIO_MAX_SEGMENTS]; /* of the segments in `out` */
    int64_t *slices;                /* k of every frame */
} seg_reader;

static sgio_status refuse(const seg_reader *reader, const char *why)
{
    return sgio_fail(SGIO_UNREADABLE, "%s: %s", reader->path, why);
}

/* Segments */

static sgio_status read_code(void *user, const sgio_dicom_set *item)
{
    sgio_code *code = user;
    sgio_dicom_text(item, DICOM_CODE_VALUE, code->value, sizeof code->value);
    sgio_dicom_text(item, DICOM_CODE_SCHEME, code->scheme, sizeof code->scheme);
    sgio_dicom_text(item, DICOM_CODE_MEANING, code->meaning, sizeof code->meaning);
    for (char *c = code->meaning; *c; c++) /* they part the entry's fields */
        if (*c == '^' || *c == '~') *c = ' ';
    return SGIO_OK;
}

static sgio_status read_type(void *user, const sgio_dicom_set *item)
{
    sgio_terminology *terms = user;
    read_code(&terms->type, item);
    return sgio_dicom_for_items(item, DICOM_SEGMENT_MODIFIER, read_code, &terms->type_modifier);
}

static sgio_status read_terms(const sgio_dicom_set *item, sgio_terminology *terms)
{
    memset(terms, 0, sizeof *terms);
    sgio_status status =
        sgio_dicom_for_items(item, DICOM_SEGMENT_CATEGORY, read_code, &terms->category);
    if (status == SGIO_OK)
        status = sgio_dicom_for_items(item, DICOM_SEGMENT_TYPE, read_type, terms);
    if (status == SGIO_OK)
        status = sgio_dicom_for_items(item, DICOM_ANATOMIC_REGION, read_code, &terms->region);
    return status;
}

static void write_part(char *out, size_t size, const sgio_code *code)
{
    size_t used = strlen(out);
    snprintf(out + used, size - used, "~%s^%s^%s", code->scheme, code->value, code->meaning);
}

/* As Slicer's own importer names the context. */
static sgio_status set_terminology(sgio_segment *segment, const sgio_terminology *terms)
{
    char entry[1024] = "Segmentation category and type - DICOM master list";
    if (!terms->category.value[0] || !terms->type.value[0]) return SGIO_OK;
    write_part(entry, sizeof entry, &terms->category);
    write_part(entry, sizeof entry, &terms->type);
    write_part(entry, sizeof entry, &terms->type_modifier);
    size_t used = strlen(entry);
    snprintf(entry + used, sizeof entry - used, "~Anatomic codes - DICOM master list");
    write_part(entry, sizeof entry, &terms->region);
    used = strlen(entry);
    snprintf(entry + used, sizeof entry - used, "~^^");
    char *copy = strdup(entry);
    if (!copy) return sgio_fail_memory(sizeof entry, "a segment's terms");
    free(segment->terminology);
    segment->terminology = copy;
    return SGIO_OK;
}

static int read_colour(const sgio_dicom_set *item, double colour[3])
{
    double lab[3];
    for (int i = 0; i < 3; i++)
        if (sgio_dicom_number(item, DICOM_SEGMENT_COLOUR, i, &lab[i]) != SGIO_DICOM_NUMBER)
            return 0;
    sgio_lab_to_rgb(lab, colour);
    return 1;
}

static int find_number(const seg_reader *reader, int number)
{
    for (size_t s = 0; s < reader->out->segment_count; s++)
        if (reader->numbers[s] == number) return (int)s;
    return -1;
}

static sgio_status read_segment(void *user, const sgio_dicom_set *item)
{
    seg_reader *reader = user;
    char name[256];
    double colour[3], number = 0;
    sgio_terminology terms;
    size_t index;
    sgio_dicom_number(item, DICOM_SEGMENT_NUMBER, 0, &number);
    int is_label_map = reader->file.bits > 1 && !reader->file.is_fractional;
    if (is_label_map && number == 0) return SGIO_OK; /* the background */
    if (!(number >= 1 && number <= 65535) || find_number(reader, (int)number) >= 0)
        return refuse(reader, "a DICOM SEG with segments numbered wrongly");
    if (reader->out->segment_count >= SGIO_MAX_SEGMENTS)
        return refuse(reader, "a DICOM SEG with too many segments");
    if (!sgio_dicom_text(item, DICOM_SEGMENT_LABEL, name, sizeof name))
        snprintf(name, sizeof name, "Segment_%d", (int)number);
    sgio_status status = read_terms(item, &terms);
    int has_colour = read_colour(item, colour);
    if (status == SGIO_OK)
        status = sgio_segmentation_add(reader->out, name, has_colour ? colour : NULL, &index);
    if (status != SGIO_OK) return status;
    reader->numbers[index] = (int)number;
    return set_terminology(&reader->out->segments[index], &terms);
}

/* The grid */

static void plane_columns(const sgio_seg_file *file, sgio_geometry *grid)
{
    memset(grid, 0, sizeof *grid);
    grid->size[0] = file->columns;
    grid->size[1] = file->rows;
    for (int r = 0; r < 3; r++) {
        grid->matrix[r][0] = file->row[r] * file->column_spacing;
        grid->matrix[r][1] = file->column[r] * file->row_spacing;
    }
}

static int has_planes(const seg_reader *reader, const sgio_geometry *grid)
{
    sgio_geometry plane;
    plane_columns(&reader->file, &plane);
    if (grid->size[0] != plane.size[0] || grid->size[1] != plane.size[1]) return 0;
    for (int r = 0; r < 3; r++) /* at the far corner of a slice */
        if (fabs(grid->matrix[r][0] - plane.matrix[r][0]) * (double)grid->size[0] > 0.05 ||
            fabs(grid->matrix[r][1] - plane.matrix[r][1]) * (double)grid->size[1] > 0.05)
            return 0;
    return 1;
}

/* The nearest slice of the grid to every frame, in reader->slices. 0 where one lies beyond it. */
static int find_slices(seg_reader *reader, const sgio_geometry *grid)
{
    for (size_t n = 0; n < reader->file.count; n++) {
        double index[3];
        if (sgio_geometry_lps_to_index(grid, reader->file.frames[n].position, index) != 0) return 0;
        const double k = rint(index[2]);
        if (!(k >= 0 && k < (double)grid->size[2])) return 0;
        reader->slices[n] = (int64_t)k;
    }
    return 1;
}

static double distance_of(const double a[3], const double b[3])
{
    const double d[3] = {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
    return sqrt(sgio_dot(d, d));
}

/* Whether every frame is a slice of that grid; their k in reader->slices. */
static int lies_on(seg_reader *reader, const sgio_geometry *grid)
{
    if (!has_planes(reader, grid) || !find_slices(reader, grid)) return 0;
    for (size_t n = 0; n < reader->file.count; n++) {
        double index[3];
        if (sgio_geometry_lps_to_index(grid, reader->file.frames[n].position, index) != 0) return 0;
        if (!(fabs(index[0]) < 0.05 && fabs(index[1]) < 0.05 &&
              fabs(index[2] - (double)reader->slices[n]) < 0.05))
            return 0;
    }
    return 1;
}

/* Whether every frame lies where a slice of the series does, however unevenly. `at` holds a source
 * for each slice of the grid, NULL where there is none. */
static int are_sources(const seg_reader *reader, const sgio_dicom_source *const *at)
{
    for (size_t n = 0; n < reader->file.count; n++) {
        const sgio_dicom_source *source = at[reader->slices[n]];
        if (!source || distance_of(source->position, reader->file.frames[n].position) > same_place)
            return 0;
    }
    return 1;
}

/* The slices of the volume that the grid is of, where that is a DICOM series; as the writer has
 * them, so that what it wrote comes back to its slices. */
static int lies_on_series(seg_reader *reader, const sgio_geometry *grid)
{
    const sgio_segmentation_write_options series = {.source = reader->options->volume};
    sgio_dicom_reference reference = {0};
    if (!series.source || series.source->file_count == 0 || series.source->is_sequence) return 0;
    if (!has_planes(reader, grid) || !find_slices(reader, grid)) return 0;
    const sgio_dicom_source **at = calloc((size_t)grid->size[2], sizeof *at);
    const int known = at && sgio_dicom_read_reference(&series, &reference) == SGIO_OK;
    for (size_t i = 0; known && i < reference.count; i++)
        at[reference.slices[i].k] = &reference.slices[i];
    const int found = known && are_sources(reader, at);
    if (at) sgio_dicom_reference_clear(&reference);
    free(at);
    return found;
}

/* As far from even as slices of a series may lie (dicom_sort.h); *most is the largest distance. */
static int lies_near(seg_reader *reader, const sgio_geometry *grid, double *most)
{
    double spacing[3];
    *most = 0;
    if (!has_planes(reader, grid) || !find_slices(reader, grid)) return 0;
    sgio_geometry_spacing(grid, spacing);
    for (size_t n = 0; n < reader->file.count; n++) {
        const double index[3] = {0, 0, (double)reader->slices[n]};
        double place[3];
        sgio_geometry_index_to_lps(grid, index, place);
        *most = fmax(*most, distance_of(place, reader->file.frames[n].position));
    }
    return sgio_dicom_is_even(*most, spacing[2]);
}

typedef struct place {
    double distance;
    size_t frame;
} place;

static int compare_places(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->distance != y->distance) return x->distance < y->distance ? -1 : 1;
    return (x->frame > y->frame) - (x->frame < y->frame);
}

/* Distance of the grid's slices: the smallest gap between frames, unless the file says a distance
 * that divides it. */
static double find_step(const sgio_seg_file *file, const place *places)
{
    double smallest = 0;
    for (size_t n = 1; n < file->count; n++) {
        double gap = places[n].distance - places[n - 1].distance;
        if (gap > same_place && (smallest == 0 || gap < smallest)) smallest = gap;
    }
    if (smallest == 0) return file->between > 0 ? file->between : 1;
    double times = file->between > same_place ? rint(smallest / file->between) : 0;
    int divides = times >= 1 && fabs(smallest - times * file->between) < 0.01 * file->between;
    return divides ? smallest / times : smallest;
}

/* The third column from the first and the last frame, so that a tilt stays. */
static void set_step(const sgio_seg_file *file, const place *places, double step,
                     const double normal[3], sgio_geometry *grid)
{
    const double *first = file->frames[places[0].frame].position;
    const double *last = file->frames[places[file->count - 1].frame].position;
    double total = places[file->count - 1].distance - places[0].distance;
    double slices = rint(total / step);
    grid->size[2] = (int64_t)fmin(slices, 1e6) + 1;
    for (int r = 0; r < 3; r++) {
        grid->matrix[r][2] = slices > 0 ? (last[r] - first[r]) / slices : step * normal[r];
        grid->matrix[r][3] = first[r];
    }
}

/* From the frames alone: an even stack through all of them. */
static sgio_status make_grid(seg_reader *reader, sgio_geometry *grid)
{
    const sgio_seg_file *file = &reader->file;
    double normal[3];
    place *places = malloc(file->count * sizeof *places);
    if (!places) return sgio_fail_memory(file->count * sizeof *places, reader->path);
    sgio_cross(file->row, file->column, normal);
    for (size_t n = 0; n < file->count; n++)
        places[n] = (place){sgio_dot(normal, file->frames[n].position), n};
    qsort(places, file->count, sizeof *places, compare_places);
    plane_columns(file, grid);
    set_step(file, places, find_step(file, places), normal, grid);
    free(places);
    sgio_status status = sgio_check_geometry(reader->path, grid);
    if (status == SGIO_OK && (size_t)grid->size[2] > 1024 + 16 * file->count)
        status = refuse(reader, "a DICOM SEG whose few frames lie too far apart");
    if (status == SGIO_OK && !lies_on(reader, grid))
        status =
            refuse(reader, "a DICOM SEG whose frames lie unevenly; it is read onto the grid of "
                           "the volume that it was made from");
    return status;
}

/* The grid of a file made of the series (NIfTI) has its rows backwards as often as not. */
static int lies_on_turned(seg_reader *reader, const sgio_geometry *wanted, sgio_geometry *grid)
{
    for (int way = 0; way < SGIO_TURNS; way++) {
        const sgio_turn turn = sgio_turn_way(way);
        *grid = sgio_turned_geometry(wanted, &turn);
        if (lies_on(reader, grid)) return 1;
    }
    return 0;
}

static int lies_near_turned(seg_reader *reader, const sgio_geometry *wanted, sgio_geometry *grid)
{
    for (int way = 0; way < SGIO_TURNS; way++) {
        const sgio_turn turn = sgio_turn_way(way);
        double most;
        *grid = sgio_turned_geometry(wanted, &turn);
        if (!lies_near(reader, grid, &most)) continue;
        sgio_warn(
            reader->options->warn, reader->options->warn_user,
            "%s: its frames lie up to %.3f mm from the slices of the volume, and are taken as "
            "those",
            reader->path, most);
        return 1;
    }
    return 0;
}

/* The wanted one, turned perhaps, where the frames are slices of it, however few. */
static sgio_status find_grid(seg_reader *reader, sgio_geometry *grid)
{
    const sgio_geometry *wanted = reader->options->grid;
    reader->slices = malloc(reader->file.count * sizeof *reader->slices);
    if (!reader->slices) return sgio_fail_memory(reader->file.count, reader->path);
    if (wanted && lies_on_turned(reader, wanted, grid)) return SGIO_OK;
    if (wanted) *grid = *wanted;
    if (wanted && lies_on_series(reader, wanted)) return SGIO_OK;
    if (wanted && lies_near_turned(reader, wanted, grid)) return SGIO_OK;
    return make_grid(reader, grid);
}

/* Voxels */

static int frame_value(const seg_reader *reader, size_t n, int number)
{
    int own = reader->file.frames[n].segment;
    if (own == number) return 1;  /* binary and fractional frames hold 0 and 1 */
    return own == 0 ? number : 0; /* label maps hold numbers; 0 here: not a frame of the segment */
}

static sgio_status add_frame(seg_reader *reader, size_t n, int wanted, uint16_t *values,
                             uint8_t *mask)
{
    size_t count = (size_t)reader->file.rows * (size_t)reader->file.columns;
    uint8_t *to = mask + (size_t)reader->slices[n] * count;
    if (sgio_seg_read_frame(&reader->file, n, values) != 0)
        return refuse(reader, "its pixels cannot be read");
    for (size_t i = 0; i < count; i++)
        if (values[i] == wanted) to[i] = 1;
    return SGIO_OK;
}

static sgio_status read_mask(seg_reader *reader, size_t s, uint16_t *values, uint8_t *mask)
{
    sgio_status status = SGIO_OK;
    memset(mask, 0, sgio_voxel_count(&reader->out->geometry));
    for (size_t n = 0; n < reader->file.count && status == SGIO_OK; n++) {
        int wanted = frame_value(reader, n, reader->numbers[s]);
        if (wanted) status = add_frame(reader, n, wanted, values, mask);
    }
    if (status == SGIO_OK) status = sgio_segmentation_set_mask(reader->out, s, mask);
    if (status != SGIO_OK) return status;
    return sgio_tell(reader->options->progress, reader->options->progress_user, s + 1,
                     reader->out->segment_count);
}

static sgio_status read_masks(seg_reader *reader)
{
    size_t voxels = sgio_voxel_count(&reader->out->geometry);
    size_t slice = (size_t)reader->file.rows * (size_t)reader->file.columns;
    uint8_t *mask = malloc(voxels);
    uint16_t *values = malloc(slice * sizeof *values);
    sgio_status status =
        mask && values ? SGIO_OK : sgio_fail_memory(voxels + 2 * slice, reader->path);
    for (size_t s = 0; s < reader->out->segment_count && status == SGIO_OK; s++)
        status = read_mask(reader, s, values, mask);
    free(values);
    free(mask);
    return status;
}

static sgio_status check_frames(const seg_reader *reader)
{
    for (size_t n = 0; n < reader->file.count; n++) {
        int number = reader->file.frames[n].segment;
        if (number && find_number(reader, number) < 0)
            return refuse(reader,
                          "a DICOM SEG with a frame of a segment that it does not describe");
    }
    return SGIO_OK;
}

static sgio_status read_seg(seg_reader *reader)
{
    sgio_geometry grid;
    sgio_status status = sgio_seg_open(reader->path, &reader->file);
    if (status == SGIO_OK) status = find_grid(reader, &grid);
    if (status == SGIO_OK) status = sgio_segmentation_init(reader->out, &grid);
    if (status == SGIO_OK)
        status = sgio_dicom_for_items(&reader->file.set, DICOM_SEGMENTS, read_segment, reader);
    if (status == SGIO_OK) status = check_frames(reader);
    if (status == SGIO_OK) status = read_masks(reader);
    if (status == SGIO_OK && reader->file.is_fractional)
        sgio_warn(reader->options->warn, reader->options->warn_user,
                  "%s: a fractional DICOM SEG, taken from half of its greatest value on",
                  reader->path);
    return status;
}

static void read_class(const char *path, char sop_class[65])
{
    sgio_dicom_file *file = NULL;
    sgio_dicom_set set;
    sop_class[0] = 0;
    if (sgio_dicom_open(path, 0, &file) == SGIO_OK) {
        sgio_dicom_read_set(file, &set);
        sgio_dicom_text(&set, DICOM_SOP_CLASS, sop_class, 65);
        sgio_dicom_set_clear(&set);
    }
    sgio_dicom_close(file);
}

static int is_seg(const char *sop_class)
{
    return !strcmp(sop_class, SGIO_DICOM_SEG_CLASS) ||
           !strcmp(sop_class, SGIO_DICOM_LABELMAP_CLASS);
}

static sgio_status read_as_volume(const char *path, const sgio_segmentation_read_options *options,
                                  sgio_segmentation *out)
{
    sgio_volume volume;
    sgio_segmentation_read_options own_grid = *options;
    const sgio_read_options reading = {.warn = options->warn,
                                       .warn_user = options->warn_user,
                                       .progress = options->progress,
                                       .progress_user = options->progress_user};
    sgio_status status = sgio_volume_read(path, &reading, &volume);
    if (status != SGIO_OK) return status;
    own_grid.grid = NULL;
    status = sgio_segmentation_from_volume(&volume, path, &own_grid, out);
    sgio_volume_clear(&volume);
    return status;
}

sgio_status sgio_read_dicom_seg(const char *path, const sgio_segmentation_read_options *options,
                                sgio_segmentation *out)
{
    char sop_class[65];
    read_class(path, sop_class);
    if (!strcmp(sop_class, SGIO_DICOM_RTSTRUCT_CLASS))
        return sgio_read_rtstruct(path, options, out);
    if (!is_seg(sop_class)) return read_as_volume(path, options, out);
    seg_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return sgio_fail_memory(sizeof *reader, path);
    reader->path = path;
    reader->options = options;
    reader->out = out;
    sgio_status status = read_seg(reader);
    sgio_seg_close(&reader->file);
    free(reader->slices);
    free(reader);
    return status;
}
