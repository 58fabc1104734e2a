/* Segments in and out of the layers. */
#include "segmentation_parts.h"

#include "io_status.h"

#include <stdlib.h>
#include <string.h>

static const int64_t nothing[6] = {0, -1, 0, -1, 0, -1};

/* Grows `extent` by columns low..high of row (j, k). */
static void extend(int64_t extent[6], int64_t low, int64_t high, int64_t j, int64_t k)
{
    if (extent[1] < extent[0]) {
        const int64_t first[6] = {low, high, j, j, k, k};
        memcpy(extent, first, sizeof first);
        return;
    }
    if (low < extent[0]) extent[0] = low;
    if (high > extent[1]) extent[1] = high;
    if (j < extent[2]) extent[2] = j;
    if (j > extent[3]) extent[3] = j;
    extent[5] = k; /* rows come in order of k */
}

static void measure_mask(const sgio_geometry *geometry, const uint8_t *mask, sgio_segment *segment)
{
    int64_t width = geometry->size[0];
    memcpy(segment->extent, nothing, sizeof nothing);
    segment->voxels = 0;
    for (int64_t k = 0; k < geometry->size[2]; k++) {
        for (int64_t j = 0; j < geometry->size[1]; j++, mask += width) {
            if (sgio_all_zero(mask, (size_t)width)) continue;
            int64_t low = 0, high = width - 1;
            while (!mask[low])
                low++;
            while (!mask[high])
                high--;
            for (int64_t i = low; i <= high; i++)
                segment->voxels += mask[i] != 0;
            extend(segment->extent, low, high, j, k);
        }
    }
}

/* First voxel of the part of row (j, k) that lies in `extent`. */
static size_t row_start(const sgio_geometry *geometry, const int64_t extent[6], int64_t j,
                        int64_t k)
{
    return (size_t)((k * geometry->size[1] + j) * geometry->size[0] + extent[0]);
}

static void erase(sgio_segmentation *segmentation, const sgio_segment *segment)
{
    sgio_layer *layer = &segmentation->layers[segment->layer];
    const int64_t *e = segment->extent;
    for (int64_t k = e[4]; k <= e[5]; k++) {
        for (int64_t j = e[2]; j <= e[3]; j++) {
            size_t start = row_start(&segmentation->geometry, e, j, k),
                   end = start + (size_t)(e[1] - e[0] + 1);
            for (size_t v = start; v < end; v++)
                if (sgio_layer_value(layer, v) == segment->label) sgio_layer_set(layer, v, 0);
        }
    }
}

static void drop_layer_if_unused(sgio_segmentation *segmentation, int layer)
{
    for (size_t s = 0; s < segmentation->segment_count; s++)
        if (segmentation->segments[s].layer == layer) return;
    free(segmentation->layers[layer].data);
    segmentation->layer_count--;
    memmove(&segmentation->layers[layer], &segmentation->layers[layer + 1],
            (segmentation->layer_count - (size_t)layer) * sizeof *segmentation->layers);
    for (size_t s = 0; s < segmentation->segment_count; s++)
        segmentation->segments[s].layer -= segmentation->segments[s].layer > layer;
}

static int is_free(const sgio_segmentation *segmentation, const sgio_layer *layer,
                   const sgio_segment *segment, const uint8_t *mask)
{
    const int64_t *e = segment->extent;
    for (int64_t k = e[4]; k <= e[5]; k++) {
        for (int64_t j = e[2]; j <= e[3]; j++) {
            size_t start = row_start(&segmentation->geometry, e, j, k),
                   end = start + (size_t)(e[1] - e[0] + 1);
            for (size_t v = start; v < end; v++)
                if (mask[v] && sgio_layer_value(layer, v)) return 0;
        }
    }
    return 1;
}

static int label_taken(const sgio_segmentation *segmentation, int layer, int label)
{
    for (size_t s = 0; s < segmentation->segment_count; s++)
        if (segmentation->segments[s].label == label && segmentation->segments[s].layer == layer)
            return 1;
    return 0;
}

/* Slicer numbers the labels of each layer from 1, so a segment that changes layers may meet its
 * own label there. */
static int fits(const sgio_segmentation *segmentation, int layer, const sgio_segment *segment,
                const uint8_t *mask)
{
    const sgio_layer *l = &segmentation->layers[layer];
    return (l->bytes == 2 || segment->label <= UINT8_MAX) &&
           !label_taken(segmentation, layer, segment->label) &&
           is_free(segmentation, l, segment, mask);
}

static sgio_status find_layer(sgio_segmentation *segmentation, const sgio_segment *segment,
                              const uint8_t *mask, int *layer)
{
    for (*layer = 0; *layer < (int)segmentation->layer_count; ++*layer)
        if (fits(segmentation, *layer, segment, mask)) return SGIO_OK;
    return sgio_segmentation_add_layer(segmentation, segment->label > UINT8_MAX ? 2 : 1, layer);
}

sgio_status sgio_segmentation_set_mask(sgio_segmentation *segmentation, size_t index,
                                       const uint8_t *mask)
{
    sgio_segment *segment = &segmentation->segments[index];
    int layer = segment->layer;
    if (layer >= 0) {
        erase(segmentation, segment);
        segment->layer = -1;
        drop_layer_if_unused(segmentation, layer);
    }
    measure_mask(&segmentation->geometry, mask, segment);
    if (segment->voxels == 0) return SGIO_OK;
    sgio_status status = find_layer(segmentation, segment, mask, &layer);
    if (status != SGIO_OK) {
        memcpy(segment->extent, nothing, sizeof nothing);
        segment->voxels = 0;
        return status;
    }
    segment->layer = layer;
    sgio_layer *target = &segmentation->layers[layer];
    const int64_t *e = segment->extent;
    for (int64_t k = e[4]; k <= e[5]; k++) {
        for (int64_t j = e[2]; j <= e[3]; j++) {
            size_t start = row_start(&segmentation->geometry, e, j, k),
                   end = start + (size_t)(e[1] - e[0] + 1);
            for (size_t v = start; v < end; v++)
                if (mask[v]) sgio_layer_set(target, v, segment->label);
        }
    }
    return SGIO_OK;
}

void sgio_segmentation_get_mask(const sgio_segmentation *segmentation, size_t index, uint8_t *mask)
{
    const sgio_segment *segment = &segmentation->segments[index];
    memset(mask, 0, sgio_voxel_count(&segmentation->geometry));
    if (segment->layer < 0) return;
    const sgio_layer *layer = &segmentation->layers[segment->layer];
    const int64_t *e = segment->extent;
    for (int64_t k = e[4]; k <= e[5]; k++) {
        for (int64_t j = e[2]; j <= e[3]; j++) {
            size_t start = row_start(&segmentation->geometry, e, j, k),
                   end = start + (size_t)(e[1] - e[0] + 1);
            for (size_t v = start; v < end; v++)
                mask[v] = sgio_layer_value(layer, v) == segment->label;
        }
    }
}

/* What measuring one layer needs: the segment of each value, -1 for none. */
typedef struct owners {
    int32_t segment[SGIO_MAX_LABEL + 1];
} owners;

static void find_owners(const sgio_segmentation *segmentation, int layer, owners *o)
{
    memset(o->segment, -1, sizeof o->segment);
    for (size_t s = segmentation->segment_count; s-- > 0;)
        if (segmentation->segments[s].layer == layer)
            o->segment[segmentation->segments[s].label] = (int32_t)s;
}

static int64_t measure_row(sgio_segmentation *segmentation, sgio_layer *layer, const owners *o,
                           int64_t j, int64_t k)
{
    int64_t width = segmentation->geometry.size[0], strangers = 0;
    size_t start = (size_t)((k * segmentation->geometry.size[1] + j) * width);
    for (int64_t i = 0; i < width; i++) {
        int value = sgio_layer_value(layer, start + (size_t)i);
        if (value == 0) continue;
        if (o->segment[value] < 0) {
            sgio_layer_set(layer, start + (size_t)i, 0);
            strangers++;
            continue;
        }
        sgio_segment *segment = &segmentation->segments[o->segment[value]];
        segment->voxels++;
        extend(segment->extent, i, i, j, k);
    }
    return strangers;
}

static int64_t measure_layer(sgio_segmentation *segmentation, sgio_layer *layer, const owners *o)
{
    const sgio_geometry *g = &segmentation->geometry;
    size_t row_bytes = (size_t)g->size[0] * (size_t)layer->bytes;
    const char *row = layer->data;
    int64_t strangers = 0;
    for (int64_t k = 0; k < g->size[2]; k++)
        for (int64_t j = 0; j < g->size[1]; j++, row += row_bytes)
            if (!sgio_all_zero(row, row_bytes))
                strangers += measure_row(segmentation, layer, o, j, k);
    return strangers;
}

int64_t sgio_segmentation_measure(sgio_segmentation *segmentation)
{
    owners *o = malloc(sizeof *o);
    int64_t strangers = 0;
    if (!o) return -1;
    for (size_t s = 0; s < segmentation->segment_count; s++) {
        memcpy(segmentation->segments[s].extent, nothing, sizeof nothing);
        segmentation->segments[s].voxels = 0;
    }
    for (size_t l = 0; l < segmentation->layer_count; l++) {
        find_owners(segmentation, (int)l, o);
        strangers += measure_layer(segmentation, &segmentation->layers[l], o);
    }
    for (size_t s = 0; s < segmentation->segment_count; s++)
        if (segmentation->segments[s].voxels == 0) segmentation->segments[s].layer = -1;
    for (size_t l = segmentation->layer_count; l-- > 0;)
        drop_layer_if_unused(segmentation, (int)l);
    free(o);
    return strangers;
}
