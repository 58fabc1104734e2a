/* Patterns of names. */
#ifndef SEGMODEL_CORE_NAMES_H
#define SEGMODEL_CORE_NAMES_H

#include <stdbool.h>

/* Whether `name` matches one of the patterns, which commas or spaces separate; '*' stands for any
 * characters. NULL: no pattern. */
bool sgm_name_matches(const char *patterns, const char *name);

#endif
