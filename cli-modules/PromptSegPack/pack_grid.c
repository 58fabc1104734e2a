#include "pack_grid.h"

#include <string.h>

#include "bridge.h"
#include "cli_exit.h"
#include "grids.h"

static int has_place(const sgio_volume *volume)
{
    return !volume->is_sequence && !volume->spacing_assumed;
}

static int different_sizes(const int64_t label[3], const int64_t image[3])
{
    return cli_fail(CLI_EXIT_INPUT,
                    "the label (%lld x %lld x %lld) does not fit its image (%lld x %lld x %lld)",
                    (long long)label[0], (long long)label[1], (long long)label[2],
                    (long long)image[0], (long long)image[1], (long long)image[2]);
}

static int different_grids(const sgio_geometry *label, const sgio_geometry *image)
{
    char of_label[256], of_image[256];
    pipeline_grid_describe(label, of_label, sizeof of_label);
    pipeline_grid_describe(image, of_image, sizeof of_image);
    return cli_fail(CLI_EXIT_INPUT,
                    "the label lies elsewhere than its image: it has %s; the image has %s. "
                    "Resample it to the image first",
                    of_label, of_image);
}

/* Pictures of two folders belong together by their numbers: 0 when all are the same. */
static int compare_numbers(const sgio_volume *label, const sgio_volume *image)
{
    if (!label->frame_names || !image->frame_names) return 0;
    for (int64_t k = 0; k < image->geometry.size[2]; k++) {
        const long found = sgio_volume_frame_number(label, k),
                   wanted = sgio_volume_frame_number(image, k);
        if (found != wanted)
            return cli_fail(CLI_EXIT_INPUT,
                            "the label's pictures are numbered otherwise than the image's: %s "
                            "stands where %s is wanted",
                            label->frame_names[k], image->frame_names[k]);
    }
    return 0;
}

int pack_grid_fit(const sgio_volume *image, sgio_volume *label)
{
    const sgio_geometry *grid = &image->geometry;
    int fits = 1, failed = 0;
    const int placed = has_place(image) && has_place(label);
    if (placed)
        failed = bridge_from_io(sgio_volume_fit(label, grid, sgio_geometry_rounding(grid), &fits));
    if (failed) return failed;
    if (memcmp(label->geometry.size, grid->size, sizeof grid->size) != 0)
        return different_sizes(label->geometry.size, grid->size);
    return fits ? compare_numbers(label, image) : different_grids(&label->geometry, grid);
}
