/* Windows only: a path as its wide calls want it. */
#ifndef SEGMODEL_CORE_WIDE_H
#define SEGMODEL_CORE_WIDE_H

#include <wchar.h>

/* UTF-8 to UTF-16, malloc'ed; a path that is 240 characters or longer from its root on in the form
 * that has no limit of length. NULL: no memory, or not UTF-8 (errno is EILSEQ). */
wchar_t *sgm_wide(const char *path);

/* A program's arguments in UTF-8, ended by NULL. malloc'ed; NULL: no memory. */
char **sgm_utf8_arguments(int count, wchar_t **wide);

#endif
