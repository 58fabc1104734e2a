/* What a patient person would mark: the prompts of the protocols, made from the truth.
 *
 * Everything is deterministic: the first voxel in memory order wins a tie. */
#ifndef QUALITY_VOLUMES_PROMPTS_H
#define QUALITY_VOLUMES_PROMPTS_H

#include "case.h"

enum { MOST_SEEDS = 24 };

/* A growing list of prompts for one object. */
typedef struct prompt_list {
    sgm_seed seeds[MOST_SEEDS];
    size_t seed_count;
    sgm_roi roi;
    int has_roi;
    const uint8_t *mask; /* borrowed */
} prompt_list;

sgm_object prompt_object(const prompt_list *list);

/* The deepest point of the object's cross-section at this share of its extent (0 first slice, 1 the
 * last), or where the object has none there, on the nearest slice that has. */
void prompt_add_inside(const volume_case *c, const truth *object, double share, prompt_list *list);
/* The deepest point of the largest cross-section. */
void prompt_add_middle(const volume_case *c, const truth *object, prompt_list *list);
/* The object's bounding box (whole voxels), 5 % longer along each axis. */
void prompt_set_box(const volume_case *c, const truth *object, prompt_list *list);

/* 5 mm (or 4 voxels, if that is less) outside the object's outline on one slice, in the quarter of
 * the box (5 % longer than the object's) that holds most background there. */
void prompt_add_outside(const volume_case *c, const truth *object, int64_t slice,
                        prompt_list *list);
/* As above on the two slices of the object's lower and upper half where the box holds most
 * background. */
void prompt_add_two_outside(const volume_case *c, const truth *object, prompt_list *list);

/* The slice at a share of the extent. */
int64_t prompt_slice(const volume_case *c, const truth *object, double share);

#endif
