/* A text that grows as it is written. A failure to grow it is kept, so that one look at the end is
 * enough. */
#ifndef SEGMODEL_CORE_TEXT_H
#define SEGMODEL_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sgm_text {
    char *bytes; /* `size` of them and a zero; NULL: nothing yet. The owner frees it */
    size_t size, room;
    bool failed; /* there was no memory: what is there is not whole */
} sgm_text;

void sgm_text_char(sgm_text *text, char c);
/* As printf. */
void sgm_text_print(sgm_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
