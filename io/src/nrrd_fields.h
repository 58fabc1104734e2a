/* NRRD headers of volumes, attached (.nrrd) and detached (.nhdr), after the format's definition
 * (Teem, NRRD0001 to NRRD0005). Read here and not by ITK: its reader prints to stderr and trusts
 * sizes. */
#ifndef SGIO_NRRD_FIELDS_H
#define SGIO_NRRD_FIELDS_H

#include "sgio/geometry.h"
#include "voxels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SGIO_NHDR_AXES = 16, SGIO_NHDR_LIMIT = 16 << 20 };

typedef enum sgio_nhdr_encoding { SGIO_NHDR_RAW, SGIO_NHDR_GZIP } sgio_nhdr_encoding;

typedef struct sgio_nhdr_axis {
    int64_t size;
    int has_direction;   /* a "space directions" vector, not "none" */
    double direction[3]; /* as in the file, in its own space */
    double spacing;      /* NaN when absent */
    double min;          /* NaN when absent */
    int node_centered;
    char kind[24]; /* lower case, "" when absent */
} sgio_nhdr_axis;

typedef struct sgio_nhdr {
    int dimension;
    sgio_nhdr_axis axes[SGIO_NHDR_AXES]; /* fastest first */
    int raw;                             /* sgio_type or SGIO_RAW_* */
    int swap;
    sgio_nhdr_encoding encoding;
    int64_t line_skip, byte_skip; /* byte_skip -1: the voxels are the file's last bytes */
    int space_dimension;          /* 0 when the file names no space */
    double space_sign[3];         /* file's space -> LPS, per component */
    int has_origin;
    double origin[3];
    const char *data_file; /* NULL when attached; relative to the header's directory */
    size_t header_bytes;   /* attached voxels begin here */
    char *text;            /* what data_file points into */
} sgio_nhdr;

/* Parses the `size` bytes at the start of the file `path`. On success release with
 * sgio_nhdr_clear. */
sgio_status sgio_nhdr_parse(const char *path, const char *bytes, size_t size, sgio_nhdr *header);

/* The same from the file itself. */
sgio_status sgio_nhdr_read(const char *path, sgio_nhdr *header);

void sgio_nhdr_clear(sgio_nhdr *header);

/* 1 when voxels of this axis lie beside one another in space; 0 for components, lists, ... */
int sgio_nhdr_is_spatial(const sgio_nhdr *header, int axis);

/* The grid of the two or three spatial axes. Refuses other counts, and geometry that is not finite
 * or singular. Axes that are not spatial are left to the caller. */
sgio_status sgio_nhdr_geometry(const char *path, const sgio_nhdr *header, sgio_geometry *geometry);

/* Opens the voxels (attached or detached), all skips done. */
sgio_status sgio_nhdr_open_data(const char *path, const sgio_nhdr *header, sgio_source **source);

#ifdef __cplusplus
}
#endif
#endif
