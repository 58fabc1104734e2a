/* One writer per format. Each sends header and voxels to an open file; the caller commits. */
#ifndef SGIO_LABELMAP_FORMATS_H
#define SGIO_LABELMAP_FORMATS_H

#include "formats.h"

#include <stdarg.h>

/* A header being put together; zero-initialise. `failed` is set when memory runs out. */
typedef struct sgio_text {
    char *data;
    size_t length, capacity;
    int failed;
} sgio_text;

void sgio_text_add(sgio_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes the text and frees it. */
sgio_status sgio_text_send(sgio_text *text, sgio_atomic_file *file);

sgio_status sgio_write_seg_nrrd(const sgio_label_job *job, sgio_atomic_file *file);
sgio_status sgio_write_nrrd(const sgio_label_job *job, sgio_atomic_file *file);
sgio_status sgio_write_nifti(const sgio_label_job *job, sgio_atomic_file *file);
sgio_status sgio_write_nifti_gz(const sgio_label_job *job, sgio_atomic_file *file);
sgio_status sgio_write_mha(const sgio_label_job *job, sgio_atomic_file *file);

sgio_status sgio_write_png(const sgio_label_job *job, sgio_atomic_file *file);

/* A picture holds one slice. */
sgio_status sgio_check_png(const char *path, const sgio_geometry *grid,
                           const sgio_segmentation_write_options *options);

/* A label map per slice along k as PNG, beside a table that names them. */
sgio_status sgio_check_frames(const char *path, const sgio_geometry *grid,
                              const sgio_segmentation_write_options *options);
sgio_status sgio_write_frames(const sgio_label_job *job, sgio_atomic_file *file);
sgio_status sgio_frames_beside(const char *path, const sgio_segmentation_write_options *options,
                               sgio_path_fn found, void *user);

/* NIfTI-1 counts voxels in 16 bits. */
sgio_status sgio_check_nifti(const char *path, const sgio_geometry *grid,
                             const sgio_segmentation_write_options *options);

#endif
