#include "train/objects.h"

#include <stdlib.h>
#include <string.h>

/* Connected regions of an item, by flood fill with a stack of pixels. */
typedef struct region_map {
    const sgm_pack_item *item;
    uint8_t *seen;
    int32_t *stack;
} region_map;

static bool region_begin(region_map *map, const sgm_pack_item *item)
{
    size_t pixels = (size_t)item->width * (size_t)item->height;
    map->item = item;
    map->seen = calloc(pixels, 1);
    map->stack = malloc(pixels * sizeof *map->stack);
    return map->seen && map->stack;
}

static void region_end(region_map *map)
{
    free(map->seen);
    free(map->stack);
}

static void region_restart(region_map *map)
{
    memset(map->seen, 0, (size_t)map->item->width * (size_t)map->item->height);
}

static bool belongs(const region_map *map, int x, int y, int label)
{
    int value = sgm_pack_label(map->item, x, y);
    return label ? value == label : value != 0;
}

static void grow_box(sgm_target *object, int x, int y)
{
    if (x < object->x0) object->x0 = x;
    if (x > object->x1) object->x1 = x;
    if (y < object->y0) object->y0 = y;
    if (y > object->y1) object->y1 = y;
}

/* Marks the region of (x, y) as seen; label 0 stands for any foreground. True if the region holds
 * more than one label. */
static bool flood(region_map *map, int x, int y, int label, sgm_target *object)
{
    int width = map->item->width, height = map->item->height, top = 0;
    int first = sgm_pack_label(map->item, x, y);
    bool mixed = false;
    *object =
        (sgm_target){.label = label, .seed_x = x, .seed_y = y, .x0 = x, .y0 = y, .x1 = x, .y1 = y};
    map->stack[top++] = y * width + x;
    map->seen[y * width + x] = 1;
    while (top) {
        int at = map->stack[--top], cx = at % width, cy = at / width;
        object->area++;
        grow_box(object, cx, cy);
        mixed |= sgm_pack_label(map->item, cx, cy) != first;
        for (int k = 0; k < 9; k++) {
            int nx = cx + k % 3 - 1, ny = cy + k / 3 - 1;
            if (nx < 0 || ny < 0 || nx >= width || ny >= height) continue;
            int next = ny * width + nx;
            if (map->seen[next] || !belongs(map, nx, ny, label)) continue;
            map->seen[next] = 1;
            map->stack[top++] = next;
        }
    }
    return mixed;
}

static sgm_status append(sgm_target_list *list, const sgm_target *object)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 1024;
        sgm_target *grown = realloc(list->objects, capacity * sizeof *grown);
        if (!grown) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for the list of objects");
        list->objects = grown;
        list->capacity = capacity;
    }
    list->objects[list->count++] = *object;
    return SGM_OK;
}

/* Components of each class, or mixed regions of all classes. */
static sgm_status find_regions(region_map *map, int item, bool merged, int min_area,
                               sgm_target_list *list)
{
    for (int y = 0; y < map->item->height; y++)
        for (int x = 0; x < map->item->width; x++) {
            int label = sgm_pack_label(map->item, x, y);
            if (!label || map->seen[y * map->item->width + x]) continue;
            sgm_target object;
            bool mixed = flood(map, x, y, merged ? 0 : label, &object);
            if (object.area < min_area || (merged && !mixed)) continue;
            object.item = item;
            object.kind = merged ? SGM_TARGET_MERGED : SGM_TARGET_COMPONENT;
            SGM_TRY(append(list, &object));
        }
    return SGM_OK;
}

/* The union of all pixels of one value. */
static void add_to_value(sgm_target *object, int item, int label, int x, int y)
{
    if (!object->area)
        *object = (sgm_target){.item = item,
                               .kind = SGM_TARGET_VALUE,
                               .label = label,
                               .seed_x = x,
                               .seed_y = y,
                               .x0 = x,
                               .y0 = y,
                               .x1 = x,
                               .y1 = y};
    object->area++;
    grow_box(object, x, y);
}

static sgm_status find_values(const sgm_pack_item *item, int index, sgm_target *values)
{
    for (int y = 0; y < item->height; y++)
        for (int x = 0; x < item->width; x++) {
            int label = sgm_pack_label(item, x, y);
            if (label) add_to_value(&values[label], index, label, x, y);
        }
    return SGM_OK;
}

static int components_of(const sgm_target_list *list, size_t first, size_t end, int label)
{
    int count = 0;
    for (size_t i = first; i < end; i++)
        count += list->objects[i].label == label;
    return count;
}

enum { MAX_PARTS = 8 }; /* a class in more pieces is texture, not something a user points at */

static sgm_status append_values(const sgm_target *values, int value_count, bool instances,
                                int min_area, size_t first, sgm_target_list *list)
{
    size_t end = list->count;
    for (int label = 1; label < value_count; label++) {
        if (values[label].area < min_area) continue;
        int parts = instances ? 0 : components_of(list, first, end, label);
        if (instances || (parts >= 2 && parts <= MAX_PARTS)) SGM_TRY(append(list, &values[label]));
    }
    return SGM_OK;
}

static sgm_status find_all(region_map *map, int index, bool instances, int min_area,
                           sgm_target *values, sgm_target_list *list)
{
    size_t first = list->count;
    if (!instances) {
        SGM_TRY(find_regions(map, index, false, min_area, list));
    }
    SGM_TRY(find_values(map->item, index, values));
    SGM_TRY(append_values(values, map->item->label_bytes == 1 ? 256 : 65536, instances, min_area,
                          first, list));
    if (instances) return SGM_OK;
    region_restart(map);
    return find_regions(map, index, true, min_area, list);
}

sgm_status sgm_targets_find(const sgm_pack *pack, int index, int min_area, sgm_target_list *list)
{
    const sgm_pack_item *item = sgm_pack_item_at(pack, index);
    region_map map = {0};
    sgm_target *values = calloc(item->label_bytes == 1 ? 256 : 65536, sizeof *values);
    sgm_status status = SGM_OK;
    if (!region_begin(&map, item) || !values)
        status = sgm_fail(SGM_OUT_OF_MEMORY, "no memory to look for objects");
    else
        status = find_all(&map, index, sgm_pack_set_at(pack, item->set)->instances, min_area,
                          values, list);
    region_end(&map);
    free(values);
    return status;
}

/* Values 1.. of an item, or all of them as one. */
static sgm_status append_all_values(sgm_target *values, int value_count, bool foreground,
                                    int min_area, sgm_target_list *list)
{
    sgm_target all = {0};
    for (int label = 1; label < value_count; label++) {
        const sgm_target *v = &values[label];
        if (!foreground && v->area >= min_area && v->area > 0) SGM_TRY(append(list, v));
        if (!v->area) continue;
        if (!all.area) all = *v;
        grow_box(&all, v->x0, v->y0);
        grow_box(&all, v->x1, v->y1);
        all.area += all.label == label ? 0 : v->area;
    }
    all.kind = SGM_TARGET_FOREGROUND;
    return foreground && all.area >= min_area && all.area > 0 ? append(list, &all) : SGM_OK;
}

sgm_status sgm_targets_find_values(const sgm_pack *pack, int index, int min_area, bool foreground,
                                   sgm_target_list *list)
{
    const sgm_pack_item *item = sgm_pack_item_at(pack, index);
    int count = item->label_bytes == 1 ? 256 : 65536;
    sgm_target *values = calloc((size_t)count, sizeof *values);
    if (!values) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory to look for objects");
    sgm_status status = find_values(item, index, values);
    if (status == SGM_OK) status = append_all_values(values, count, foreground, min_area, list);
    free(values);
    return status;
}

sgm_status sgm_targets_add_nothing(int item, sgm_target_list *list)
{
    const sgm_target nothing = {.item = item, .kind = SGM_TARGET_FOREGROUND};
    return append(list, &nothing);
}

void sgm_target_list_clear(sgm_target_list *list)
{
    free(list->objects);
    memset(list, 0, sizeof *list);
}

/* Flood fill inside the object's box only. */
static bool fill_component(const sgm_pack_item *item, const sgm_target *o, uint8_t *mask)
{
    int width = o->x1 - o->x0 + 1, height = o->y1 - o->y0 + 1, top = 0;
    int32_t *stack = malloc((size_t)width * (size_t)height * sizeof *stack);
    if (!stack) return false;
    int seed = (o->seed_y - o->y0) * width + o->seed_x - o->x0;
    mask[seed] = 1;
    stack[top++] = seed;
    while (top) {
        int at = stack[--top];
        for (int k = 0; k < 9; k++) {
            int x = at % width + k % 3 - 1, y = at / width + k / 3 - 1;
            if (x < 0 || y < 0 || x >= width || y >= height || mask[y * width + x]) continue;
            int value = sgm_pack_label(item, x + o->x0, y + o->y0);
            if (o->kind == SGM_TARGET_MERGED ? !value : value != o->label) continue;
            mask[y * width + x] = 1;
            stack[top++] = y * width + x;
        }
    }
    free(stack);
    return true;
}

uint8_t *sgm_target_mask(const sgm_pack *pack, const sgm_target *o)
{
    const sgm_pack_item *item = sgm_pack_item_at(pack, o->item);
    int width = o->x1 - o->x0 + 1, height = o->y1 - o->y0 + 1;
    uint8_t *mask = calloc((size_t)width * (size_t)height, 1);
    if (!mask) return NULL;
    if (o->kind != SGM_TARGET_VALUE && o->kind != SGM_TARGET_FOREGROUND) {
        if (fill_component(item, o, mask)) return mask;
        free(mask);
        return NULL;
    }
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            int value = sgm_pack_label(item, x + o->x0, y + o->y0);
            mask[y * width + x] = o->kind == SGM_TARGET_VALUE ? value == o->label : value != 0;
        }
    return mask;
}
