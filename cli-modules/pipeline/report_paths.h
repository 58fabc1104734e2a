/* What a report shows of the paths of a run: all, relative to the report, or nothing. */
#ifndef PROMPTSEG_PIPELINE_REPORT_PATHS_H
#define PROMPTSEG_PIPELINE_REPORT_PATHS_H

#include "options.h"

/* One path of the run. */
typedef struct known_path {
    const char *path; /* as given */
    size_t length;    /* of the path without a slash behind */
    int is_folder;    /* it had one: stands for all that lies below, too */
    const char *role; /* "the input": stands for it inside sentences where paths are left out */
    char *shown;      /* owned; NULL: left out */
    char *owned;      /* the path, where it is not borrowed */
} known_path;

typedef struct known_paths {
    report_paths how;
    known_path *items;
    size_t count;
} known_paths;

/* Fills *out for a report at options->report: the files of the run, and the folders that hold them,
 * since sentences name what lies beside them too. 0, or CLI_EXIT_MEMORY. */
int known_paths_make(const case_options *work, const result_options *options, const char *model,
                     known_paths *out);

/* A further path. One that ends in a slash stands for all that lies below, too. Room is for
 * KNOWN_PATHS_MORE. */
enum { KNOWN_PATHS_MORE = 4 };
int known_paths_add(known_paths *paths, const char *report, const char *path, const char *role);
void known_paths_clear(known_paths *paths);

/* What stands in the report for this path; NULL: nothing. Unknown paths are left out too, unless
 * all are shown. */
const char *known_paths_show(const known_paths *paths, const char *path);

/* The sentence with every known path, and every folder of one, replaced; malloc'ed, NULL when out
 * of memory. Where paths are left out, what follows such a folder goes up to the next ": " or the
 * sentence's end: names may hold anything else. */
char *known_paths_replace(const known_paths *paths, const char *sentence);

#endif
