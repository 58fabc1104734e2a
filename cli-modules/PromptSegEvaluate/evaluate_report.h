/* The comparison as a table on the screen, as CSV and as JSON. */
#ifndef PROMPTSEG_EVALUATE_REPORT_H
#define PROMPTSEG_EVALUATE_REPORT_H

#include "cli_output.h"
#include "cli_warnings.h"
#include "evaluate_pairs.h"

typedef struct evaluate_report {
    const char *version, *reference, *prediction;
    const evaluate_how *how;
    int is_set; /* of pictures: surfaces are compared in each */
    const evaluate_pairs *pairs;
    /* Means over all pairs whose value is defined, those with a side missing too: they have Dice 0
     * and infinite distances. NaN when there is none. */
    double means[EVALUATE_METRIC_COUNT];
    size_t averaged[EVALUATE_METRIC_COUNT]; /* how many pairs each mean is of */
    evaluate_class_means classes;
    const cli_warnings *warnings;
} evaluate_report;

/* Fills means and averaged from the pairs. */
void evaluate_average(evaluate_report *report);

/* Pairs of which one side has no such label. */
size_t evaluate_missing(const evaluate_pairs *pairs);

void evaluate_print_table(const evaluate_report *report, FILE *stream);

/* Both return 0 or an exit code with cli_last_message(). */
int evaluate_write_csv(const evaluate_report *report, const char *path, sgio_outputs *outputs);
int evaluate_write_json(const evaluate_report *report, const char *path, sgio_outputs *outputs);

#endif
