/* Prompts from a file instead of drawn ones: what a reader clicked, what a detector found, or what
 * an experiment fixes. A line per point, "item,x,y,label" (label 1: object, 0: not), or per box,
 * "item,x0,y0,x1,y1", in pixels of the item; `item` is its name in the pack or "set/name"; a '#'
 * at a line's start or after a blank begins a comment. */
#ifndef SEGMODEL_TRAIN_GIVEN_PROMPTS_H
#define SEGMODEL_TRAIN_GIVEN_PROMPTS_H

#include "segmodel/segmodel.h"
#include "train/pack.h"

enum { SGM_GIVEN_POINTS = 16 }; /* of one item */

typedef struct sgm_given_prompt {
    sgm_point points[SGM_GIVEN_POINTS];
    int point_count;
    sgm_box box;
    bool has_box;
} sgm_given_prompt;

typedef struct sgm_given_prompts sgm_given_prompts;

/* SGM_UNREADABLE names file and line. The pack must outlive it. */
sgm_status sgm_given_prompts_read(const char *path, const sgm_pack *pack, sgm_given_prompts **out);
/* The same from text; `path` stands in messages. */
sgm_status sgm_given_prompts_parse(const char *text, const char *path, const sgm_pack *pack,
                                   sgm_given_prompts **out);
void sgm_given_prompts_destroy(sgm_given_prompts *given);

/* NULL where the file has none for that item. */
const sgm_given_prompt *sgm_given_prompt_of(const sgm_given_prompts *given, int item);
/* It as the library's prompt; borrows `given`. */
sgm_prompt sgm_given_as_prompt(const sgm_given_prompt *given);
/* Whether any has a point, or a box. */
bool sgm_given_has_points(const sgm_given_prompts *given);
bool sgm_given_has_boxes(const sgm_given_prompts *given);
/* Tokens of the longest (prompt_tokens.h). */
int sgm_given_tokens(const sgm_given_prompts *given);

#endif
