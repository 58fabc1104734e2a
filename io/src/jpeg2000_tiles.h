/* Whether a JPEG 2000 code stream has all it promises, as far as its markers tell (ISO/IEC 15444-1
 * annex A). OpenJPEG leaves tiles that are not there black without a word. */
#ifndef SGIO_JPEG2000_TILES_H
#define SGIO_JPEG2000_TILES_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 1 when the code stream, bare or within a JP2 file, has a part of every tile, each part is as long
 * as it says, and the end is marked. */
int sgio_jpeg2000_is_whole(const unsigned char *data, size_t size);

#ifdef __cplusplus
}
#endif
#endif
