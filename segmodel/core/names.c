#include "core/names.h"

#include <string.h>

/* Glob with '*' only; `pattern` ends at `end`. */
static bool matches(const char *pattern, const char *end, const char *name)
{
    if (pattern == end) return !*name;
    if (*pattern == '*') {
        for (;; name++) {
            if (matches(pattern + 1, end, name)) return true;
            if (!*name) return false;
        }
    }
    return *pattern == *name && matches(pattern + 1, end, name + 1);
}

bool sgm_name_matches(const char *patterns, const char *name)
{
    while (patterns && *patterns) {
        while (*patterns == ',' || *patterns == ' ')
            patterns++;
        const char *end = patterns + strcspn(patterns, ", ");
        if (end > patterns && matches(patterns, end, name)) return true;
        patterns = end;
    }
    return false;
}
