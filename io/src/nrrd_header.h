/* NRRD headers, attached (.nrrd, .seg.nrrd) and detached (.nhdr), after the format's definition
 * (Teem, NRRD0001 to NRRD0005, https://teem.sourceforge.net/nrrd/format.html). Volumes and
 * segmentations are read through this one parser. */
#ifndef SGIO_NRRD_HEADER_H
#define SGIO_NRRD_HEADER_H

#include "byte_source.h"
#include "sgio/geometry.h"
#include "sgio/status.h"
#include "voxels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SGIO_NRRD_AXES = 16, SGIO_NRRD_MAX_HEADER = 16 << 20, SGIO_NRRD_MAX_KEYS = 65536 };

typedef enum sgio_nrrd_encoding { SGIO_NRRD_RAW, SGIO_NRRD_GZIP } sgio_nrrd_encoding;

typedef struct sgio_nrrd_axis {
    int64_t size;
    int has_direction;   /* a "space directions" vector, not "none" */
    double direction[4]; /* as in the file, in its own space, of which three are used */
    double spacing;      /* NaN when absent */
    double min;          /* NaN when absent */
    int node_centered;
    char kind[24]; /* lower case, "" when absent */
} sgio_nrrd_axis;

/* A "name:=value" line. */
typedef struct sgio_nrrd_key {
    char *name, *value; /* value unescaped */
} sgio_nrrd_key;

typedef struct sgio_nrrd {
    int dimension;
    sgio_nrrd_axis axes[SGIO_NRRD_AXES]; /* fastest first */
    int raw;                             /* sgio_type or SGIO_RAW_* */
    int swap;                            /* the byte order is not the machine's */
    sgio_nrrd_encoding encoding;
    int64_t line_skip, byte_skip; /* byte_skip -1: the voxels are the file's last bytes */
    int space_dimension;          /* 0 when the file names no space; 4 only while it is parsed */
    int space_has_time;           /* its space is one of patient or scanner, and time */
    double space_sign[3];         /* file's space -> LPS, per component */
    int has_origin;
    double origin[4];
    char unit[24];         /* of lengths, where it is named and not the millimetre; else "" */
    const char *data_file; /* NULL when attached; relative to the header's directory */
    sgio_nrrd_key *keys;   /* in the file's order */
    size_t key_count;
    uint32_t given;      /* bits of the fields so far: none comes twice */
    size_t header_bytes; /* attached voxels begin here */
    char *text;          /* the header; data_file and the keys point into it */
} sgio_nrrd;

/* Parses the `size` bytes at the start of the file `path`. Release with sgio_nrrd_clear.
 * SGIO_UNREADABLE names the file and the field. */
sgio_status sgio_nrrd_parse(const char *path, const char *bytes, size_t size, sgio_nrrd *header);

/* The same from the file itself. */
sgio_status sgio_nrrd_read(const char *path, sgio_nrrd *header);

void sgio_nrrd_clear(sgio_nrrd *header);

/* 1 when voxels of this axis lie beside one another in space; 0 for components, lists, ... */
int sgio_nrrd_is_spatial(const sgio_nrrd *header, int axis);

/* Of four axes that nothing tells apart three lie in space, and one is odd: the first or the last,
 * whichever alone has one voxel, else `usual`. -1 where they are told apart. */
int sgio_nrrd_odd_axis(const sgio_nrrd *header, int usual);

/* The grid of the two or three spatial axes; *assumed gets the bits of those for which 1 mm is
 * taken because the file gives no spacing. Refuses other counts, and geometry that is not finite or
 * singular. Axes that are not spatial are left to the caller. */
sgio_status sgio_nrrd_geometry(const char *path, const sgio_nrrd *header, sgio_geometry *geometry,
                               int *assumed);

/* 1 where ITK has another grid: it leaves RAST and LAST unturned; of a space without directions it
 * turns the origin alone, and refuses spacings (measured with SimpleITK). */
int sgio_nrrd_itk_differs(const sgio_nrrd *header);

/* Warns where that grid is a guess: in a space other than LPS axes without directions run along its
 * axes (other programs refuse such files, or have the axes run as in LPS). */
void sgio_nrrd_say_space(const char *path, const sgio_nrrd *header, sgio_warning_fn warn,
                         void *user);

/* Opens the voxels (attached or detached), all skips done. */
sgio_status sgio_nrrd_open_data(const char *path, const sgio_nrrd *header, sgio_source **source);

#ifdef __cplusplus
}
#endif
#endif
