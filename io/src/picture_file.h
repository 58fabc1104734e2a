/* One PNG or JPEG picture; volume_pictures.c makes volumes of them. */
#ifndef SGIO_PICTURE_FILE_H
#define SGIO_PICTURE_FILE_H

#include "sgio/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sgio_picture {
    int64_t size[2]; /* columns, rows */
    int channels;    /* 1 or 3; palettes are expanded, alpha is dropped */
    sgio_type type;  /* SGIO_U8 or SGIO_U16 */
    int is_lossy;    /* JPEG */
} sgio_picture;

/* Describes the picture and, when `pixels` is not NULL, reads it (row by row, colours interleaved)
 * into that buffer of size[0]*size[1]*channels values. PNG and JPEG are told by their content.
 * `indices` as sgio_read_options.palette_indices. */
sgio_status sgio_picture_read(const char *path, int indices, sgio_picture *picture, void *pixels);

/* The same for a file known to be PNG or JPEG. */
sgio_status sgio_png_read(const char *path, int indices, sgio_picture *picture, void *pixels);
sgio_status sgio_jpeg_read(const char *path, sgio_picture *picture, void *pixels);

#ifdef __cplusplus
}
#endif
#endif
