#define _XOPEN_SOURCE 700
#include "batch_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_text.h"

json_t *batch_text_shown(const char *text)
{
    json_t *string = json_string(text);
    char *copy = string ? NULL : strdup(text);
    if (copy) cli_clean_text(copy, 0);
    if (copy) string = json_string(copy);
    free(copy);
    return string;
}

static json_t *to_hex(const char *text)
{
    const size_t length = strlen(text);
    char *digits = calloc(length + 1, 2);
    for (size_t i = 0; digits && i < length; i++)
        snprintf(digits + 2 * i, 3, "%02x", (unsigned char)text[i]);
    json_t *string = digits ? json_string(digits) : NULL;
    free(digits);
    return string;
}

int batch_text_put(json_t *object, const char *name, const char *text)
{
    char hex[64];
    json_t *exact = json_string(text);
    if (exact) return json_object_set_new(object, name, exact);
    snprintf(hex, sizeof hex, "%s_hex", name);
    if (json_object_set_new(object, name, batch_text_shown(text)) != 0) return -1;
    return json_object_set_new(object, hex, to_hex(text));
}

/* NULL when it is no hexadecimal text of a name. */
static char *from_hex(const char *digits)
{
    const size_t length = strlen(digits);
    char *text = length % 2 == 0 ? calloc(length / 2 + 1, 1) : NULL;
    for (size_t i = 0; text && i < length / 2; i++) {
        char pair[3] = {digits[2 * i], digits[2 * i + 1]}, *end;
        text[i] = (char)strtol(pair, &end, 16);
        if (end == pair + 2) continue;
        free(text);
        return NULL;
    }
    return text;
}

char *batch_text_take(const json_t *object, const char *name)
{
    char hex[64];
    snprintf(hex, sizeof hex, "%s_hex", name);
    const char *digits = json_string_value(json_object_get(object, hex));
    const char *text = json_string_value(json_object_get(object, name));
    return digits ? from_hex(digits) : text ? strdup(text) : NULL;
}
