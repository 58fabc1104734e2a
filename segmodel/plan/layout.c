#include "plan/layout.h"

#include <stdlib.h>

#include "core/status.h"

static size_t aligned(size_t size)
{
    return (size + SGM_ALIGNMENT - 1) / SGM_ALIGNMENT * SGM_ALIGNMENT;
}

static int larger_first(const void *a, const void *b)
{
    const sgm_lifetime *x = *(sgm_lifetime *const *)a, *y = *(sgm_lifetime *const *)b;
    if (x->size != y->size) return x->size < y->size ? 1 : -1;
    return x < y ? -1 : x > y; /* a fixed order, so that plans are reproducible */
}

static int meet_in_time(const sgm_lifetime *a, const sgm_lifetime *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* Inserts `piece` into `placed` (sorted by offset) at the lowest gap among those it meets. */
static void place(sgm_lifetime **placed, int count, sgm_lifetime *piece)
{
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        if (!meet_in_time(placed[i], piece)) continue;
        if (at + aligned(piece->size) <= placed[i]->offset) break;
        size_t end = placed[i]->offset + aligned(placed[i]->size);
        if (end > at) at = end;
    }
    piece->offset = at;
    int i = count;
    for (; i > 0 && placed[i - 1]->offset > at; i--)
        placed[i] = placed[i - 1];
    placed[i] = piece;
}

sgm_status sgm_layout(sgm_lifetime *pieces, int count, size_t *total)
{
    sgm_lifetime **order = malloc(2 * (size_t)(count ? count : 1) * sizeof *order);
    if (!order) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to lay out %d values", count);
    sgm_lifetime **placed = order + count;
    for (int i = 0; i < count; i++)
        order[i] = &pieces[i];
    qsort(order, (size_t)count, sizeof *order, larger_first);
    *total = 0;
    for (int i = 0; i < count; i++) {
        if (order[i]->size == 0) {
            order[i]->offset = 0;
            order[i]->last = order[i]->first - 1; /* meets nobody */
        }
        place(placed, i, order[i]);
        size_t end = order[i]->offset + aligned(order[i]->size);
        if (end > *total) *total = end;
    }
    free(order);
    return SGM_OK;
}
