/* MetaImage headers (.mha, .mhd) after the MetaIO documentation. Read here and not by ITK: MetaIO
 * prints to stderr and trusts sizes. */
#ifndef SGIO_META_HEADER_H
#define SGIO_META_HEADER_H

#include "sgio/geometry.h"
#include "voxels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SGIO_META_HEADER_LIMIT = 1 << 16 };

typedef struct sgio_meta_header {
    sgio_geometry geometry;
    sgio_voxel_format format;
    int channels;
    int64_t volumes;     /* along a fourth dimension, one behind the other */
    int spacing_assumed; /* bits of the axes for which 1 mm is taken */
    char unit[24];       /* of lengths, where it is named and not the millimetre; else "" */
    int compressed;
    int64_t header_size;  /* bytes to skip in the data file, -1: the voxels are its last bytes */
    char data_file[1024]; /* "LOCAL": the voxels follow the header at header_bytes */
    size_t header_bytes;
} sgio_meta_header;

/* Parses the `size` bytes at the start of the file `path` (a NUL must follow them). */
sgio_status sgio_meta_parse(const char *path, const char *bytes, size_t size,
                            sgio_meta_header *header);

#ifdef __cplusplus
}
#endif
#endif
