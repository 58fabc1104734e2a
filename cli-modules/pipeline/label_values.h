/* Which value a segment of some name has in plain label maps: those hold no names, so that one
 * structure must not be 1 in one file and 2 in the next. */
#ifndef PROMPTSEG_PIPELINE_LABEL_VALUES_H
#define PROMPTSEG_PIPELINE_LABEL_VALUES_H

#include "sgio/labelmap.h"

typedef struct label_value {
    char *name;
    size_t rank; /* 0; of several segments that one file has of that name, which one */
    int value;   /* 1 to SGIO_MAX_LABEL */
} label_value;

/* Start with {0}; no value, and no name of one rank, is there twice. */
typedef struct label_values {
    label_value *items;
    size_t count, capacity;
    int taken; /* the values from 1 to this one are all there */
} label_values;

/* Reads "kidney=2,liver=5". 0, or CLI_EXIT_USAGE or CLI_EXIT_MEMORY with a message. */
int label_values_read(const char *text, label_values *out);

/* 0, CLI_EXIT_MEMORY with a message, or CLI_EXIT_USAGE with one where the value is too large. */
int label_values_add(label_values *values, const char *name, size_t rank, int value);

/* NULL: the name of that rank has none. */
const label_value *label_values_find(const label_values *values, const char *name, size_t rank);

/* NULL: nothing has it. */
const label_value *label_values_with(const label_values *values, int value);

/* The smallest value that nothing has. */
int label_values_free(const label_values *values);

/* How many segments before this one have its name. */
size_t label_values_rank(const sgio_segmentation *segmentation, size_t segment);

/* The value of each segment (labels[segment_count], caller's): that of its name and rank; of others
 * the one of sgio_segmentation_flat_labels, or where a name has that the smallest one free. 0, or
 * CLI_EXIT_USAGE with a message: none is left. */
int label_values_assign(const label_values *values, const sgio_segmentation *segmentation,
                        int *labels);

void label_values_clear(label_values *values);

#endif
