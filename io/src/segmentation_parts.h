/* What the readers and writers of segmentations share. */
#ifndef SGIO_SEGMENTATION_PARTS_H
#define SGIO_SEGMENTATION_PARTS_H

#include "sgio/labelmap.h"
#include "voxels.h"

struct sgio_nrrd; /* nrrd_header.h */

/* Voxels of the grid; it fits size_t because sgio_segmentation_init checked it. */
size_t sgio_voxel_count(const sgio_geometry *geometry);

/* A new zeroed layer; its index in *layer. */
sgio_status sgio_segmentation_add_layer(sgio_segmentation *segmentation, int bytes, int *layer);

/* Sets extent and voxel count of every segment from the layers; segments found empty get layer -1.
 * Values that belong to no segment are zeroed; returns how many voxels held one. */
int64_t sgio_segmentation_measure(sgio_segmentation *segmentation);

/* A segment for every value that occurs in layer 0 and has none, named "Segment_<value>".
 * Above 1024 they must form regions, above 64 they had better, unless they are `known` to be
 * labels. `name` is the file, for messages. */
sgio_status sgio_segmentation_name_values(sgio_segmentation *segmentation, int known,
                                          const char *name, sgio_warning_fn warn, void *user);

/* Stores two-byte layers whose labels all fit one byte in one byte. */
void sgio_segmentation_shrink(sgio_segmentation *segmentation);

/* Moves a segmentation onto `grid`, which differs by a whole number of voxels and by the order in
 * which it counts them; voxels beyond it are dropped with a warning. SGIO_UNREADABLE for
 * any other grid, of an empty segmentation too, unless that is 1 x 1 x 1. */
sgio_status sgio_segmentation_fit(sgio_segmentation *segmentation, const sgio_geometry *grid,
                                  const char *name, sgio_warning_fn warn, void *user);

/* Takes over from the label map's volume that its slices are pictures, and their numbers. */
sgio_status sgio_segmentation_number_frames(sgio_segmentation *segmentation,
                                            const sgio_volume *volume, const char *name);

/* Deals pictures by the numbers of the volume's; both must be folders of pictures. */
sgio_status sgio_segmentation_follow_frames(sgio_segmentation *segmentation,
                                            const sgio_volume *volume, const char *name,
                                            sgio_warning_fn warn, void *user);

/* Labels from `count` stored values; SGIO_UNREADABLE names `path` when one is no whole number from
 * 0 to SGIO_MAX_LABEL. */
sgio_status sgio_labels_from_voxels(const char *path, const sgio_voxel_format *format,
                                    const void *stored, size_t count, uint16_t *labels);

/* Reads a .nrrd, .seg.nrrd or .nhdr, onto its own grid. On failure the caller clears *out. */
sgio_status sgio_segmentation_read_nrrd(const char *path,
                                        const sgio_segmentation_read_options *options,
                                        sgio_segmentation *out);

/* Whether the keys of a .seg.nrrd speak of another layer than the first. */
int sgio_segmentation_names_layers(const struct sgio_nrrd *nrrd);

/* Appends the segments that the keys of a .seg.nrrd describe, with layers and labels as in the
 * file; the layers must be there. */
sgio_status sgio_segmentation_read_keys(const struct sgio_nrrd *nrrd, const char *file,
                                        sgio_segmentation *out);

/* Last step of reading, when layers and named segments are there: names, extents, counts; values
 * of no segment are dropped with a warning. */
sgio_status sgio_segmentation_finish(sgio_segmentation *out, const char *file, sgio_warning_fn warn,
                                     void *user);

/* Appends a segment with that label and without deciding a name-based colour; takes copies. */
sgio_status sgio_segmentation_append(sgio_segmentation *segmentation, const char *id,
                                     const char *name, const double colour[3], int label);

/* The default TerminologyEntry for a name; the caller frees, NULL when out of memory. */
char *sgio_terminology_entry(const char *name);

static inline int sgio_layer_value(const sgio_layer *layer, size_t voxel)
{
    return layer->bytes == 1 ? ((const uint8_t *)layer->data)[voxel]
                             : ((const uint16_t *)layer->data)[voxel];
}

static inline void sgio_layer_set(sgio_layer *layer, size_t voxel, int value)
{
    if (layer->bytes == 1)
        ((uint8_t *)layer->data)[voxel] = (uint8_t)value;
    else
        ((uint16_t *)layer->data)[voxel] = (uint16_t)value;
}

/* 1 when `count` bytes are all zero. */
int sgio_all_zero(const void *bytes, size_t count);

#endif
