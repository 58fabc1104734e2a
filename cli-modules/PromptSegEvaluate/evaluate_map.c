#include "evaluate_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "cli_exit.h"
#include "grids.h"

static int64_t slice_numbered(const sgio_volume *map, long number)
{
    for (int64_t k = 0; k < map->geometry.size[2]; k++)
        if (sgio_volume_frame_number(map, k) == number) return k;
    return -1;
}

static void warn_about_lack(const char *path, int64_t lacking, int64_t wanted,
                            cli_warnings *warnings)
{
    char sentence[1024];
    snprintf(sentence, sizeof sentence,
             "%.600s has no picture for %lld of %lld numbers: it is black there", path,
             (long long)lacking, (long long)wanted);
    if (lacking) cli_warn(warnings, sentence);
}

/* The map with a slice for every picture of the reference. */
static int deal(const char *path, const sgio_segmentation *reference, cli_warnings *warnings,
                sgio_volume *map)
{
    const int64_t frames = reference->geometry.size[2];
    const size_t pixels = (size_t)(map->geometry.size[0] * map->geometry.size[1]);
    uint8_t *dealt = calloc((size_t)frames, pixels);
    int64_t lacking = 0;
    if (!dealt) return cli_fail(CLI_EXIT_MEMORY, "out of memory for %s", path);
    for (int64_t k = 0; k < frames; k++) {
        const int64_t from = slice_numbered(map, reference->frame_numbers[k]);
        if (from >= 0)
            memcpy(dealt + (size_t)k * pixels, (uint8_t *)map->data + (size_t)from * pixels,
                   pixels);
        lacking += from < 0;
    }
    sgio_volume out = {.geometry = map->geometry, .type = SGIO_U8, .channels = 1, .data = dealt};
    out.geometry.size[2] = frames;
    sgio_volume_clear(map);
    *map = out;
    if (lacking == frames)
        return cli_fail(CLI_EXIT_INPUT, "%s: no picture has the number of one of the reference's",
                        path);
    warn_about_lack(path, lacking, frames, warnings);
    return 0;
}

static int lies_elsewhere(const char *path, const char *reference_path, const sgio_geometry *map,
                          const sgio_geometry *reference)
{
    char found[256], wanted[256];
    pipeline_grid_describe(map, found, sizeof found);
    pipeline_grid_describe(reference, wanted, sizeof wanted);
    return cli_fail(CLI_EXIT_INPUT,
                    "the map lies elsewhere than the reference: %s has %s; %s has %s. Resample it "
                    "to the reference first",
                    path, found, reference_path, wanted);
}

static int another_size(const char *path, const char *reference_path, const int64_t found[3],
                        const int64_t wanted[3])
{
    return cli_fail(CLI_EXIT_INPUT, "%s: %lld x %lld x %lld, but %s is %lld x %lld x %lld", path,
                    (long long)found[0], (long long)found[1], (long long)found[2], reference_path,
                    (long long)wanted[0], (long long)wanted[1], (long long)wanted[2]);
}

/* As a picture is read: 1 mm, at the origin. */
static int is_picture(const sgio_geometry *grid)
{
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 4; c++)
            if (grid->matrix[r][c] != (r == c)) return 0;
    return grid->size[2] == 1;
}

int evaluate_fit_map(const char *path, const char *reference_path,
                     const sgio_segmentation *reference, cli_warnings *warnings, sgio_volume *map)
{
    const sgio_geometry *grid = &reference->geometry;
    const int placed =
        !map->is_sequence && !map->spacing_assumed && !reference->is_sequence && !is_picture(grid);
    int failed = 0, fits = 1;
    if (map->type != SGIO_U8 || map->channels != 1)
        return cli_fail(CLI_EXIT_INPUT, "%s: a map is grey and has values of 0 to 255", path);
    if (map->frame_names && reference->frame_numbers)
        failed = deal(path, reference, warnings, map);
    else if (placed)
        failed = bridge_from_io(sgio_volume_fit(map, grid, sgio_geometry_rounding(grid), &fits));
    if (failed) return failed;
    if (memcmp(map->geometry.size, grid->size, sizeof grid->size) != 0)
        return another_size(path, reference_path, map->geometry.size, grid->size);
    return fits ? 0 : lies_elsewhere(path, reference_path, &map->geometry, grid);
}
