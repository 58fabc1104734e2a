/* Files of several volumes (4-D): which one is meant, and a list of them. */
#include "volume_share.h"

#include "io_status.h"
#include "text_number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 0 where the text is no number from 1 to `count`. */
static int64_t number_of(const char *text, int64_t count)
{
    char *end;
    if (!text[0] || text[strspn(text, "0123456789")]) return 0;
    const long long number = strtoll(text, &end, 10);
    return number >= 1 && number <= count ? number : 0;
}

sgio_status sgio_choose_only(const char *path, const sgio_read_options *options)
{
    const char *series = options->series;
    if (!series || !series[0] || options->series_may_be_others || number_of(series, 1) == 1)
        return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE, "%s: holds one volume, number 1, not \"%.64s\"", path,
                     series);
}

sgio_status sgio_choose_volume(const char *path, const sgio_geometry *grid,
                               const sgio_read_options *options, sgio_voxel_share *share)
{
    const int64_t *size = grid->size;
    const char *series = options->series;
    share->number = 0;
    if (share->count == 1) return sgio_choose_only(path, options);
    const int64_t number = series ? number_of(series, share->count) : 0;
    share->number = number - 1;
    if (number > 0) return SGIO_OK;
    return sgio_fail(
        SGIO_UNREADABLE,
        "%s: holds %lld volumes of %lld x %lld x %lld voxels, wanted one%s%.40s%s; of an "
        "input --series number chooses it (1 to %lld)",
        path, (long long)share->count, (long long)size[0], (long long)size[1], (long long)size[2],
        series ? ", not \"" : "", series ? series : "", series ? "\"" : "",
        (long long)share->count);
}

sgio_status sgio_list_volumes(const char *path, const char *format, const sgio_geometry *grid,
                              int64_t count, char **text)
{
    enum { LINE_BYTES = 160 };
    double spacing[3];
    size_t used = 0;
    const int64_t *size = grid->size;
    if (count > SGIO_MOST_VOLUMES) count = SGIO_MOST_VOLUMES;
    *text = malloc((size_t)count * LINE_BYTES + 1);
    if (!*text) return sgio_fail_memory((size_t)count * LINE_BYTES, path);
    sgio_geometry_spacing(grid, spacing);
    for (int64_t n = 1; n <= count; n++)
        used += (size_t)sgio_print(*text + used, LINE_BYTES,
                                   "%lld  (no UID)  %s  %lldx%lldx%lld  %gx%gx%.4g mm\n",
                                   (long long)n, format, (long long)size[0], (long long)size[1],
                                   (long long)size[2], spacing[0], spacing[1], spacing[2]);
    return SGIO_OK;
}
