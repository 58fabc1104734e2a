/* What lies under a volume's or prompt file's name although it is something else altogether. */
#ifndef SGIO_FOREIGN_CONTENT_H
#define SGIO_FOREIGN_CONTENT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* From the first bytes of a file: what it is and what to do, to stand behind "path: ", or NULL when
 * it may be what it seems. */
const char *sgio_foreign_content(const void *bytes, size_t size);

/* 1 when the bytes begin a gzip file. */
int sgio_is_gzip(const void *bytes, size_t size);

#ifdef __cplusplus
}
#endif
#endif
