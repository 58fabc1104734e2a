/* The volume that a test of a file format reads, and what every such test does with it. */
#ifndef IO_TEST_VOLUME_H
#define IO_TEST_VOLUME_H

#include "sgio/volume.h"

extern sgio_volume volume;

/* Reads `name` of the scratch folder into `volume`, in place of what it held. */
sgio_status load(const char *name);

/* `name` is unreadable, the message names it and holds `reason`, and `volume` stays empty. */
void expect_file_refused(const char *name, const char *reason);

/* `name` holds one volume: it is number 1, no other, and alone in the listing, which is
 * `line` (NULL: not looked at). */
void expect_only_volume(const char *name, const char *line);

/* Before and after a group of tests, for cmocka_run_group_tests. */
int open_scratch(void **state);
int close_scratch(void **state);

#endif
