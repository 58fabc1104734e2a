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

/* The map, of a grid that lies in `grid` from `offset` on, with black around it. */
static int surround(const char *path, const sgio_geometry *grid, const int64_t offset[3],
                    cli_warnings *warnings, sgio_volume *map)
{
    char sentence[1024];
    const int64_t *from = map->geometry.size, *to = grid->size;
    uint8_t *wide = calloc((size_t)(to[0] * to[1]), (size_t)to[2]);
    if (!wide) return cli_fail(CLI_EXIT_MEMORY, "out of memory for %s", path);
    for (int64_t k = 0; k < from[2]; k++)
        for (int64_t j = 0; j < from[1]; j++)
            memcpy(wide + ((k + offset[2]) * to[1] + j + offset[1]) * to[0] + offset[0],
                   (const uint8_t *)map->data + (k * from[1] + j) * from[0], (size_t)from[0]);
    free(map->data);
    map->data = wide;
    map->geometry = *grid;
    snprintf(sentence, sizeof sentence,
             "%.600s does not reach as far as what is compared: it is black there", path);
    cli_warn(warnings, sentence);
    return 0;
}

/* What is compared may reach beyond the grid that a file had for itself, `own`; a map of that one
 * is of the file. */
static int fit_own(const char *path, const sgio_geometry *own, const sgio_geometry *grid,
                   cli_warnings *warnings, sgio_volume *map, int *fits)
{
    const double tolerance = sgio_geometry_rounding(grid);
    sgio_geometry turned;
    int64_t offset[3];
    if (sgio_geometry_turned_offset(own, grid, tolerance, &turned, offset) != 0) return 0;
    for (int axis = 0; axis < 3; axis++)
        if (offset[axis] < 0 || offset[axis] + turned.size[axis] > grid->size[axis]) return 0;
    const int failed = bridge_from_io(sgio_volume_fit(map, &turned, tolerance, fits));
    return failed || !*fits ? failed : surround(path, grid, offset, warnings, map);
}

static int fit(const char *path, const sgio_geometry own[2], const sgio_geometry *grid,
               cli_warnings *warnings, sgio_volume *map, int *fits)
{
    int failed = bridge_from_io(sgio_volume_fit(map, grid, sgio_geometry_rounding(grid), fits));
    for (int i = 0; i < 2 && !failed && !*fits; i++)
        failed = fit_own(path, &own[i], grid, warnings, map, fits);
    return failed;
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
                     const sgio_segmentation *reference, const sgio_geometry own[2],
                     cli_warnings *warnings, sgio_volume *map)
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
        failed = fit(path, own, grid, warnings, map, &fits);
    if (failed) return failed;
    if (memcmp(map->geometry.size, grid->size, sizeof grid->size) != 0)
        return another_size(path, reference_path, map->geometry.size, grid->size);
    return fits ? 0 : lies_elsewhere(path, reference_path, &map->geometry, grid);
}
