#include "cli_warnings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli_text.h"

static int is_known(const cli_warnings *w, const char *sentence)
{
    for (size_t i = 0; i < w->count; i++)
        if (strcmp(w->sentences[i], sentence) == 0) return 1;
    return 0;
}

static char *one_line(const char *sentence)
{
    char *copy = strdup(sentence);
    if (copy) cli_clean_text(copy, CLI_CLEAN_LINES | CLI_CLEAN_BRACKETS);
    return copy;
}

void cli_warn(void *warnings, const char *sentence)
{
    cli_warnings *w = warnings;
    char *copy = one_line(sentence);
    if (copy && is_known(w, copy)) {
        free(copy);
        return;
    }
    if (!w->quiet) {
        printf("warning: %s\n", copy ? copy : "(no memory for a warning)");
        fflush(stdout);
    }
    char **grown = copy ? realloc(w->sentences, (w->count + 1) * sizeof *grown) : NULL;
    if (!grown) {
        free(copy);
        return;
    }
    w->sentences = grown;
    grown[w->count++] = copy;
}

char *cli_warnings_join(const cli_warnings *warnings)
{
    if (warnings->count == 0) return strdup("none");
    size_t length = 1;
    for (size_t i = 0; i < warnings->count; i++)
        length += strlen(warnings->sentences[i]) + 2;
    char *joined = malloc(length);
    if (!joined) return NULL;
    joined[0] = '\0';
    for (size_t i = 0; i < warnings->count; i++) {
        if (i) strcat(joined, "; ");
        strcat(joined, warnings->sentences[i]);
    }
    return joined;
}

void cli_warnings_clear(cli_warnings *warnings)
{
    for (size_t i = 0; i < warnings->count; i++)
        free(warnings->sentences[i]);
    free(warnings->sentences);
    memset(warnings, 0, sizeof *warnings);
}
