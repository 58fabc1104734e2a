#include "contours.h"

#include "io_status.h"

#include <stdlib.h>
#include <string.h>

/* A corner of an outline lies between two neighbouring pixels, one inside and one outside. Its
 * number says which: first all pairs along rows, then all pairs along columns, with a rim of pixels
 * outside around the picture. */
typedef struct tracer {
    const uint8_t *mask;
    int width, height;
    size_t row_pairs, pairs; /* along rows; all */
    uint32_t *next;          /* of a node: its successor; nodes below `pairs` are corners, further
                              * ones copies of corners */
    uint32_t *corner;        /* of a node: its corner */
    size_t nodes, room;
} tracer;

static const uint32_t none = UINT32_MAX;

static int inside(const tracer *t, int x, int y)
{
    if (x < 0 || y < 0 || x >= t->width || y >= t->height) return 0;
    return t->mask[(size_t)y * (size_t)t->width + (size_t)x] != 0;
}

/* Between (x, y) and its neighbour to the right, or below. */
static uint32_t row_pair(const tracer *t, int x, int y)
{
    return (uint32_t)((size_t)y * (size_t)(t->width + 1) + (size_t)(x + 1));
}

static uint32_t column_pair(const tracer *t, int x, int y)
{
    return (uint32_t)(t->row_pairs + (size_t)(y + 1) * (size_t)t->width + (size_t)x);
}

/* In halves of a pixel. */
static void place_of(const tracer *t, uint32_t corner, int32_t place[2])
{
    size_t width = (size_t)t->width, n = corner;
    if (n < t->row_pairs) {
        place[0] = (int32_t)(2 * (n % (width + 1))) - 1;
        place[1] = (int32_t)(2 * (n / (width + 1)));
        return;
    }
    n -= t->row_pairs;
    place[0] = (int32_t)(2 * (n % width));
    place[1] = (int32_t)(2 * (n / width)) - 1;
}

/* Where it is written: a unit from the middle towards the pixel inside. */
static void point_of(const tracer *t, uint32_t corner, int32_t point[2])
{
    int32_t place[2];
    place_of(t, corner, place);
    const int along = corner < t->row_pairs ? 0 : 1; /* the axis that the pair lies along */
    const int x = along == 0 ? (place[0] - 1) / 2 : place[0] / 2;
    const int y = along == 1 ? (place[1] - 1) / 2 : place[1] / 2;
    const int before_is_inside = place[along] > 0 && inside(t, x, y);
    for (int axis = 0; axis < 2; axis++)
        point[axis] = place[axis] * (SGIO_CONTOUR_UNITS / 2);
    point[along] += before_is_inside ? -1 : 1;
}

/* The four pixels around the corner point below and right of (x, y), clockwise. Every run of pixels
 * inside has one stretch of outline, from the pair before it to the pair behind it. */
static void link_around(tracer *t, int x, int y)
{
    const int in[4] = {inside(t, x, y), inside(t, x + 1, y), inside(t, x + 1, y + 1),
                       inside(t, x, y + 1)};
    if (in[0] + in[1] + in[2] + in[3] == 0 || in[0] + in[1] + in[2] + in[3] == 4) return;
    for (int start = 0; start < 4; start++) {
        if (!in[start] || in[(start + 3) % 4]) continue;
        int end = start;
        while (in[(end + 1) % 4])
            end = (end + 1) % 4;
        uint32_t pairs[4] = {none, none, none, none};
        if (y >= 0) pairs[0] = row_pair(t, x, y);
        if (x + 1 < t->width) pairs[1] = column_pair(t, x + 1, y);
        if (y + 1 < t->height) pairs[2] = row_pair(t, x, y + 1);
        if (x >= 0) pairs[3] = column_pair(t, x, y);
        t->next[pairs[(start + 3) % 4]] = pairs[end];
    }
}

static sgio_status prepare(tracer *t)
{
    size_t width = (size_t)t->width, height = (size_t)t->height;
    t->row_pairs = (width + 1) * height;
    t->pairs = t->nodes = t->row_pairs + width * (height + 1);
    t->room = t->pairs + 64;
    t->next = malloc(t->room * sizeof *t->next);
    t->corner = malloc(t->room * sizeof *t->corner);
    if (!t->next || !t->corner) return sgio_fail_memory(2 * t->room * sizeof *t->next, "contours");
    memset(t->next, 0xff, t->pairs * sizeof *t->next);
    for (size_t i = 0; i < t->pairs; i++)
        t->corner[i] = (uint32_t)i;
    for (int y = -1; y < t->height; y++)
        for (int x = -1; x < t->width; x++)
            link_around(t, x, y);
    return SGIO_OK;
}

/* Twice the signed area, in halves of pixels: outlines run so that it is negative, holes the other
 * way round. *leftmost is the corner of least x, of those the first. */
static int64_t measure(const tracer *t, uint32_t start, uint32_t *leftmost)
{
    int64_t area = 0;
    int32_t least = INT32_MAX, a[2], b[2];
    uint32_t node = start;
    do {
        place_of(t, t->corner[node], a);
        place_of(t, t->corner[t->next[node]], b);
        area += (int64_t)a[0] * b[1] - (int64_t)b[0] * a[1];
        if (a[0] < least) {
            least = a[0];
            *leftmost = node;
        }
        node = t->next[node];
    } while (node != start);
    return area;
}

typedef struct ring {
    uint32_t start; /* of a hole: its leftmost corner */
    int32_t x;      /* of that corner */
    int is_hole;
} ring;

static sgio_status add_ring(ring **rings, size_t *count, const ring *added)
{
    if ((*count & (*count - 1)) == 0) { /* grows at powers of two */
        size_t room = *count ? 2 * *count : 1;
        ring *grown = realloc(*rings, room * sizeof *grown);
        if (!grown) return sgio_fail_memory(room * sizeof *grown, "contours");
        *rings = grown;
    }
    (*rings)[(*count)++] = *added;
    return SGIO_OK;
}

static void mark_ring(const tracer *t, uint32_t start, uint8_t *seen)
{
    uint32_t node = start;
    do {
        seen[node] = 1;
        node = t->next[node];
    } while (node != start);
}

static sgio_status find_rings(const tracer *t, ring **rings, size_t *count)
{
    uint8_t *seen = calloc(t->pairs, 1);
    sgio_status status = seen ? SGIO_OK : sgio_fail_memory(t->pairs, "contours");
    for (uint32_t node = 0; node < t->pairs && status == SGIO_OK; node++) {
        uint32_t leftmost = node;
        int32_t place[2];
        if (t->next[node] == none || seen[node]) continue;
        mark_ring(t, node, seen);
        int is_hole = measure(t, node, &leftmost) > 0;
        place_of(t, t->corner[leftmost], place);
        const ring found = {leftmost, place[0], is_hole};
        status = add_ring(rings, count, &found);
    }
    free(seen);
    return status;
}

static sgio_status copy_node(tracer *t, uint32_t node, uint32_t *copy)
{
    if (t->nodes == t->room) {
        size_t room = 2 * t->room;
        uint32_t *next = realloc(t->next, room * sizeof *next);
        if (next) t->next = next;
        uint32_t *corner = next ? realloc(t->corner, room * sizeof *corner) : NULL;
        if (!corner) return sgio_fail_memory(room * sizeof *corner, "contours");
        t->corner = corner;
        t->room = room;
    }
    *copy = (uint32_t)t->nodes++;
    t->corner[*copy] = t->corner[node];
    t->next[*copy] = t->next[node];
    return SGIO_OK;
}

/* From the leftmost corner of a hole to the left all is inside up to a corner of the outline around
 * it, or of a hole that lies further left and is joined already: out and back along that line. */
static sgio_status join_hole(tracer *t, uint32_t hole)
{
    int32_t place[2];
    uint32_t hole_copy, target_copy;
    place_of(t, t->corner[hole], place);
    int x = (place[0] - 1) / 2, y = place[1] / 2; /* the pixel inside, left of the corner */
    while (inside(t, x, y))
        x--;
    uint32_t target = row_pair(t, x, y);
    sgio_status status = copy_node(t, hole, &hole_copy);
    if (status == SGIO_OK) status = copy_node(t, target, &target_copy);
    if (status != SGIO_OK) return status;
    t->next[target] = hole_copy;
    t->next[hole] = target_copy;
    return SGIO_OK;
}

static int from_left(const void *a, const void *b)
{
    const ring *x = a, *y = b;
    if (x->x != y->x) return x->x < y->x ? -1 : 1;
    return (x->start > y->start) - (x->start < y->start);
}

static int is_straight(const int32_t a[2], const int32_t b[2], const int32_t c[2])
{
    int64_t x1 = b[0] - a[0], y1 = b[1] - a[1], x2 = c[0] - b[0], y2 = c[1] - b[1];
    return x1 * y2 == x2 * y1 && x1 * x2 + y1 * y2 > 0;
}

/* A polygon without the corners on straight stretches. */
static void put_ring(const tracer *t, uint32_t start, sgio_contours *out)
{
    uint32_t node = start;
    int32_t before[2], here[2], behind[2];
    point_of(t, t->corner[node], before);
    do {
        node = t->next[node];
        point_of(t, t->corner[node], here);
        point_of(t, t->corner[t->next[node]], behind);
        if (is_straight(before, here, behind)) continue;
        memcpy(out->points[out->point_count++], here, sizeof here);
        memcpy(before, here, sizeof here);
    } while (node != start);
    out->starts[++out->count] = out->point_count;
}

static sgio_status put_rings(const tracer *t, const ring *rings, size_t count, sgio_contours *out)
{
    out->points = malloc((t->nodes + 1) * sizeof *out->points);
    out->starts = malloc((count + 1) * sizeof *out->starts);
    if (!out->points || !out->starts) return sgio_fail_memory(t->nodes, "contours");
    out->starts[0] = 0;
    for (size_t i = 0; i < count; i++)
        if (!rings[i].is_hole) put_ring(t, rings[i].start, out);
    return SGIO_OK;
}

static sgio_status trace(tracer *t, ring **rings, sgio_contours *out)
{
    size_t count = 0;
    sgio_status status = prepare(t);
    if (status == SGIO_OK) status = find_rings(t, rings, &count);
    if (status == SGIO_OK && count > 0) qsort(*rings, count, sizeof **rings, from_left);
    for (size_t i = 0; i < count && status == SGIO_OK; i++)
        if ((*rings)[i].is_hole) status = join_hole(t, (*rings)[i].start);
    return status == SGIO_OK ? put_rings(t, *rings, count, out) : status;
}

sgio_status sgio_trace_contours(const uint8_t *mask, int width, int height, sgio_contours *out)
{
    tracer t = {.mask = mask, .width = width, .height = height};
    ring *rings = NULL;
    memset(out, 0, sizeof *out);
    sgio_status status = trace(&t, &rings, out);
    free(rings);
    free(t.next);
    free(t.corner);
    return status;
}

void sgio_contours_clear(sgio_contours *contours)
{
    free(contours->points);
    free(contours->starts);
    memset(contours, 0, sizeof *contours);
}
