/* The objects of a pack that a user would ask for: what the quality protocol is about, and what
 * points are taught to mean. */
#ifndef SEGMODEL_QUALITY_QUALITY_OBJECTS_H
#define SEGMODEL_QUALITY_QUALITY_OBJECTS_H

#include "train/objects.h"

/* Appends those of one image. A region of touching classes is one thing to a user only where a
 * class or two lie inside another. */
sgm_status sgm_meant_objects_find(const sgm_pack *pack, int item, int min_area,
                                  sgm_target_list *list);

/* Keeps up to `wanted` of the objects from `first` on, which are one set's: shuffled (always in the
 * same way), then images in turn so that none dominates. */
void sgm_meant_objects_choose(sgm_target_list *list, size_t first, int wanted);

/* 1 where the object is, else 0, over its whole image. SGM_OUT_OF_MEMORY. */
sgm_status sgm_meant_object_paint(const sgm_pack *pack, const sgm_target *object, uint8_t *mask);

#endif
