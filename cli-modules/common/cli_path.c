#define _XOPEN_SOURCE 700
#include "cli_path.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli_output.h"

char *cli_path_absolute(const char *path)
{
    char *known = realpath(path, NULL);
    if (known) return known;
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    char *resolved = folder ? realpath(folder, NULL) : NULL;
    cli_buffer joined = {0};
    if (resolved)
        cli_buffer_printf(&joined, "%s/%s", strcmp(resolved, "/") ? resolved : "",
                          slash ? slash + 1 : path);
    else
        cli_buffer_printf(&joined, "%s", path);
    free(folder);
    free(resolved);
    return joined.text;
}

/* Both absolute. */
static char *seen_from(const char *from, const char *to)
{
    size_t common = 0;
    for (size_t i = 0; from[i] && from[i] == to[i]; i++)
        if (from[i] == '/') common = i + 1;
    cli_buffer out = {0};
    for (const char *c = from + common; (c = strchr(c, '/')) != NULL; c++)
        cli_buffer_printf(&out, "../");
    cli_buffer_printf(&out, "%s", to[common] ? to + common : ".");
    if (out.failed) cli_buffer_clear(&out);
    return out.text;
}

char *cli_path_relative(const char *from, const char *to)
{
    char *start = cli_path_absolute(from), *end = cli_path_absolute(to);
    char *relative = start && end ? seen_from(start, end) : NULL;
    free(start);
    free(end);
    return relative;
}
