/* Voxel values: from the types, byte orders and scalings of files to the volume's types. */
#ifndef SGIO_VOXELS_H
#define SGIO_VOXELS_H

#include "byte_source.h"
#include "sgio/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Types in files: those of sgio_type, with the same values, and 64-bit integers. */
enum { SGIO_RAW_I64 = SGIO_F64 + 1, SGIO_RAW_U64 };

/* value = slope * stored + intercept */
typedef struct sgio_voxel_format {
    int raw;  /* sgio_type or SGIO_RAW_* */
    int swap; /* the file's byte order is not the machine's */
    double slope, intercept;
} sgio_voxel_format;

/* Which of the volumes that a file holds is read. */
typedef struct sgio_voxel_share {
    int64_t count, number; /* number from 0; {1, 0}: it is the only one */
    int interleaved;       /* 1: a voxel has its values of all volumes side by side; 0: the volumes
                            * follow one another */
} sgio_voxel_share;

size_t sgio_raw_bytes(int raw);
const char *sgio_type_name(sgio_type type);

/* 1 on a machine that stores the low byte first. */
int sgio_little_endian(void);

/* Bytes of all voxels of a size and channel count in a raw type, checked for overflow.
 * SGIO_UNREADABLE names `path`; sizes below 1 are refused too. */
sgio_status sgio_voxels_bytes(const char *path, const int64_t size[3], int channels, int raw,
                              uint64_t *bytes);

/* The type that holds the scaled values: the stored type when nothing is scaled; the smallest
 * integer for integral slope and intercept and stored values in [low, high]; else F32 for stored
 * values of up to 16 bits or F32, F64 for the rest. 64-bit integers become I32 when unscaled
 * (sgio_voxels_convert then refuses values that do not fit). */
sgio_type sgio_voxels_type(const sgio_voxel_format *format, double low, double high);

/* The smallest type that holds the values of both. */
sgio_type sgio_common_type(sgio_type a, sgio_type b);

/* Converts `count` stored values into dst of `type`; fractions are not rounded, they do not occur
 * where `type` came from sgio_voxels_type. Returns 0, or -1 when a value does not fit. */
int sgio_voxels_convert(const sgio_voxel_format *format, const void *stored, size_t count,
                        sgio_type type, void *dst);

/* Converts into whole numbers from 0 to 65535; -1 when a value is none, a fraction included. */
int sgio_voxels_to_u16(const sgio_voxel_format *format, const void *stored, size_t count,
                       uint16_t *dst);

/* Allocates volume->data for its geometry, channels and type. */
sgio_status sgio_volume_allocate(sgio_volume *volume, const char *path);

/* Sets volume->type, allocates, and reads all voxels (volume->geometry.size and channels must be
 * set; one where volumes are interleaved), asking the options' progress function. `source` is at
 * the first voxel of the file's first volume; `share` NULL: it holds no other. Memory beyond the
 * volume is constant. */
sgio_status sgio_voxels_read(sgio_source *source, const char *path, const sgio_voxel_format *format,
                             const sgio_voxel_share *share, const sgio_read_options *options,
                             sgio_volume *volume);

#ifdef __cplusplus
}
#endif
#endif
