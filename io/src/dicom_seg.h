/* DICOM Segmentation objects: the frames of a file, for the reader and for the writer's check. */
#ifndef SGIO_DICOM_SEG_H
#define SGIO_DICOM_SEG_H

#include "dicom_set.h"
#include "formats.h"

#define SGIO_DICOM_SEG_CLASS "1.2.840.10008.5.1.4.1.1.66.4"
#define SGIO_DICOM_LABELMAP_CLASS "1.2.840.10008.5.1.4.1.1.66.7"

typedef struct sgio_seg_frame {
    int segment; /* its number; 0 in label maps, whose pixels are numbers of segments */
    double position[3];
} sgio_seg_frame;

typedef struct sgio_seg_file {
    sgio_dicom_file *file;
    sgio_dicom_set set;
    sgio_seg_frame *frames;
    size_t count;
    int rows, columns, bits;                     /* 1, 8 or 16 */
    int is_fractional, most;                     /* MaximumFractionalValue */
    double row[3], column[3];                    /* of length 1 */
    double row_spacing, column_spacing, between; /* 0: not said */
    uint64_t pixels;                             /* where they begin */
} sgio_seg_file;

/* Reads everything but the pixels. SGIO_UNREADABLE names what is wrong. To be closed with
 * sgio_seg_close, also after a failure. */
sgio_status sgio_seg_open(const char *path, sgio_seg_file *seg);
void sgio_seg_close(sgio_seg_file *seg);

/* Frame `n` as rows * columns numbers: 0 and 1, in label maps numbers of segments, of fractional
 * ones 1 from half of the greatest value on. -1 where the file cannot be read. */
int sgio_seg_read_frame(sgio_seg_file *seg, size_t n, uint16_t *values);

/* For the rows of formats.c. RT structure sets are read too; of other DICOM files the values are
 * labels. */
sgio_status sgio_read_dicom_seg(const char *path, const sgio_segmentation_read_options *options,
                                sgio_segmentation *out);
sgio_status sgio_check_dicom_seg(const char *path, const sgio_geometry *grid,
                                 const sgio_segmentation_write_options *options);
sgio_status sgio_write_dicom_seg(const sgio_label_job *job, sgio_atomic_file *file);

#endif
