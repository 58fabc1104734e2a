/* Voxels of a segmentation in the order a file wants them, a chunk at a time. */
#ifndef SGIO_LABELMAP_ROWS_H
#define SGIO_LABELMAP_ROWS_H

#include "formats.h"
#include "labelmap_sink.h"

/* The value of each segment in the plain label map (labels[segment_count], caller's). */
void sgio_job_labels(const sgio_label_job *job, int *labels);

/* Bytes per voxel of the plain label map: 1, or 2 when a label exceeds 255. */
int sgio_flat_bytes(const sgio_label_job *job);

/* Sends one plain label map; later segments win, job->overlap counts the voxels lost, and
 * job->options->written those that each segment keeps. Asks the job's progress function. */
sgio_status sgio_flat_send(const sgio_label_job *job, sgio_sink *sink);

/* Bytes per voxel and layer of the layered form: the widest layer's. */
int sgio_layers_bytes(const sgio_segmentation *segmentation);

/* Sends all layers, voxel by voxel interleaved when there are several; zeros when there is none.
 * Asks the job's progress function. */
sgio_status sgio_layers_send(const sgio_label_job *job, sgio_sink *sink);

#endif
