/* Pictures as volumes: one picture, or the numbered pictures of a directory as slices. */
#include "io_status.h"
#include "picture_file.h"
#include "volume_formats.h"
#include "volume_share.h"
#include "voxels.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PIXELS = 1 << 28, ALL_AXES = 7 };

static sgio_status read_by_content(const char *path, int indices, sgio_picture *picture,
                                   void *pixels)
{
    char *bytes;
    size_t size = 0;
    sgio_status status = sgio_read_prefix(path, 8, &bytes, &size);
    if (status != SGIO_OK) return status;
    int is_png = size == 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0;
    int is_jpeg = size == 8 && memcmp(bytes, "\xff\xd8\xff", 3) == 0;
    free(bytes);
    if (!is_png && !is_jpeg)
        return sgio_fail(SGIO_UNREADABLE, "%s: neither a PNG nor a JPEG picture", path);
    status = is_png ? sgio_png_read(path, indices, picture, pixels)
                    : sgio_jpeg_read(path, picture, pixels);
    picture->is_lossy = is_jpeg;
    return status;
}

/* Callers allocate between describing and reading; a few bytes can announce any size. */
sgio_status sgio_picture_read(const char *path, int indices, sgio_picture *picture, void *pixels)
{
    sgio_status status = read_by_content(path, indices, picture, pixels);
    if (status != SGIO_OK || picture->size[0] <= MOST_PIXELS / picture->size[1]) return status;
    return sgio_fail(SGIO_UNREADABLE, "%s: size %lld x %lld is not credible", path,
                     (long long)picture->size[0], (long long)picture->size[1]);
}

/* A file name split around its last number: "frame_007.png" -> "frame_" 7 ".png". */
typedef struct numbered {
    char *path;
    size_t before, after; /* bytes of `name` before the number, where the rest begins */
    const char *name;     /* points into path */
    long number;
} numbered;

typedef struct numbered_list {
    numbered *items;
    size_t count;
} numbered_list;

static int is_picture_name(const char *name)
{
    return sgio_has_suffix(name, ".png") || sgio_has_suffix(name, ".jpg") ||
           sgio_has_suffix(name, ".jpeg");
}

static int split_number(const char *name, size_t *before, size_t *after, long *number)
{
    size_t end = strlen(name);
    while (end > 0 && !isdigit((unsigned char)name[end - 1]))
        end--;
    size_t start = end;
    while (start > 0 && isdigit((unsigned char)name[start - 1]))
        start--;
    *before = start;
    *after = end;
    *number = start < end && end - start <= 9 ? strtol(name + start, NULL, 10) : -1;
    return *number >= 0;
}

static void free_list(numbered_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].path);
    free(list->items);
}

static int add_file(numbered_list *list, const char *directory, const char *name)
{
    size_t length = strlen(directory) + strlen(name) + 2;
    numbered item = {.path = malloc(length)};
    numbered *grown = realloc(list->items, (list->count + 1) * sizeof *grown);
    if (grown) list->items = grown;
    if (!item.path || !grown) {
        free(item.path);
        return -1;
    }
    snprintf(item.path, length, "%s/%s", directory, name);
    item.name = item.path + strlen(directory) + 1;
    split_number(item.name, &item.before, &item.after, &item.number);
    list->items[list->count++] = item;
    return 0;
}

/* By the text before the number, then after it, then the number. */
static int compare(const void *left, const void *right)
{
    const numbered *a = left, *b = right;
    size_t common = a->before < b->before ? a->before : b->before;
    int order = strncmp(a->name, b->name, common);
    if (order == 0) order = (a->before > b->before) - (a->before < b->before);
    if (order == 0) order = strcmp(a->name + a->after, b->name + b->after);
    if (order == 0) order = (a->number > b->number) - (a->number < b->number);
    return order;
}

static int same_series(const numbered *a, const numbered *b)
{
    return a->before == b->before && strncmp(a->name, b->name, a->before) == 0 &&
           strcmp(a->name + a->after, b->name + b->after) == 0;
}

/* "%d" or "%03d" in the pattern's file name; -1 when there is none. */
static int find_placeholder(const char *pattern, size_t *start, size_t *end)
{
    const char *percent = strchr(pattern, '%');
    if (!percent || strchr(percent, '/')) return -1;
    const char *p = percent + 1;
    while (isdigit((unsigned char)*p))
        p++;
    if (*p != 'd') return -1;
    *start = (size_t)(percent - pattern);
    *end = (size_t)(p - pattern) + 1;
    return 0;
}

static int matches(const char *name, const char *pattern)
{
    size_t start, end, before, after;
    long number;
    if (!split_number(name, &before, &after, &number)) return 0;
    if (!pattern) return is_picture_name(name);
    if (find_placeholder(pattern, &start, &end) != 0) return 0;
    return before == start && strncmp(name, pattern, start) == 0 &&
           strcmp(name + after, pattern + end) == 0;
}

/* `pattern` is NULL for every numbered picture. */
static sgio_status list_pictures(const char *directory, const char *pattern, numbered_list *list)
{
    DIR *stream = opendir(directory);
    struct dirent *entry;
    int failed = 0;
    if (!stream)
        return sgio_fail(SGIO_UNREADABLE, "%s: cannot open: %s", directory, strerror(errno));
    while (!failed && (entry = readdir(stream)) != NULL)
        if (entry->d_name[0] != '.' && matches(entry->d_name, pattern))
            failed = add_file(list, directory, entry->d_name);
    closedir(stream);
    if (failed) return sgio_fail_memory(sizeof(numbered), directory);
    if (list->count) qsort(list->items, list->count, sizeof *list->items, compare);
    return SGIO_OK;
}

static sgio_status check_series(const char *path, const numbered_list *list)
{
    if (list->count == 0)
        return sgio_fail(SGIO_UNREADABLE, "%s: holds neither DICOM files nor numbered pictures",
                         path);
    for (size_t i = 1; i < list->count; i++) {
        const numbered *a = &list->items[i - 1], *b = &list->items[i];
        if (!same_series(a, b))
            return sgio_fail(SGIO_UNREADABLE,
                             "%s: holds several series of pictures (%s, %s, ...); name one by a "
                             "pattern such as %.*s%%d%s",
                             path, a->name, b->name, (int)a->before, a->name, a->name + a->after);
        if (a->number == b->number)
            return sgio_fail(SGIO_UNREADABLE, "%s: %s and %s have the same number", path, a->name,
                             b->name);
    }
    return SGIO_OK;
}

/* Pictures carry no position: spacing 1, first picture at z = 0. */
static void set_picture_geometry(const sgio_picture *picture, int64_t slices, sgio_volume *out)
{
    memset(&out->geometry, 0, sizeof out->geometry);
    out->geometry.size[0] = picture->size[0];
    out->geometry.size[1] = picture->size[1];
    out->geometry.size[2] = slices;
    for (int axis = 0; axis < 3; axis++)
        out->geometry.matrix[axis][axis] = 1;
    out->channels = picture->channels;
    out->type = picture->type;
    out->is_lossy = picture->is_lossy;
}

/* Names as they are, without ending: what is made of a frame can be named like it. */
static sgio_status name_frames(const numbered_list *list, sgio_volume *out)
{
    out->frame_names = calloc(list->count, sizeof *out->frame_names);
    if (!out->frame_names) return sgio_fail_memory(list->count, list->items[0].path);
    for (size_t k = 0; k < list->count; k++) {
        const char *name = list->items[k].name, *point = strrchr(name, '.');
        out->frame_names[k] = strndup(name, point ? (size_t)(point - name) : strlen(name));
        if (!out->frame_names[k]) return sgio_fail_memory(strlen(name), list->items[k].path);
    }
    out->is_sequence = 1;
    return SGIO_OK;
}

long sgio_volume_frame_number(const sgio_volume *volume, int64_t k)
{
    size_t before, after;
    long number;
    if (!volume->frame_names) return (long)k + 1;
    split_number(volume->frame_names[k], &before, &after, &number);
    return number;
}

static sgio_status read_slice(const char *path, int indices, const sgio_picture *first,
                              void *pixels)
{
    sgio_picture picture;
    sgio_status status = sgio_picture_read(path, indices, &picture, NULL);
    if (status != SGIO_OK) return status;
    if (picture.size[0] != first->size[0] || picture.size[1] != first->size[1] ||
        picture.channels != first->channels || picture.type != first->type)
        return sgio_fail(SGIO_UNREADABLE,
                         "%s: %lld x %lld with %d channel(s), but the first picture is %lld x %lld "
                         "with %d",
                         path, (long long)picture.size[0], (long long)picture.size[1],
                         picture.channels, (long long)first->size[0], (long long)first->size[1],
                         first->channels);
    return sgio_picture_read(path, indices, &picture, pixels);
}

static sgio_status read_stack(const numbered_list *list, const sgio_read_options *options,
                              sgio_volume *out)
{
    sgio_picture first;
    const int indices = options->palette_indices;
    sgio_status status = sgio_picture_read(list->items[0].path, indices, &first, NULL);
    if (status != SGIO_OK) return status;
    set_picture_geometry(&first, (int64_t)list->count, out);
    status = name_frames(list, out);
    if (status == SGIO_OK) status = sgio_volume_allocate(out, list->items[0].path);
    size_t slice_bytes = (size_t)(first.size[0] * first.size[1]) * (size_t)first.channels *
                         sgio_raw_bytes((int)first.type);
    for (size_t k = 0; k < list->count && status == SGIO_OK; k++) {
        status =
            read_slice(list->items[k].path, indices, &first, (char *)out->data + k * slice_bytes);
        if (status == SGIO_OK)
            status = sgio_tell(options->progress, options->progress_user, k + 1, list->count);
    }
    return status;
}

static void warn_about_gaps(const char *path, const numbered_list *list,
                            const sgio_read_options *options)
{
    long span = list->items[list->count - 1].number - list->items[0].number + 1;
    if (span != (long)list->count)
        sgio_warn(options->warn, options->warn_user,
                  "%s: %zu pictures for the numbers %ld to %ld; the missing ones are not filled",
                  path, list->count, list->items[0].number, list->items[list->count - 1].number);
}

/* Directory and file-name pattern of "dir/frame_%03d.png"; *directory is malloc'ed. */
static const char *split_pattern(const char *path, char **directory)
{
    const char *slash = strrchr(path, '/');
    *directory = slash ? strndup(path, (size_t)(slash - path) + (slash == path)) : strdup(".");
    return slash ? slash + 1 : path;
}

/* The series that is meant: of a directory, or by a pattern. To be released with free_list, also
 * after a failure. */
static sgio_status find_series(const char *path, numbered_list *list)
{
    char *directory = NULL;
    size_t start, end;
    const char *pattern = NULL;
    *list = (numbered_list){NULL, 0};
    if (find_placeholder(path, &start, &end) == 0)
        pattern = split_pattern(path, &directory);
    else
        directory = strdup(path);
    if (!directory) return sgio_fail_memory(strlen(path), path);
    sgio_status status = list_pictures(directory, pattern, list);
    free(directory);
    return status == SGIO_OK ? check_series(path, list) : status;
}

sgio_status sgio_read_pictures(const char *path, const sgio_read_options *options, sgio_volume *out)
{
    numbered_list list;
    sgio_status status = find_series(path, &list);
    if (status == SGIO_OK) status = sgio_choose_only(path, options);
    if (status == SGIO_OK) status = read_stack(&list, options, out);
    if (status == SGIO_OK) {
        sgio_say_assumed(path, ALL_AXES, options, out);
        warn_about_gaps(path, &list, options);
    }
    free_list(&list);
    return status;
}

/* "1  (no UID)  pictures  640x480, 30 frames in time  1x1 mm" */
sgio_status sgio_list_pictures(const char *path, char **text)
{
    enum { LINE_BYTES = 128 };
    numbered_list list;
    sgio_picture first;
    sgio_status status = find_series(path, &list);
    if (status == SGIO_OK) status = sgio_picture_read(list.items[0].path, 0, &first, NULL);
    const size_t frames = list.count;
    free_list(&list);
    if (status != SGIO_OK) return status;
    *text = malloc(LINE_BYTES);
    if (!*text) return sgio_fail_memory(LINE_BYTES, path);
    snprintf(*text, LINE_BYTES, "1  (no UID)  pictures  %lldx%lld, %zu frame%s in time  1x1 mm\n",
             (long long)first.size[0], (long long)first.size[1], frames, frames > 1 ? "s" : "");
    return SGIO_OK;
}

sgio_status sgio_read_picture(const char *path, const sgio_read_options *options, sgio_volume *out)
{
    sgio_picture picture;
    const int indices = options->palette_indices;
    sgio_status status = sgio_picture_read(path, indices, &picture, NULL);
    if (status == SGIO_OK) status = sgio_choose_only(path, options);
    if (status != SGIO_OK) return status;
    set_picture_geometry(&picture, 1, out);
    sgio_say_assumed(path, ALL_AXES, options, out);
    status = sgio_volume_allocate(out, path);
    return status == SGIO_OK ? sgio_picture_read(path, indices, &picture, out->data) : status;
}

sgio_status sgio_list_picture(const char *path, char **text)
{
    sgio_picture picture;
    sgio_volume volume = {0};
    sgio_status status = sgio_picture_read(path, 0, &picture, NULL);
    if (status != SGIO_OK) return status;
    set_picture_geometry(&picture, 1, &volume);
    return sgio_list_volumes(path, "picture", &volume.geometry, 1, text);
}
