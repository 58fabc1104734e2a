/* How samples are drawn and asked where a network is trained as its authors do, instead of with our
 * own rounds (prompt_sim.h). */
#ifndef SEGMODEL_TRAIN_ASKED_H
#define SEGMODEL_TRAIN_ASKED_H

typedef enum sgm_asked {
    SGM_ASKED_MIXED,   /* the rounds of prompt_sim.h */
    SGM_ASKED_POINT,   /* one point of the object */
    SGM_ASKED_BOX,     /* the object's box */
    SGM_ASKED_NOTHING, /* no prompt: class maps, and networks that prompt themselves */
    SGM_ASKED_CLASS,   /* the object's class */
    SGM_ASKED_EITHER   /* a point or a box, evenly */
} sgm_asked;

typedef enum sgm_sample_view {
    SGM_VIEW_WINDOW, /* a window around an object */
    SGM_VIEW_WHOLE   /* the whole picture, as prediction shows it */
} sgm_sample_view;

/* What counts as an object. */
typedef enum sgm_object_kinds {
    SGM_OBJECTS_ANY,       /* objects.h: parts, classes, groups */
    SGM_OBJECTS_CLASS,     /* all pixels of a label value */
    SGM_OBJECTS_FOREGROUND /* all labelled pixels */
} sgm_object_kinds;

typedef enum sgm_draws {
    SGM_DRAWS_WEIGHTED, /* data sets evenly, then items, then objects by their size */
    SGM_DRAWS_EPOCHS    /* every item once, in another order each time; objects evenly */
} sgm_draws;

#endif
