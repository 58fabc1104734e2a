/* A scratch folder for files that tests write and read back. */
#ifndef IO_TEST_FILES_H
#define IO_TEST_FILES_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A new empty folder and its removal with everything in it. */
void scratch_open(void);
void scratch_close(void);

/* Path of `name` in the folder; a static buffer, valid for eight further calls. */
const char *scratch_path(const char *name);

void write_file(const char *name, const void *bytes, size_t size);
void write_gzip(const char *name, const void *bytes, size_t size);
void make_folder(const char *name);

/* Sets a locale with a decimal comma, whatever the machine has installed; 0 when this C library
 * takes no locale of a test. setlocale(LC_NUMERIC, "C") ends it. */
int use_comma_locale(void);

/* 1 when `text` holds `part`. */
int holds(const char *text, const char *part);

#ifdef __cplusplus
}
#endif
#endif
