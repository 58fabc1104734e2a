#include "cli_options.h"

#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"
#include "cli_number.h"
#include "cli_suggest.h"
#include "cli_text.h"

typedef struct occurrence {
    size_t parameter;
    const char *text; /* borrowed; NULL for a switch */
} occurrence;

struct cli_options {
    const cli_tool *tool;
    occurrence *occurrences; /* room for argc of them */
    size_t count;
    size_t positional_count;
    cli_request request;
    int echo;
    int verbose;
    const char *return_file;
};

typedef struct cursor {
    int argc, at;
    char *const *argv;
} cursor;

static const char *const standard_options[] = {
    "help", "xml", "version", "echo", "returnparameterfile", "processinformationaddress"};

static int same(const char *text, size_t length, const char *word)
{
    return word && strncmp(text, word, length) == 0 && word[length] == '\0';
}

static int answers_to(const cli_parameter *p, const char *flag, size_t length)
{
    if (same(flag, length, p->flag) || same(flag, length, p->long_flag)) return 1;
    for (size_t i = 0; i < p->alias_count; i++)
        if (same(flag, length, p->aliases[i])) return 1;
    return 0;
}

static const cli_parameter *find_flag(const cli_tool *tool, const char *flag, size_t length)
{
    for (size_t i = 0; i < tool->parameter_count; i++)
        if (answers_to(&tool->parameters[i], flag, length)) return &tool->parameters[i];
    return NULL;
}

/* One dash goes with one character, two dashes with more. */
static int looks_like_option(const char *argument, const char **flag, size_t *length)
{
    if (argument[0] != '-' || argument[1] == '\0') return 0;
    *flag = argument + (argument[1] == '-' ? 2 : 1);
    *length = strcspn(*flag, "=");
    return argument[1] == '-' ? *length > 1 : *length == 1;
}

static int is_standard(const char *flag, size_t length)
{
    for (size_t i = 0; i < sizeof standard_options / sizeof standard_options[0]; i++)
        if (same(flag, length, standard_options[i])) return 1;
    return same(flag, length, "h");
}

/* 1 when the argument is an option this tool has. */
static int is_option(const cli_tool *tool, const char *argument)
{
    const char *flag;
    size_t length;
    return looks_like_option(argument, &flag, &length) &&
           (is_standard(flag, length) || find_flag(tool, flag, length));
}

static void consider(const char *typed, const char *candidate, const char **best, size_t *distance)
{
    const size_t edits = candidate ? cli_edit_distance(typed, candidate) : *distance;
    if (edits < *distance) {
        *distance = edits;
        *best = candidate;
    }
}

static const char *nearest_option(const cli_tool *tool, const char *typed)
{
    const char *best = NULL;
    size_t distance = strlen(typed) / 3 + 2; /* further away is no help */
    for (size_t i = 0; i < tool->parameter_count; i++) {
        const cli_parameter *p = &tool->parameters[i];
        consider(typed, p->long_flag, &best, &distance);
        for (size_t k = 0; k < p->alias_count; k++)
            if (p->aliases[k][1]) consider(typed, p->aliases[k], &best, &distance);
    }
    for (size_t i = 0; i < sizeof standard_options / sizeof standard_options[0]; i++)
        consider(typed, standard_options[i], &best, &distance);
    return best;
}

static int unknown_option(const cli_tool *tool, const char *argument)
{
    char typed[128];
    const size_t dashes = strspn(argument, "-");
    const size_t length = strcspn(argument + dashes, "=");
    snprintf(typed, sizeof typed, "%.*s", (int)(length < 100 ? length : 100), argument + dashes);
    /* Options have no dots and slashes, file names do. */
    if (strpbrk(typed, "./"))
        return cli_fail(
            CLI_EXIT_USAGE,
            "unknown option %.200s; for a file of that name write ./%.200s, or -- before it",
            argument, argument);
    const char *best = nearest_option(tool, typed);
    if (best)
        return cli_fail(CLI_EXIT_USAGE, "unknown option %.*s%s; did you mean --%s?", (int)dashes,
                        argument, typed, best);
    return cli_fail(CLI_EXIT_USAGE, "unknown option %.*s%s; --help lists the options", (int)dashes,
                    argument, typed);
}

/* The value of the option at the cursor: after '=', or the next argument. NULL: there is none. */
static const char *take_value(const cli_options *o, cursor *c, const char *flag, size_t length)
{
    if (flag[length] == '=') return flag + length + 1;
    if (c->at + 1 >= c->argc || is_option(o->tool, c->argv[c->at + 1])) return NULL;
    return c->argv[++c->at];
}

static int missing_value(const char *shown_as)
{
    return cli_fail(CLI_EXIT_USAGE, "%s wants a value", shown_as);
}

static int take_standard(cli_options *o, cursor *c, const char *flag, size_t length)
{
    const char *shown_as = c->argv[c->at];
    const int wants_value = same(flag, length, "returnparameterfile") ||
                            same(flag, length, "processinformationaddress");
    if (!wants_value && flag[length] == '=')
        return cli_fail(CLI_EXIT_USAGE, "--%.*s takes no value", (int)length, flag);
    if (same(flag, length, "help") || same(flag, length, "h")) o->request = CLI_SHOW_HELP;
    if (same(flag, length, "xml")) o->request = CLI_SHOW_XML;
    if (same(flag, length, "version")) o->request = CLI_SHOW_VERSION;
    if (same(flag, length, "echo")) o->echo = 1;
    if (!wants_value) return 0;
    const char *value = take_value(o, c, flag, length);
    if (!value || !value[0]) return missing_value(shown_as);
    if (same(flag, length, "returnparameterfile")) o->return_file = value;
    return 0;
}

static void remember(cli_options *o, const cli_parameter *p, const char *text)
{
    o->occurrences[o->count].parameter = (size_t)(p - o->tool->parameters);
    o->occurrences[o->count++].text = text;
}

static int take_option(cli_options *o, cursor *c, const char *flag, size_t length)
{
    char shown_as[96];
    const cli_parameter *p = find_flag(o->tool, flag, length);
    if (!p) return unknown_option(o->tool, c->argv[c->at]);
    snprintf(shown_as, sizeof shown_as, "%s%.*s", length > 1 ? "--" : "-", (int)length, flag);
    if (!p->multiple && cli_given(o, p->name))
        return cli_fail(CLI_EXIT_USAGE, "%s is given more than once", shown_as);
    if (p->kind == CLI_BOOLEAN) {
        if (flag[length] == '=')
            return cli_fail(CLI_EXIT_USAGE, "%s is a switch and takes no value", shown_as);
        remember(o, p, NULL);
        return 0;
    }
    const char *value = take_value(o, c, flag, length);
    if (!value) return missing_value(shown_as);
    if (cli_check_value(p, shown_as, value)) return CLI_EXIT_USAGE;
    remember(o, p, value);
    return 0;
}

/* The parameter at a position: the one with the position-th smallest index; a last one that is
 * multiple takes all further arguments. */
static const cli_parameter *at_position(const cli_tool *tool, size_t position)
{
    const cli_parameter *found = NULL;
    int previous = -1;
    for (size_t rank = 0; rank <= position; rank++) {
        const cli_parameter *next = NULL;
        for (size_t i = 0; i < tool->parameter_count; i++) {
            const cli_parameter *p = &tool->parameters[i];
            if (p->index > previous && (!next || p->index < next->index)) next = p;
        }
        if (!next) return found && found->multiple ? found : NULL;
        found = next;
        previous = next->index;
    }
    return found;
}

static int take_positional(cli_options *o, const char *argument)
{
    char shown_as[96];
    const cli_parameter *p = at_position(o->tool, o->positional_count);
    if (!p)
        return cli_fail(CLI_EXIT_USAGE, "unexpected argument '%.200s'; --help shows the usage",
                        argument);
    snprintf(shown_as, sizeof shown_as, "<%.80s>", p->name);
    if (cli_check_value(p, shown_as, argument)) return CLI_EXIT_USAGE;
    remember(o, p, argument);
    o->positional_count++;
    return 0;
}

static int take_arguments(cli_options *o, cursor *c)
{
    int only_positional = 0;
    for (c->at = 1; c->at < c->argc && o->request == CLI_RUN; c->at++) {
        const char *argument = c->argv[c->at], *flag;
        size_t length;
        int failed;
        if (only_positional || argument[0] != '-' || argument[1] == '\0') {
            failed = take_positional(o, argument);
        } else if (strcmp(argument, "--") == 0) {
            only_positional = 1;
            failed = 0;
        } else if (!looks_like_option(argument, &flag, &length)) {
            failed = unknown_option(o->tool, argument);
        } else if (is_standard(flag, length)) {
            failed = take_standard(o, c, flag, length);
        } else {
            failed = take_option(o, c, flag, length);
        }
        if (failed) return failed;
    }
    return 0;
}

int cli_options_parse(const cli_tool *tool, int argc, char *const argv[], cli_options **out)
{
    *out = NULL;
    cli_options *o = calloc(1, sizeof *o);
    if (o) o->occurrences = calloc((size_t)(argc > 0 ? argc : 1), sizeof *o->occurrences);
    if (!o || !o->occurrences) {
        cli_options_free(o);
        return cli_fail(CLI_EXIT_MEMORY, "out of memory while reading the command line");
    }
    o->tool = tool;
    cursor c = {.argc = argc, .argv = argv};
    const int failed = take_arguments(o, &c);
    o->verbose = o->request == CLI_SHOW_VERSION && c.at < argc && !strcmp(argv[c.at], "--verbose");
    if (failed) {
        cli_options_free(o);
        return failed;
    }
    *out = o;
    return 0;
}

void cli_options_free(cli_options *options)
{
    if (!options) return;
    free(options->occurrences);
    free(options);
}

int cli_options_check_positional(const cli_options *options, int inputs_only)
{
    const cli_tool *tool = options->tool;
    for (size_t position = 0; position < tool->parameter_count; position++) {
        const cli_parameter *p = at_position(tool, position);
        if (!p) break;
        if (cli_given(options, p->name) || (inputs_only && p->is_output)) continue;
        return cli_fail(CLI_EXIT_USAGE, "<%s> is missing (%s); --help shows the usage", p->name,
                        p->label);
    }
    return 0;
}

const cli_tool *cli_options_tool(const cli_options *options)
{
    return options->tool;
}

cli_request cli_options_request(const cli_options *options)
{
    return options->request;
}

int cli_options_verbose(const cli_options *options)
{
    return options->verbose;
}

int cli_options_echo(const cli_options *options)
{
    return options->echo;
}

const char *cli_options_return_file(const cli_options *options)
{
    return options->return_file;
}

static const occurrence *find_occurrence(const cli_options *o, const char *name, size_t which)
{
    for (size_t i = 0; i < o->count; i++) {
        const cli_parameter *p = &o->tool->parameters[o->occurrences[i].parameter];
        if (strcmp(p->name, name) == 0 && which-- == 0) return &o->occurrences[i];
    }
    return NULL;
}

size_t cli_given(const cli_options *options, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < options->count; i++)
        count +=
            strcmp(options->tool->parameters[options->occurrences[i].parameter].name, name) == 0;
    return count;
}

const char *cli_at_place(const cli_options *options, size_t place, const char **text)
{
    if (place >= options->count) return NULL;
    *text = options->occurrences[place].text;
    return options->tool->parameters[options->occurrences[place].parameter].name;
}

int cli_switch(const cli_options *options, const char *name)
{
    return find_occurrence(options, name, 0) != NULL;
}

const char *cli_text_at(const cli_options *options, const char *name, size_t which)
{
    const occurrence *found = find_occurrence(options, name, which);
    if (found && found->text) return found->text;
    const cli_parameter *p = which == 0 && !found ? cli_tool_find(options->tool, name) : NULL;
    return p && p->default_text ? p->default_text : "";
}

const char *cli_text(const cli_options *options, const char *name)
{
    return cli_text_at(options, name, 0);
}

long long cli_integer(const cli_options *options, const char *name)
{
    long long value = 0;
    cli_parse_integer(cli_text(options, name), &value);
    return value;
}

double cli_real(const cli_options *options, const char *name)
{
    double value = 0;
    cli_parse_real(cli_text(options, name), &value);
    return value;
}

size_t cli_numbers_at(const cli_options *options, const char *name, size_t which, double *values,
                      size_t capacity)
{
    const char *text = cli_text_at(options, name, which);
    size_t count = 0;
    char item[64];
    while (*text) {
        const size_t length = strcspn(text, ",");
        snprintf(item, sizeof item, "%.*s", (int)length, text);
        if (count < capacity && cli_parse_real(item, &values[count])) break;
        count++;
        text += length + (text[length] == ',');
    }
    return count;
}

void cli_options_print(const cli_options *options, FILE *stream)
{
    char shown[1024];
    for (size_t i = 0; i < options->tool->parameter_count; i++) {
        const cli_parameter *p = &options->tool->parameters[i];
        if (p->is_return) continue;
        if (p->kind == CLI_BOOLEAN) {
            fprintf(stream, "%s = %s\n", p->name, cli_switch(options, p->name) ? "true" : "false");
            continue;
        }
        const size_t given = cli_given(options, p->name);
        for (size_t k = 0; k < (given ? given : 1); k++)
            fprintf(stream, "%s = %s\n", p->name,
                    cli_clean_copy(shown, sizeof shown, cli_text_at(options, p->name, k),
                                   CLI_CLEAN_LINES));
    }
}
