/* Fits the weights by which a lone point chooses among looks at several scales
 * (predict/look/point_rating.h).
 *
 * On a pack's training images, volumes' slices among them, up to `objects` objects of each set are
 * asked for by one point, as users get it: of six objects four by their innermost place, where
 * people click, one anywhere inside, one anywhere in their deeper half. The weights make the
 * greatest expected Dice when a look is drawn with probability softmax(rating / 0.1), sets weighing
 * alike. */
#ifndef SEGMODEL_QUALITY_POINT_FIT_H
#define SEGMODEL_QUALITY_POINT_FIT_H

#include "predict/look/look.h"
#include "predict/look/point_rating.h"
#include "train/pack.h"

/* One look at one object's point. */
typedef struct sgm_point_look {
    double terms[SGM_POINT_TERMS];
    double dice;
} sgm_point_look;

typedef struct sgm_point_case {
    int set, item, area;
    int count; /* of looks that are not empty */
    sgm_point_look looks[SGM_MOST_VIEWS];
} sgm_point_case;

typedef struct sgm_point_fit_options {
    int objects;     /* per data set */
    int min_area;    /* pixels; smaller objects are noise of the labels */
    bool validation; /* validation images in place of those to train on */
    void (*progress)(void *user, int done, int all);
    void *progress_user;
} sgm_point_fit_options;

typedef struct sgm_point_cases {
    const sgm_pack *pack; /* borrowed */
    int set_count;
    sgm_point_case *cases;
    int count;
} sgm_point_cases;

/* SGM_INVALID_ARGUMENT for a network that looks at whole pictures alone. */
sgm_status sgm_points_have_scales(const sgm_model *model);

/* Asks for every object, of a network that has scales. SGM_UNREADABLE when the pack has none. Thin
 * sets are left out. */
sgm_status sgm_point_cases_measure(sgm_model *model, const sgm_pack *pack,
                                   const sgm_point_fit_options *options, sgm_point_cases *out);
void sgm_point_cases_clear(sgm_point_cases *cases);

/* SGM_OUT_OF_MEMORY. The same weights on every machine for the same cases, up to rounding. */
sgm_status sgm_point_rating_fit(const sgm_point_cases *cases, sgm_point_rating *out);

/* Mean over sets of the Dice of the looks that a rating chooses (NULL: the predicted IoU), and of
 * the best look. */
typedef struct sgm_point_score {
    double chosen, best;
} sgm_point_score;
sgm_point_score sgm_point_cases_score(const sgm_point_cases *cases, const sgm_point_rating *rating);

/* One row per look. */
sgm_status sgm_point_cases_csv(const sgm_point_cases *cases, const char *path);

#endif
