/* The DICOM series that a segmentation refers to: what SEG and RTSTRUCT take over from it. */
#ifndef SGIO_DICOM_REFERENCE_H
#define SGIO_DICOM_REFERENCE_H

#include "dicom_places.h"
#include "dicom_set.h"
#include "dicom_writer.h"
#include "formats.h"
#include "sgio/labelmap.h"

typedef struct sgio_dicom_source {
    char sop_class[65], instance[65], series[65];
    int frame; /* of an instance that has several, from 1; else 0 */
    char position_text[SGIO_DICOM_DECIMALS(3)]; /* as in its file, where that is a DS */
    double position[3];
    int64_t k; /* its slice in the grid */
} sgio_dicom_source;

typedef struct sgio_dicom_reference {
    sgio_dicom_source *slices; /* in the order of k */
    size_t count;
    sgio_dicom_file *file;    /* of the first slice */
    sgio_dicom_set set;       /* its elements */
    sgio_dicom_plane plane;   /* of the first slice */
    double row[3], column[3]; /* its cosines, of length 1 */
    double row_spacing, column_spacing;
    double thickness; /* distance of the grid's slices along the normal, mm */
    char study[65];   /* made where the series has none */
    char frame_of_reference[65];
    int made_frame_of_reference; /* the series has none */
    int is_sheared;
    size_t interpolated; /* slices of the grid that no file holds */
} sgio_dicom_reference;

/* Whether a segmentation on that grid can refer to options->reference, else to options->source: a
 * DICOM series with positions, orientation and the same voxels. SGIO_USAGE with a sentence; `kind`
 * is "DICOM SEG". SGIO_UNREADABLE where its first file cannot be read any more. */
sgio_status sgio_dicom_check_reference(const char *path, const char *kind,
                                       const sgio_geometry *grid,
                                       const sgio_segmentation_write_options *options);

/* A job on the grid of the series it refers to, which is then its options' source. */
typedef struct sgio_dicom_job {
    sgio_label_job job;
    sgio_segmentation_write_options options;
    sgio_segmentation turned; /* the job's segmentation where it had to be turned */
} sgio_dicom_job;

/* For a job that sgio_dicom_check_reference accepted. To be released with sgio_dicom_job_clear,
 * also after a failure (SGIO_OUT_OF_MEMORY). */
sgio_status sgio_dicom_job_begin(const sgio_label_job *job, sgio_dicom_job *out);
void sgio_dicom_job_clear(sgio_dicom_job *job);

/* Reads the headers of options->source's files, which sgio_dicom_check_reference accepted. To be
 * released with sgio_dicom_reference_clear, also after a failure (SGIO_UNREADABLE: a file has
 * changed since). */
sgio_status sgio_dicom_read_reference(const sgio_segmentation_write_options *options,
                                      sgio_dicom_reference *reference);
void sgio_dicom_reference_clear(sgio_dicom_reference *reference);

/* SpecificCharacterSet of what is written, and texts in it: UTF-8, unless the series has a set that
 * is not understood here, or a text that is not of its set. Then set and texts stay as they are;
 * other texts lose what is not ASCII. */
void sgio_dicom_write_character_set(sgio_dicom_writer *writer,
                                    const sgio_dicom_reference *reference);
void sgio_dicom_write_name(sgio_dicom_writer *writer, const sgio_dicom_reference *reference,
                           uint32_t tag, const char *vr, const char *text);

/* The element as the first slice has it, else empty. */
void sgio_dicom_copy_text(sgio_dicom_writer *writer, const sgio_dicom_reference *reference,
                          uint32_t tag, const char *vr);
/* The same, but nothing where the slice has none. */
void sgio_dicom_copy_optional(sgio_dicom_writer *writer, const sgio_dicom_reference *reference,
                              uint32_t tag, const char *vr);

/* Patient and what was done to make the patient unknown (groups 10 and 12). */
void sgio_dicom_copy_patient(sgio_dicom_writer *writer, const sgio_dicom_reference *reference);

/* Whether no slice before slice `n` is of its series, or of its instance. */
int sgio_dicom_begins_series(const sgio_dicom_reference *reference, size_t n);
int sgio_dicom_begins_instance(const sgio_dicom_reference *reference, size_t n);

/* ReferencedSOPClassUID and ReferencedSOPInstanceUID, and which frame where there are several and
 * `with_frame` is set. */
void sgio_dicom_name_source(sgio_dicom_writer *writer, const sgio_dicom_source *slice,
                            int with_frame);

/* "20261128", "171220" */
void sgio_dicom_now(char date[16], char time[16]);

#endif
