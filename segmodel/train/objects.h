/* What a user could mean in a label map: the objects that prompts are made for.
 *
 * In sets of instances every label value is one object. In sets of classes the objects are the
 * connected components of each class, a class with several components as a whole (both kidneys),
 * and touching components of different classes together (nested or layered structures). */
#ifndef SEGMODEL_TRAIN_OBJECTS_H
#define SEGMODEL_TRAIN_OBJECTS_H

#include "train/pack.h"

typedef enum sgm_target_kind {
    SGM_TARGET_COMPONENT, /* pixels of `label` connected (8 neighbours) with the seed */
    SGM_TARGET_VALUE,     /* all pixels of `label` */
    SGM_TARGET_MERGED,    /* pixels of any label connected with the seed */
    SGM_TARGET_FOREGROUND /* all labelled pixels */
} sgm_target_kind;

typedef struct sgm_target {
    int item;
    sgm_target_kind kind;
    int label;
    int seed_x, seed_y;
    int x0, y0, x1, y1; /* bounding box, inclusive */
    int area;           /* pixels */
} sgm_target;

typedef struct sgm_target_list {
    sgm_target *objects;
    size_t count, capacity;
} sgm_target_list;

/* Appends the objects of one item that have at least `min_area` pixels. */
sgm_status sgm_targets_find(const sgm_pack *pack, int item, int min_area, sgm_target_list *list);
/* The same where an object is all of a label value, or (foreground) of all values together. */
sgm_status sgm_targets_find_values(const sgm_pack *pack, int item, int min_area, bool foreground,
                                   sgm_target_list *list);
/* An object of no pixels: of an item that holds nothing. */
sgm_status sgm_targets_add_nothing(int item, sgm_target_list *list);
void sgm_target_list_clear(sgm_target_list *list);

/* 1 where the object is, over its bounding box, row-major; malloc'ed, NULL without memory. */
uint8_t *sgm_target_mask(const sgm_pack *pack, const sgm_target *object);

#endif
