#include "predict/everything/regions.h"

#include "core/status.h"

#include <stdlib.h>

typedef struct region_map {
    uint8_t *mask;
    int width, height;
    uint8_t inside; /* the value that regions have */
    uint8_t *seen;
    int *stack;
} region_map;

/* The 8-connected region around `start` goes to the stack; returns its size. */
static int64_t take_region(region_map *m, int start)
{
    int64_t size = 0;
    m->seen[start] = 1;
    m->stack[size++] = start;
    for (int64_t next = 0; next < size; next++) {
        int x = m->stack[next] % m->width, y = m->stack[next] / m->width;
        for (int v = y - (y > 0); v <= y + (y < m->height - 1); v++)
            for (int u = x - (x > 0); u <= x + (x < m->width - 1); u++) {
                int at = v * m->width + u;
                if (m->seen[at] || m->mask[at] != m->inside) continue;
                m->seen[at] = 1;
                m->stack[size++] = at;
            }
    }
    return size;
}

static void paint(region_map *m, int64_t size, uint8_t value)
{
    for (int64_t i = 0; i < size; i++)
        m->mask[m->stack[i]] = value;
}

/* Regions below `least` get the other value; *first_largest is where the largest of all began. */
static void remove_small(region_map *m, int64_t least, int64_t *largest, int *first_largest,
                         int *removed)
{
    int count = m->width * m->height;
    *largest = 0;
    *removed = 0;
    for (int i = 0; i < count; i++) {
        if (m->seen[i] || m->mask[i] != m->inside) continue;
        int64_t size = take_region(m, i);
        if (size > *largest) *largest = size, *first_largest = i;
        if (size >= least) continue;
        paint(m, size, !m->inside);
        *removed = 1;
    }
}

/* Brings the region around `start`, which was removed, back: its pixels are those that were seen
 * and hang together. */
static sgm_status bring_back(region_map *m, int start)
{
    region_map gone = *m;
    gone.mask = m->seen;
    gone.inside = 1;
    gone.seen = calloc((size_t)m->width * (size_t)m->height, 1);
    if (!gone.seen) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the regions of a mask");
    paint(m, take_region(&gone, start), m->inside);
    free(gone.seen);
    return SGM_OK;
}

sgm_status sgm_regions_remove(uint8_t *mask, int width, int height, int64_t least,
                              sgm_region_kind kind, int *changed)
{
    size_t count = (size_t)width * (size_t)height;
    region_map m = {.mask = mask,
                    .width = width,
                    .height = height,
                    .inside = kind == SGM_REGION_ISLANDS,
                    .seen = calloc(count, 1),
                    .stack = malloc(count * sizeof(int))};
    int64_t largest = 0;
    int first = 0;
    sgm_status status = SGM_OK;
    if (!m.seen || !m.stack)
        status = sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the regions of a mask");
    else
        remove_small(&m, least, &largest, &first, changed);
    if (status == SGM_OK && kind == SGM_REGION_ISLANDS && *changed && largest < least)
        status = bring_back(&m, first);
    free(m.seen);
    free(m.stack);
    return status;
}
