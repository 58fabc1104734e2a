/* Text in JSON, which must be UTF-8, while names and paths may be any bytes. */
#ifndef PROMPTSEG_BATCH_TEXT_H
#define PROMPTSEG_BATCH_TEXT_H

#include <jansson.h>

/* To be shown: bytes that are not UTF-8 become '?'. NULL when out of memory. */
json_t *batch_text_shown(const char *text);

/* Sets the member `name`; beside text that is not UTF-8 stands the member `<name>_hex`, which has
 * its bytes. 0, or -1 when out of memory. */
int batch_text_put(json_t *object, const char *name, const char *text);

/* The text that was put, malloc'ed; NULL when there is none or memory is out. */
char *batch_text_take(const json_t *object, const char *name);

#endif
