#define _XOPEN_SOURCE 700
#include "cli_files.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli_exit.h"
#include "cli_output.h"
#include "cli_reads.h"
#include "sgio/volume.h"

struct cli_file {
    char *role, *path;
    cli_file_use use;
    int exists;
    int below; /* a folder: its subfolders are read too */
    mode_t mode;
    /* What makes it the same file: device and inode; for a file that does not exist yet those of
     * its folder, and its name. */
    dev_t device;
    ino_t inode;
    char *name; /* NULL: it exists */
};

static int is_written(const cli_file *file)
{
    return file->use >= CLI_FILE_WRITTEN;
}

/* ------------------------------------------------------------------------------------- adding */

/* The folder of a path, "." when it names none; 0, or -1 when it is too long. */
static int folder_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    const int length = slash ? (slash == path ? 1 : (int)(slash - path)) : 1;
    return snprintf(out, PATH_MAX, "%.*s", length, slash ? path : ".") < PATH_MAX ? 0 : -1;
}

/* A file that does not exist is its first folder that does, and the rest of its name. A file whose
 * name is too long for that has no identity (inode 0): the check says why. */
static int identify(cli_file *file)
{
    struct stat info;
    char folder[PATH_MAX], upper[PATH_MAX];
    if (stat(file->path, &info) == 0) {
        file->exists = 1;
        file->mode = info.st_mode;
        file->device = info.st_dev;
        file->inode = info.st_ino;
        return 0;
    }
    if (folder_of(file->path, folder) != 0) return 0;
    while (stat(folder, &info) != 0) {
        if (strcmp(folder, ".") == 0 || strcmp(folder, "/") == 0) return 0;
        if (folder_of(folder, upper) != 0) return 0;
        strcpy(folder, upper);
    }
    const size_t known = strchr(file->path, '/') && strncmp(folder, file->path, strlen(folder)) == 0
                             ? strlen(folder)
                             : 0;
    file->device = info.st_dev;
    file->inode = info.st_ino;
    file->name = strdup(file->path + known + strspn(file->path + known, "/"));
    return file->name ? 0 : -1;
}

static void forget(cli_file *file)
{
    free(file->role);
    free(file->path);
    free(file->name);
}

static void add(cli_files *files, const char *role, const char *path, cli_file_use use, int below)
{
    if (files->count == files->capacity) {
        const size_t capacity = files->capacity * 2 + 16;
        cli_file *grown = realloc(files->items, capacity * sizeof *grown);
        if (!grown) {
            files->failed = 1;
            return;
        }
        files->items = grown;
        files->capacity = capacity;
    }
    cli_file file = {.role = strdup(role), .path = strdup(path), .use = use, .below = below};
    if (!file.role || !file.path || identify(&file) != 0) {
        forget(&file);
        files->failed = 1;
        return;
    }
    files->items[files->count++] = file;
}

typedef struct companion {
    cli_files *files;
    const char *role;
    int below;
} companion;

static void add_companion(void *user, const char *path)
{
    const companion *c = user;
    add(c->files, c->role, path, CLI_FILE_READ, c->below);
}

void cli_files_add(cli_files *files, const char *role, const char *path, cli_file_use use)
{
    companion c = {files, role, cli_is_dicom(path) && sgio_dicom_reach(path) > 1};
    add(files, role, path, use, 1);
    if (use == CLI_FILE_READ || use == CLI_FILE_READ_REPLACEABLE)
        cli_reads_with(path, add_companion, &c);
}

static int is_word(const char *text, const char *blank_separated)
{
    const size_t length = strlen(text);
    for (const char *at = blank_separated; (at = strstr(at, text)) != NULL; at += length) {
        const int starts = at == blank_separated || at[-1] == ' ';
        if (starts && (at[length] == ' ' || at[length] == '\0')) return 1;
    }
    return 0;
}

static cli_file_use use_of(const cli_parameter *p, const char *replaceable)
{
    if (!p->is_output)
        return is_word(p->name, replaceable) ? CLI_FILE_READ_REPLACEABLE : CLI_FILE_READ;
    if (strcmp(p->element, "directory") == 0) return CLI_FOLDER_WRITTEN;
    return p->index >= 0 ? CLI_FILE_REPLACES : CLI_FILE_WRITTEN;
}

void cli_files_add_options(cli_files *files, const cli_options *options, const char *replaceable)
{
    const cli_tool *tool = cli_options_tool(options);
    char role[128];
    for (size_t i = 0; i < tool->parameter_count; i++) {
        const cli_parameter *p = &tool->parameters[i];
        if (p->kind != CLI_PATH) continue;
        snprintf(role, sizeof role, p->long_flag ? "--%.100s" : "<%.100s>",
                 p->long_flag ? p->long_flag : p->name);
        for (size_t k = 0; k < cli_given(options, p->name); k++)
            cli_files_add(files, role, cli_text_at(options, p->name, k), use_of(p, replaceable));
    }
    if (cli_options_return_file(options))
        cli_files_add(files, "--returnparameterfile", cli_options_return_file(options),
                      CLI_FILE_WRITTEN);
}

/* ----------------------------------------------------------------------------------- checking */

static int check_writable(const char *path)
{
    if (cli_is_device(path)) return 0;
    const sgio_status status = sgio_output_check(path);
    if (status == SGIO_OK) return 0;
    return cli_fail(cli_exit_from_io_status(status), "%s", sgio_last_message());
}

static int compare(const void *left, const void *right)
{
    const cli_file *a = *(cli_file *const *)left, *b = *(cli_file *const *)right;
    if (a->device != b->device) return a->device < b->device ? -1 : 1;
    if (a->inode != b->inode) return a->inode < b->inode ? -1 : 1;
    if (!a->name || !b->name) return (a->name != NULL) - (b->name != NULL);
    return strcmp(a->name, b->name);
}

/* Devices and pipes are not destroyed by writing to them. */
static int can_be_destroyed(const cli_file *file)
{
    return file->inode && (!file->exists || S_ISREG(file->mode) || S_ISDIR(file->mode));
}

static int collides(const cli_file *a, const cli_file *b)
{
    if (!can_be_destroyed(a) || (!is_written(a) && !is_written(b))) return 0;
    const int replaces = a->use == CLI_FILE_REPLACES || b->use == CLI_FILE_REPLACES;
    const int replaced = a->use == CLI_FILE_READ_REPLACEABLE || b->use == CLI_FILE_READ_REPLACEABLE;
    return !(replaces && replaced);
}

static int same_file(const cli_file *written, const cli_file *other)
{
    if (!is_written(written)) {
        const cli_file *kept = written;
        written = other;
        other = kept;
    }
    return cli_fail(CLI_EXIT_USAGE,
                    "%s and %s name the same file, %.600s: choose another one for %s",
                    written->role, other->role, written->path, written->role);
}

/* Entries of one file are neighbours in `sorted`; there are few of them. */
static int check_pairs(cli_file *const *sorted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count && compare(&sorted[i], &sorted[k]) == 0; k++)
            if (collides(sorted[i], sorted[k])) return same_file(sorted[i], sorted[k]);
    return 0;
}

static const cli_file *find_written(cli_file *const *sorted, size_t count, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) return NULL;
    cli_file key = {.device = info.st_dev, .inode = info.st_ino};
    const cli_file *wanted = &key;
    cli_file *const *found = bsearch(&wanted, sorted, count, sizeof *sorted, compare);
    if (!found) return NULL;
    while (found > sorted && compare(&found[-1], &wanted) == 0)
        found--;
    for (; found < sorted + count && compare(found, &wanted) == 0; found++)
        if (is_written(*found)) return *found;
    return NULL;
}

/* A folder that is read, and the files that are not to be among those in it. */
typedef struct folder_walk {
    cli_file *const *sorted;
    size_t count;
    const cli_file *folder;
    int failed;
} folder_walk;

static void look_at(void *user, const char *path)
{
    folder_walk *walk = user;
    const cli_file *folder = walk->folder;
    const cli_file *file = walk->failed ? NULL : find_written(walk->sorted, walk->count, path);
    if (file && cli_is_read_in_folder(folder->path, folder->below, path))
        walk->failed = cli_fail(CLI_EXIT_USAGE,
                                "%s names a file that %s reads, %.600s: choose another one for %s",
                                file->role, folder->role, file->path, file->role);
}

static int may_be_in_folder(cli_file *const *sorted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_written(sorted[i]) && sorted[i]->exists && S_ISREG(sorted[i]->mode) &&
            cli_may_be_read_in_folder(sorted[i]->path))
            return 1;
    return 0;
}

/* Outputs against the files in folders that are read. Links lead into folders and out of them, so
 * that no name tells: the folders are walked as their reader walks them. One that cannot be has no
 * file to lose, and its reader says so. */
static int check_folders(cli_file *const *sorted, size_t count)
{
    folder_walk walk = {sorted, count, NULL, 0};
    if (!may_be_in_folder(sorted, count)) return 0;
    for (size_t i = 0; i < count && !walk.failed; i++) {
        const cli_file *next = sorted[i], *last = walk.folder;
        if (is_written(next) || !next->exists || !S_ISDIR(next->mode)) continue;
        if (last && compare(&last, &next) == 0 && last->below >= next->below) continue;
        walk.folder = next;
        sgio_folder_files(next->path, next->below, look_at, &walk);
    }
    return walk.failed;
}

int cli_files_compare(const cli_files *files)
{
    cli_file **sorted = calloc(files->count + 1, sizeof(cli_file *));
    if (!sorted || files->failed) {
        free(sorted);
        return cli_fail(CLI_EXIT_MEMORY, "out of memory while looking at the files");
    }
    for (size_t i = 0; i < files->count; i++)
        sorted[i] = &files->items[i];
    qsort(sorted, files->count, sizeof *sorted, compare);
    int failed = check_pairs(sorted, files->count);
    if (!failed) failed = check_folders(sorted, files->count);
    free(sorted);
    return failed;
}

int cli_files_check(const cli_files *files)
{
    int failed = cli_files_compare(files);
    for (size_t i = 0; i < files->count && !failed; i++)
        if (is_written(&files->items[i]) && files->items[i].use != CLI_FOLDER_WRITTEN)
            failed = check_writable(files->items[i].path);
    return failed;
}

void cli_files_clear(cli_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        forget(&files->items[i]);
    free(files->items);
    memset(files, 0, sizeof *files);
}
