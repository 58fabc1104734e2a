/* RT structure sets into memory. The contours of a structure are filled on the slices of a given
 * grid; of several on one slice the later ones take away what they share with the earlier ones,
 * which makes holes of contours within contours, and leaves keyholes and islands what they are. */
#include "dicom_rt_read.h"

#include "io_status.h"
#include "segmentation_parts.h"
#include "text_number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A pixel is inside when a place beside its centre is: contours like to run through centres. */
static const double BESIDE_X = 1.0 / 131, BESIDE_Y = 1.0 / 127;

/* Rows that all edges together may cross: minutes of work. */
static const uint64_t MOST_CROSSINGS = UINT64_C(1) << 32;

enum { SHORTEST_CONTOUR = 3 };

typedef struct rt_reader {
    const char *path;
    const sgio_segmentation_read_options *options;
    sgio_segmentation *out;
    int numbers[SGIO_MAX_SEGMENTS]; /* of the structures in `out` */
    uint8_t *mask;                  /* of one structure, the grid's size */
    uint8_t *turns;                 /* of one slice: where rows change sides */
    double (*points)[3];            /* of one contour, continuous indices */
    size_t capacity;
    uint64_t crossings;
    size_t outside, other_kinds; /* contours that are not filled */
    double farthest;             /* from the middle of its slice, in slices */
    sgio_segment *measured;      /* the structure whose contours are looked at */
} rt_reader;

static sgio_status refuse(const rt_reader *reader, const char *why)
{
    return sgio_fail(SGIO_UNREADABLE, "%s: %s", reader->path, why);
}

/* ------------------------------------------------------------------------------------ structures
 */

static int find_number(const rt_reader *reader, double number)
{
    for (size_t s = 0; s < reader->out->segment_count; s++)
        if (reader->numbers[s] == number) return (int)s;
    return -1;
}

static sgio_status add_structure(void *user, const sgio_dicom_set *item)
{
    rt_reader *reader = user;
    char name[256];
    double number;
    size_t index;
    if (sgio_dicom_number(item, DICOM_ROI_NUMBER, 0, &number) != SGIO_DICOM_NUMBER ||
        !(fabs(number) < 1e9) || find_number(reader, number) >= 0)
        return refuse(reader, "a structure set whose structures are numbered wrongly");
    if (reader->out->segment_count >= SGIO_MAX_SEGMENTS)
        return refuse(reader, "a structure set with too many structures");
    if (!sgio_dicom_text(item, DICOM_ROI_NAME, name, sizeof name))
        snprintf(name, sizeof name, "Structure_%.0f", number);
    sgio_status status = sgio_segmentation_add(reader->out, name, NULL, &index);
    if (status == SGIO_OK) reader->numbers[index] = (int)number;
    return status;
}

static void read_colour(const sgio_dicom_set *item, sgio_segment *segment)
{
    double colour[3];
    for (int i = 0; i < 3; i++)
        if (sgio_dicom_number(item, DICOM_ROI_COLOUR, i, &colour[i]) != SGIO_DICOM_NUMBER ||
            !(colour[i] >= 0 && colour[i] <= 255))
            return;
    for (int i = 0; i < 3; i++)
        segment->colour[i] = colour[i] / 255;
}

/* --------------------------------------------------------------------------------------- points */

static sgio_status make_room(rt_reader *reader, size_t points)
{
    if (points <= reader->capacity) return SGIO_OK;
    double(*grown)[3] = realloc(reader->points, points * sizeof *grown);
    if (!grown) return sgio_fail_memory(points * sizeof *grown, reader->path);
    reader->points = grown;
    reader->capacity = points;
    return SGIO_OK;
}

/* "x\y\z\x\y\z..." in millimetres; the number of points, or -1 for anything else. */
static int64_t parse_points(rt_reader *reader, const char *text)
{
    size_t values = 0;
    for (;;) {
        if (values / 3 >= reader->capacity ||
            !sgio_take_double(&text, &reader->points[values / 3][values % 3]))
            return -1;
        values++;
        text += strspn(text, " ");
        if (*text != '\\') break;
        text++;
    }
    return *text || values % 3 ? -1 : (int64_t)(values / 3);
}

/* The points as indices of the grid. */
static sgio_status read_points(rt_reader *reader, const sgio_dicom_set *item, size_t *count)
{
    const sgio_dicom_element *data = sgio_dicom_find(item, DICOM_CONTOUR_DATA);
    *count = 0;
    if (!data || data->length == 0) return SGIO_OK;
    const uint64_t bytes = sgio_dicom_available(item->file, data->at, data->length);
    if (bytes < data->length) return refuse(reader, "a structure set that is cut off");
    char *text = malloc((size_t)bytes + 1);
    if (!text) return sgio_fail_memory((size_t)bytes, reader->path);
    text[bytes] = 0;
    /* a coordinate takes two bytes at least */
    sgio_status status = make_room(reader, (size_t)bytes / 6 + 1);
    int64_t points = -1;
    if (status == SGIO_OK && sgio_dicom_copy(item->file, data->at, (size_t)bytes, text) == 0)
        points = parse_points(reader, text);
    free(text);
    if (status != SGIO_OK) return status;
    if (points < 0) return refuse(reader, "a contour whose points are no numbers");
    for (int64_t i = 0; i < points; i++)
        if (sgio_geometry_lps_to_index(&reader->out->geometry, reader->points[i],
                                       reader->points[i]) != 0)
            return refuse(reader, "the grid it is read onto is flat");
    *count = (size_t)points;
    return SGIO_OK;
}

/* -------------------------------------------------------------------------------------- filling */

static void find_range(const rt_reader *reader, size_t count, int axis, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        *low = fmin(*low, reader->points[i][axis]);
        *high = fmax(*high, reader->points[i][axis]);
    }
}

/* Where a contour lies, in slices. */
static sgio_status find_middle(const rt_reader *reader, size_t count, double *middle)
{
    double low, high;
    find_range(reader, count, 2, &low, &high);
    *middle = 0.5 * (low + high);
    if (high - low <= 0.5) return SGIO_OK;
    return refuse(reader, "its contours do not lie in the slices of the volume");
}

/* The slice of a contour; -1: beside the grid. */
static sgio_status find_slice(rt_reader *reader, size_t count, int64_t *slice)
{
    double middle;
    const sgio_status status = find_middle(reader, count, &middle);
    const double k = rint(middle);
    *slice = -1;
    if (status != SGIO_OK || !(k >= 0 && k < (double)reader->out->geometry.size[2])) return status;
    *slice = (int64_t)k;
    reader->farthest = fmax(reader->farthest, fabs(middle - k));
    return SGIO_OK;
}

/* Marks in each row that the edge crosses the first pixel to the right of it. */
static sgio_status mark_edge(rt_reader *reader, const double *a, const double *b)
{
    const int64_t *size = reader->out->geometry.size;
    const double low = fmin(a[1], b[1]) - BESIDE_Y, high = fmax(a[1], b[1]) - BESIDE_Y;
    const double rows = (double)size[1], columns = (double)size[0];
    const int64_t first = (int64_t)fmin(fmax(ceil(low), 0), rows);
    const int64_t end = (int64_t)fmin(fmax(ceil(high), 0), rows);
    for (int64_t j = first; j < end; j++) {
        const double share = ((double)j + BESIDE_Y - a[1]) / (b[1] - a[1]);
        const double x = a[0] + share * (b[0] - a[0]) - BESIDE_X;
        const double i = fmin(fmax(ceil(x), 0), columns);
        reader->turns[j * (size[0] + 1) + (int64_t)i] ^= 1;
    }
    reader->crossings += (uint64_t)(end > first ? end - first : 0);
    return reader->crossings <= MOST_CROSSINGS
               ? SGIO_OK
               : refuse(reader, "a structure set with too long contours");
}

/* Even-odd: an edge turns everything behind it. */
static void fill_slice(rt_reader *reader, int64_t k)
{
    const int64_t *size = reader->out->geometry.size;
    uint8_t *to = reader->mask + k * size[0] * size[1];
    for (int64_t j = 0; j < size[1]; j++) {
        const uint8_t *turns = reader->turns + j * (size[0] + 1);
        uint8_t inside = 0;
        for (int64_t i = 0; i < size[0]; i++) {
            inside ^= turns[i];
            to[j * size[0] + i] ^= inside;
        }
    }
}

static int is_closed(const sgio_dicom_set *item)
{
    char kind[24];
    sgio_dicom_text(item, DICOM_CONTOUR_KIND, kind, sizeof kind);
    return strcmp(kind, "CLOSED_PLANAR") == 0 || strcmp(kind, "CLOSEDPLANAR_XOR") == 0;
}

static sgio_status fill_contour(void *user, const sgio_dicom_set *item)
{
    rt_reader *reader = user;
    const int64_t *size = reader->out->geometry.size;
    size_t count;
    int64_t k = -1;
    reader->other_kinds += !is_closed(item);
    if (!is_closed(item)) return SGIO_OK;
    sgio_status status = read_points(reader, item, &count);
    if (status != SGIO_OK || count < SHORTEST_CONTOUR) return status;
    status = find_slice(reader, count, &k);
    reader->outside += status == SGIO_OK && k < 0;
    if (status != SGIO_OK || k < 0) return status;
    memset(reader->turns, 0, (size_t)((size[0] + 1) * size[1]));
    for (size_t i = 0; i < count && status == SGIO_OK; i++)
        status = mark_edge(reader, reader->points[i], reader->points[(i + 1) % count]);
    if (status == SGIO_OK) fill_slice(reader, k);
    return status;
}

static sgio_status find_structure(rt_reader *reader, const sgio_dicom_set *item,
                                  sgio_segment **found)
{
    double number = 0;
    sgio_dicom_number(item, DICOM_ROI_REFERENCE, 0, &number);
    const int s = find_number(reader, number);
    if (s < 0) return refuse(reader, "contours of a structure that it does not name");
    *found = &reader->out->segments[s];
    return SGIO_OK;
}

static sgio_status fill_structure(void *user, const sgio_dicom_set *item)
{
    rt_reader *reader = user;
    sgio_segment *segment = NULL;
    sgio_status status = find_structure(reader, item, &segment);
    if (status != SGIO_OK) return status;
    const size_t s = (size_t)(segment - reader->out->segments);
    memset(reader->mask, 0, sgio_voxel_count(&reader->out->geometry));
    read_colour(item, segment);
    status = sgio_dicom_for_items(item, DICOM_CONTOURS, fill_contour, reader);
    if (status == SGIO_OK) status = sgio_segmentation_set_mask(reader->out, s, reader->mask);
    if (status != SGIO_OK) return status;
    return sgio_tell(reader->options->progress, reader->options->progress_user, s + 1,
                     reader->out->segment_count);
}

/* ----------------------------------------------------------------------------------- the extents
 */

/* Indices beyond this are no place of a voxel. */
static const double FARTHEST = 1e6;

/* The voxels that filling a contour can mark; *any is 0 where it passes all centres by. */
static sgio_status find_reach(const rt_reader *reader, size_t count, int64_t reach[6], int *any)
{
    double middle;
    const sgio_status status = find_middle(reader, count, &middle);
    if (status != SGIO_OK) return status;
    *any = 1;
    for (int axis = 0; axis < 2; axis++) { /* as mark_edge and fill_slice */
        const double beside = axis == 0 ? BESIDE_X : BESIDE_Y;
        double low, high;
        find_range(reader, count, axis, &low, &high);
        if (!(low > -FARTHEST && high < FARTHEST && fabs(middle) < FARTHEST))
            return refuse(reader, "contours far from the grid");
        reach[2 * axis] = (int64_t)ceil(low - beside);
        reach[2 * axis + 1] = (int64_t)ceil(high - beside) - 1;
        *any = *any && reach[2 * axis] <= reach[2 * axis + 1];
    }
    reach[4] = reach[5] = (int64_t)rint(middle);
    return SGIO_OK;
}

static void extend(sgio_segment *segment, const int64_t reach[6])
{
    int64_t *extent = segment->extent;
    if (segment->voxels == 0) memcpy(extent, reach, sizeof segment->extent);
    segment->voxels = 1;
    for (int axis = 0; axis < 3; axis++) {
        const int64_t *range = reach + 2 * axis;
        if (range[0] < extent[2 * axis]) extent[2 * axis] = range[0];
        if (range[1] > extent[2 * axis + 1]) extent[2 * axis + 1] = range[1];
    }
}

static sgio_status measure_contour(void *user, const sgio_dicom_set *item)
{
    rt_reader *reader = user;
    int64_t reach[6];
    size_t count;
    int any = 0;
    if (!is_closed(item)) return SGIO_OK;
    sgio_status status = read_points(reader, item, &count);
    if (status != SGIO_OK || count < SHORTEST_CONTOUR) return status;
    status = find_reach(reader, count, reach, &any);
    if (status == SGIO_OK && any) extend(reader->measured, reach);
    return status;
}

static sgio_status measure_structure(void *user, const sgio_dicom_set *item)
{
    rt_reader *reader = user;
    const sgio_status status = find_structure(reader, item, &reader->measured);
    if (status != SGIO_OK) return status;
    reader->measured->voxels = 0;
    return sgio_dicom_for_items(item, DICOM_CONTOURS, measure_contour, reader);
}

/* ------------------------------------------------------------------------------------ the file */

static void warn_of_contours(const rt_reader *reader)
{
    const sgio_segmentation_read_options *o = reader->options;
    if (reader->outside > 0)
        sgio_warn(o->warn, o->warn_user, "%s: %zu contours lie beside the volume and are dropped",
                  reader->path, reader->outside);
    if (reader->other_kinds > 0)
        sgio_warn(o->warn, o->warn_user,
                  "%s: %zu points and open contours are no areas and are ignored", reader->path,
                  reader->other_kinds);
    if (reader->farthest > 0.05)
        sgio_warn(o->warn, o->warn_user,
                  "%s: contours lie between the slices of the volume (by %.2f of a slice at most) "
                  "and are filled on the nearest ones",
                  reader->path, reader->farthest);
}

static sgio_status make_masks(rt_reader *reader, const sgio_geometry *grid)
{
    const size_t voxels = sgio_voxel_count(grid);
    const size_t turns = (size_t)((grid->size[0] + 1) * grid->size[1]);
    reader->mask = malloc(voxels);
    reader->turns = malloc(turns);
    return reader->mask && reader->turns ? SGIO_OK : sgio_fail_memory(voxels, reader->path);
}

/* The structures, empty. */
static sgio_status begin_set(rt_reader *reader, const sgio_dicom_set *set,
                             const sgio_geometry *grid)
{
    sgio_status status = sgio_segmentation_init(reader->out, grid);
    if (status == SGIO_OK)
        status = sgio_dicom_for_items(set, DICOM_STRUCTURES, add_structure, reader);
    if (status == SGIO_OK && reader->out->segment_count == 0)
        status = refuse(reader, "a structure set without structures");
    if (status == SGIO_OK && !sgio_dicom_find(set, DICOM_ROI_CONTOURS)) /* or cut before them */
        status = refuse(reader, "a structure set without contours");
    return status;
}

static sgio_status read_set(rt_reader *reader, const sgio_dicom_set *set)
{
    const sgio_geometry *grid = reader->options->grid;
    if (!grid)
        return refuse(reader, "an RT structure set has no grid of its own; it is read onto that of "
                              "the volume that it was drawn on");
    sgio_status status = begin_set(reader, set, grid);
    if (status == SGIO_OK) status = make_masks(reader, grid);
    if (status == SGIO_OK)
        status = sgio_dicom_for_items(set, DICOM_ROI_CONTOURS, fill_structure, reader);
    if (status == SGIO_OK) warn_of_contours(reader);
    return status;
}

static sgio_status measure_set(rt_reader *reader, const sgio_dicom_set *set)
{
    const sgio_status status = begin_set(reader, set, reader->options->grid);
    if (status != SGIO_OK) return status;
    return sgio_dicom_for_items(set, DICOM_ROI_CONTOURS, measure_structure, reader);
}

static sgio_status read_file(const char *path, const sgio_segmentation_read_options *options,
                             sgio_segmentation *out,
                             sgio_status (*use)(rt_reader *reader, const sgio_dicom_set *set))
{
    sgio_dicom_file *file = NULL;
    sgio_dicom_set set = {0};
    rt_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return sgio_fail_memory(sizeof *reader, path);
    reader->path = path;
    reader->options = options;
    reader->out = out;
    sgio_status status = sgio_dicom_open(path, 0, &file);
    if (status == SGIO_OK) status = sgio_dicom_read_set(file, &set);
    if (status == SGIO_OK) status = use(reader, &set);
    sgio_dicom_set_clear(&set);
    sgio_dicom_close(file);
    free(reader->mask);
    free(reader->turns);
    free(reader->points);
    free(reader);
    return status;
}

sgio_status sgio_read_rtstruct(const char *path, const sgio_segmentation_read_options *options,
                               sgio_segmentation *out)
{
    return read_file(path, options, out, read_set);
}

sgio_status sgio_rtstruct_extents(const char *path, const sgio_geometry *grid,
                                  sgio_segmentation *out)
{
    const sgio_segmentation_read_options options = {.grid = grid};
    memset(out, 0, sizeof *out);
    const sgio_status status = read_file(path, &options, out, measure_set);
    if (status != SGIO_OK) sgio_segmentation_clear(out);
    return status;
}
