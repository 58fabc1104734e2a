#define _DEFAULT_SOURCE
#include "cli_help.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TEXT_COLUMN = 26, MIN_WIDTH = 40 };
#define XML_OPTION "--xml"

int cli_help_width(FILE *stream)
{
    struct winsize size;
    const int fd = fileno(stream);
    if (!isatty(fd) || ioctl(fd, TIOCGWINSZ, &size) != 0) return 80;
    return size.ws_col < 60 ? 60 : size.ws_col > 100 ? 100 : size.ws_col;
}

static void start_line(FILE *stream, int indent)
{
    fprintf(stream, "\n%*s", indent, "");
}

/* Writes `text` from column `at` on, continuing lines at `indent`; '\n' starts a paragraph after an
 * empty line. Returns the column reached. */
static int wrap(FILE *stream, const char *text, int at, int indent, int width)
{
    while (*text) {
        const int length = (int)strcspn(text, " \n");
        const int gap = at > indent && length > 0;
        if (at > indent && at + gap + length > width) {
            start_line(stream, indent);
            at = indent;
        } else if (gap) {
            fputc(' ', stream);
            at++;
        }
        fwrite(text, 1, (size_t)length, stream);
        at += length;
        text += length;
        if (*text == '\n') {
            fputc('\n', stream);
            start_line(stream, indent);
            at = indent;
        }
        text += *text != '\0';
    }
    return at;
}

static void list_choices(const cli_parameter *p, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < p->choice_count; i++) {
        const size_t used = strlen(out);
        snprintf(out + used, size - used, "%s%s", i ? ", " : "", p->choices[i]);
    }
}

/* The word that stands for a value. */
static const char *placeholder(const cli_parameter *p)
{
    if (p->choice_count > 0) return "<choice>";
    switch (p->kind) {
    case CLI_BOOLEAN:
        return "";
    case CLI_INTEGER:
        return "<n>";
    case CLI_REAL:
        return "<number>";
    case CLI_STRING:
        return "<text>";
    case CLI_INTEGER_VECTOR:
        return "<n,n,...>";
    case CLI_REAL_VECTOR:
        return "<number,...>";
    case CLI_STRING_VECTOR:
        return "<text,...>";
    case CLI_POINT:
        return "<x,y,z>";
    case CLI_REGION:
        return "<cx,cy,cz,rx,ry,rz>";
    case CLI_PATH:
        return strcmp(p->element, "directory") == 0 ? "<folder>" : "<file>";
    }
    return "";
}

/* "-t, --threads <n>" or "<input>". */
static void heading(const cli_parameter *p, char *out, size_t size)
{
    const char *value = placeholder(p);
    if (p->index >= 0) {
        snprintf(out, size, "<%s>%s", p->name, p->multiple ? "..." : "");
        return;
    }
    snprintf(out, size, "%s%s%s%s%s%s%s", p->flag ? "-" : "", p->flag ? p->flag : "",
             p->flag && p->long_flag ? ", " : "", p->long_flag ? "--" : "",
             p->long_flag ? p->long_flag : "", value[0] ? " " : "", value);
}

static int has_default(const cli_parameter *p)
{
    return p->kind != CLI_BOOLEAN && p->default_text && p->default_text[0];
}

static void print_entry(const char *head, const char *text, const char *extra, int width,
                        FILE *stream)
{
    int at = fprintf(stream, "\n  %s", head) - 1;
    if (at + 2 > TEXT_COLUMN) {
        start_line(stream, TEXT_COLUMN);
    } else {
        fprintf(stream, "%*s", TEXT_COLUMN - at, "");
    }
    at = wrap(stream, text, TEXT_COLUMN, TEXT_COLUMN, width);
    wrap(stream, extra, at, TEXT_COLUMN, width);
}

static void print_parameter(const cli_parameter *p, int width, FILE *stream)
{
    char head[160], choices[512], extra[900] = "";
    heading(p, head, sizeof head);
    list_choices(p, choices, sizeof choices);
    if (p->choice_count) snprintf(extra, sizeof extra, "One of: %s.", choices);
    size_t used = strlen(extra);
    const char *gap = used ? " " : "";
    if (has_default(p))
        snprintf(extra + used, sizeof extra - used, "%sDefault: %.200s.", gap, p->default_text);
    used = strlen(extra);
    gap = used ? " " : "";
    if (p->multiple) snprintf(extra + used, sizeof extra - used, "%sMay be repeated.", gap);
    print_entry(head, p->description, extra, width, stream);
}

/* The positional parameters in the order of their index. */
static void print_usage(const cli_tool *tool, const char *program, FILE *stream)
{
    fprintf(stream, "Usage: %s [options]", program);
    for (int index = 0; index < 100; index++)
        for (size_t i = 0; i < tool->parameter_count; i++)
            if (tool->parameters[i].index == index)
                fprintf(stream, " <%s>%s", tool->parameters[i].name,
                        tool->parameters[i].multiple ? "..." : "");
}

static void print_group(const cli_tool *tool, size_t group, int width, FILE *stream)
{
    size_t shown = 0;
    for (size_t i = 0; i < tool->parameter_count; i++)
        shown += tool->parameters[i].group == group && !tool->parameters[i].is_return;
    if (shown == 0) return;
    fprintf(stream, "\n\n%s", tool->groups[group].label);
    if (tool->groups[group].description[0]) {
        start_line(stream, 2);
        wrap(stream, tool->groups[group].description, 2, 2, width);
        fputc('\n', stream);
    }
    for (size_t i = 0; i < tool->parameter_count; i++)
        if (tool->parameters[i].group == group && !tool->parameters[i].is_return)
            print_parameter(&tool->parameters[i], width, stream);
}

/* A program without a category is no module of 3D Slicer and refuses --xml (cli_program.c). */
static void print_standard(const cli_tool *tool, int width, FILE *stream)
{
    static const char *const entries[][2] = {
        {"-h, --help", "Show this text."},
        {"--version [--verbose]", "Show the version, and those of the libraries."},
        {XML_OPTION, "Show the description that 3D Slicer reads."},
        {"--echo", "Print the value of every option before the work begins."},
        {"--returnparameterfile <file>", "Write the return values there as name = value lines, and "
                                         "the progress as 3D Slicer's tags "
                                         "on stdout."},
        {"--processinformationaddress <address>", "Accepted and ignored."},
    };
    fputs("\n\nEvery program", stream);
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        if (tool->category[0] || strcmp(entries[i][0], XML_OPTION) != 0)
            print_entry(entries[i][0], entries[i][1], "", width, stream);
}

static void print_returns(const cli_tool *tool, int width, FILE *stream)
{
    int first = 1;
    for (size_t i = 0; i < tool->parameter_count; i++) {
        const cli_parameter *p = &tool->parameters[i];
        if (!p->is_return) continue;
        if (first) fputs("\n\nReturn values", stream);
        first = 0;
        print_entry(p->name, p->description, "", width, stream);
    }
}

void cli_help_print(const cli_tool *tool, const char *program, int width, FILE *stream)
{
    if (width < MIN_WIDTH) width = MIN_WIDTH;
    print_usage(tool, program, stream);
    fputs("\n\n", stream);
    wrap(stream, tool->description, 0, 0, width);
    for (size_t i = 0; i < tool->group_count; i++)
        print_group(tool, i, width, stream);
    print_standard(tool, width, stream);
    print_returns(tool, width, stream);
    fputs("\n\n", stream);
    wrap(stream,
         "Exit codes: 0 done, 1 usage, 2 input, 3 prompt, 4 model, 5 memory or device, 6 output, "
         "7 done with failures, 130 cancelled.",
         0, 0, width);
    fputc('\n', stream);
    if (tool->documentation_url[0]) fprintf(stream, "Documentation: %s\n", tool->documentation_url);
}
