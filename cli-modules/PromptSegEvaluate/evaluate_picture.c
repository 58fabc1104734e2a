#include "evaluate_picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "cli_exit.h"
#include "sgio/picture.h"

enum { MOST_TILES = 12, MOST_OF_LABEL = 6 };

static const double GREEN[3] = {0.25, 0.9, 0.35}, RED[3] = {1, 0.3, 0.25};

static int marks(const sgio_segmentation *s, const sgio_segment *segment, size_t voxel)
{
    if (!segment || segment->layer < 0) return 0;
    const sgio_layer *layer = &s->layers[segment->layer];
    const int value = layer->bytes == 1 ? ((const uint8_t *)layer->data)[voxel]
                                        : ((const uint16_t *)layer->data)[voxel];
    return value == segment->label;
}

/* Of a volume across its longest step, of equal ones k; what is one voxel thick is flat, however
 * thin it is. */
static int choose_axis(const sgio_segmentation *reference, const sgio_segmentation *prediction)
{
    const int64_t *size = reference->geometry.size;
    double spacing[3];
    int axis = 2;
    if (evaluate_is_set(reference, prediction)) return axis;
    for (int a = 2; a >= 0; a--)
        if (size[a] == 1) return a;
    sgio_geometry_spacing(&reference->geometry, spacing);
    for (int a = 1; a >= 0; a--)
        if (spacing[a] > spacing[axis] * 1.001) axis = a;
    return axis;
}

/* First and last index along each axis that either segment has; first > last: neither has any. */
static void box_of(const sgio_segment *a, const sgio_segment *b, int64_t box[6])
{
    const sgio_segment *both[2] = {a, b};
    for (int axis = 0; axis < 3; axis++) {
        box[2 * axis] = INT64_MAX;
        box[2 * axis + 1] = -1;
        for (int i = 0; i < 2; i++) {
            if (!both[i] || both[i]->voxels == 0) continue;
            const int64_t *extent = both[i]->extent + 2 * axis;
            if (extent[0] < box[2 * axis]) box[2 * axis] = extent[0];
            if (extent[1] > box[2 * axis + 1]) box[2 * axis + 1] = extent[1];
        }
    }
}

/* Voxels of each slice along the axis that one side alone marks. */
static void count_differences(const sgio_segmentation *reference, const sgio_segment *a,
                              const sgio_segmentation *prediction, const sgio_segment *b, int axis,
                              const int64_t box[6], int64_t *differ)
{
    const int64_t *size = reference->geometry.size;
    int64_t at[3];
    for (at[2] = box[4]; at[2] <= box[5]; at[2]++)
        for (at[1] = box[2]; at[1] <= box[3]; at[1]++)
            for (at[0] = box[0]; at[0] <= box[1]; at[0]++) {
                const size_t voxel = (size_t)((at[2] * size[1] + at[1]) * size[0] + at[0]);
                differ[at[axis]] += marks(reference, a, voxel) != marks(prediction, b, voxel);
            }
}

static void add_once(int64_t slice, int64_t slices[MOST_TILES], size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        if (slices[i] == slice) return;
    slices[(*count)++] = slice;
}

/* At most `most` slices of a pair: those that differ most, or where none does the middle one. */
static int add_worst(const sgio_segmentation *reference, const sgio_segmentation *prediction,
                     const evaluate_pair *pair, int axis, size_t most, int64_t slices[MOST_TILES],
                     size_t *count)
{
    const sgio_segment *a = pair->reference < 0 ? NULL : &reference->segments[pair->reference];
    const sgio_segment *b = pair->prediction < 0 ? NULL : &prediction->segments[pair->prediction];
    int64_t box[6];
    box_of(a, b, box);
    if (box[0] > box[1]) return 0;
    int64_t *differ = calloc((size_t)reference->geometry.size[axis], sizeof *differ);
    if (!differ) return cli_fail(CLI_EXIT_MEMORY, "no memory for a picture");
    count_differences(reference, a, prediction, b, axis, box, differ);
    for (size_t n = 0; n < most && *count < MOST_TILES; n++) {
        int64_t worst = (box[2 * axis] + box[2 * axis + 1]) / 2;
        for (int64_t k = box[2 * axis]; k <= box[2 * axis + 1]; k++)
            if (differ[k] > differ[worst]) worst = k;
        if (n > 0 && differ[worst] <= 0) break;
        add_once(worst, slices, count);
        differ[worst] = -1;
    }
    free(differ);
    return 0;
}

/* Whatever metrics are asked for; NaN: neither side marks a voxel. */
static double dice_of(const evaluate_values *values)
{
    const double sum = (double)values->reference_voxels + (double)values->prediction_voxels;
    return sum > 0 ? 2 * (double)values->common_voxels / sum : NAN;
}

static int by_dice(const void *left, const void *right)
{
    const evaluate_pair *a = *(const evaluate_pair *const *)left,
                        *b = *(const evaluate_pair *const *)right;
    const double x = dice_of(&a->values), y = dice_of(&b->values);
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return x != y ? (x > y) - (x < y) : (a->label > b->label) - (a->label < b->label);
}

static int ascending(const void *left, const void *right)
{
    const int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Ascending, each once, MOST_TILES at most. */
static int choose_slices(const sgio_segmentation *reference, const sgio_segmentation *prediction,
                         const evaluate_pairs *pairs, int axis, int64_t slices[MOST_TILES],
                         size_t *count)
{
    const evaluate_pair **order = malloc((pairs->count + 1) * sizeof *order);
    const size_t each = MOST_TILES / (pairs->count ? pairs->count : 1);
    const size_t most = each > MOST_OF_LABEL ? MOST_OF_LABEL : each > 0 ? each : 1;
    int failed = order ? 0 : cli_fail(CLI_EXIT_MEMORY, "no memory for a picture");
    *count = 0;
    for (size_t i = 0; !failed && i < pairs->count; i++)
        order[i] = &pairs->items[i];
    if (!failed) qsort(order, pairs->count, sizeof *order, by_dice);
    for (size_t i = 0; !failed && i < pairs->count && *count < MOST_TILES; i++) {
        failed = add_worst(reference, prediction, order[i], axis, most, slices, count);
    }
    free(order);
    qsort(slices, *count, sizeof *slices, ascending);
    return failed;
}

/* ------------------------------------------------------------------------- both in one picture */

static void borrow(sgio_segmentation *both, const sgio_segmentation *from, int index,
                   int first_layer, const double colour[3], char *name)
{
    if (index < 0) return;
    sgio_segment *segment = &both->segments[both->segment_count++];
    *segment = from->segments[index];
    if (segment->layer >= 0) segment->layer += first_layer;
    memcpy(segment->colour, colour, sizeof segment->colour);
    segment->name = name;
}

/* Layers are borrowed, and names are those of the two sides: only the two arrays are the caller's
 * to free. */
static int join(const sgio_segmentation *reference, const sgio_segmentation *prediction,
                const evaluate_pairs *pairs, sgio_segmentation *both)
{
    static char of_reference[] = "reference", of_prediction[] = "prediction";
    const size_t first = reference->layer_count, second = prediction->layer_count;
    *both = (sgio_segmentation){.geometry = reference->geometry, .layer_count = first + second};
    both->layers = calloc(first + second + 1, sizeof *both->layers);
    both->segments = calloc(2 * pairs->count + 1, sizeof *both->segments);
    if (!both->layers || !both->segments)
        return cli_fail(CLI_EXIT_MEMORY, "no memory for a picture");
    for (size_t i = 0; i < first; i++)
        both->layers[i] = reference->layers[i];
    for (size_t i = 0; i < second; i++)
        both->layers[first + i] = prediction->layers[i];
    for (size_t i = 0; i < pairs->count; i++)
        borrow(both, reference, pairs->items[i].reference, 0, GREEN, of_reference);
    for (size_t i = 0; i < pairs->count; i++)
        borrow(both, prediction, pairs->items[i].prediction, (int)first, RED, of_prediction);
    return 0;
}

/* --------------------------------------------------------------------------------- behind them */

/* Numbers in the names of a set's pictures are its captions. */
static int name_frames(const sgio_segmentation *reference, sgio_volume *behind)
{
    const int64_t count = behind->geometry.size[2];
    if (!reference->frame_numbers) return 0;
    behind->is_sequence = 1;
    behind->frame_names = calloc((size_t)count, sizeof *behind->frame_names);
    for (int64_t k = 0; behind->frame_names && k < count; k++) {
        char name[32];
        snprintf(name, sizeof name, "%ld", reference->frame_numbers[k]);
        behind->frame_names[k] = strdup(name);
        if (!behind->frame_names[k]) return cli_fail(CLI_EXIT_MEMORY, "no memory for a picture");
    }
    return behind->frame_names ? 0 : cli_fail(CLI_EXIT_MEMORY, "no memory for a picture");
}

/* Black, as far as the grid reaches. */
static int make_black(const sgio_segmentation *reference, int channels, sgio_volume *behind)
{
    const int64_t *size = reference->geometry.size;
    *behind =
        (sgio_volume){.geometry = reference->geometry, .type = SGIO_F32, .channels = channels};
    behind->data = calloc((size_t)(size[0] * size[1] * size[2]), sizeof(float) * (size_t)channels);
    if (!behind->data) return cli_fail(CLI_EXIT_MEMORY, "no memory for a picture");
    return name_frames(reference, behind);
}

/* From voxels of the grid to those of the image: index = at[0] + i * step[0] + j * step[1] + ... */
typedef struct grid_map {
    const sgio_volume *image;
    const sgio_segmentation *reference;
    double at[3], step[3][3];
} grid_map;

static int to_image(const grid_map *map, const double index[3], double out[3])
{
    double lps[3];
    sgio_geometry_index_to_lps(&map->reference->geometry, index, lps);
    return sgio_geometry_lps_to_index(&map->image->geometry, lps, out);
}

/* 0, or -1 when the image has no voxels to speak of. */
static int make_map(const sgio_volume *image, const sgio_segmentation *reference, grid_map *map)
{
    *map = (grid_map){.image = image, .reference = reference};
    int failed = to_image(map, map->at, map->at);
    for (int axis = 0; axis < 3 && !failed; axis++) {
        double index[3] = {0};
        index[axis] = 1;
        failed = to_image(map, index, map->step[axis]);
        for (int a = 0; a < 3; a++)
            map->step[axis][a] -= map->at[a];
    }
    return failed;
}

/* The picture of the image with the number of a set's k-th one; its number of pictures: none. */
static int64_t picture_behind(const grid_map *map, int64_t k)
{
    int64_t found = 0;
    while (found < map->image->geometry.size[2] &&
           sgio_volume_frame_number(map->image, found) != map->reference->frame_numbers[k])
        found++;
    return found;
}

/* Where a voxel of the grid lies in the image: its nearest one, of a set that of `picture`, which
 * is -1 elsewhere; -1: outside. */
static int64_t voxel_behind(const grid_map *map, const int64_t at[3], int64_t picture)
{
    const int64_t *size = map->image->geometry.size;
    int64_t found[3];
    for (int a = 0; a < 3; a++) {
        double index = map->at[a] + 0.5;
        for (int axis = 0; axis < 3; axis++)
            index += (double)at[axis] * map->step[axis][a];
        found[a] = (int64_t)floor(index);
    }
    if (picture >= 0) found[2] = picture;
    for (int a = 0; a < 3; a++)
        if (found[a] < 0 || found[a] >= size[a]) return -1;
    return (found[2] * size[1] + found[1]) * size[0] + found[0];
}

static void fill_slice(const grid_map *map, int axis, int64_t slice, sgio_volume *behind)
{
    const sgio_volume *image = map->image;
    const int64_t *size = behind->geometry.size;
    const int channels = image->channels;
    const int is_of_set = axis == 2 && map->reference->frame_numbers && image->frame_names;
    const int64_t picture = is_of_set ? picture_behind(map, slice) : -1;
    int64_t at[3], last[3] = {size[0] - 1, size[1] - 1, size[2] - 1}, first[3] = {0, 0, 0};
    float *to = behind->data;
    first[axis] = last[axis] = slice;
    for (at[2] = first[2]; at[2] <= last[2]; at[2]++)
        for (at[1] = first[1]; at[1] <= last[1]; at[1]++)
            for (at[0] = first[0]; at[0] <= last[0]; at[0]++) {
                const int64_t from = voxel_behind(map, at, picture);
                const int64_t voxel = (at[2] * size[1] + at[1]) * size[0] + at[0];
                for (int c = 0; from >= 0 && c < channels; c++)
                    to[voxel * channels + c] =
                        (float)sgio_volume_value(image, (size_t)(from * channels + c));
            }
}

/* The slices of the image that are shown, a CT in the window of soft tissue; `path` NULL: black. */
static int make_background(const char *path, const sgio_segmentation *reference,
                           sgio_picture_options *shown, sgio_volume *behind)
{
    sgio_volume image = {0};
    grid_map map;
    if (!path) return make_black(reference, 1, behind);
    int failed = bridge_from_io(sgio_volume_read(path, NULL, &image));
    if (!failed) failed = make_black(reference, image.channels, behind);
    const int is_placed = !failed && make_map(&image, reference, &map) == 0;
    for (size_t i = 0; is_placed && i < shown->slice_count; i++)
        fill_slice(&map, shown->axis, shown->slices[i], behind);
    if (!failed && image.hounsfield) {
        shown->window[0] = -160;
        shown->window[1] = 240;
    }
    sgio_volume_clear(&image);
    return failed;
}

int evaluate_write_picture(const sgio_segmentation *reference, const sgio_segmentation *prediction,
                           const evaluate_pairs *pairs, const char *image, const char *path,
                           sgio_outputs *outputs)
{
    sgio_segmentation both = {0};
    sgio_volume behind = {0};
    int64_t slices[MOST_TILES];
    sgio_picture_options how = {.axis = choose_axis(reference, prediction),
                                .slices = slices,
                                .without_legend = pairs->count != 1};
    int failed = choose_slices(reference, prediction, pairs, how.axis, slices, &how.slice_count);
    if (!failed && how.slice_count == 0)
        slices[how.slice_count++] = reference->geometry.size[how.axis] / 2;
    if (!failed) failed = join(reference, prediction, pairs, &both);
    if (!failed) failed = make_background(image, reference, &how, &behind);
    if (!failed)
        failed = bridge_from_io(sgio_picture_write(outputs, path, &behind, &both, NULL, &how));
    sgio_volume_clear(&behind);
    free(both.layers);
    free(both.segments);
    return failed;
}
