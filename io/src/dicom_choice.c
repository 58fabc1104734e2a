#include "dicom_choice.h"

#include "dicom_listing.h"
#include "io_status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HINT_BYTES = 256, NOTE_BYTES = 64 };

static int is_number(const char *series)
{
    return series[0] && series[strspn(series, "0123456789")] == 0;
}

static int is_list(const char *series)
{
    return strcmp(series, "all") == 0 || strpbrk(series, ",-") != NULL;
}

/* Whether filling gaps would make one volume of the several there are. */
static int gaps_would_join(const sgio_dicom_slices *slices, const sgio_dicom_volumes *volumes)
{
    sgio_dicom_volumes joined;
    if (volumes->count < 2) return 0;
    int one =
        sgio_dicom_sort(slices, SGIO_DICOM_JOIN_STACKS, &joined) == SGIO_OK && joined.count == 1;
    sgio_dicom_volumes_clear(&joined);
    return one;
}

static int has_slice(const sgio_dicom_volume *volume, size_t slice)
{
    for (size_t i = 0; i < volume->count; i++)
        if (volume->slices[i] == slice) return 1;
    return 0;
}

/* Whether a volume of the listing is a single slice of that joined one. */
static int is_part(const sgio_dicom_volume *listed, const sgio_dicom_volume *joined)
{
    return listed->count == 1 && has_slice(joined, listed->slices[0]);
}

/* "--series 2-25 joins 24 of one slice" for the numbers of the listing in `joined`; "" where none
 * of them is such a one. */
static void write_ranges(const sgio_dicom_volumes *listed, const sgio_dicom_volume *joined,
                         char hint[HINT_BYTES])
{
    size_t used = (size_t)snprintf(hint, HINT_BYTES,
                                   "; volumes of one slice that lie evenly are "
                                   "joined by --series ");
    for (size_t i = 0, first = 1; i < listed->count; i++) {
        size_t start = i;
        if (!is_part(&listed->items[i], joined)) continue;
        while (i + 1 < listed->count && is_part(&listed->items[i + 1], joined))
            i++;
        if (used + 48 > HINT_BYTES) break;
        used +=
            (size_t)snprintf(hint + used, HINT_BYTES - used, "%s%zu", first ? "" : ",", start + 1);
        if (i > start) used += (size_t)snprintf(hint + used, HINT_BYTES - used, "-%zu", i + 1);
        first = 0;
    }
    if (hint[used - 1] == ' ') hint[0] = 0;
}

/* One series UID per slice: what would join the most of them, "" when nothing does. */
static void find_joinable(const sgio_dicom_slices *slices, const sgio_dicom_volumes *listed,
                          char hint[HINT_BYTES])
{
    sgio_dicom_volumes joined;
    const sgio_dicom_volume *best = NULL;
    double spacing;
    hint[0] = 0;
    sgio_status status = sgio_dicom_sort(slices, SGIO_DICOM_JOIN_SERIES, &joined);
    for (size_t i = 0; status == SGIO_OK && i < joined.count; i++) {
        const sgio_dicom_volume *volume = &joined.items[i];
        double deviation = sgio_dicom_unevenness(slices, volume->slices, volume->count, &spacing);
        if (volume->count >= 3 && sgio_dicom_is_even(deviation, spacing) &&
            (!best || volume->count > best->count))
            best = volume;
    }
    if (best && best->count <= listed->count) write_ranges(listed, best, hint);
    sgio_dicom_volumes_clear(&joined);
}

/* Whole lines as far as `room` bytes hold them, and how many more there are. */
static void shorten_list(char *text, size_t room)
{
    size_t more = 0;
    if (strlen(text) <= room) return;
    char *end = text + (room > NOTE_BYTES ? room - NOTE_BYTES : 0);
    while (end > text && end[-1] != '\n')
        end--;
    for (const char *line = end; line; line = strchr(line + 1, '\n'))
        more++;
    snprintf(end, NOTE_BYTES, "... %zu more, see --listSeries", more);
}

static sgio_status refuse(const char *path, const char *problem, const sgio_dicom_slices *slices,
                          const sgio_dicom_volumes *volumes)
{
    char joinable[HINT_BYTES];
    char *text = sgio_dicom_list(slices, volumes);
    if (!text) return sgio_fail_memory(volumes->count, path);
    size_t length = strlen(text);
    if (length > 0) text[length - 1] = 0;
    const char *gaps = gaps_would_join(slices, volumes) ? " or join them with --allowGaps" : "";
    find_joinable(slices, volumes, joinable);
    static const char format[] = "%s: %s; choose with --series number%s%s:\n%s";
    int head = snprintf(NULL, 0, format, path, problem, gaps, joinable, "");
    shorten_list(text, head < SGIO_MESSAGE_BYTES - 1 ? (size_t)(SGIO_MESSAGE_BYTES - 1 - head) : 0);
    sgio_status status = sgio_fail(SGIO_UNREADABLE, format, path, problem, gaps, joinable, text);
    free(text);
    return status;
}

/* Of the file that the user named; of an enhanced one that may be true of several volumes. */
static int has_named_slice(const sgio_dicom_slices *slices, const sgio_dicom_volume *volume)
{
    for (size_t i = 0; i < volume->count; i++)
        if (volume->slices[i] < slices->named) return 1;
    return 0;
}

static sgio_status choose_by_path(const char *path, const sgio_dicom_slices *slices,
                                  const sgio_dicom_volumes *volumes, size_t *chosen)
{
    char problem[64];
    size_t holding = 0;
    *chosen = 0;
    if (volumes->count == 1) return SGIO_OK;
    for (size_t i = 0; i < volumes->count; i++) {
        if (!has_named_slice(slices, &volumes->items[i])) continue;
        *chosen = i;
        holding++;
    }
    if (holding == 1) return SGIO_OK;
    snprintf(problem, sizeof problem, "holds %zu volumes", holding > 1 ? holding : volumes->count);
    return refuse(path, problem, slices, volumes);
}

/* How many volumes are of that series; the last one in *chosen. */
static size_t count_of_uid(const sgio_dicom_slices *slices, const sgio_dicom_volumes *volumes,
                           const char *uid, size_t *chosen)
{
    size_t found = 0;
    for (size_t i = 0; i < volumes->count; i++) {
        if (strcmp(slices->items[volumes->items[i].slices[0]].series_uid, uid) != 0) continue;
        *chosen = i;
        found++;
    }
    return found;
}

static sgio_status choose_one(const char *path, const sgio_dicom_slices *slices,
                              const sgio_dicom_volumes *volumes, const char *series, size_t *chosen)
{
    char problem[160];
    if (!is_number(series)) {
        size_t found = count_of_uid(slices, volumes, series, chosen);
        if (found == 1) return SGIO_OK;
        snprintf(problem, sizeof problem, "series %.80s has %zu volumes", series, found);
        return refuse(path, problem, slices, volumes);
    }
    unsigned long number = strtoul(series, NULL, 10);
    if (number >= 1 && number <= volumes->count) {
        *chosen = number - 1;
        return SGIO_OK;
    }
    snprintf(problem, sizeof problem, "has no volume number %.20s", series);
    return refuse(path, problem, slices, volumes);
}

/* Marks the volumes that one part of a list names: "3", "4-7", a UID. -1 when there is none. */
static int mark_part(const sgio_dicom_slices *slices, const sgio_dicom_volumes *volumes,
                     const char *part, char *marks)
{
    char *end;
    int found = 0;
    unsigned long first = strtoul(part, &end, 10), last = first;
    if (*end == '-') last = strtoul(end + 1, &end, 10);
    if (*end == 0 && end > part) {
        if (first < 1 || last < first || last > volumes->count) return -1;
        memset(marks + first - 1, 1, last - first + 1);
        return 0;
    }
    for (size_t i = 0; i < volumes->count; i++) {
        if (strcmp(slices->items[volumes->items[i].slices[0]].series_uid, part) != 0) continue;
        marks[i] = 1;
        found = 1;
    }
    return found ? 0 : -1;
}

static sgio_status mark_volumes(const char *path, const sgio_dicom_slices *slices,
                                const sgio_dicom_volumes *volumes, const char *series, char *marks)
{
    char problem[160], *rest = NULL;
    sgio_status status = SGIO_OK;
    char *list = strdup(series);
    if (!list) return sgio_fail_memory(strlen(series), path);
    if (strcmp(series, "all") == 0) memset(marks, 1, volumes->count);
    char *part = strcmp(series, "all") == 0 ? NULL : strtok_r(list, ",", &rest);
    for (; part && status == SGIO_OK; part = strtok_r(NULL, ",", &rest)) {
        part += strspn(part, " ");
        if (mark_part(slices, volumes, part, marks) == 0) continue;
        snprintf(problem, sizeof problem, "has no volume \"%.80s\"", part);
        status = refuse(path, problem, slices, volumes);
    }
    free(list);
    return status;
}

static int compare_indices(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* Leaves the slices of marked volumes, in their order. */
static sgio_status keep_marked(const char *path, sgio_dicom_slices *slices,
                               const sgio_dicom_volumes *volumes, const char *marks)
{
    size_t *kept = malloc((slices->count + 1) * sizeof *kept), count = 0, next = 0;
    if (!kept) return sgio_fail_memory(slices->count * sizeof *kept, path);
    for (size_t i = 0; i < volumes->count; i++)
        for (size_t k = 0; k < volumes->items[i].count && marks[i]; k++)
            kept[count++] = volumes->items[i].slices[k];
    qsort(kept, count, sizeof *kept, compare_indices);
    for (size_t i = 0; i < slices->count; i++) {
        if (next < count && kept[next] == i) {
            slices->items[next++] = slices->items[i];
            continue;
        }
        sgio_dicom_slice_clear(&slices->items[i]);
    }
    slices->count = count;
    slices->named = 0;
    free(kept);
    return SGIO_OK;
}

static sgio_status join_listed(const char *path, sgio_dicom_slices *slices, const char *series,
                               int join, sgio_dicom_volumes *volumes)
{
    char problem[96];
    char *marks = calloc(volumes->count + 1, 1);
    if (!marks) return sgio_fail_memory(volumes->count, path);
    sgio_status status = mark_volumes(path, slices, volumes, series, marks);
    if (status == SGIO_OK) status = keep_marked(path, slices, volumes, marks);
    free(marks);
    if (status != SGIO_OK) return status;
    const sgio_dicom_copies alike = volumes->alike;
    sgio_dicom_volumes_clear(volumes);
    status = sgio_dicom_sort(slices, join | SGIO_DICOM_JOIN_SERIES, volumes);
    volumes->alike = alike;
    if (status != SGIO_OK || volumes->count == 1) return status;
    snprintf(problem, sizeof problem, "what --series names forms %zu volumes, not one",
             volumes->count);
    return refuse(path, problem, slices, volumes);
}

/* Numbers count in the listing, where stacks of different spacing are apart. */
sgio_status sgio_dicom_choose(const char *path, sgio_dicom_slices *slices, const char *series,
                              int allow_gaps, sgio_dicom_volumes *volumes, size_t *chosen)
{
    int join = allow_gaps ? SGIO_DICOM_JOIN_STACKS : 0, by_number;
    if (!series) series = "";
    by_number = is_number(series) || is_list(series);
    *chosen = 0;
    sgio_status status = sgio_dicom_sort(slices, by_number ? 0 : join, volumes);
    if (status != SGIO_OK) return status;
    if (!series[0]) return choose_by_path(path, slices, volumes, chosen);
    if (!is_list(series)) return choose_one(path, slices, volumes, series, chosen);
    return join_listed(path, slices, series, join, volumes);
}
