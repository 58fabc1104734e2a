#include "core/names.h"

#include <string.h>

/* Glob with '*' only; `pattern` ends at `end`. Only the last '*' ever takes more: time is at most
 * that of pattern times name. */
static bool matches(const char *pattern, const char *end, const char *name)
{
    const char *star = NULL, *taken = NULL;
    while (*name) {
        if (pattern < end && *pattern == '*') {
            star = ++pattern;
            taken = name;
        } else if (pattern < end && *pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++taken;
        } else {
            return false;
        }
    }
    while (pattern < end && *pattern == '*')
        pattern++;
    return pattern == end;
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
