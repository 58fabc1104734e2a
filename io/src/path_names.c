#define _XOPEN_SOURCE 700 /* realpath */
#include "volume_formats.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int sgio_has_suffix(const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    if (n < m) return 0;
    for (size_t i = 0; i < m; i++)
        if (tolower((unsigned char)path[n - m + i]) != suffix[i]) return 0;
    return 1;
}

char *sgio_path_beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    size_t folder = slash && name[0] != '/' ? (size_t)(slash - path) + 1 : 0;
    char *joined = malloc(folder + strlen(name) + 1);
    if (!joined) return NULL;
    memcpy(joined, path, folder);
    strcpy(joined + folder, name);
    return joined;
}

/* The folder of a path with links followed and a slash at its end, NULL when it is not there. */
static char *real_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    char *real = folder ? realpath(folder, NULL) : NULL;
    const size_t length = real ? strlen(real) : 0;
    char *out = real ? realloc(real, length + 2) : NULL;
    if (!out) free(real);
    if (out && (length == 0 || out[length - 1] != '/')) strcpy(out + length, "/");
    free(folder);
    return out;
}

/* Both absolute, the folder with a slash at its end. */
static char *seen_from(const char *folder, const char *file)
{
    size_t common = 0, up = 0;
    for (size_t i = 0; folder[i] && folder[i] == file[i]; i++)
        if (folder[i] == '/') common = i + 1;
    for (const char *c = folder + common; (c = strchr(c, '/')) != NULL; c++)
        up++;
    char *out = malloc(3 * up + strlen(file + common) + 1);
    if (!out) return NULL;
    for (size_t i = 0; i < up; i++)
        memcpy(out + 3 * i, "../", 3);
    strcpy(out + 3 * up, file + common);
    return out;
}

char *sgio_path_relative(const char *file, const char *target)
{
    char *from = real_folder(file), *to = realpath(target, NULL);
    char *relative = from && to ? seen_from(from, to) : strdup(target);
    free(from);
    free(to);
    return relative;
}
