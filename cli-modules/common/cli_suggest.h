/* "Did you mean ...?" */
#ifndef PROMPTSEG_CLI_SUGGEST_H
#define PROMPTSEG_CLI_SUGGEST_H

#include <stddef.h>

/* Edits (insert, delete, replace, swap neighbours; Damerau-Levenshtein, restricted) from a to b,
 * ignoring case and the characters '-' and '_'. Words beyond 63 characters compare as different. */
size_t cli_edit_distance(const char *a, const char *b);

#endif
