#include "everything_score.h"

#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "cli_cancel.h"
#include "cli_exit.h"
#include "cli_warnings.h"

const size_t everything_proposals[4] = {1, 10, 100, 1000};

#define REACH 0.0075 /* of the diagonal: how far an edge may be off (BSDS) */

static int no_memory(void)
{
    return cli_fail(CLI_EXIT_MEMORY, "no memory to compare with the label map");
}

int everything_score_read(everything_score *score, const char *path, const sgio_volume *volume,
                          cli_warnings *warnings)
{
    const sgio_segmentation_read_options how = {.grid = &volume->geometry,
                                                .volume = volume,
                                                .warn = cli_warn,
                                                .warn_user = warnings,
                                                .progress = bridge_stop};
    sgio_segmentation_clear(&score->labels);
    memset(&score->labels, 0, sizeof score->labels);
    return bridge_from_io(sgio_segmentation_read(path, &how, &score->labels));
}

void everything_score_clear(everything_score *score)
{
    for (size_t i = 0; i < score->image_count; i++) {
        free((void *)score->images[i].iou);
        free((void *)score->images[i].reference_area);
        free((void *)score->images[i].prediction_area);
        free((void *)score->images[i].score);
    }
    free(score->images);
    free(score->edges);
    sgio_segmentation_clear(&score->labels);
    memset(score, 0, sizeof *score);
}

/* -------------------------------------------------------------------------- objects of a slice */

/* One layer of the label map as a picture: the number of the object at each pixel, 0: none. */
typedef struct object_map {
    int *objects; /* owned */
    int width, height;
} object_map;

/* All layers of a slice. Objects are numbered through. */
typedef struct objects_here {
    object_map *layers;
    size_t layer_count;
    int count;
} objects_here;

static void clear_objects(objects_here *o)
{
    for (size_t l = 0; l < o->layer_count; l++)
        free(o->layers[l].objects);
    free(o->layers);
    *o = (objects_here){0};
}

static int layer_value(const sgio_layer *layer, int64_t voxel)
{
    return layer->bytes == 1 ? ((const uint8_t *)layer->data)[voxel]
                             : ((const uint16_t *)layer->data)[voxel];
}

/* Gives the 8-connected part of one value around `start` the number `to`. */
static void fill_part(object_map *map, int start, int to, int *stack)
{
    const int from = map->objects[start];
    int size = 0;
    map->objects[start] = to;
    stack[size++] = start;
    while (size) {
        const int at = stack[--size], x = at % map->width, y = at / map->width;
        for (int v = y - (y > 0); v <= y + (y < map->height - 1); v++)
            for (int u = x - (x > 0); u <= x + (x < map->width - 1); u++) {
                const int next = v * map->width + u;
                if (map->objects[next] != from) continue;
                map->objects[next] = to;
                stack[size++] = next;
            }
    }
}

/* Values (negative on entry) become numbers from first on; returns how many. */
static int number_parts(object_map *map, int first, int *stack)
{
    const int pixels = map->width * map->height;
    int count = 0;
    for (int i = 0; i < pixels; i++)
        if (map->objects[i] < 0) fill_part(map, i, first + count++, stack);
    return count;
}

static int number_values(object_map *map, int first, int *number_of)
{
    const int pixels = map->width * map->height;
    int count = 0;
    memset(number_of, 0, (SGIO_MAX_LABEL + 1) * sizeof *number_of);
    for (int i = 0; i < pixels; i++) {
        if (map->objects[i] >= 0) continue;
        int *number = &number_of[-map->objects[i]];
        if (!*number) *number = first + count++;
        map->objects[i] = *number;
    }
    return count;
}

/* `room`: as many ints as the picture has pixels and as there are labels. */
static int find_objects(const everything_score *score, const sgm_slices_info *info,
                        const int64_t *voxels, int *room, objects_here *out)
{
    const size_t pixels = (size_t)info->width * (size_t)info->height;
    *out = (objects_here){.layers = calloc(score->labels.layer_count + 1, sizeof *out->layers)};
    if (!out->layers) return no_memory();
    for (size_t l = 0; l < score->labels.layer_count; l++) {
        object_map *map = &out->layers[l];
        *map = (object_map){malloc(pixels * sizeof *map->objects), info->width, info->height};
        if (!map->objects) return no_memory();
        out->layer_count++;
        for (size_t i = 0; i < pixels; i++)
            map->objects[i] = -layer_value(&score->labels.layers[l], voxels[i]);
        out->count += score->whole_labels ? number_values(map, out->count + 1, room)
                                          : number_parts(map, out->count + 1, room);
    }
    return 0;
}

static int slice_objects(const everything_score *score, const sgm_slices *slices, int64_t slice,
                         objects_here *out)
{
    sgm_slices_info info = {.size = sizeof info};
    int failed = bridge_from_model(sgm_slices_get_info(slices, &info));
    const size_t pixels = (size_t)info.width * (size_t)info.height;
    int64_t *voxels = malloc(pixels * sizeof *voxels);
    int *room = malloc((pixels + SGIO_MAX_LABEL + 1) * sizeof *room);
    *out = (objects_here){0};
    if (!failed && (!voxels || !room)) failed = no_memory();
    if (!failed) failed = bridge_from_model(sgm_slices_voxels(slices, slice, voxels));
    if (!failed) failed = find_objects(score, &info, voxels, room, out);
    free(voxels);
    free(room);
    if (failed) clear_objects(out);
    return failed;
}

/* ---------------------------------------------------------------------------------------- masks */

/* Pixels that each object has, or shares with the mask. */
static void count_pixels(const objects_here *o, const uint8_t *mask, double *counts)
{
    for (size_t l = 0; l < o->layer_count; l++) {
        const object_map *map = &o->layers[l];
        const size_t pixels = (size_t)map->width * (size_t)map->height;
        for (size_t i = 0; i < pixels; i++)
            if (map->objects[i] && (!mask || mask[i])) counts[map->objects[i] - 1]++;
    }
}

static int reserve_image(const slice_masks *masks, const objects_here *o, sgm_instances *image)
{
    const size_t references = (size_t)o->count;
    *image =
        (sgm_instances){.references = references,
                        .predictions = masks->count,
                        .iou = calloc(masks->count * references + 1, sizeof *image->iou),
                        .reference_area = calloc(references + 1, sizeof *image->reference_area),
                        .prediction_area = calloc(masks->count + 1, sizeof *image->prediction_area),
                        .score = calloc(masks->count + 1, sizeof *image->score)};
    return image->iou && image->reference_area && image->prediction_area && image->score
               ? 0
               : no_memory();
}

static void fill_image(const slice_masks *masks, const objects_here *o, uint8_t *mask,
                       sgm_instances *image)
{
    double *areas = (double *)image->reference_area;
    count_pixels(o, NULL, areas);
    for (size_t p = 0; p < masks->count; p++) {
        double *iou = (double *)image->iou + p * image->references;
        const double area = (double)masks->items[p].found.area;
        slice_mask_draw(masks, p, mask);
        count_pixels(o, mask, iou);
        for (size_t r = 0; r < image->references; r++)
            iou[r] /= area + areas[r] - iou[r];
        ((double *)image->prediction_area)[p] = area;
        ((double *)image->score)[p] = masks->items[p].score;
    }
}

int everything_score_masks(everything_score *score, const sgm_slices *slices,
                           const slice_masks *masks)
{
    objects_here objects;
    sgm_instances *grown = realloc(score->images, (score->image_count + 1) * sizeof *score->images);
    uint8_t *mask = malloc((size_t)masks->width * (size_t)masks->height);
    if (grown) score->images = grown;
    int failed = grown && mask ? 0 : no_memory();
    if (!failed) failed = slice_objects(score, slices, masks->slice, &objects);
    if (failed) {
        free(mask);
        return failed;
    }
    sgm_instances *image = &score->images[score->image_count++];
    failed = reserve_image(masks, &objects, image);
    if (!failed) fill_image(masks, &objects, mask, image);
    score->objects += (size_t)objects.count;
    clear_objects(&objects);
    free(mask);
    return failed;
}

/* ---------------------------------------------------------------------------------------- edges */

/* Where an object's pixel has another neighbour to the right or below: outlines one pixel wide. */
static void draw_outlines(const objects_here *o, uint8_t *outlines)
{
    for (size_t l = 0; l < o->layer_count; l++) {
        const object_map *map = &o->layers[l];
        for (int y = 0; y < map->height; y++)
            for (int x = 0; x < map->width; x++) {
                const size_t at = (size_t)y * (size_t)map->width + (size_t)x;
                const int here = map->objects[at];
                if ((x + 1 < map->width && map->objects[at + 1] != here) ||
                    (y + 1 < map->height && map->objects[at + (size_t)map->width] != here))
                    outlines[at] = 1;
            }
    }
}

/* Of a large picture every threshold takes a while: the program can be stopped between them. */
static int compare_edges(const uint8_t *strength, const uint8_t *outlines, int width, int height,
                         sgm_edge_counts *counts)
{
    const uint8_t *annotators[1] = {outlines};
    int failed = 0;
    for (int k = 1; k <= SGM_EDGE_THRESHOLDS && !failed; k++)
        failed = cli_cancelled(NULL)
                     ? cli_fail(CLI_EXIT_CANCELLED, "cancelled")
                     : bridge_from_model(sgm_edge_compare_at(strength, annotators, 1, width, height,
                                                             REACH, k, &counts[k - 1]));
    return failed;
}

int everything_score_edges(everything_score *score, const sgm_slices *slices, int64_t slice,
                           const uint8_t *strength)
{
    sgm_slices_info info = {.size = sizeof info};
    objects_here objects;
    int failed = bridge_from_model(sgm_slices_get_info(slices, &info));
    if (!failed) failed = slice_objects(score, slices, slice, &objects);
    if (failed) return failed;
    uint8_t *outlines = calloc((size_t)info.width * (size_t)info.height, 1);
    sgm_edge_counts *grown =
        realloc(score->edges, (score->edge_count + 1) * SGM_EDGE_THRESHOLDS * sizeof *score->edges);
    if (grown) score->edges = grown;
    if (outlines && grown) {
        draw_outlines(&objects, outlines);
        failed = compare_edges(strength, outlines, info.width, info.height,
                               score->edges + score->edge_count * SGM_EDGE_THRESHOLDS);
        score->edge_count++;
    } else {
        failed = no_memory();
    }
    clear_objects(&objects);
    free(outlines);
    return failed;
}

/* ------------------------------------------------------------------------------------------ sum */

static int compare(const everything_score *score, size_t most, double low, double high,
                   sgm_instance_metrics *out)
{
    return bridge_from_model(
        sgm_instances_compare(score->images, score->image_count, most, low, high, out));
}

/* COCO's ranges of area, in pixels. */
static int sum_masks(const everything_score *score, everything_figures *f)
{
    const double small = 32 * 32, medium = 96 * 96, all = 1e10;
    sgm_instance_metrics m;
    int failed = 0;
    for (int i = 0; i < 4 && !failed; i++) {
        failed = compare(score, everything_proposals[i], 0, all, &m);
        f->recall[i] = m.average_recall;
    }
    if (!failed) failed = compare(score, 1000, 0, small, &m);
    if (!failed) f->recall_small = m.average_recall;
    if (!failed) failed = compare(score, 1000, small, medium, &m);
    if (!failed) f->recall_medium = m.average_recall;
    if (!failed) failed = compare(score, 1000, medium, all, &m);
    if (!failed) f->recall_large = m.average_recall;
    if (!failed) failed = compare(score, 100, 0, all, &m);
    if (failed) return failed;
    f->precision = m.average_precision;
    f->precision_50 = m.precision[0];
    f->precision_75 = m.precision[5];
    return 0;
}

int everything_score_sum(const everything_score *score, everything_figures *figures)
{
    memset(figures, 0, sizeof *figures);
    const int failed = sum_masks(score, figures);
    if (failed || !score->edge_count) return failed;
    return bridge_from_model(sgm_edge_summary(score->edges, score->edge_count, &figures->edges));
}
