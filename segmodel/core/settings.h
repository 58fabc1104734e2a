/* Settings files: `key = value` lines; a '#' at a line's start or after a blank begins a comment.
 * Strict: an unknown key, a key given twice, a value out of range is an error that names file and
 * line. */
#ifndef SEGMODEL_CORE_SETTINGS_H
#define SEGMODEL_CORE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

/* What a value is stored as; numbers are within [low, high], texts shorter than `high`. */
typedef enum sgm_setting_type {
    SGM_SETTING_INT,    /* int, a whole number */
    SGM_SETTING_INT64,  /* int64_t or uint64_t, a whole number */
    SGM_SETTING_REAL,   /* double */
    SGM_SETTING_FLAG,   /* bool, 0 or 1 */
    SGM_SETTING_TEXT,   /* char[high] */
    SGM_SETTING_CHOICE, /* int, which of `choices` */
    SGM_SETTING_OWN     /* what the form's own function makes of it */
} sgm_setting_type;

/* A key "name.*" stands for all that begin with "name."; that each of those comes only once is for
 * `own` to see to. */
typedef struct sgm_setting {
    const char *key;
    sgm_setting_type type;
    size_t offset; /* in the struct that is filled */
    double low, high;
    const char *const *choices; /* NULL at the end */
} sgm_setting;

/* Where in a file, for messages. */
typedef struct sgm_settings_place {
    const char *path;
    int line;
} sgm_settings_place;

/* A kind of file. `own` reads the values of SGM_SETTING_OWN and may change them. */
typedef struct sgm_settings_form {
    const sgm_setting *settings;
    int count;
    const char *manual; /* where the keys are explained, for messages */
    sgm_status (*own)(const sgm_settings_place *at, const sgm_setting *setting, const char *key,
                      char *value, void *to);
} sgm_settings_form;

enum { SGM_SETTINGS_MOST = 128, SGM_SETTINGS_LINE = 2048, SGM_SETTINGS_FILE = 65536 };

/* Fills `to` with what the text says; what it does not say stays. SGM_UNREADABLE names `path` and
 * the line. */
sgm_status sgm_settings_parse(const sgm_settings_form *form, const char *text, const char *path,
                              void *to);

/* The value of a key as the file has it, in what it was read into. False: the form has no such key,
 * or one of its own making, or `size` is too small. */
bool sgm_settings_text(const sgm_settings_form *form, const char *key, const void *from, char *text,
                       size_t size);

/* A whole file as text. */
sgm_status sgm_settings_load(const char *path, char text[SGM_SETTINGS_FILE]);

/* For `own`: a sentence about a value; a number or a choice as the other types have them; a list's
 * word without the blanks around it, *rest goes on behind its comma and is NULL at the end. */
sgm_status sgm_settings_bad(const sgm_settings_place *at, const char *key, const char *what,
                            const char *value);
sgm_status sgm_settings_number(const sgm_settings_place *at, const sgm_setting *setting,
                               const char *value, double *out);
sgm_status sgm_settings_choice(const sgm_settings_place *at, const char *key,
                               const char *const *choices, const char *value, int *out);
char *sgm_settings_word(char **rest);

#endif
