/* Voxels of a segmentation in the order a file wants them, a chunk at a time. */
#ifndef SGIO_LABELMAP_ROWS_H
#define SGIO_LABELMAP_ROWS_H

#include "labelmap_sink.h"
#include "sgio/labelmap.h"

/* Bytes per voxel of the plain label map: 1, or 2 when a label exceeds 255. */
int sgio_flat_bytes(const sgio_segmentation *segmentation);

/* Sends one plain label map; later segments win, *overlap counts the voxels lost. */
sgio_status sgio_flat_send(const sgio_segmentation *segmentation, sgio_sink *sink,
                           sgio_overlap *overlap);

/* Bytes per voxel and layer of the layered form: the widest layer's. */
int sgio_layers_bytes(const sgio_segmentation *segmentation);

/* Sends all layers, voxel by voxel interleaved when there are several; zeros when there is none. */
sgio_status sgio_layers_send(const sgio_segmentation *segmentation, sgio_sink *sink);

#endif
