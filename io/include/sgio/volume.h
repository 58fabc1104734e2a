/* Volumes: intensities on a grid, from NIfTI, NRRD, MetaImage, PNG/JPEG and DICOM. */
#ifndef SGIO_VOLUME_H
#define SGIO_VOLUME_H

#include "sgio/geometry.h"
#include "sgio/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sgio_type {
    SGIO_U8,
    SGIO_I8,
    SGIO_U16,
    SGIO_I16,
    SGIO_U32,
    SGIO_I32,
    SGIO_F32,
    SGIO_F64
} sgio_type;

typedef struct sgio_volume {
    sgio_geometry geometry;
    sgio_type type;
    int channels;      /* 1, or 3 for RGB pictures (interleaved) */
    void *data;        /* size[0]*size[1]*size[2]*channels values, i fastest; owned by the volume */
    char modality[17]; /* DICOM Modality ("CT", "MR", "US", ...), "" when the file does not say */
    int rescaled;      /* 1 when values are already real-world values */
    int hounsfield;    /* 1 when they are Hounsfield units: CT, and rescaled to nothing else */
    int has_padding;   /* DICOM PixelPaddingValue, after rescale; windowing ignores such voxels */
    double padding;    /* as voxels of `type` hold it, one value in all slices */
    int sheared;       /* 1 for a gantry tilt kept as a sheared matrix */
    int itk_differs;   /* 1 for an NRRD whose voxels ITK, and with it 3D Slicer, puts elsewhere, or
                        * which it refuses */
    int resampled;     /* 1 when gaps were filled by --allowGaps */
    int spacing_assumed; /* 1 when the file gives no (usable) spacing along some axis and 1 mm is
                          * taken: lengths and millilitres are then a guess */
    char *series_uid;    /* NULL when not DICOM; owned */
    char **files;        /* DICOM: the file of each slice in k order (of the nearest one where
                          * resampled), else NULL; owned */
    size_t file_count;   /* size[2] for DICOM, else 0 */
    int *file_frames;    /* file_count of them: which frame of its file a slice is, from 1; 0 where
                          * the file holds that slice alone. NULL without files; owned */
    int64_t file_volume; /* which of the several volumes of a NIfTI, NRRD or MetaImage file it is,
                          * from 1; 0 where the file holds no other */
    int is_lossy;       /* 1: of JPEG pictures, whose values are not quite those that were stored */
    int is_sequence;    /* 1: the third axis is time (a folder of pictures, a multi-frame file); its
                         * step is 1 and no length */
    char **frame_names; /* of a folder of pictures: the names without folder and ending, size[2] of
                         * them; else NULL. Owned */
} sgio_volume;

typedef struct sgio_read_options {
    const char *series; /* DICOM: UID, or 1-based number in the listing; several of them ("1,4-7",
                         * "all") are joined into one volume; NIfTI, NRRD and MetaImage of four
                         * dimensions: the number of a volume; others hold number 1 alone. NULL:
                         * there must be just one */
    int series_may_be_others; /* `series` may mean another input: what holds one volume is read */
    int allow_gaps;       /* resample uneven or missing slices to even spacing; without a number in
                           * `series`, stacks of different spacing in one series are joined */
    sgio_warning_fn warn; /* may be NULL */
    void *warn_user;
    sgio_progress_fn progress; /* may be NULL */
    void *progress_user;
    int without_voxels;  /* DICOM: grid and files alone, data stays NULL; others are read whole */
    int palette_indices; /* PNG with a palette: the pixels' indices, as label maps mean them, in one
                          * channel; 0: their colours */
} sgio_read_options;

/* Reads the volume at `path`:
 *  - a NIfTI-1/2 (.nii, .hdr/.img, also .gz), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd), PNG or
 *    JPEG file. Of a NIfTI's sform (shear included) and qform the coded one is used; where they
 *    disagree the one that ITK takes, and with neither ITK's axes, both with a warning; its lengths
 *    are converted to millimetres. Pictures have spacing 1, z = 0. Spacings that are assumed are
 *    warned about;
 *  - a DICOM directory (with its subdirectories), a DICOMDIR, or one file of a series, which stands
 *    for the volume that it belongs to; slices may be files, or frames of enhanced (multi-frame)
 * ones. Order and step come from the positions alone. Values are stored * slope + intercept, slice
 * by slice; MONOCHROME1 is not inverted;
 *  - a directory of numbered PNG/JPEG pictures, or a pattern for some of them (dir/a_%03d.png), in
 *    the order of their numbers (2 before 10); missing numbers are warned about. A multi-frame
 *    DICOM file of ultrasound, endoscopy or secondary capture. Both are sequences: the third axis
 *    is time, with step 1.
 *
 * The type is the file's, or the smallest that holds scaled values. Refused with a sentence:
 * several volumes and no choice, complex values, colour but RGB in pictures, NIfTI, NRRD, MetaImage
 * and single-frame DICOM, other multi-frame DICOM, geometry that is not finite or is singular,
 * truncated or corrupt files (compressed data are read to their checksum), sizes that the file or
 * the memory cannot hold, volumes without a finite value. A constant volume is warned about.
 *
 * `options` may be NULL. On success *out is to be released with sgio_volume_clear; on failure it is
 * zeroed. Errors: SGIO_UNREADABLE with a sentence that names the file, SGIO_OUT_OF_MEMORY,
 * SGIO_CANCELLED. Several
 * DICOM volumes and no choice: SGIO_UNREADABLE, the message holds the listing. Memory beyond the
 * volume is that of one slice (three where gaps are filled). */
sgio_status sgio_volume_read(const char *path, const sgio_read_options *options, sgio_volume *out);

/* Value number `at` of `data` (channels are interleaved), which must exist. */
double sgio_volume_value(const sgio_volume *volume, size_t at);

/* Puts the voxels into the order of `grid` where they are the same ones, counted along other axes
 * or backwards, up to `tolerance_mm`: programs turn volumes round when they store them. Else *fits
 * is 0 and the volume stays as it is. SGIO_OUT_OF_MEMORY. */
sgio_status sgio_volume_fit(sgio_volume *volume, const sgio_geometry *grid, double tolerance_mm,
                            int *fits);

/* The number in a frame's name ("frame_007" -> 7), the last one where there are several; k + 1
 * where frames have no names, -1 where a name has none. */
long sgio_volume_frame_number(const sgio_volume *volume, int64_t k);

/* Frees what the volume owns and zeroes it; a zeroed volume is fine. */
void sgio_volume_clear(sgio_volume *volume);

/* The volumes found at `path`, one line each: of DICOM (number, UID, modality, size, spacing,
 * description, and what separates volumes that are alike in these), of a file of another format, or
 * of a folder or pattern of numbered pictures, which is one volume.
 * *text is malloc'ed, the caller frees it. */
sgio_status sgio_list_series(const char *path, char **text);

/* 1 when the bytes at the start of a file look like DICOM, with or without preamble; 132 of them
 * tell. */
int sgio_looks_like_dicom(const unsigned char *bytes, size_t size);

/* How far reading that DICOM file looks around: 0 at no other file (an image without a place, a
 * segmentation, structures, what cannot be read), 1 at those of its folder (a slice), 2 at those of
 * subfolders too (a DICOMDIR). */
int sgio_dicom_reach(const char *path);

/* Tells the files that reading the folder looks at: visible ones, also those that links lead to,
 * and with `below` those of its subfolders as deep as DICOM is looked for. Errors as of reading. */
sgio_status sgio_folder_files(const char *folder, int below, sgio_path_fn found, void *user);

#ifdef __cplusplus
}
#endif
#endif
