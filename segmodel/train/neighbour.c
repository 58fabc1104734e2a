#include "train/neighbour.h"

#include <stdlib.h>
#include <string.h>

#include "train/mask_tools.h"

static uint8_t *blank(const sgm_pack_item *item)
{
    return calloc((size_t)item->width * (size_t)item->height, 1);
}

/* The object's mask over its whole item. */
static bool spread(const sgm_pack *pack, const sgm_target *o, uint8_t *mask)
{
    const sgm_pack_item *item = sgm_pack_item_at(pack, o->item);
    uint8_t *part = sgm_target_mask(pack, o);
    int width = o->x1 - o->x0 + 1;
    for (int y = o->y0; part && y <= o->y1; y++)
        memcpy(mask + (size_t)y * (size_t)item->width + o->x0, part + (y - o->y0) * width,
               (size_t)width);
    free(part);
    return part != NULL;
}

static bool belongs(const sgm_pack_item *item, const sgm_target *o, int x, int y)
{
    int value = sgm_pack_label(item, x, y);
    bool any = o->kind == SGM_TARGET_MERGED || o->kind == SGM_TARGET_FOREGROUND;
    return any ? value != 0 : value == o->label;
}

/* Whether the mask has a pixel at (x, y) or beside it. */
static bool is_beside(const uint8_t *mask, int width, int height, int x, int y)
{
    for (int v = y > 0 ? y - 1 : 0; v <= y + 1 && v < height; v++)
        for (int u = x > 0 ? x - 1 : 0; u <= x + 1 && u < width; u++)
            if (mask[v * width + u]) return true;
    return false;
}

/* Fills `out` with the object's pixels on `item` that are connected with places beside `from`. */
static bool follow(const sgm_pack_item *item, const sgm_target *o, const uint8_t *from,
                   uint8_t *out)
{
    int width = item->width, height = item->height, top = 0;
    int32_t *stack = malloc((size_t)width * (size_t)height * sizeof *stack);
    if (!stack) return false;
    memset(out, 0, (size_t)width * (size_t)height);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            if (belongs(item, o, x, y) && is_beside(from, width, height, x, y)) {
                out[y * width + x] = 1;
                stack[top++] = y * width + x;
            }
    while (top) {
        int at = stack[--top];
        for (int k = 0; k < 9; k++) {
            int x = at % width + k % 3 - 1, y = at / width + k / 3 - 1;
            if (x < 0 || y < 0 || x >= width || y >= height || out[y * width + x]) continue;
            if (!belongs(item, o, x, y)) continue;
            out[y * width + x] = 1;
            stack[top++] = y * width + x;
        }
    }
    free(stack);
    return true;
}

static sgm_target target_of(int item, const uint8_t *mask, int width, int height)
{
    sgm_mask_box b = sgm_mask_bounds(mask, width, height);
    return (sgm_target){
        .item = item, .x0 = b.x0, .y0 = b.y0, .x1 = b.x1, .y1 = b.y1, .area = b.area};
}

static int draw_step(sgm_rng *rng)
{
    int step = sgm_rng_chance(rng, 0.8) ? 1 : 2;
    return sgm_rng_chance(rng, 0.5) ? step : -step;
}

sgm_status sgm_neighbour_turn(const sgm_pack *pack, const sgm_target *object,
                              sgm_neighbour_pair *pair)
{
    uint8_t *asked = pair->neighbour;
    int item = pair->beside;
    pair->neighbour = pair->mask;
    pair->mask = asked;
    pair->beside = pair->item;
    pair->item = pair->frame.item = item;
    if (follow(sgm_pack_item_at(pack, item), object, pair->neighbour, pair->mask)) return SGM_OK;
    return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an object's masks");
}

/* From `here` to `there`, and with even chance back again: then the object's own slice is asked. */
static bool fill_pair(const sgm_pack *pack, const sgm_target *object, int there, sgm_rng *rng,
                      sgm_neighbour_pair *out)
{
    const sgm_pack_item *b = sgm_pack_item_at(pack, there);
    if (!spread(pack, object, out->neighbour) || !follow(b, object, out->neighbour, out->mask))
        return false;
    out->item = there;
    out->beside = object->item;
    out->frame = (sgm_target){.item = there, .x1 = b->width - 1, .y1 = b->height - 1};
    out->ended = !sgm_mask_bounds(out->mask, b->width, b->height).area;
    if (!out->ended && sgm_rng_chance(rng, 0.5) && sgm_neighbour_turn(pack, object, out) != SGM_OK)
        return false;
    out->extent = target_of(out->item, out->neighbour, b->width, b->height);
    return true;
}

sgm_status sgm_neighbour_draw(const sgm_pack *pack, const sgm_target *object, sgm_rng *rng,
                              sgm_neighbour_pair *out, bool *found)
{
    int step = draw_step(rng), there = sgm_pack_neighbour(pack, object->item, step);
    if (there < 0) there = sgm_pack_neighbour(pack, object->item, -step); /* the first or last */
    memset(out, 0, sizeof *out);
    *found = there >= 0;
    if (!*found) return SGM_OK;
    const sgm_pack_item *item = sgm_pack_item_at(pack, there);
    out->mask = blank(item);
    out->neighbour = blank(item);
    if (out->mask && out->neighbour && fill_pair(pack, object, there, rng, out)) return SGM_OK;
    sgm_neighbour_clear(out);
    return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an object's masks");
}

void sgm_neighbour_clear(sgm_neighbour_pair *pair)
{
    free(pair->mask);
    free(pair->neighbour);
    memset(pair, 0, sizeof *pair);
}
