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
