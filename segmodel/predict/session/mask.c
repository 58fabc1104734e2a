#include "predict/session/mask.h"

#include "core/status.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t sgm_mask_measure(const uint8_t *mask, int width, int height, sgm_box *extent)
{
    int64_t area = 0;
    int left = width, right = -1, top = height, bottom = -1;
    for (int y = 0; y < height; y++) {
        const uint8_t *row = mask + (size_t)y * (size_t)width;
        const uint8_t *first = memchr(row, 1, (size_t)width);
        if (!first) continue;
        int x = (int)(first - row), last = width - 1, in_row = 0;
        while (!row[last])
            last--;
        if (x < left) left = x;
        if (last > right) right = last;
        for (; x <= last; x++)
            in_row += row[x];
        area += in_row;
        if (top == height) top = y;
        bottom = y;
    }
    if (area) *extent = (sgm_box){left, top, right, bottom};
    return area;
}

/* ----------------------------------------------------------------------------- inner points */

/* A mask with a border of background, as distances to the background in thirds of a pixel. */
typedef struct depth_map {
    int width, height; /* with border */
    int *depth;
    int *stack;
} depth_map;

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Depth of `p` from the four neighbours already visited; dir 1: above and left, -1: the others. */
static int relax(const depth_map *map, const int *p, int dir)
{
    int row = map->width * dir;
    int depth = smaller(p[-dir] + 3, p[-row] + 3);
    return smaller(depth, smaller(p[-row - 1] + 4, p[-row + 1] + 4));
}

static void fill_depths(depth_map *map)
{
    for (int y = 1; y < map->height - 1; y++)
        for (int x = 1; x < map->width - 1; x++) {
            int *p = &map->depth[(size_t)y * (size_t)map->width + (size_t)x];
            if (*p) *p = smaller(*p, relax(map, p, 1));
        }
    for (int y = map->height - 2; y > 0; y--)
        for (int x = map->width - 2; x > 0; x--) {
            int *p = &map->depth[(size_t)y * (size_t)map->width + (size_t)x];
            if (*p) *p = smaller(*p, relax(map, p, -1));
        }
}

/* `mask` is the first of height x width pixels in rows of `stride`. */
static int depth_map_init(depth_map *map, const uint8_t *mask, int width, int height, int stride)
{
    size_t columns = (size_t)width + 2, count = columns * ((size_t)height + 2);
    *map = (depth_map){.width = width + 2, .height = height + 2};
    if (count > INT_MAX) return 0;
    map->depth = calloc(count, sizeof *map->depth);
    map->stack = malloc(sizeof *map->stack * count);
    if (!map->depth || !map->stack) return 0;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            if (mask[(size_t)y * (size_t)stride + (size_t)x])
                map->depth[((size_t)y + 1) * columns + (size_t)x + 1] = INT_MAX / 2;
    fill_depths(map);
    return 1;
}

static void depth_map_clear(depth_map *map)
{
    free(map->depth);
    free(map->stack);
}

/* Takes the 8-connected part around `seed` out of the map: its pixels go to the stack. */
static int take_part(depth_map *map, int seed)
{
    int size = 0;
    map->stack[size++] = seed;
    map->depth[seed] = -map->depth[seed];
    for (int next = 0; next < size; next++)
        for (int dy = -1; dy <= 1; dy++)
            for (int dx = -1; dx <= 1; dx++) {
                int neighbour = map->stack[next] + dy * map->width + dx;
                if (map->depth[neighbour] <= 0) continue;
                map->depth[neighbour] = -map->depth[neighbour];
                map->stack[size++] = neighbour;
            }
    return size;
}

/* Of the part's deepest pixels the one nearest to its centre. */
static sgm_point inner_point(const depth_map *map, int size)
{
    double cx = 0, cy = 0, nearest = INFINITY;
    int depth = map->depth[map->stack[0]], best = map->stack[0];
    for (int i = 0; i < size; i++) {
        cx += map->stack[i] % map->width;
        cy += (double)(map->stack[i] / map->width);
    }
    for (int i = 0; i < size; i++) {
        int at = map->stack[i];
        double distance = hypot(at % map->width - cx / size, at / map->width - cy / size);
        if (map->depth[at] != depth || distance >= nearest) continue;
        nearest = distance;
        best = at;
    }
    return (sgm_point){best % map->width - 1, (double)(best / map->width) - 1, SGM_FOREGROUND};
}

typedef struct mask_part {
    int seed, depth, size; /* seed: the first of its deepest pixels */
} mask_part;

static int compare_parts(const void *a, const void *b)
{
    const mask_part *x = a, *y = b;
    if (x->depth != y->depth) return x->depth > y->depth ? -1 : 1;
    return x->seed < y->seed ? -1 : 1;
}

static mask_part measure_part(depth_map *map, int pixel)
{
    mask_part part = {.size = take_part(map, pixel)};
    for (int i = 0; i < part.size; i++) {
        int at = map->stack[i], depth = -map->depth[at];
        if (depth < part.depth || (depth == part.depth && at > part.seed)) continue;
        part.depth = depth;
        part.seed = at;
    }
    return part;
}

/* All parts, the deepest first; malloc'ed. The map is as before. NULL: no memory. */
static mask_part *find_parts(depth_map *map, size_t *count)
{
    size_t room = 0;
    int pixels = map->width * map->height;
    mask_part *parts = NULL;
    *count = 0;
    for (int i = 0; i < pixels; i++) {
        if (map->depth[i] <= 0) continue;
        if (*count == room) {
            room = room ? 2 * room : 16;
            mask_part *grown = realloc(parts, room * sizeof *grown);
            if (!grown) {
                free(parts);
                return NULL;
            }
            parts = grown;
        }
        parts[(*count)++] = measure_part(map, i);
    }
    for (int i = 0; i < pixels; i++)
        map->depth[i] = abs(map->depth[i]);
    if (parts) qsort(parts, *count, sizeof *parts, compare_parts);
    return parts;
}

static sgm_status no_depths(void)
{
    return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the depths of a mask");
}

sgm_status sgm_mask_inner_points(const uint8_t *mask, int width, int height, size_t most,
                                 sgm_point *points, size_t *count)
{
    depth_map map;
    sgm_box box;
    size_t part_count;
    mask_part *parts = NULL;
    *count = 0;
    if (!sgm_mask_measure(mask, width, height, &box)) return SGM_OK;
    int left = (int)box.x0, top = (int)box.y0;
    if (depth_map_init(&map, mask + (size_t)top * (size_t)width + (size_t)left,
                       (int)box.x1 - left + 1, (int)box.y1 - top + 1, width))
        parts = find_parts(&map, &part_count);
    for (size_t i = 0; parts && i < part_count && *count < most; i++) {
        if (5 * (int64_t)parts[i].size < parts[0].size) continue;
        points[*count] = inner_point(&map, take_part(&map, parts[i].seed));
        points[*count].x += left;
        points[(*count)++].y += top;
    }
    const sgm_status status = parts ? SGM_OK : no_depths();
    free(parts);
    depth_map_clear(&map);
    return status;
}

sgm_status sgm_mask_place_of(const uint8_t *mask, int width, int height, int x, int y,
                             sgm_mask_place *place)
{
    depth_map map;
    sgm_box box;
    *place = (sgm_mask_place){0};
    if (!mask[(size_t)y * (size_t)width + (size_t)x]) return SGM_OK;
    sgm_mask_measure(mask, width, height, &box);
    int left = (int)box.x0, top = (int)box.y0;
    if (depth_map_init(&map, mask + (size_t)top * (size_t)width + (size_t)left,
                       (int)box.x1 - left + 1, (int)box.y1 - top + 1, width)) {
        int at = (y - top + 1) * map.width + x - left + 1, most = 0;
        place->depth = map.depth[at] / 3.0;
        int size = take_part(&map, at); /* which turns the signs of depths */
        for (int i = 0; i < size; i++)
            most = smaller(most, map.depth[map.stack[i]]);
        place->deepest = -most / 3.0;
        place->part = size;
    }
    depth_map_clear(&map);
    return place->part ? SGM_OK : no_depths();
}

sgm_status sgm_mask_depth(const uint8_t *mask, int width, int height, int x, int y, double *depth)
{
    sgm_mask_place place;
    *depth = 0;
    SGM_TRY(sgm_mask_place_of(mask, width, height, x, y, &place));
    if (place.part) *depth = place.depth / place.deepest;
    return SGM_OK;
}

/* ------------------------------------------------------------------------------------ other */

void sgm_mask_centre(const uint8_t *mask, int width, int height, double *x, double *y)
{
    double sum_x = 0, sum_y = 0, count = 0;
    for (int row = 0; row < height; row++)
        for (int column = 0; column < width; column++)
            if (mask[(size_t)row * (size_t)width + (size_t)column]) {
                sum_x += column;
                sum_y += row;
                count++;
            }
    *x = sum_x / count;
    *y = sum_y / count;
}

enum { OUTSIDE = 2 };

/* Marks the background 4-connected to the border of the picture. */
static void mark_outside(uint8_t *mask, int width, int height, int *stack)
{
    int size = 0, columns = width, count = width * height;
    for (int i = 0; i < count; i++) {
        int x = i % columns, y = i / columns;
        if (mask[i] || (x && y && x < width - 1 && y < height - 1)) continue;
        mask[i] = OUTSIDE;
        stack[size++] = i;
    }
    while (size) {
        int at = stack[--size], x = at % columns;
        const int neighbours[4] = {x ? at - 1 : at, x < width - 1 ? at + 1 : at,
                                   at >= columns ? at - columns : at,
                                   at < count - columns ? at + columns : at};
        for (int n = 0; n < 4; n++) {
            if (mask[neighbours[n]]) continue;
            mask[neighbours[n]] = OUTSIDE;
            stack[size++] = neighbours[n];
        }
    }
}

sgm_status sgm_mask_fill_holes(uint8_t *mask, int width, int height)
{
    size_t count = (size_t)width * (size_t)height;
    int *stack = malloc(sizeof *stack * count);
    if (!stack) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to fill holes");
    mark_outside(mask, width, height, stack);
    for (size_t i = 0; i < count; i++)
        mask[i] = mask[i] != OUTSIDE;
    free(stack);
    return SGM_OK;
}
