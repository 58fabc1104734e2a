#include "slice_masks.h"

#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"

int slice_masks_init(slice_masks *masks, int64_t slice, int width, int height, size_t count)
{
    *masks = (slice_masks){.slice = slice, .width = width, .height = height};
    masks->items = calloc(count + 1, sizeof *masks->items);
    if (!masks->items) return cli_fail(CLI_EXIT_MEMORY, "no memory for %zu masks", count);
    masks->count = count;
    return 0;
}

void slice_masks_clear(slice_masks *masks)
{
    for (size_t i = 0; i < masks->count; i++)
        free(masks->items[i].runs);
    free(masks->items);
    *masks = (slice_masks){0};
}

/* ----------------------------------------------------------------------------------------- runs */

/* Writes the runs, or only counts them. */
static size_t put_runs(const uint8_t *mask, int width, int height, uint32_t *runs)
{
    size_t count = 0;
    uint32_t length = 0;
    int inside = 0;
    for (int x = 0; x < width; x++)
        for (int y = 0; y < height; y++) {
            if ((mask[(size_t)y * (size_t)width + (size_t)x] != 0) != inside) {
                if (runs) runs[count] = length;
                count++;
                length = 0;
                inside = !inside;
            }
            length++;
        }
    if (runs) runs[count] = length;
    return count + 1;
}

static void measure(const slice_masks *masks, const uint8_t *mask, sgm_found *found)
{
    int first = 1;
    found->area = 0;
    memset(found->box, 0, sizeof found->box);
    for (int y = 0; y < masks->height; y++)
        for (int x = 0; x < masks->width; x++) {
            if (!mask[(size_t)y * (size_t)masks->width + (size_t)x]) continue;
            int *box = found->box;
            if (first || x < box[0]) box[0] = x;
            if (first) box[1] = y;
            if (first || x > box[2]) box[2] = x;
            box[3] = y;
            first = 0;
            found->area++;
        }
}

int slice_mask_take(slice_masks *masks, size_t index, const uint8_t *mask)
{
    slice_mask *m = &masks->items[index];
    m->run_count = put_runs(mask, masks->width, masks->height, NULL);
    m->runs = malloc(m->run_count * sizeof *m->runs);
    if (!m->runs) return cli_fail(CLI_EXIT_MEMORY, "no memory for a mask");
    put_runs(mask, masks->width, masks->height, m->runs);
    measure(masks, mask, &m->found);
    return 0;
}

void slice_mask_draw(const slice_masks *masks, size_t index, uint8_t *mask)
{
    const slice_mask *m = &masks->items[index];
    const size_t width = (size_t)masks->width, height = (size_t)masks->height;
    size_t at = 0;
    memset(mask, 0, width * height);
    for (size_t r = 0; r < m->run_count; at += m->runs[r++])
        for (size_t k = at; (r & 1) && k < at + m->runs[r]; k++)
            mask[k % height * width + k / height] = 1;
}

/* ---------------------------------------------------------------------------------------- order */

typedef struct sized_index {
    int64_t area;
    size_t index;
} sized_index;

static int compare(const void *a, const void *b)
{
    const sized_index *x = a, *y = b;
    if (x->area != y->area) return x->area < y->area ? 1 : -1;
    return (x->index > y->index) - (x->index < y->index);
}

size_t *slice_masks_by_area(const slice_masks *masks)
{
    sized_index *sorted = malloc((masks->count + 1) * sizeof *sorted);
    size_t *order = malloc((masks->count + 1) * sizeof *order);
    if (!sorted || !order) {
        free(sorted);
        free(order);
        return NULL;
    }
    for (size_t i = 0; i < masks->count; i++)
        sorted[i] = (sized_index){masks->items[i].found.area, i};
    qsort(sorted, masks->count, sizeof *sorted, compare);
    for (size_t i = 0; i < masks->count; i++)
        order[i] = sorted[i].index;
    free(sorted);
    return order;
}
