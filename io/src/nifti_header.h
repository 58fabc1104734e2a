/* NIfTI-1 and NIfTI-2 headers, of .nii files and of .hdr/.img pairs.
 *
 * Read here rather than by ITK because ITK 5.2 refuses the shear of an sform. Layout and meaning
 * after the headers nifti1.h and nifti2.h (NIfTI Data Format Working Group). */
#ifndef SGIO_NIFTI_HEADER_H
#define SGIO_NIFTI_HEADER_H

#include "sgio/geometry.h"
#include "voxels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SGIO_NIFTI_1_BYTES = 348, SGIO_NIFTI_2_BYTES = 540 };

typedef enum sgio_nifti_transform {
    SGIO_NIFTI_SFORM,
    SGIO_NIFTI_QFORM,
    SGIO_NIFTI_NONE /* neither is coded (or usable): axes assumed, see nifti_header.c */
} sgio_nifti_transform;

typedef struct sgio_nifti_header {
    sgio_geometry geometry; /* of one volume */
    int64_t volumes;        /* along dimensions 4 to 7, one behind the other */
    sgio_voxel_format format;
    int channels; /* 3 for RGB colour */
    sgio_nifti_transform transform;
    int sform_unusable;   /* an sform that is coded but lacks an axis was passed over */
    int forms_differ;     /* sform and qform, both coded, name different places */
    int spacing_assumed;  /* bits of the axes for which 1 mm is taken */
    int single_file;      /* 1: voxels at data_offset of the same file, 0: in the .img */
    uint64_t data_offset; /* in the uncompressed file */
} sgio_nifti_header;

/* Parses `size` bytes (SGIO_NIFTI_2_BYTES, fewer only if the file is shorter). Errors name `path`.
 * Lengths are converted to millimetres (xyzt_units). Refused by name: ANALYZE 7.5, complex voxels,
 * colour with alpha. */
sgio_status sgio_nifti_parse(const char *path, const unsigned char *bytes, size_t size,
                             sgio_nifti_header *header);

#ifdef __cplusplus
}
#endif
#endif
