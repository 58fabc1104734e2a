/* Label maps in NRRD: one layer, or layers along a list axis in front, as Slicer writes them. */
#include "nrrd_header.h"
#include "segmentation_parts.h"

#include "io_status.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 18 };

/* Four axes that nothing tells apart are a list, the first as a rule (always where keys speak of
 * layers, which may be of one slice), and three in space. One volume along an axis that is not in
 * space (ITK's images of four dimensions) is no list. */
static sgio_status find_layers(const char *path, sgio_nrrd *nrrd, int64_t *layers)
{
    int odd = sgio_nrrd_odd_axis(nrrd, 0);
    if (odd > 0 && sgio_segmentation_names_layers(nrrd)) odd = 0;
    if (odd >= 0) strcpy(nrrd->axes[odd].kind, "list"); /* sgio_nrrd_geometry leaves it out */
    *layers = sgio_nrrd_is_spatial(nrrd, 0) ? 1 : nrrd->axes[0].size;
    for (int axis = 1; axis < nrrd->dimension; axis++)
        if (!sgio_nrrd_is_spatial(nrrd, axis) && nrrd->axes[axis].size > 1)
            return sgio_fail(SGIO_UNREADABLE,
                             "%s: axis %d has no direction in space; only the first can be a list "
                             "of layers",
                             path, axis);
    if (*layers <= SGIO_MAX_LAYERS) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE, "%s: %lld layers, at most %d are supported", path,
                     (long long)*layers, SGIO_MAX_LAYERS);
}

/* Values of the layers alternate voxel by voxel. */
static void scatter(const uint16_t *labels, size_t first, size_t voxels, sgio_segmentation *out)
{
    for (size_t l = 0; l < out->layer_count; l++) {
        const uint16_t *label = labels + l;
        for (size_t v = first; v < first + voxels; v++, label += out->layer_count)
            if (*label) sgio_layer_set(&out->layers[l], v, *label);
    }
}

static sgio_status copy_voxels(sgio_source *source, const char *path, const sgio_nrrd *nrrd,
                               const sgio_segmentation_read_options *options, unsigned char *chunk,
                               uint16_t *labels, sgio_segmentation *out)
{
    const sgio_voxel_format format = {nrrd->raw, nrrd->swap, 1, 0};
    size_t voxels = sgio_voxel_count(&out->geometry);
    size_t per_voxel = out->layer_count * sgio_raw_bytes(nrrd->raw), per_chunk = CHUNK / per_voxel;
    for (size_t v = 0; v < voxels; v += per_chunk) {
        size_t part = voxels - v < per_chunk ? voxels - v : per_chunk;
        sgio_status status = sgio_source_read(source, chunk, part * per_voxel);
        if (status == SGIO_OK)
            status = sgio_tell(options->progress, options->progress_user, v + part, voxels);
        if (status != SGIO_OK) return status;
        if (sgio_all_zero(chunk, part * per_voxel)) continue;
        status = sgio_labels_from_voxels(path, &format, chunk, part * out->layer_count, labels);
        if (status != SGIO_OK) return status;
        scatter(labels, v, part, out);
    }
    return sgio_source_finish(source);
}

static sgio_status read_layers(sgio_source *source, const char *path, const sgio_nrrd *nrrd,
                               int64_t layers, const sgio_segmentation_read_options *options,
                               sgio_segmentation *out)
{
    int bytes = sgio_raw_bytes(nrrd->raw) == 1 ? 1 : 2, index;
    sgio_status status = SGIO_OK;
    for (int64_t l = 0; l < layers && status == SGIO_OK; l++)
        status = sgio_segmentation_add_layer(out, bytes, &index);
    if (status != SGIO_OK) return status;
    unsigned char *chunk = malloc(CHUNK);
    uint16_t *labels = malloc(CHUNK * sizeof *labels);
    status = chunk && labels ? copy_voxels(source, path, nrrd, options, chunk, labels, out)
                             : sgio_fail_memory(CHUNK, path);
    free(labels);
    free(chunk);
    return status;
}

/* Before memory is taken for a size that only the header claims. */
static sgio_status check_length(sgio_source *source, const char *path, const sgio_nrrd *nrrd,
                                const sgio_geometry *geometry, int64_t layers)
{
    uint64_t bytes = 0;
    sgio_status status = sgio_voxels_bytes(path, geometry->size, (int)layers, nrrd->raw, &bytes);
    return status == SGIO_OK ? sgio_source_expect(source, bytes) : status;
}

static sgio_status read_parts(const char *path, sgio_nrrd *nrrd,
                              const sgio_segmentation_read_options *options, sgio_segmentation *out)
{
    sgio_geometry geometry;
    sgio_source *source = NULL;
    int assumed;
    int64_t layers = 1;
    sgio_status status = find_layers(path, nrrd, &layers);
    if (status == SGIO_OK) status = sgio_nrrd_geometry(path, nrrd, &geometry, &assumed);
    if (status == SGIO_OK) sgio_nrrd_say_space(path, nrrd, options->warn, options->warn_user);
    if (status == SGIO_OK) status = sgio_nrrd_open_data(path, nrrd, &source);
    if (status == SGIO_OK) status = check_length(source, path, nrrd, &geometry, layers);
    if (status == SGIO_OK) status = sgio_segmentation_init(out, &geometry);
    if (status == SGIO_OK) status = read_layers(source, path, nrrd, layers, options, out);
    if (status == SGIO_OK) status = sgio_segmentation_read_keys(nrrd, path, out);
    sgio_source_close(source);
    return status;
}

sgio_status sgio_segmentation_read_nrrd(const char *path,
                                        const sgio_segmentation_read_options *options,
                                        sgio_segmentation *out)
{
    sgio_nrrd nrrd;
    sgio_status status = sgio_nrrd_read(path, &nrrd);
    if (status != SGIO_OK) return status;
    status = read_parts(path, &nrrd, options, out);
    if (status == SGIO_OK)
        status = sgio_segmentation_finish(out, path, options->warn, options->warn_user);
    sgio_nrrd_clear(&nrrd);
    return status;
}
