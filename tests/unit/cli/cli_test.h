/* cmocka needs these before its own header. */
#ifndef PROMPTSEG_CLI_TEST_H
#define PROMPTSEG_CLI_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Written so that NaN fails. */
#define assert_near(value, wanted, tolerance)                                                      \
    do {                                                                                           \
        const double value_ = (value), wanted_ = (wanted);                                         \
        if (!(value_ >= wanted_ - (tolerance) && value_ <= wanted_ + (tolerance)))                 \
            fail_msg("%s is %.12g, wanted %.12g", #value, value_, wanted_);                        \
    } while (0)

#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        if (!strstr((text), (part))) fail_msg("'%s' lacks '%s'", (text), (part));                  \
    } while (0)

/* The whole of a small file, zero-terminated; the caller frees it. */
static inline char *read_text(const char *path, size_t *size)
{
    FILE *stream = fopen(path, "rb");
    char *text = calloc(1, 1 << 20);
    assert_non_null(stream);
    assert_non_null(text);
    *size = fread(text, 1, (1 << 20) - 1, stream);
    fclose(stream);
    return text;
}

#endif
