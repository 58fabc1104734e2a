#include "tool_options.h"

#include "core/files.h"
#include "core/number.h"
#include "core/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool parse_list(const char *text, int count, double *values)
{
    for (int i = 0; i < count; i++) {
        char *end;
        values[i] = sgm_read_number(text, &end);
        if (end == text || *end != (i + 1 < count ? ',' : '\0')) return false;
        text = end + 1;
    }
    return true;
}

static sgm_status refuse(const option *o, const char *text)
{
    return sgm_fail(SGM_INVALID_ARGUMENT, "%s cannot be '%s'", o->name, text);
}

/* The index of `text` among `count` names, -1 if it is none. */
static int choice(const char *text, int count, const char *const names[])
{
    for (int i = 0; i < count; i++)
        if (!strcmp(names[i], text)) return i;
    return -1;
}

static sgm_status set_value(const option *o, const char *text)
{
    static const char *const devices[] = {"auto", "cpu", "cuda", "reference"};
    static const char *const precisions[] = {"auto", "fp32", "bf16"};
    double number;
    int index;
    switch (o->kind) {
    case OPTION_TEXT:
        *(const char **)o->value = text;
        return SGM_OK;
    case OPTION_INT:
        if (!parse_list(text, 1, &number) || number != (int)number) return refuse(o, text);
        *(int *)o->value = (int)number;
        return SGM_OK;
    case OPTION_DEVICE:
        index = choice(text, 4, devices);
        if (index < 0) return refuse(o, text);
        *(sgm_device *)o->value = (sgm_device)index;
        return SGM_OK;
    case OPTION_PRECISION:
        index = choice(text, 3, precisions);
        if (index < 0) return refuse(o, text);
        *(sgm_precision *)o->value = (sgm_precision)index;
        return SGM_OK;
    case OPTION_VISIT:
        return o->visit(o->value, text);
    case OPTION_FLAG:
        break;
    }
    return refuse(o, text);
}

static void print_help(const command_line *line)
{
    printf("usage: %s\n\n%s\n", line->usage, line->help);
    if (line->options->name) printf("\noptions:\n");
    for (const option *o = line->options; o->name; o++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", o->name, o->placeholder ? o->placeholder : "");
        printf("  %-26s %s\n", left, o->help);
    }
}

static const option *find_option(const option *options, const char *word, size_t length)
{
    for (const option *o = options; o->name; o++)
        if (strlen(o->name) == length && !strncmp(o->name, word, length)) return o;
    return NULL;
}

/* One argument beginning with "--"; *at moves on when it takes the next one as its value. */
static sgm_status take_option(int argc, char **argv, int *at, const command_line *line)
{
    const char *word = argv[*at], *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    const option *o = find_option(line->options, word, length);
    if (!o)
        return sgm_fail(SGM_INVALID_ARGUMENT, "no option %.*s; usage: %s", (int)length, word,
                        line->usage);
    if (o->kind == OPTION_FLAG) {
        if (equals) return refuse(o, equals + 1);
        *(bool *)o->value = true;
        return SGM_OK;
    }
    if (equals) return set_value(o, equals + 1);
    if (*at + 1 >= argc) return sgm_fail(SGM_INVALID_ARGUMENT, "%s wants a value", o->name);
    return set_value(o, argv[++*at]);
}

sgm_status parse_options(int argc, char **argv, command_line *line, bool *helped)
{
    *helped = false;
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            print_help(line);
            *helped = true;
            return SGM_OK;
        }
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "--", 2)) {
            SGM_TRY(take_option(argc, argv, &i, line));
            continue;
        }
        if (line->positional_count == line->positional_room)
            return sgm_fail(SGM_INVALID_ARGUMENT, "'%s' is one argument too many; usage: %s",
                            argv[i], line->usage);
        line->positional[line->positional_count++] = argv[i];
    }
    if (line->positional_count < line->positional_wanted)
        return sgm_fail(SGM_INVALID_ARGUMENT, "an argument is missing; usage: %s", line->usage);
    return SGM_OK;
}

sgm_status spare_input(const char *output, const char *input)
{
    char *to = output ? sgm_real_path(output) : NULL, *from = input ? sgm_real_path(input) : NULL;
    bool is_one = to && from && !strcmp(to, from);
    free(to);
    free(from);
    if (!is_one) return SGM_OK;
    return sgm_fail(SGM_INVALID_ARGUMENT, "%s is read, so it cannot be written: another name",
                    output);
}
