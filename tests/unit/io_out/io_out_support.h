/* Shared by the tests: a scratch folder, files, grids, bytes read back without the library. */
#ifndef IO_OUT_SUPPORT_H
#define IO_OUT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sgio/labelmap.h"
#include "sgio/prompts.h"

/* A path in this process's scratch folder; valid until the fourth next call. */
const char *scratch(const char *name);
int scratch_group_setup(void **state);    /* makes the folder */
int scratch_group_teardown(void **state); /* removes it and fails when files are left behind */
void remove_scratch(const char *name);
/* Files in the folder, temporary ones included. */
int scratch_count(void);
/* Removes what a killed writer may leave. */
void scratch_remove_partial(void);

void write_file(const char *path, const void *bytes, size_t count);
void write_text(const char *path, const char *text);
/* The whole file with a terminating zero; the caller frees. */
char *read_file(const char *path, size_t *bytes);
/* Inflates a gzip or zlib stream to exactly `count` bytes, or fails the test. */
void inflate_exactly(const void *coded, size_t coded_bytes, void *plain, size_t count);

/* 5 x 4 x 3 grids: plain, anisotropic, left-handed, permuted and flipped, oblique, sheared. */
enum { GRID_COUNT = 6, GRID_SHEARED = 5 };
sgio_geometry make_grid(int which);

/* Fails unless |a - b| <= tolerance; NaN fails. */
void assert_near(double a, double b, double tolerance);

/* Fails unless the call's message contains `part`. */
void assert_message(const char *part);

/* Warnings collected by count_warning, as `user` of the options. */
typedef struct warnings {
    int count;
    char last[512];
} warnings;
void count_warning(void *user, const char *sentence);

#endif
