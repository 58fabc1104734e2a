/* Which value a segment of some name has in plain label maps: those hold no names, so that one
 * structure must not be 1 in one file and 2 in the next. */
#ifndef PROMPTSEG_PIPELINE_LABEL_VALUES_H
#define PROMPTSEG_PIPELINE_LABEL_VALUES_H

#include "sgio/labelmap.h"

typedef struct label_value {
    char *name;
    int value; /* 1 to SGIO_MAX_LABEL */
} label_value;

/* Start with {0}; no name and no value is there twice. */
typedef struct label_values {
    label_value *items;
    size_t count, capacity;
    int taken; /* the values from 1 to this one are all there */
} label_values;

/* Reads "kidney=2,liver=5". 0, or CLI_EXIT_USAGE or CLI_EXIT_MEMORY with a message. */
int label_values_read(const char *text, label_values *out);

/* 0, or CLI_EXIT_MEMORY with a message. */
int label_values_add(label_values *values, const char *name, int value);

/* NULL: the name has none. */
const label_value *label_values_find(const label_values *values, const char *name);

/* `wanted` where no name has it, else the smallest value that no name has. */
int label_values_choose(const label_values *values, int wanted);

/* The value of each segment (labels[segment_count], caller's): its name's; of others the one of
 * sgio_segmentation_flat_labels, or where a name has that the smallest one free. */
void label_values_assign(const label_values *values, const sgio_segmentation *segmentation,
                         int *labels);

void label_values_clear(label_values *values);

#endif
