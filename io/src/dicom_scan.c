#include "dicom_scan.h"

#include "io_status.h"
#include "volume_formats.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_FILES = 1000000, DEEPEST = 8 };

typedef struct path_list {
    char **items;
    size_t count;
} path_list;

static void free_paths(path_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
}

static sgio_status add_path(path_list *list, const char *path)
{
    if ((list->count & (list->count - 1)) == 0) { /* grows at powers of two */
        size_t room = list->count ? 2 * list->count : 1;
        char **grown = realloc(list->items, room * sizeof *grown);
        if (!grown) return sgio_fail_memory(room * sizeof *grown, path);
        list->items = grown;
    }
    char *copy = strdup(path);
    if (!copy) return sgio_fail_memory(strlen(path), path);
    list->items[list->count++] = copy;
    return SGIO_OK;
}

static sgio_status list_files(const char *directory, int depth, path_list *list);

static sgio_status list_entry(const char *directory, const char *name, int depth, path_list *list)
{
    size_t length = strlen(directory) + strlen(name) + 2;
    struct stat info;
    sgio_status status = SGIO_OK;
    char *path = malloc(length);
    if (!path) return sgio_fail_memory(length, directory);
    snprintf(path, length, "%s/%s", directory, name);
    int found = stat(path, &info) == 0;
    if (found && S_ISREG(info.st_mode) && list->count < MOST_FILES)
        status = add_path(list, path);
    else if (found && S_ISDIR(info.st_mode) && depth > 0)
        status = list_files(path, depth - 1, list);
    free(path);
    return status;
}

/* Regular files, down to `depth` levels of subdirectories; hidden ones are left out. */
static sgio_status list_files(const char *directory, int depth, path_list *list)
{
    DIR *stream = opendir(directory);
    struct dirent *entry;
    sgio_status status = SGIO_OK;
    if (!stream)
        return sgio_fail(SGIO_UNREADABLE, "%s: cannot open: %s", directory, strerror(errno));
    while (status == SGIO_OK && (entry = readdir(stream)) != NULL)
        if (entry->d_name[0] != '.') status = list_entry(directory, entry->d_name, depth, list);
    closedir(stream);
    return status;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Files without preamble begin with an element of group 2 or 8: explicit VR in either byte order,
 * or implicit VR with a short value. */
static int begins_like_dataset(const unsigned char *b, size_t size)
{
    if (size < 16) return 0;
    int little = (b[0] == 2 || b[0] == 8) && b[1] == 0 && b[3] == 0;
    int big = b[0] == 0 && (b[1] == 2 || b[1] == 8) && b[2] == 0;
    int has_vr = isupper(b[4]) && isupper(b[5]);
    int short_value = b[4] <= 64 && b[5] == 0 && b[6] == 0 && b[7] == 0;
    return (little && (has_vr || short_value)) || (big && has_vr);
}

int sgio_looks_like_dicom(const unsigned char *bytes, size_t size)
{
    return (size >= 132 && memcmp(bytes + 128, "DICM", 4) == 0) || begins_like_dataset(bytes, size);
}

static int file_looks_like_dicom(const char *path)
{
    unsigned char bytes[132];
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return sgio_looks_like_dicom(bytes, size);
}

sgio_status sgio_holds_dicom(const char *directory, int *holds)
{
    path_list list = {NULL, 0};
    sgio_status status = list_files(directory, DEEPEST, &list);
    *holds = 0;
    for (size_t i = 0; i < list.count && !*holds; i++)
        *holds = file_looks_like_dicom(list.items[i]);
    free_paths(&list);
    return status;
}

/* What was left out, for one warning or, when nothing else is there, the error. */
typedef struct rejects {
    size_t count;
    char first[512];
} rejects;

static sgio_status add_slice(sgio_dicom_slices *slices, const sgio_dicom_slice *slice)
{
    if ((slices->count & (slices->count - 1)) == 0) {
        size_t room = slices->count ? 2 * slices->count : 1;
        sgio_dicom_slice *grown = realloc(slices->items, room * sizeof *grown);
        if (!grown) return sgio_fail_memory(room * sizeof *grown, slice->path);
        slices->items = grown;
    }
    slices->items[slices->count++] = *slice;
    return SGIO_OK;
}

/* `series` NULL: any. */
static sgio_status read_one(const char *path, const char *series, sgio_dicom_slices *slices,
                            rejects *left_out)
{
    sgio_dicom_slice slice;
    sgio_status status = sgio_dicom_read_header(path, &slice);
    if (status == SGIO_UNREADABLE) {
        if (left_out->count++ == 0)
            snprintf(left_out->first, sizeof left_out->first, "%s", sgio_last_message());
        return SGIO_OK;
    }
    if (status != SGIO_OK) return status;
    int wanted = !series || strcmp(series, slice.series_uid) == 0;
    if (wanted) status = add_slice(slices, &slice);
    if (!wanted || status != SGIO_OK) sgio_dicom_slice_clear(&slice);
    return status;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int is_named(const sgio_dicom_slices *slices, const char *path)
{
    return slices->named && strcmp(last_part(slices->items[0].path), last_part(path)) == 0;
}

static sgio_status read_headers(const char *directory, int depth, const char *series,
                                sgio_dicom_slices *slices, rejects *left_out)
{
    path_list list = {NULL, 0};
    sgio_status status = list_files(directory, depth, &list);
    if (list.count) qsort(list.items, list.count, sizeof *list.items, compare_paths);
    for (size_t i = 0; i < list.count && status == SGIO_OK; i++)
        if (!is_named(slices, list.items[i]) && file_looks_like_dicom(list.items[i]))
            status = read_one(list.items[i], series, slices, left_out);
    free_paths(&list);
    return status;
}

static sgio_status scan_directory(const char *path, const sgio_read_options *options,
                                  sgio_dicom_slices *slices)
{
    rejects left_out = {0, ""};
    sgio_status status = read_headers(path, DEEPEST, NULL, slices, &left_out);
    if (status != SGIO_OK) return status;
    if (slices->count == 0 && left_out.count > 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: no DICOM image among %zu file(s); %s", path,
                         left_out.count, left_out.first);
    if (slices->count == 0) return sgio_fail(SGIO_UNREADABLE, "%s: no DICOM files", path);
    if (left_out.count > 0)
        sgio_warn(options->warn, options->warn_user, "%zu DICOM file(s) left out; %s",
                  left_out.count, left_out.first);
    return SGIO_OK;
}

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, (size_t)(slash - path) + (slash == path)) : strdup(".");
}

/* Files of other kinds beside the named one are nobody's concern: no warning. */
static sgio_status scan_series(const char *path, const char *series, sgio_dicom_slices *slices)
{
    rejects ignored = {0, ""};
    char *directory = directory_of(path);
    if (!directory) return sgio_fail_memory(strlen(path), path);
    sgio_status status = read_headers(directory, 0, series, slices, &ignored);
    free(directory);
    return status;
}

/* The named file comes first, so that it wins over copies of its instance. */
static sgio_status scan_file(const char *path, sgio_dicom_slices *slices)
{
    sgio_dicom_slice slice;
    char series[sizeof slice.series_uid];
    sgio_status status = sgio_dicom_read_header(path, &slice);
    if (status != SGIO_OK) return status;
    int alone = !slice.has_plane || !slice.series_uid[0];
    memcpy(series, slice.series_uid, sizeof series);
    status = add_slice(slices, &slice);
    if (status != SGIO_OK) sgio_dicom_slice_clear(&slice);
    slices->named = status == SGIO_OK;
    return status == SGIO_OK && !alone ? scan_series(path, series, slices) : status;
}

/* A DICOMDIR stands for the tree it lies in. */
static sgio_status scan_dicomdir(const char *path, const sgio_read_options *options,
                                 sgio_dicom_slices *slices)
{
    char *directory = directory_of(path);
    if (!directory) return sgio_fail_memory(strlen(path), path);
    sgio_status status = scan_directory(directory, options, slices);
    free(directory);
    return status;
}

sgio_status sgio_dicom_scan(const char *path, const sgio_read_options *options,
                            sgio_dicom_slices *slices)
{
    struct stat info;
    memset(slices, 0, sizeof *slices);
    if (stat(path, &info) != 0) return sgio_fail(SGIO_UNREADABLE, "%s: %s", path, strerror(errno));
    sgio_status status;
    if (S_ISDIR(info.st_mode))
        status = scan_directory(path, options, slices);
    else if (strcmp(last_part(path), "DICOMDIR") == 0)
        status = scan_dicomdir(path, options, slices);
    else
        status = scan_file(path, slices);
    if (status != SGIO_OK) sgio_dicom_slices_clear(slices);
    return status;
}
