/* Reads a strict subset of JSON token by token: objects and arrays are walked by the caller, so
 * there is no recursion to bound. Strings are decoded to checked UTF-8, numbers are non-negative
 * integers. Every failure sets a message with the byte position. */
#ifndef SEGMODEL_CHECKPOINT_JSON_CURSOR_H
#define SEGMODEL_CHECKPOINT_JSON_CURSOR_H

#include "checkpoint/parse_arena.h"
#include "segmodel/segmodel.h"

#include <stdbool.h>

typedef struct sgm_json_cursor {
    const unsigned char *begin, *at, *end;
    sgm_parse_arena *arena; /* where strings go */
} sgm_json_cursor;

/* Skips white space, then takes `byte` if it comes next. */
bool sgm_json_take(sgm_json_cursor *cursor, char byte);

/* The same, but it must come next. */
sgm_status sgm_json_expect(sgm_json_cursor *cursor, char byte);

/* A string without U+0000, terminated, in the arena. */
sgm_status sgm_json_string(sgm_json_cursor *cursor, const char **out);

/* Digits without sign, fraction, exponent or leading zeros, at most INT64_MAX. */
sgm_status sgm_json_integer(sgm_json_cursor *cursor, int64_t *out);

/* Only white space may be left. */
sgm_status sgm_json_end(sgm_json_cursor *cursor);

#endif
