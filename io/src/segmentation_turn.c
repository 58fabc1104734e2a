#include "segmentation_turn.h"

#include "io_status.h"
#include "segmentation_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

sgio_turn sgio_turn_way(int way)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    sgio_turn turn;
    memcpy(turn.axis, orders[way / 8], sizeof turn.axis);
    for (int a = 0; a < 3; a++)
        turn.backwards[a] = way >> a & 1;
    return turn;
}

sgio_geometry sgio_turned_geometry(const sgio_geometry *from, const sgio_turn *turn)
{
    sgio_geometry out = *from;
    for (int a = 0; a < 3; a++) {
        const int source = turn->axis[a];
        out.size[a] = from->size[source];
        for (int r = 0; r < 3; r++) {
            const double step = from->matrix[r][source];
            out.matrix[r][a] = turn->backwards[a] ? -step : step;
            if (turn->backwards[a]) out.matrix[r][3] += step * (double)(out.size[a] - 1);
        }
    }
    return out;
}

double sgio_turn_nearest(const sgio_geometry *from, const sgio_geometry *to, sgio_turn *turn)
{
    double least = HUGE_VAL;
    for (int way = 0; way < SGIO_TURNS; way++) {
        const sgio_turn one = sgio_turn_way(way);
        const sgio_geometry turned = sgio_turned_geometry(from, &one);
        const double distance = sgio_geometry_distance(&turned, to);
        if (!(distance < least)) continue;
        least = distance;
        *turn = one;
    }
    return least;
}

int sgio_turn_find(const sgio_geometry *from, const sgio_geometry *to, double tolerance_mm,
                   sgio_turn *turn)
{
    return sgio_turn_nearest(from, to, turn) <= tolerance_mm;
}

int sgio_turn_find_offset(const sgio_geometry *from, const sgio_geometry *to, double tolerance_mm,
                          sgio_turn *turn, int64_t offset[3])
{
    for (int way = 0; way < SGIO_TURNS; way++) {
        *turn = sgio_turn_way(way);
        const sgio_geometry turned = sgio_turned_geometry(from, turn);
        if (sgio_geometry_offset(&turned, to, tolerance_mm, offset) == 0) return 1;
    }
    return 0;
}

int sgio_geometry_turned_offset(const sgio_geometry *from, const sgio_geometry *grid,
                                double tolerance_mm, sgio_geometry *turned, int64_t offset[3])
{
    sgio_turn turn;
    if (!sgio_turn_find_offset(from, grid, tolerance_mm, &turn, offset)) return -1;
    *turned = sgio_turned_geometry(from, &turn);
    return 0;
}

void sgio_turn_steps(const int64_t size[3], const sgio_turn *turn, int64_t *start, int64_t step[3])
{
    const int64_t stride[3] = {1, size[0], size[0] * size[1]};
    *start = 0;
    for (int a = 0; a < 3; a++) {
        const int source = turn->axis[a];
        step[a] = turn->backwards[a] ? -stride[source] : stride[source];
        if (turn->backwards[a]) *start += stride[source] * (size[source] - 1);
    }
}

static void turn_layer(const sgio_layer *from, const int64_t from_size[3], const int64_t size[3],
                       const sgio_turn *turn, sgio_layer *to)
{
    int64_t start, step[3];
    size_t next = 0;
    sgio_turn_steps(from_size, turn, &start, step);
    for (int64_t k = 0; k < size[2]; k++)
        for (int64_t j = 0; j < size[1]; j++)
            for (int64_t i = 0; i < size[0]; i++) {
                const int64_t at = start + i * step[0] + j * step[1] + k * step[2];
                sgio_layer_set(to, next++, sgio_layer_value(from, (size_t)at));
            }
}

static void turn_extent(const int64_t from[6], const int64_t size[3], const sgio_turn *turn,
                        int64_t to[6])
{
    for (int a = 0; a < 3; a++) {
        const int64_t first = from[2 * turn->axis[a]], last = from[2 * turn->axis[a] + 1];
        to[2 * a] = turn->backwards[a] ? size[a] - 1 - last : first;
        to[2 * a + 1] = turn->backwards[a] ? size[a] - 1 - first : last;
    }
}

sgio_status sgio_segmentation_turn(const sgio_segmentation *from, const sgio_geometry *to,
                                   const sgio_turn *turn, sgio_segmentation *out)
{
    sgio_status status = sgio_segmentation_init(out, to);
    const size_t bytes = (from->segment_count + 1) * sizeof *out->segments;
    if (status == SGIO_OK) out->segments = malloc(bytes);
    if (status == SGIO_OK && !out->segments) status = sgio_fail_memory(bytes, "a label map");
    for (size_t s = 0; status == SGIO_OK && s < from->segment_count; s++) {
        out->segments[s] = from->segments[s];
        if (from->segments[s].voxels > 0)
            turn_extent(from->segments[s].extent, to->size, turn, out->segments[s].extent);
        out->segment_count++;
    }
    for (size_t l = 0; status == SGIO_OK && l < from->layer_count; l++) {
        int layer;
        status = sgio_segmentation_add_layer(out, from->layers[l].bytes, &layer);
        if (status == SGIO_OK)
            turn_layer(&from->layers[l], from->geometry.size, to->size, turn, &out->layers[layer]);
    }
    return status;
}

void sgio_turned_clear(sgio_segmentation *turned)
{
    free(turned->segments);
    turned->segments = NULL;
    turned->segment_count = 0;
    sgio_segmentation_clear(turned);
}
