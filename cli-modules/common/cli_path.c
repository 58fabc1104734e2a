#define _XOPEN_SOURCE 700
#include "cli_path.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli_output.h"

/* The first `length` bytes of the path, which are all there; none: the folder we are in. */
static char *resolve(const char *path, size_t length)
{
    char *part = length ? strndup(path, length) : strdup(".");
    char *resolved = part ? realpath(part, NULL) : NULL;
    free(part);
    return resolved;
}

/* Without the last name and the slashes before it; those at the beginning stay. */
static size_t length_of_folder(const char *path, size_t length)
{
    while (length > 0 && path[length - 1] == '/')
        length--;
    while (length > 0 && path[length - 1] != '/')
        length--;
    while (length > 1 && path[length - 1] == '/')
        length--;
    return length;
}

char *cli_path_absolute(const char *path)
{
    size_t length = strlen(path);
    char *there = length ? resolve(path, length) : NULL;
    while (!there && length > 0) {
        length = length_of_folder(path, length);
        there = resolve(path, length);
    }
    const char *rest = path + length + strspn(path + length, "/");
    cli_buffer joined = {0};
    cli_buffer_printf(&joined, "%s%s%s", !there || (*rest && !strcmp(there, "/")) ? "" : there,
                      *rest && there ? "/" : "", rest);
    free(there);
    if (joined.failed) cli_buffer_clear(&joined);
    return joined.text;
}

/* Both absolute. */
static char *seen_from(const char *from, const char *to)
{
    size_t common = 0;
    const size_t length = strlen(to);
    for (size_t i = 0; from[i] && from[i] == to[i]; i++)
        if (from[i] == '/') common = i + 1;
    const int is_above = strncmp(from, to, length) == 0 && from[length] == '/';
    if (is_above) common = length + 1;
    cli_buffer out = {0};
    for (const char *c = from + common; (c = strchr(c, '/')) != NULL; c++)
        cli_buffer_printf(&out, "../");
    if (is_above && out.size)
        out.text[out.size - 1] = '\0'; /* ".." and ".", without a slash behind */
    else
        cli_buffer_printf(&out, "%s", !is_above && to[common] ? to + common : ".");
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
