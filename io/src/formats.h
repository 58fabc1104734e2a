/* One row per ending: how such a file is told, read and written. A further format is a further row
 * in formats.c, whatever it can do. */
#ifndef SGIO_FORMATS_H
#define SGIO_FORMATS_H

#include "atomic_file.h"
#include "sgio/labelmap.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A segmentation on its way into a file. */
typedef struct sgio_label_job {
    const sgio_segmentation *segmentation;
    const char *path;
    const sgio_segmentation_write_options *options; /* not NULL */
    sgio_overlap *overlap;                          /* not NULL, zeroed */
} sgio_label_job;

typedef struct sgio_format {
    const char
        *ending;      /* lower case, ".nii.gz"; the first row that fits counts, longer ones first */
    const char *name; /* for messages, "NIfTI" */
    /* Whether a file without a known ending is of this format, from its first `size` bytes
     * (SGIO_SNIFF_BYTES unless the file is shorter). NULL: only its ending tells. */
    int (*looks_like)(const unsigned char *bytes, size_t size);
    /* Fills *out, which comes zeroed; the caller clears it on failure. NULL: it holds no volume. */
    sgio_status (*read_volume)(const char *path, const sgio_read_options *options,
                               sgio_volume *out);
    /* The same for a segmentation; `options` is not NULL, its grid is the caller's business. NULL:
     * the values of the volume are labels. */
    sgio_status (*read_segmentation)(const char *path,
                                     const sgio_segmentation_read_options *options,
                                     sgio_segmentation *out);
    /* Whether a segmentation on that grid can be written, as sgio_segmentation_check_write. NULL:
     * any can. */
    sgio_status (*check)(const char *path, const sgio_geometry *grid,
                         const sgio_segmentation_write_options *options);
    /* Writes into the open file; the caller commits or discards it. Files beside it join
     * job->options->outputs, which is then not NULL. NULL: not written. */
    sgio_status (*write)(const sgio_label_job *job, sgio_atomic_file *file);
    /* The files beside it, as sgio_segmentation_beside. NULL: there are none. */
    sgio_status (*beside)(const char *path, const sgio_segmentation_write_options *options,
                          sgio_path_fn found, void *user);
    /* The volumes that it holds, as sgio_list_series. NULL: as of DICOM, whatever it is. */
    sgio_status (*list)(const char *path, char **text);
} sgio_format;

enum { SGIO_SNIFF_BYTES = 1024 };

/* The row for a name, or NULL. */
const sgio_format *sgio_format_by_name(const char *path);

/* The row whose looks_like says yes to the bytes, or NULL. */
const sgio_format *sgio_format_by_content(const unsigned char *bytes, size_t size);

/* The row for a file that is there: by its name, else by its content. SGIO_UNREADABLE when neither
 * is known. */
sgio_status sgio_format_find(const char *path, const sgio_format **format);

#ifdef __cplusplus
}
#endif
#endif
