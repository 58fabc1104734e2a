#define _XOPEN_SOURCE 700
#include "batch_identity.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "batch_hash.h"
#include "sgio/file_tree.h"

enum { DEEPEST = 8 }; /* as far as the reader of DICOM folders looks */

/* Not the whole path: a manifest may be called by another name, or from another machine. */
static uint64_t of_file(const char *name, const struct stat *info)
{
    uint64_t hash = batch_hash_text(name);
    const int64_t numbers[3] = {info->st_size, info->st_mtim.tv_sec, info->st_mtim.tv_nsec};
    batch_hash_mix(&hash, numbers, sizeof numbers);
    return hash;
}

static int is_folder(const char *path, size_t length, const struct stat *wanted)
{
    char folder[PATH_MAX];
    struct stat info;
    return snprintf(folder, sizeof folder, "%.*s", (int)length, path) < (int)sizeof folder &&
           stat(folder, &info) == 0 && info.st_ino == wanted->st_ino &&
           info.st_dev == wanted->st_dev;
}

/* Whether a file below the folder that is read lies in the folder of outputs, at any depth. */
static int lies_in_outputs(const char *path, size_t top, const struct stat *outputs)
{
    for (const char *slash = strchr(path + top, '/'); slash; slash = strchr(slash + 1, '/'))
        if (is_folder(path, (size_t)(slash - path), outputs)) return 1;
    return 0;
}

/* Sums of hashes: a file that is not counted leaves the others as they are. */
static uint64_t sum_files(const char *folder, const char *outputs, const sgio_file_tree *tree)
{
    struct stat info, made;
    uint64_t sum = 0;
    const size_t top = strlen(folder);
    const int any_outputs = stat(outputs, &made) == 0;
    for (size_t i = 0; i < tree->count; i++) {
        const char *path = tree->files[i], *name = path + top + strspn(path + top, "/");
        if (any_outputs && lies_in_outputs(path, (size_t)(name - path), &made)) continue;
        if (stat(path, &info) == 0) sum += of_file(name, &info);
    }
    return sum;
}

static uint64_t of_folder(const char *path, const char *outputs)
{
    static char *known;
    static uint64_t sum;
    sgio_file_tree tree;
    if (known && strcmp(known, path) == 0) return sum;
    free(known);
    known = strdup(path);
    sgio_list_files(path, DEEPEST, &tree); /* what it could list counts; the reader says the rest */
    sum = sum_files(path, outputs, &tree);
    sgio_file_tree_clear(&tree);
    return sum;
}

int batch_identity(const char *path, const char *outputs, uint64_t *identity)
{
    struct stat info;
    const char *slash = strrchr(path, '/');
    if (stat(path, &info) != 0) return 0;
    *identity =
        S_ISDIR(info.st_mode) ? of_folder(path, outputs) : of_file(slash ? slash + 1 : path, &info);
    return 1;
}
