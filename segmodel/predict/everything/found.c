#include "predict/everything/found.h"

#include "core/status.h"

#include <stdlib.h>
#include <string.h>

static sgm_status reserve(sgm_everything *all, size_t count)
{
    if (count <= all->room) return SGM_OK;
    size_t room = all->room ? all->room : 64;
    while (room < count)
        room *= 2;
    sgm_candidate *items = realloc(all->items, room * sizeof *items);
    if (!items) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu masks", room);
    all->items = items;
    all->room = room;
    return SGM_OK;
}

sgm_status sgm_everything_add(sgm_everything *all, sgm_candidate candidate)
{
    sgm_status status = reserve(all, all->count + 1);
    if (status == SGM_OK)
        all->items[all->count++] = candidate;
    else
        sgm_packed_mask_clear(&candidate.mask);
    return status;
}

sgm_status sgm_everything_move(sgm_everything *to, sgm_everything *from)
{
    if (!from->count) return SGM_OK;
    SGM_TRY(reserve(to, to->count + from->count));
    memcpy(to->items + to->count, from->items, from->count * sizeof *from->items);
    to->count += from->count;
    from->count = 0;
    return SGM_OK;
}

void sgm_everything_clear(sgm_everything *all)
{
    for (size_t i = 0; i < all->count; i++)
        sgm_packed_mask_clear(&all->items[i].mask);
    free(all->items);
    *all = (sgm_everything){.width = all->width, .height = all->height};
}

/* ---------------------------------------------------------------------------------------- order */

typedef struct ranked {
    float score;
    size_t place;
} ranked;

/* A score that is not a number comes last. */
static int compare(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->score > y->score) return -1;
    if (x->score < y->score) return 1;
    int x_is = x->score == x->score, y_is = y->score == y->score;
    if (x_is != y_is) return y_is - x_is;
    return (x->place > y->place) - (x->place < y->place);
}

static float overlap(const int a[4], const int b[4])
{
    float left = a[0] > b[0] ? (float)a[0] : (float)b[0];
    float top = a[1] > b[1] ? (float)a[1] : (float)b[1];
    float right = a[2] < b[2] ? (float)a[2] : (float)b[2];
    float bottom = a[3] < b[3] ? (float)a[3] : (float)b[3];
    float width = right > left ? right - left : 0, height = bottom > top ? bottom - top : 0;
    float area_a = (float)(a[2] - a[0]) * (float)(a[3] - a[1]);
    float area_b = (float)(b[2] - b[0]) * (float)(b[3] - b[1]);
    float both = width * height;
    return both / (area_a + area_b - both);
}

static int overlaps_any(const sgm_candidate *kept, size_t count, const int box[4], double threshold)
{
    for (size_t i = 0; i < count; i++)
        if (overlap(kept[i].found.box, box) > threshold) return 1;
    return 0;
}

/* Of the candidates in the order of `order` those that `all` keeps; the others go. */
static void sift(sgm_everything *all, const ranked *order, sgm_candidate *sorted, double threshold)
{
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++) {
        sgm_candidate *c = &all->items[order[i].place];
        if (threshold < 1 && overlaps_any(sorted, kept, c->found.box, threshold))
            sgm_packed_mask_clear(&c->mask);
        else
            sorted[kept++] = *c;
    }
    if (kept) memcpy(all->items, sorted, kept * sizeof *sorted);
    all->count = kept;
}

sgm_status sgm_everything_suppress(sgm_everything *all, const float *scores, double threshold)
{
    ranked *order = malloc((all->count + 1) * sizeof *order);
    sgm_candidate *sorted = malloc((all->count + 1) * sizeof *sorted);
    sgm_status status = SGM_OK;
    if (order && sorted) {
        for (size_t i = 0; i < all->count; i++)
            order[i] = (ranked){scores[i], i};
        qsort(order, all->count, sizeof *order, compare);
        sift(all, order, sorted, threshold);
    } else {
        status = sgm_fail(SGM_OUT_OF_MEMORY, "no memory to sort %zu masks", all->count);
    }
    free(order);
    free(sorted);
    return status;
}

/* -------------------------------------------------------------------------------- for the caller
 */

void sgm_everything_destroy(sgm_everything *all)
{
    if (!all) return;
    sgm_everything_clear(all);
    free(all);
}

size_t sgm_everything_count(const sgm_everything *all)
{
    return all->count;
}

void sgm_everything_get(const sgm_everything *all, size_t index, sgm_found *found)
{
    *found = all->items[index].found;
}

void sgm_everything_mask(const sgm_everything *all, size_t index, uint8_t *mask)
{
    sgm_packed_mask_unpack(&all->items[index].mask, all->width, all->height, mask);
}
