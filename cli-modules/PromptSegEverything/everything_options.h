/* PromptSegEverything's command line as a typed struct, read and checked once. */
#ifndef PROMPTSEG_EVERYTHING_OPTIONS_H
#define PROMPTSEG_EVERYTHING_OPTIONS_H

#include "options.h"
#include "segmodel/everything.h"

typedef struct everything_options {
    engine_options engine;
    case_options work;     /* the volume, how it is cut, labels to compare with; no prompts */
    result_options result; /* output, report, picture, paths in the report */
    sgm_everything_options find;
    int64_t first_slice, last_slice; /* last -1: the volume's last */
    int edge_points;                 /* per side of the grid for edges */
    int layers;                      /* overlapping masks stay whole */
    int report_masks;                /* runs of each mask in the report */
    const char *detections;          /* boxes to ask instead of the grid; NULL: none */
    const char *image_id;            /* which of the detector's images; NULL: the only one */
    const char *more;                /* a table of further pictures to compare; NULL: none */
    int whole_labels;                /* 1: a label is one object, 0: each of its parts is one */
    const char *edges, *augment;     /* PNG files, with %d for the slice's number; NULL: none */
} everything_options;

/* 0; CLI_EXIT_USAGE with a message. Texts are borrowed from `options`. */
int everything_options_read(const cli_options *options, everything_options *out);

/* The numbers of the grid again, now that the model is known: those left out are the model's. */
int everything_options_suit(const cli_options *options, const sgm_model *model,
                            everything_options *out);

/* The file of one slice: `pattern` with its one %d (or %03d) replaced; without one the pattern
 * itself. Malloc'ed; NULL when there is no memory. */
char *everything_slice_path(const char *pattern, int64_t slice);
/* Whether the pattern has a place for the number. */
int everything_has_number(const char *pattern);

#endif
