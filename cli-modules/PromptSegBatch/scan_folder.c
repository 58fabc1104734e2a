#define _XOPEN_SOURCE 700
#include "scan_folder.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "cli_exit.h"
#include "scan_dicom.h"

static const char *const volume_endings[] = {".nii.gz", ".nii", ".nrrd", ".nhdr",
                                             ".mha",    ".mhd", ".hdr",  NULL};
static const char *const prompt_endings[] = {".mrk.json", ".fcsv", NULL};
/* Label maps by the names that people give them. */
static const char *const label_endings[] = {".seg",   "_seg",   "-seg",    "_dseg", "_mask",
                                            "_label", "-label", "_labels", NULL};

/* Length of the name without one of the endings; 0: it has none of them. */
static size_t stem(const char *name, size_t length, const char *const endings[])
{
    for (size_t i = 0; endings[i]; i++) {
        const size_t ending = strlen(endings[i]);
        if (length > ending && strncasecmp(name + length - ending, endings[i], ending) == 0)
            return length - ending;
    }
    return 0;
}

/* ----------------------------------------------------------------------------- what things are */

static void judge_file(const char *path, scan_entry *e)
{
    const scan_dicom dicom = scan_dicom_look(path, &e->why);
    const size_t length = strlen(e->name), volume = stem(e->name, length, volume_endings);
    if (dicom == SCAN_DICOM_OTHER) return;
    if (dicom == SCAN_DICOM_IMAGE) {
        e->kind = SCAN_DICOM;
    } else if (stem(e->name, length, prompt_endings)) {
        e->kind = SCAN_PROMPTS;
    } else if (!volume) {
        e->why = "no volume by its name";
    } else if (stem(e->name, volume, label_endings)) {
        e->why = "a label map by its name";
    } else {
        e->kind = SCAN_VOLUME;
        e->stem = volume;
    }
}

static void judge(const char *folder, scan_entry *e)
{
    char path[PATH_MAX];
    struct stat info, target;
    if (snprintf(path, sizeof path, "%s/%s", folder, e->name) >= (int)sizeof path)
        e->why = "its path is too long";
    else if (lstat(path, &info) != 0 || stat(path, &target) != 0)
        e->why = "it cannot be looked at";
    else if (S_ISDIR(target.st_mode) && S_ISLNK(info.st_mode))
        e->why = "a link to a folder";
    else if (S_ISDIR(target.st_mode))
        e->kind = SCAN_FOLDER;
    else if (!S_ISREG(target.st_mode))
        e->why = "neither a file nor a folder";
    else
        judge_file(path, e);
}

/* --------------------------------------------------------------------------------- the folder */

static int no_memory(void)
{
    return cli_fail(CLI_EXIT_MEMORY, "out of memory while looking through the folder");
}

static int add(scan_folder *f, const char *name)
{
    if (f->count == f->capacity) {
        const size_t capacity = f->capacity * 2 + 64;
        scan_entry *grown = realloc(f->entries, capacity * sizeof *grown);
        if (!grown) return no_memory();
        f->entries = grown;
        f->capacity = capacity;
    }
    scan_entry *e = &f->entries[f->count];
    *e = (scan_entry){.name = strdup(name)};
    if (!e->name) return no_memory();
    f->count++;
    judge(f->path, e);
    f->holds_images |= e->kind == SCAN_DICOM;
    return 0;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(((const scan_entry *)left)->name, ((const scan_entry *)right)->name);
}

/* Directly in it. */
static int holds_images(const char *parent, const char *name)
{
    char folder[PATH_MAX], path[PATH_MAX];
    const char *what;
    int found = 0;
    if (snprintf(folder, sizeof folder, "%s/%s", parent, name) >= (int)sizeof folder) return 0;
    DIR *stream = opendir(folder);
    for (struct dirent *e = stream ? readdir(stream) : NULL; e && !found; e = readdir(stream))
        if (e->d_name[0] != '.' &&
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name) < (int)sizeof path)
            found = scan_dicom_look(path, &what) == SCAN_DICOM_IMAGE;
    if (stream) closedir(stream);
    return found;
}

/* Folders are looked into only where there are prompts to be given away. */
static void name_series(scan_folder *f)
{
    int any = 0;
    for (size_t i = 0; i < f->count; i++)
        any |= f->entries[i].kind == SCAN_PROMPTS;
    for (size_t i = 0; i < f->count && any; i++) {
        scan_entry *e = &f->entries[i];
        if (e->kind == SCAN_FOLDER && holds_images(f->path, e->name)) e->stem = strlen(e->name);
    }
}

int scan_folder_read(const char *path, scan_folder *out)
{
    *out = (scan_folder){.path = path};
    DIR *stream = opendir(path);
    int failed = stream ? 0 : cli_fail(CLI_EXIT_INPUT, "%s: this folder cannot be read", path);
    for (struct dirent *e = stream ? readdir(stream) : NULL; e && !failed; e = readdir(stream))
        if (e->d_name[0] != '.') failed = add(out, e->d_name);
    if (stream) closedir(stream);
    if (failed) return failed;
    if (out->count) qsort(out->entries, out->count, sizeof *out->entries, compare_names);
    name_series(out);
    return 0;
}

void scan_folder_clear(scan_folder *folder)
{
    for (size_t i = 0; i < folder->count; i++)
        free(folder->entries[i].name);
    free(folder->entries);
    *folder = (scan_folder){0};
}

/* ------------------------------------------------------------------------------------- prompts */

int scan_is_named_like(const char *prompts, const char *name, size_t length)
{
    const size_t own = stem(prompts, strlen(prompts), prompt_endings);
    if (own < length || strncmp(prompts, name, length) != 0) return 0;
    return own == length || strchr("-_. ", prompts[length]) != NULL;
}

void scan_folder_forget_series(scan_folder *folder)
{
    for (size_t i = 0; i < folder->count; i++)
        if (folder->entries[i].kind == SCAN_FOLDER) folder->entries[i].stem = 0;
}

size_t scan_folder_owner(const scan_folder *folder, const char *prompts)
{
    size_t longest = 0;
    for (size_t i = 0; i < folder->count; i++) {
        const scan_entry *e = &folder->entries[i];
        if (e->stem > longest && scan_is_named_like(prompts, e->name, e->stem)) longest = e->stem;
    }
    return longest;
}
