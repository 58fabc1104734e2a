#include "evaluate_contours.h"

#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"
#include "evaluate_grid.h"
#include "evaluate_pairs.h"

/* Grows `extent`, which is empty where extent[0] > extent[1]. */
static void include(int64_t extent[6], const sgio_segment *structure)
{
    if (structure->voxels == 0) return;
    if (extent[0] > extent[1]) memcpy(extent, structure->extent, sizeof structure->extent);
    for (int axis = 0; axis < 3; axis++) {
        const int64_t *own = structure->extent + 2 * axis;
        if (own[0] < extent[2 * axis]) extent[2 * axis] = own[0];
        if (own[1] > extent[2 * axis + 1]) extent[2 * axis + 1] = own[1];
    }
}

/* What the structures reach that are compared. */
static int find_extent(const evaluate_contours *c, const sgio_segmentation *structures,
                       int64_t extent[6])
{
    evaluate_pairs pairs;
    const sgio_segmentation *reference = c->are_reference ? structures : c->other,
                            *prediction = c->are_reference ? c->other : structures;
    const int failed = evaluate_match(reference, prediction, c->label, &pairs);
    extent[0] = 0;
    extent[1] = -1;
    for (size_t i = 0; !failed && i < pairs.count; i++) {
        const evaluate_pair *pair = &pairs.items[i];
        const int index = c->are_reference ? pair->reference : pair->prediction;
        if (index >= 0) include(extent, &structures->segments[index]);
    }
    free(pairs.items);
    return failed;
}

static int refuse_vast(const evaluate_contours *c, const sgio_segmentation *structures,
                       const sgio_geometry *box)
{
    if (c->label > 0 || structures->segment_count < 2)
        return evaluate_far_apart(c->path, c->other_path, box);
    return cli_fail(CLI_EXIT_INPUT,
                    "%s: the box around all its structures and %s would have %lld x %lld x %lld "
                    "voxels; choose one by --label",
                    c->path, c->other_path, (long long)box->size[0], (long long)box->size[1],
                    (long long)box->size[2]);
}

int evaluate_contours_grid(const evaluate_contours *contours, sgio_geometry *grid)
{
    const sgio_geometry *own = &contours->other->geometry;
    sgio_segmentation structures;
    int64_t extent[6];
    *grid = *own;
    if (sgio_rtstruct_extents(contours->path, own, &structures) != SGIO_OK) return 0;
    int failed = find_extent(contours, &structures, extent);
    if (!failed && extent[0] <= extent[1]) {
        *grid = evaluate_grid_with(own, extent, evaluate_has_no_place(contours->other));
        if (evaluate_box_is_vast(grid, own, own)) failed = refuse_vast(contours, &structures, grid);
    }
    sgio_segmentation_clear(&structures);
    return failed;
}
