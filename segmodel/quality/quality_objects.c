#include "quality/quality_objects.h"

#include "train/rng.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void sgm_meant_objects_choose(sgm_target_list *list, size_t first, int wanted)
{
    size_t count = list->count - first, kept = 0;
    sgm_target *o = list->objects + first;
    sgm_rng rng = sgm_rng_at(21, first + 1);
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)sgm_rng_below(&rng, (int64_t)i);
        sgm_target swap = o[i - 1];
        o[i - 1] = o[j];
        o[j] = swap;
    }
    for (int most = 0; kept < count && kept < (size_t)wanted && most < wanted; most++)
        for (size_t i = kept; i < count && kept < (size_t)wanted; i++) {
            int same = 0;
            for (size_t k = 0; k < kept; k++)
                same += o[k].item == o[i].item;
            if (same > most) continue;
            sgm_target swap = o[kept];
            o[kept++] = o[i];
            o[i] = swap;
        }
    list->count = first + kept;
}

enum { MAX_CLASSES = 3 };

typedef struct class_extent {
    int label, x0, y0, x1, y1;
} class_extent;

/* Classes of a region with their extents; MAX_CLASSES + 1 when there are more. */
static int find_classes(const sgm_pack_item *item, const sgm_target *o, const uint8_t *mask,
                        class_extent classes[MAX_CLASSES + 1])
{
    int count = 0;
    for (int y = o->y0; y <= o->y1; y++)
        for (int x = o->x0; x <= o->x1; x++) {
            if (!*mask++) continue;
            int label = sgm_pack_label(item, x, y), k = 0;
            while (k < count && classes[k].label != label)
                k++;
            if (k == count) classes[count++] = (class_extent){label, x, y, x, y};
            if (count > MAX_CLASSES) return count;
            classes[k].x0 = x < classes[k].x0 ? x : classes[k].x0;
            classes[k].x1 = x > classes[k].x1 ? x : classes[k].x1;
            classes[k].y1 = y;
        }
    return count;
}

/* Whether a region of touching classes is one thing to a user: a class or two inside another, as
 * grey matter in the cord or a tumour in the liver, not neighbouring organs. */
static sgm_status is_nested(const sgm_pack *pack, const sgm_target *o, bool *nested)
{
    class_extent classes[MAX_CLASSES + 1];
    uint8_t *mask = sgm_target_mask(pack, o);
    if (!mask) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an object's mask");
    int count = find_classes(sgm_pack_item_at(pack, o->item), o, mask, classes), inside = 0;
    free(mask);
    for (int k = 0; k < count; k++)
        inside += classes[k].x0 > o->x0 && classes[k].y0 > o->y0 && classes[k].x1 < o->x1 &&
                  classes[k].y1 < o->y1;
    *nested = count <= MAX_CLASSES && inside == count - 1;
    return SGM_OK;
}

sgm_status sgm_meant_objects_find(const sgm_pack *pack, int item, int min_area,
                                  sgm_target_list *list)
{
    size_t first = list->count, kept = first;
    SGM_TRY(sgm_targets_find(pack, item, min_area, list));
    for (size_t i = first; i < list->count; i++) {
        bool meant = true;
        if (list->objects[i].kind == SGM_TARGET_MERGED)
            SGM_TRY(is_nested(pack, &list->objects[i], &meant));
        if (meant) list->objects[kept++] = list->objects[i];
    }
    list->count = kept;
    return SGM_OK;
}

sgm_status sgm_meant_object_paint(const sgm_pack *pack, const sgm_target *object, uint8_t *mask)
{
    const sgm_pack_item *item = sgm_pack_item_at(pack, object->item);
    uint8_t *part = sgm_target_mask(pack, object);
    if (!part) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for an object's mask");
    int width = object->x1 - object->x0 + 1;
    memset(mask, 0, (size_t)item->width * (size_t)item->height);
    for (int y = object->y0; y <= object->y1; y++)
        memcpy(mask + y * item->width + object->x0, part + (y - object->y0) * width, (size_t)width);
    free(part);
    return SGM_OK;
}
