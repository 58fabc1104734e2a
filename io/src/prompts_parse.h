/* Inner parts of the prompt readers, apart so that they can be fuzzed without a file. */
#ifndef SGIO_PROMPTS_PARSE_H
#define SGIO_PROMPTS_PARSE_H

#include "sgio/prompts.h"

/* What every reader needs. `file` is only named in messages; `segment` is the name of markups
 * that have none. */
typedef struct sgio_prompt_source {
    const char *file, *segment;
    const char *text; /* `bytes` bytes and a terminating zero */
    size_t bytes;
    sgio_warning_fn warn;
    void *warn_user;
    int first_only; /* of several markups in a file a scene means the first */
} sgio_prompt_source;

/* One of the three below, by the file's ending. */
sgio_status sgio_prompts_parse_markups(const sgio_prompt_source *source, sgio_prompts *prompts);

sgio_status sgio_prompts_parse_json(const sgio_prompt_source *source, sgio_prompts *prompts);
/* Both comma-separated forms, .fcsv and Slicer's newer .csv. */
sgio_status sgio_prompts_parse_fcsv(const sgio_prompt_source *source, sgio_prompts *prompts);
sgio_status sgio_prompts_parse_csv(const sgio_prompt_source *source, sgio_prompts *prompts);

/* 1 when the control point is background by its label or description (either may be NULL). */
int sgio_prompts_background(const char *label, const char *description);

/* Converts in place between LPS and RAS. */
void sgio_flip_lps_ras(double point[3]);

/* The box of a centre, full or half lengths and unit axes as columns of a row-major matrix.
 * SGIO_BAD_PROMPT when lengths are negative, more than one is zero, or axes are no unit vectors
 * or lie in a plane; `what` names the box. */
sgio_status sgio_box_make(const double centre[3], const double half[3], const double matrix[9],
                          const char *what, sgio_box *box);

/* Up to `most` numbers separated by commas and nothing else, all finite; the count or -1. */
int sgio_parse_numbers(const char *text, double *values, int most);

#endif
