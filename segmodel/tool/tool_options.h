/* Command lines: `--name value`, `--name=value`, `--flag`, and the rest in order. */
#ifndef SEGMODEL_TOOL_OPTIONS_H
#define SEGMODEL_TOOL_OPTIONS_H

#include "segmodel/segmodel.h"

#include <stdbool.h>

typedef enum option_kind {
    OPTION_TEXT,  /* value: const char ** */
    OPTION_INT,   /* value: int * */
    OPTION_FLAG,  /* value: bool * */
    OPTION_VISIT, /* visit(user, text): may be given several times */
    OPTION_DEVICE,
    OPTION_PRECISION /* value: sgm_device *, sgm_precision * */
} option_kind;

typedef struct option {
    const char *name; /* "--model"; NULL ends the list */
    option_kind kind;
    void *value;
    sgm_status (*visit)(void *user, const char *text);
    const char *placeholder; /* "FILE", for the help */
    const char *help;
} option;

typedef struct command_line {
    const char *usage; /* "segmodel info FILE" */
    const char *help;  /* what the verb does */
    const option *options;
    const char **positional; /* filled in order */
    int positional_wanted;   /* at least */
    int positional_room;     /* at most */
    int positional_count;    /* found */
} command_line;

/* SGM_INVALID_ARGUMENT with a message on a mistake. `*helped` is true after --help, which prints
 * the text on stdout; nothing else should be done then. */
sgm_status parse_options(int argc, char **argv, command_line *line, bool *helped);

/* "1,2,3" into exactly `count` numbers; NaN and infinity are numbers here. */
bool parse_list(const char *text, int count, double *values);

/* SGM_INVALID_ARGUMENT where `output` is the file `input` by another name or the same; either may be
 * NULL. Links are followed. */
sgm_status spare_input(const char *output, const char *input);

#endif
