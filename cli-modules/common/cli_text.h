/* Text from files (DICOM, segment names, paths) on its way to a terminal or to Slicer. */
#ifndef PROMPTSEG_CLI_TEXT_H
#define PROMPTSEG_CLI_TEXT_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CLI_CLEAN_LINES = 1,   /* line breaks and tabs become blanks; else they stay */
    CLI_CLEAN_BRACKETS = 2 /* every < and > becomes ( and ); else only where one of Slicer's
                              <filter-...> tags would begin or end */
};

/* Makes text harmless, in place and never longer: control characters (of Unicode too, and those
 * that reorder a line) and bytes that are not UTF-8 become '?'. */
void cli_clean_text(char *text, int what);

/* A cleaned copy in `out`, cut at a character's end when it does not fit; returns `out`. */
const char *cli_clean_copy(char *out, size_t size, const char *text, int what);

#ifdef __cplusplus
}
#endif
#endif
