#include "labelmap_rows.h"

#include "io_status.h"
#include "segmentation_parts.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_VOXELS = SGIO_SINK_BLOCK };

/* ranks[l][value]: 1 + index of the segment with that value in layer l, 0 for none. */
typedef struct flattener {
    const sgio_segmentation *from;
    uint16_t *ranks;
    int *labels;
    int64_t *written; /* voxels of each segment; NULL: not counted */
    int bytes;        /* per voxel of the result */
    sgio_overlap overlap;
} flattener;

/* 1 when none of these voxels lies in a slice that a segment reaches: their memory need not be
 * touched, which for most of a large volume costs more than compressing the rest. */
static int is_background(const sgio_segmentation *from, size_t first, size_t count)
{
    size_t plane = (size_t)from->geometry.size[0] * (size_t)from->geometry.size[1];
    for (size_t s = 0; s < from->segment_count; s++) {
        const sgio_segment *segment = &from->segments[s];
        if (segment->voxels == 0) continue;
        size_t low = (size_t)segment->extent[4] * plane;
        size_t high = ((size_t)segment->extent[5] + 1) * plane;
        if (first < high && first + count > low) return 0;
    }
    return 1;
}

void sgio_job_labels(const sgio_label_job *job, int *labels)
{
    const size_t count = job->segmentation->segment_count;
    if (job->options->labels)
        memcpy(labels, job->options->labels, count * sizeof *labels);
    else
        sgio_segmentation_flat_labels(job->segmentation, labels);
}

int sgio_flat_bytes(const sgio_label_job *job)
{
    int bytes = 1;
    const size_t count = job->segmentation->segment_count;
    int *labels = malloc((count + 1) * sizeof *labels);
    if (!labels) return 2; /* wide enough for anything */
    sgio_job_labels(job, labels);
    for (size_t s = 0; s < count; s++)
        if (labels[s] > UINT8_MAX) bytes = 2;
    free(labels);
    return bytes;
}

static sgio_status open_flattener(flattener *f, const sgio_label_job *job)
{
    const sgio_segmentation *from = job->segmentation;
    size_t values = SGIO_MAX_LABEL + 1, layers = from->layer_count + 1;
    *f = (flattener){.from = from, .written = job->options->written, .bytes = sgio_flat_bytes(job)};
    if (f->written) memset(f->written, 0, from->segment_count * sizeof *f->written);
    f->ranks = calloc(layers * values, sizeof *f->ranks);
    f->labels = calloc(from->segment_count + 1, sizeof *f->labels);
    if (!f->ranks || !f->labels) return sgio_fail_memory(layers * values * 2, "the output");
    sgio_job_labels(job, f->labels + 1);
    for (size_t s = 0; s < from->segment_count; s++) {
        const sgio_segment *segment = &from->segments[s];
        if (segment->layer >= 0)
            f->ranks[(size_t)segment->layer * values + (size_t)segment->label] = (uint16_t)(s + 1);
    }
    return SGIO_OK;
}

static void close_flattener(flattener *f)
{
    free(f->ranks);
    free(f->labels);
}

static void note_overlap(flattener *f, int lost, int kept)
{
    f->overlap.voxels++;
    f->overlap.first = (size_t)lost - 1;
    f->overlap.second = (size_t)kept - 1;
}

/* Highest rank over all layers at each voxel. */
static void rank_voxels(flattener *f, size_t first, size_t count, uint16_t *ranks)
{
    memset(ranks, 0, count * sizeof *ranks);
    for (size_t l = 0; l < f->from->layer_count; l++) {
        const sgio_layer *layer = &f->from->layers[l];
        const uint16_t *of_value = f->ranks + l * (SGIO_MAX_LABEL + 1);
        const char *start = (const char *)layer->data + first * (size_t)layer->bytes;
        if (sgio_all_zero(start, count * (size_t)layer->bytes)) continue;
        for (size_t v = 0; v < count; v++) {
            int rank = of_value[sgio_layer_value(layer, first + v)];
            if (rank == 0) continue;
            if (ranks[v] && ranks[v] < rank)
                note_overlap(f, ranks[v], rank);
            else if (ranks[v] > rank)
                note_overlap(f, rank, ranks[v]);
            if (rank > ranks[v]) ranks[v] = (uint16_t)rank;
        }
    }
}

static void count_written(flattener *f, const uint16_t *ranks, size_t count)
{
    for (size_t v = 0; v < count && f->written; v++)
        if (ranks[v]) f->written[ranks[v] - 1]++;
}

static void store_labels(const flattener *f, const uint16_t *ranks, size_t count, int bytes,
                         void *out)
{
    for (size_t v = 0; v < count; v++) {
        int label = f->labels[ranks[v]];
        if (bytes == 1)
            ((uint8_t *)out)[v] = (uint8_t)label;
        else
            ((uint16_t *)out)[v] = (uint16_t)label;
    }
}

static sgio_status send_flat_part(flattener *f, sgio_sink *sink, size_t first, size_t count,
                                  uint16_t *ranks, void *out)
{
    int bytes = f->bytes;
    if (is_background(f->from, first, count))
        return sgio_sink_write_zeros(sink, count * (size_t)bytes);
    rank_voxels(f, first, count, ranks);
    count_written(f, ranks, count);
    store_labels(f, ranks, count, bytes, out);
    return sgio_sink_write(sink, out, count * (size_t)bytes);
}

static sgio_status tell(const sgio_label_job *job, size_t done, size_t voxels)
{
    return sgio_tell(job->options->progress, job->options->progress_user, done, voxels);
}

static sgio_status send_flat(const sgio_label_job *job, flattener *f, sgio_sink *sink,
                             uint16_t *ranks, void *out)
{
    size_t voxels = sgio_voxel_count(&f->from->geometry);
    sgio_status status = SGIO_OK;
    for (size_t v = 0; v < voxels && status == SGIO_OK; v += CHUNK_VOXELS) {
        size_t count = voxels - v < CHUNK_VOXELS ? voxels - v : CHUNK_VOXELS;
        status = send_flat_part(f, sink, v, count, ranks, out);
        if (status == SGIO_OK) status = tell(job, v + count, voxels);
    }
    return status;
}

sgio_status sgio_flat_send(const sgio_label_job *job, sgio_sink *sink)
{
    flattener f;
    sgio_status status = open_flattener(&f, job);
    uint16_t *ranks = malloc(CHUNK_VOXELS * sizeof *ranks);
    void *out = malloc(CHUNK_VOXELS * sizeof(uint16_t));
    if (status == SGIO_OK && (!ranks || !out))
        status = sgio_fail_memory(CHUNK_VOXELS * 2, "the output");
    if (status == SGIO_OK) status = send_flat(job, &f, sink, ranks, out);
    *job->overlap = f.overlap;
    free(out);
    free(ranks);
    close_flattener(&f);
    return status;
}

int sgio_layers_bytes(const sgio_segmentation *segmentation)
{
    int bytes = 1;
    for (size_t l = 0; l < segmentation->layer_count; l++)
        if (segmentation->layers[l].bytes > bytes) bytes = segmentation->layers[l].bytes;
    return bytes;
}

/* Voxels [first, first + count) of all layers, interleaved. */
static void interleave(const sgio_segmentation *from, size_t first, size_t count, int bytes,
                       void *out)
{
    size_t layers = from->layer_count;
    if (layers == 1) {
        memcpy(out, (const char *)from->layers[0].data + first * (size_t)bytes,
               count * (size_t)bytes);
        return;
    }
    memset(out, 0, count * (layers ? layers : 1) * (size_t)bytes);
    for (size_t l = 0; l < layers; l++) {
        const sgio_layer *layer = &from->layers[l];
        const char *start = (const char *)layer->data + first * (size_t)layer->bytes;
        if (sgio_all_zero(start, count * (size_t)layer->bytes)) continue;
        for (size_t v = 0; v < count; v++) {
            int value = sgio_layer_value(layer, first + v);
            if (bytes == 1)
                ((uint8_t *)out)[v * layers + l] = (uint8_t)value;
            else
                ((uint16_t *)out)[v * layers + l] = (uint16_t)value;
        }
    }
}

sgio_status sgio_layers_send(const sgio_label_job *job, sgio_sink *sink)
{
    const sgio_segmentation *segmentation = job->segmentation;
    size_t voxels = sgio_voxel_count(&segmentation->geometry);
    size_t layers = segmentation->layer_count ? segmentation->layer_count : 1;
    int bytes = sgio_layers_bytes(segmentation);
    size_t voxel_bytes = layers * (size_t)bytes;
    uint8_t *out = malloc(CHUNK_VOXELS * voxel_bytes);
    if (!out) return sgio_fail_memory(CHUNK_VOXELS * voxel_bytes, "the output");
    sgio_status status = SGIO_OK;
    for (size_t v = 0; v < voxels && status == SGIO_OK; v += CHUNK_VOXELS) {
        size_t count = voxels - v < CHUNK_VOXELS ? voxels - v : CHUNK_VOXELS;
        if (is_background(segmentation, v, count)) {
            status = sgio_sink_write_zeros(sink, count * voxel_bytes);
        } else {
            interleave(segmentation, v, count, bytes, out);
            status = sgio_sink_write(sink, out, count * voxel_bytes);
        }
        if (status == SGIO_OK) status = tell(job, v + count, voxels);
    }
    free(out);
    return status;
}
