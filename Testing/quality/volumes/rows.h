/* One line of results: an object, a protocol, and what came out. */
#ifndef QUALITY_VOLUMES_ROWS_H
#define QUALITY_VOLUMES_ROWS_H

#include "case.h"
#include "measure.h"

#include <stdio.h>

/* NaN: says nothing here. */
typedef struct row {
    char dataset[NAME_ROOM], id[NAME_ROOM], role[NAME_ROOM];
    int object, label;
    long long voxels, slices;
    char protocol[NAME_ROOM]; /* "a", "a:region growing", "clicks 3", ... */
    measures m;
    char stop_down[24], stop_up[24]; /* why the outer walks ended, "" if nothing walked */
    double cpu, walked;              /* CPU seconds, slices taken */
    double obeyed, worse, elsewhere; /* clicks: 0 or 1, 0 or 1, a share */
} row;

void row_header(FILE *file);
void row_write(FILE *file, const row *r);
/* Appends a file's rows; 0, or -1 after a message on stderr. */
int rows_read(const char *path, row **rows, size_t *count);

#endif
