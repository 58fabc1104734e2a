/* Label maps without names, and label maps on a part of the wanted grid. */
#include "segmentation_parts.h"

#include "io_status.h"
#include "segmentation_turn.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More different values than any atlas in use has labels: cells of a microscope, or somebody passed
 * the image itself. */
enum { MANY_UNNAMED = 64, MAX_UNNAMED = 1024 };

/* Where a value occurs, and with what beside it along i. */
typedef struct value_count {
    uint64_t voxels, same, other; /* neighbours of value 0 count as neither */
} value_count;

static void count_values(const sgio_layer *layer, const int64_t size[3], value_count *counts)
{
    const int64_t rows = size[1] * size[2];
    size_t v = 0;
    for (int64_t row = 0; row < rows; row++) {
        int before = 0;
        for (int64_t i = 0; i < size[0]; i++) {
            const int value = sgio_layer_value(layer, v++);
            counts[value].voxels++;
            if (value && before && value == before) counts[value].same++;
            if (value && before && value != before) counts[value].other++;
            before = value;
        }
    }
}

/* The voxels of a label lie together; those of a grey value, where an image has so many, are
 * mostly beside another one. `found` values are there. */
static int are_regions(const value_count *counts, int found)
{
    int regions = 0;
    for (int value = 1; value <= SGIO_MAX_LABEL; value++)
        regions += counts[value].voxels && counts[value].same >= counts[value].other;
    return regions > found / 2;
}

/* Pictures of eight bits cannot have too many values, but most of theirs form no regions either. */
static sgio_status check_values(const value_count *counts, int known, const char *name,
                                sgio_warning_fn warn, void *user)
{
    int found = 0;
    for (int value = 1; value <= SGIO_MAX_LABEL; value++)
        found += counts[value].voxels > 0;
    const int is_strange = !known && found > MANY_UNNAMED && !are_regions(counts, found);
    if (is_strange && found <= MAX_UNNAMED)
        sgio_warn(warn, user,
                  "%s: %d different values that form no regions: is it an image, not a label map?",
                  name, found);
    if (is_strange && found > MAX_UNNAMED)
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: more than %d different values that form no regions: an image, not a "
                         "label map",
                         name, MAX_UNNAMED);
    if (found <= SGIO_MAX_SEGMENTS) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE, "%s: %d different values, wanted at most %d segments", name,
                     found, SGIO_MAX_SEGMENTS);
}

static sgio_status name_value(sgio_segmentation *segmentation, int value)
{
    char text[32];
    double colour[3];
    snprintf(text, sizeof text, "Segment_%d", value);
    sgio_colour_palette(segmentation->segment_count, colour);
    const sgio_status status = sgio_segmentation_append(segmentation, text, text, colour, value);
    if (status == SGIO_OK) segmentation->segments[segmentation->segment_count - 1].layer = 0;
    return status;
}

sgio_status sgio_segmentation_name_values(sgio_segmentation *segmentation, int known,
                                          const char *name, sgio_warning_fn warn, void *user)
{
    if (segmentation->layer_count == 0) return SGIO_OK;
    value_count *counts = calloc(SGIO_MAX_LABEL + 1, sizeof *counts);
    if (!counts) return sgio_fail_memory((SGIO_MAX_LABEL + 1) * sizeof *counts, name);
    count_values(&segmentation->layers[0], segmentation->geometry.size, counts);
    sgio_status status = check_values(counts, known, name, warn, user);
    for (int value = 1; value <= SGIO_MAX_LABEL && status == SGIO_OK; value++)
        if (counts[value].voxels) status = name_value(segmentation, value);
    free(counts);
    return status;
}

static int fits_byte(const sgio_segmentation *segmentation, size_t layer)
{
    for (size_t s = 0; s < segmentation->segment_count; s++)
        if (segmentation->segments[s].layer == (int)layer &&
            segmentation->segments[s].label > UINT8_MAX)
            return 0;
    return segmentation->layers[layer].bytes == 2;
}

void sgio_segmentation_shrink(sgio_segmentation *segmentation)
{
    size_t voxels = sgio_voxel_count(&segmentation->geometry);
    for (size_t l = 0; l < segmentation->layer_count; l++) {
        sgio_layer *layer = &segmentation->layers[l];
        if (!fits_byte(segmentation, l)) continue;
        uint8_t *narrow = layer->data;
        const uint16_t *wide = layer->data;
        for (size_t v = 0; v < voxels; v++)
            narrow[v] = (uint8_t)wide[v];
        void *less = realloc(layer->data, voxels);
        if (less) layer->data = less;
        layer->bytes = 1;
    }
}

/* Copies the common part of one layer. */
static void paste(const sgio_layer *from, const int64_t size[3], const int64_t offset[3],
                  sgio_layer *to, const int64_t grid[3])
{
    int64_t first = offset[0] < 0 ? -offset[0] : 0;
    int64_t end = size[0] + offset[0] > grid[0] ? grid[0] - offset[0] : size[0];
    if (end <= first) return;
    for (int64_t k = 0; k < size[2]; k++) {
        for (int64_t j = 0; j < size[1]; j++) {
            int64_t row = j + offset[1], slice = k + offset[2];
            if (row < 0 || row >= grid[1] || slice < 0 || slice >= grid[2]) continue;
            size_t source = (size_t)((k * size[1] + j) * size[0] + first);
            size_t target = (size_t)((slice * grid[1] + row) * grid[0] + first + offset[0]);
            memcpy((char *)to->data + target * (size_t)to->bytes,
                   (const char *)from->data + source * (size_t)from->bytes,
                   (size_t)(end - first) * (size_t)to->bytes);
        }
    }
}

static int64_t total_voxels(const sgio_segmentation *segmentation)
{
    int64_t total = 0;
    for (size_t s = 0; s < segmentation->segment_count; s++)
        total += segmentation->segments[s].voxels;
    return total;
}

static sgio_status move_layers(sgio_segmentation *segmentation, const sgio_geometry *grid,
                               const int64_t offset[3])
{
    size_t voxels = sgio_voxel_count(grid);
    for (size_t l = 0; l < segmentation->layer_count; l++) {
        sgio_layer *old = &segmentation->layers[l];
        sgio_layer moved = {old->bytes, calloc(voxels, (size_t)old->bytes)};
        if (!moved.data) return sgio_fail_memory(voxels * (size_t)old->bytes, "a label map");
        paste(old, segmentation->geometry.size, offset, &moved, grid->size);
        free(old->data);
        *old = moved;
    }
    return SGIO_OK;
}

static int leaves_all(const sgio_turn *turn)
{
    const sgio_turn none = sgio_turn_way(0);
    return memcmp(turn, &none, sizeof none) == 0;
}

/* On another grid slices no longer are the pictures that they were. */
static void forget_frames(sgio_segmentation *segmentation)
{
    free(segmentation->frame_numbers);
    segmentation->frame_numbers = NULL;
}

/* The same voxels in another order: programs turn volumes round when they store them. */
static sgio_status turn_round(sgio_segmentation *segmentation, const sgio_geometry *grid,
                              const sgio_turn *turn)
{
    sgio_segmentation turned;
    if (leaves_all(turn)) {
        segmentation->geometry = *grid;
        return SGIO_OK;
    }
    sgio_status status = sgio_segmentation_turn(segmentation, grid, turn, &turned);
    for (size_t l = 0; l < segmentation->layer_count && status == SGIO_OK; l++) {
        void *old = segmentation->layers[l].data;
        segmentation->layers[l].data = turned.layers[l].data;
        turned.layers[l].data = old;
    }
    sgio_turned_clear(&turned);
    if (status != SGIO_OK) return status;
    forget_frames(segmentation);
    segmentation->geometry = *grid;
    sgio_segmentation_measure(segmentation);
    return SGIO_OK;
}

static sgio_status another_grid(const int64_t found[3], const int64_t wanted[3], const char *name)
{
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: its grid (%lld x %lld x %lld voxels) is neither the volume's (%lld x "
                     "%lld x %lld) nor a cut-out of it",
                     name, (long long)found[0], (long long)found[1], (long long)found[2],
                     (long long)wanted[0], (long long)wanted[1], (long long)wanted[2]);
}

static sgio_status another_place(double distance, double tolerance, const char *name)
{
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: its grid is not the volume's: as many voxels, but up to %.3g mm from "
                     "those of the volume, more than %.3g mm (a twentieth of a voxel)",
                     name, distance, tolerance);
}

/* 1 x 1 x 1 without a label is how Slicer says "no data": it has no place. Any other empty map has
 * one, and may be of another patient. */
static int has_place(const sgio_segmentation *segmentation, int64_t voxels)
{
    return voxels > 0 || sgio_voxel_count(&segmentation->geometry) > 1;
}

static sgio_status move(sgio_segmentation *segmentation, const sgio_geometry *grid,
                        const sgio_turn *turn, const int64_t offset[3], const char *name,
                        sgio_warning_fn warn, void *user)
{
    const int64_t before = total_voxels(segmentation);
    const sgio_geometry turned = sgio_turned_geometry(&segmentation->geometry, turn);
    sgio_status status = turn_round(segmentation, &turned, turn);
    if (status == SGIO_OK) status = move_layers(segmentation, grid, offset);
    if (status != SGIO_OK) return status;
    if (segmentation->geometry.size[2] != grid->size[2] || offset[2]) forget_frames(segmentation);
    segmentation->geometry = *grid;
    sgio_segmentation_measure(segmentation);
    if (total_voxels(segmentation) < before)
        sgio_warn(warn, user, "%s: %lld voxels lie outside the volume and are dropped", name,
                  (long long)(before - total_voxels(segmentation)));
    return SGIO_OK;
}

sgio_status sgio_segmentation_fit(sgio_segmentation *segmentation, const sgio_geometry *grid,
                                  const char *name, sgio_warning_fn warn, void *user)
{
    static const int64_t nowhere[3] = {0, 0, 0};
    int64_t offset[3];
    const double tolerance = sgio_geometry_rounding(grid);
    sgio_turn turn;
    const double distance = sgio_turn_nearest(&segmentation->geometry, grid, &turn);
    if (distance <= tolerance) return turn_round(segmentation, grid, &turn);
    if (!has_place(segmentation, total_voxels(segmentation))) {
        turn = sgio_turn_way(0);
        return move(segmentation, grid, &turn, nowhere, name, warn, user);
    }
    if (sgio_turn_find_offset(&segmentation->geometry, grid, tolerance, &turn, offset))
        return move(segmentation, grid, &turn, offset, name, warn, user);
    return distance < HUGE_VAL ? another_place(distance, tolerance, name)
                               : another_grid(segmentation->geometry.size, grid->size, name);
}
