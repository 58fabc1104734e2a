#include "batch_outputs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "cli_exit.h"
#include "sgio/labelmap.h"

size_t batch_output_stem(const char *path)
{
    /* longer endings first */
    static const char *const endings[] = {".rtstruct.dcm", ".seg.nrrd", ".nii.gz", ".nrrd",
                                          ".mrml",         ".nii",      ".mha",    ".dcm"};
    const size_t length = strlen(path);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        const size_t ending = strlen(endings[i]);
        if (length > ending && strcasecmp(path + length - ending, endings[i]) == 0)
            return length - ending;
    }
    return length;
}

/* One of the names between slashes is "..". */
static int climbs(const char *path)
{
    for (const char *at = path; (at = strstr(at, "..")) != NULL; at += 2)
        if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == '\0')) return 1;
    return 0;
}

int batch_output_inside(const char *folder, const char *cell, char **path)
{
    const size_t length = strlen(folder);
    const int below = cell[0] == '/' && strncmp(cell, folder, length) == 0 && cell[length] == '/';
    if (climbs(cell) || (cell[0] == '/' && !below))
        return cli_fail(CLI_EXIT_USAGE, "%.500s lies outside the output folder %.400s", cell,
                        folder);
    cli_buffer joined = {0};
    cli_buffer_printf(&joined, "%s%s%s", below ? "" : folder, below ? "" : "/", cell);
    *path = joined.text;
    return joined.failed ? cli_fail(CLI_EXIT_MEMORY, "no memory for a file name") : 0;
}

const char *batch_output_name(const char *folder, const char *path)
{
    return path + strlen(folder) + 1;
}

int batch_output_labels(const char *output, char *path, size_t size)
{
    snprintf(path, size, "%.*s.tsv", (int)batch_output_stem(output), output);
    return sgio_segmentation_is_plain(output);
}

static int make_one(const char *folder)
{
    struct stat info;
    if (mkdir(folder, 0777) == 0) return 0;
    const int reason = errno;
    if (stat(folder, &info) == 0 && S_ISDIR(info.st_mode)) return 0;
    return cli_fail(CLI_EXIT_OUTPUT, "the folder %.900s cannot be made: %s", folder,
                    strerror(reason));
}

int batch_make_folder(const char *folder)
{
    char path[PATH_MAX];
    int failed = 0;
    if (snprintf(path, sizeof path, "%s", folder) >= (int)sizeof path)
        return cli_fail(CLI_EXIT_OUTPUT, "%.900s...: the path is too long", folder);
    for (char *slash = strchr(path + 1, '/'); slash && !failed; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        failed = make_one(path);
        *slash = '/';
    }
    return failed ? failed : make_one(path);
}

int batch_make_folder_of(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path) return 0;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    return batch_make_folder(folder);
}
