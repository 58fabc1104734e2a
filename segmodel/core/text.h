/* Texts: one that grows as it is written, and what files of lines that people write have in common.
 */
#ifndef SEGMODEL_CORE_TEXT_H
#define SEGMODEL_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A failure to grow is kept, so that one look at the end is enough. */
typedef struct sgm_text {
    char *bytes; /* `size` of them and a zero; NULL: nothing yet. The owner frees it */
    size_t size, room;
    bool failed; /* there was no memory: what is there is not whole */
} sgm_text;

void sgm_text_char(sgm_text *text, char c);
/* As printf. */
void sgm_text_print(sgm_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Behind the mark of UTF-8 that editors put before a text, and that nobody sees. */
const char *sgm_text_start(const char *text);
/* Ends the line where its comment begins: at a '#' that comes first or after a blank. One within a
 * word is part of it, as in the name of a file. */
void sgm_text_cut_comment(char *line);

#endif
