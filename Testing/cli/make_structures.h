/* RT structure sets for the tests of PromptSegEvaluate, written byte by byte. */
#ifndef MAKE_STRUCTURES_H
#define MAKE_STRUCTURES_H

#include <stdio.h>

/* A rectangle on the slices z, z + 2, ... (four of them), from corner to corner, in mm. */
typedef struct structure {
    const char *name;
    double x[2], y[2], z;
} structure;

/* Writes the set and closes the file; numbers count from 1. */
void write_structures(FILE *stream, const structure *structures, int count);

#endif
