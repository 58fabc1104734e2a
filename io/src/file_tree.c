#include "sgio/file_tree.h"

#include "io_status.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_FILES = 1000000 };

/* Inodes visited: a hash table with open addressing; inode 0 does not occur. */
typedef struct inodes {
    struct inode {
        uint64_t device, number;
    } * slots;
    size_t room, count;
} inodes;

typedef struct walk {
    sgio_file_tree *tree;
    inodes seen;
} walk;

static size_t slot_of(const inodes *seen, uint64_t device, uint64_t number)
{
    size_t at = (size_t)((number ^ device << 32) * 0x9e3779b97f4a7c15u >> 20) & (seen->room - 1);
    while (seen->slots[at].number &&
           (seen->slots[at].number != number || seen->slots[at].device != device))
        at = (at + 1) & (seen->room - 1);
    return at;
}

static sgio_status make_room(inodes *seen, const char *path)
{
    inodes grown = {NULL, seen->room ? 2 * seen->room : 64, seen->count};
    if (2 * seen->count < seen->room) return SGIO_OK;
    grown.slots = calloc(grown.room, sizeof *grown.slots);
    if (!grown.slots) return sgio_fail_memory(grown.room * sizeof *grown.slots, path);
    for (size_t i = 0; i < seen->room; i++)
        if (seen->slots[i].number)
            grown.slots[slot_of(&grown, seen->slots[i].device, seen->slots[i].number)] =
                seen->slots[i];
    free(seen->slots);
    *seen = grown;
    return SGIO_OK;
}

/* *is_new is 0 for an inode that was marked before. */
static sgio_status mark(inodes *seen, const struct stat *info, const char *path, int *is_new)
{
    sgio_status status = make_room(seen, path);
    if (status != SGIO_OK) return status;
    struct inode *slot = &seen->slots[slot_of(seen, info->st_dev, info->st_ino)];
    *is_new = slot->number == 0;
    *slot = (struct inode){info->st_dev, info->st_ino};
    if (*is_new) seen->count++;
    return SGIO_OK;
}

static sgio_status add_file(sgio_file_tree *tree, const char *path)
{
    if (tree->count >= MOST_FILES)
        return sgio_fail(SGIO_UNREADABLE, "%s: more than %d files in the folder", path, MOST_FILES);
    if ((tree->count & (tree->count - 1)) == 0) { /* grows at powers of two */
        size_t room = tree->count ? 2 * tree->count : 1;
        char **grown = realloc(tree->files, room * sizeof *grown);
        if (!grown) return sgio_fail_memory(room * sizeof *grown, path);
        tree->files = grown;
    }
    char *copy = strdup(path);
    if (!copy) return sgio_fail_memory(strlen(path), path);
    tree->files[tree->count++] = copy;
    return SGIO_OK;
}

static void leave_out(sgio_file_tree *tree, const char *path, const char *why)
{
    if (tree->left_out++ == 0)
        snprintf(tree->first_left_out, sizeof tree->first_left_out, "%s: %s", path, why);
}

static sgio_status list_folder(walk *walk, const char *folder, int depth);

static sgio_status visit(walk *walk, const char *path, int depth)
{
    struct stat info;
    int is_new;
    if (stat(path, &info) != 0) {
        leave_out(walk->tree, path, strerror(errno));
        return SGIO_OK;
    }
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) return SGIO_OK;
    sgio_status status = mark(&walk->seen, &info, path, &is_new);
    if (status != SGIO_OK || !is_new) return status;
    if (S_ISREG(info.st_mode)) return add_file(walk->tree, path);
    return depth > 0 ? list_folder(walk, path, depth - 1) : SGIO_OK;
}

static sgio_status visit_entry(walk *walk, const char *folder, const char *name, int depth)
{
    size_t length = strlen(folder) + strlen(name) + 2;
    char *path = malloc(length);
    if (!path) return sgio_fail_memory(length, folder);
    snprintf(path, length, "%s/%s", folder, name);
    sgio_status status = visit(walk, path, depth);
    free(path);
    return status;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* In the order of names, so that of several links to a file the same one counts every time. */
static sgio_status list_folder(walk *walk, const char *folder, int depth)
{
    struct dirent **entries;
    sgio_status status = SGIO_OK;
    int count = scandir(folder, &entries, is_visible, by_name);
    if (count < 0) {
        leave_out(walk->tree, folder, strerror(errno));
        return SGIO_OK;
    }
    for (int i = 0; i < count; i++) {
        if (status == SGIO_OK) status = visit_entry(walk, folder, entries[i]->d_name, depth);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static sgio_status start(walk *walk, const char *folder, int depth)
{
    struct stat info;
    int is_new;
    DIR *opened = opendir(folder);
    if (!opened || stat(folder, &info) != 0) {
        sgio_status status =
            sgio_fail(SGIO_UNREADABLE, "%s: cannot open: %s", folder, strerror(errno));
        if (opened) closedir(opened);
        return status;
    }
    closedir(opened);
    sgio_status status = mark(&walk->seen, &info, folder, &is_new);
    return status == SGIO_OK ? list_folder(walk, folder, depth) : status;
}

sgio_status sgio_list_files(const char *folder, int depth, sgio_file_tree *tree)
{
    walk walk = {tree, {NULL, 0, 0}};
    memset(tree, 0, sizeof *tree);
    sgio_status status = start(&walk, folder, depth);
    if (tree->count) qsort(tree->files, tree->count, sizeof *tree->files, compare_paths);
    free(walk.seen.slots);
    return status;
}

void sgio_file_tree_clear(sgio_file_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        free(tree->files[i]);
    free(tree->files);
    memset(tree, 0, sizeof *tree);
}
