#include "segmentation_parts.h"

#include "io_status.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t MAX_BYTES = (int64_t)1 << 40;

static int is_possible(const int64_t size[3])
{
    int64_t total = 2; /* bytes of a label */
    for (int a = 0; a < 3; a++) {
        if (size[a] < 1 || size[a] > MAX_BYTES / total) return 0;
        total *= size[a];
    }
    return 1;
}

size_t sgio_voxel_count(const sgio_geometry *geometry)
{
    return (size_t)geometry->size[0] * (size_t)geometry->size[1] * (size_t)geometry->size[2];
}

int sgio_all_zero(const void *bytes, size_t count)
{
    const uint8_t *first = bytes;
    return count == 0 || (first[0] == 0 && memcmp(first, first + 1, count - 1) == 0);
}

sgio_status sgio_segmentation_init(sgio_segmentation *segmentation, const sgio_geometry *geometry)
{
    memset(segmentation, 0, sizeof *segmentation);
    if (!is_possible(geometry->size))
        return sgio_fail(SGIO_OUT_OF_MEMORY,
                         "a segmentation of %lld x %lld x %lld voxels is not possible, wanted "
                         "1 to 2^39 voxels",
                         (long long)geometry->size[0], (long long)geometry->size[1],
                         (long long)geometry->size[2]);
    segmentation->geometry = *geometry;
    return SGIO_OK;
}

void sgio_segmentation_clear(sgio_segmentation *segmentation)
{
    for (size_t s = 0; s < segmentation->segment_count; s++) {
        sgio_segment *segment = &segmentation->segments[s];
        free(segment->id);
        free(segment->name);
        free(segment->terminology);
        free(segment->tags);
    }
    for (size_t l = 0; l < segmentation->layer_count; l++)
        free(segmentation->layers[l].data);
    free(segmentation->segments);
    free(segmentation->layers);
    free(segmentation->frame_numbers);
    memset(segmentation, 0, sizeof *segmentation);
}

int sgio_segmentation_find(const sgio_segmentation *segmentation, const char *name)
{
    for (size_t s = 0; s < segmentation->segment_count; s++)
        if (strcmp(segmentation->segments[s].name, name) == 0) return (int)s;
    return -1;
}

double sgio_segmentation_ml(const sgio_segmentation *segmentation, size_t index)
{
    const double(*m)[4] = segmentation->geometry.matrix;
    double volume = m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
                    m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
                    m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
    return fabs(volume) * (double)segmentation->segments[index].voxels / 1000.0;
}

sgio_status sgio_segmentation_add_layer(sgio_segmentation *segmentation, int bytes, int *layer)
{
    size_t count = segmentation->layer_count, voxels = sgio_voxel_count(&segmentation->geometry);
    if (count >= SGIO_MAX_LAYERS)
        return sgio_fail(SGIO_USAGE, "segments overlap in more than %d layers", SGIO_MAX_LAYERS);
    sgio_layer *layers = realloc(segmentation->layers, (count + 1) * sizeof *layers);
    if (!layers) return sgio_fail_memory((count + 1) * sizeof *layers, "a label map");
    segmentation->layers = layers;
    layers[count].bytes = bytes;
    layers[count].data = calloc(voxels, (size_t)bytes);
    if (!layers[count].data) return sgio_fail_memory(voxels * (size_t)bytes, "a label map");
    segmentation->layer_count++;
    *layer = (int)count;
    return SGIO_OK;
}

static int label_is_used(const sgio_segmentation *segmentation, int label)
{
    for (size_t s = 0; s < segmentation->segment_count; s++)
        if (segmentation->segments[s].label == label) return 1;
    return 0;
}

static int id_is_used(const sgio_segmentation *segmentation, const char *id)
{
    for (size_t s = 0; s < segmentation->segment_count; s++)
        if (strcmp(segmentation->segments[s].id, id) == 0) return 1;
    return 0;
}

static sgio_status reserve_segment(sgio_segmentation *segmentation)
{
    if (segmentation->segment_count >= SGIO_MAX_SEGMENTS)
        return sgio_fail(SGIO_USAGE, "more than %d segments", SGIO_MAX_SEGMENTS);
    if (segmentation->segment_count < segmentation->segment_capacity) return SGIO_OK;
    size_t capacity = segmentation->segment_capacity ? segmentation->segment_capacity * 2 : 8;
    sgio_segment *segments = realloc(segmentation->segments, capacity * sizeof *segments);
    if (!segments) return sgio_fail_memory(capacity * sizeof *segments, "a label map");
    segmentation->segments = segments;
    segmentation->segment_capacity = capacity;
    return SGIO_OK;
}

sgio_status sgio_segmentation_append(sgio_segmentation *segmentation, const char *id,
                                     const char *name, const double colour[3], int label)
{
    static const int64_t nothing[6] = {0, -1, 0, -1, 0, -1};
    sgio_status status = reserve_segment(segmentation);
    if (status != SGIO_OK) return status;
    sgio_segment *segment = &segmentation->segments[segmentation->segment_count];
    *segment = (sgio_segment){.id = strdup(id), .name = strdup(name), .layer = -1, .label = label};
    segment->terminology = sgio_terminology_entry(name);
    segmentation->segment_count++; /* from here on sgio_segmentation_clear frees it */
    memcpy(segment->colour, colour, sizeof segment->colour);
    memcpy(segment->extent, nothing, sizeof nothing);
    if (!segment->id || !segment->name || !segment->terminology)
        return sgio_fail_memory(strlen(name) + 1, "a segment's name");
    return SGIO_OK;
}

sgio_status sgio_segmentation_add(sgio_segmentation *segmentation, const char *name,
                                  const double colour[3], size_t *index)
{
    char id[32];
    double usual[3];
    int label = 1;
    size_t count = segmentation->segment_count;
    while (label_is_used(segmentation, label))
        label++;
    size_t number = count + 1;
    do {
        snprintf(id, sizeof id, "Segment_%zu", number++);
    } while (id_is_used(segmentation, id));
    if (!colour && !sgio_colour_named(name, usual)) sgio_colour_palette(count, usual);
    *index = count;
    return sgio_segmentation_append(segmentation, id, name, colour ? colour : usual, label);
}

void sgio_segmentation_flat_labels(const sgio_segmentation *segmentation, int *values)
{
    size_t count = segmentation->segment_count;
    int unique = 1;
    for (size_t s = 0; s < count; s++) {
        values[s] = segmentation->segments[s].label;
        for (size_t t = 0; t < s && unique; t++)
            unique = values[t] != values[s];
    }
    for (size_t s = 0; s < count && !unique; s++)
        values[s] = (int)s + 1;
}
