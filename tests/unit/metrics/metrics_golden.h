/* The toolboxes' numbers (JSON) and the arrays they belong to (safetensors). */
#ifndef METRICS_GOLDEN_H
#define METRICS_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmodel/metrics.h"

/* Set by main's first argument before tests run. */
extern const char *golden_folder;

/* <folder>/<name>; fails the test if it is not there. The caller decrefs. */
json_t *golden_json(const char *name);

typedef struct golden_array {
    uint8_t *data; /* the caller frees */
    int64_t shape[3];
    int rank;
    size_t count;
} golden_array;

/* One uint8 array of <folder>/<file>. */
golden_array golden_bytes(const char *file, const char *name);

/* A number, or the strings "nan", "inf" and what begins with "undefined" or "error" (NaN). */
double golden_number(const json_t *object, const char *key);

/* Fails unless both are NaN, both the same infinity, or |value - wanted| <= tolerance * max(1,
 * |wanted|). `what` and `where` name them. */
void check_near(const char *where, const char *what, double value, double wanted, double tolerance);

#endif
