/* The quality protocol: how good a model is on data it was not trained on.
 *
 * Of each data set's validation images, slices of volumes among them (what is held out is marked),
 * up to `objects` objects are drawn: components of a class, a class in several pieces, a class with
 * what lies inside it; in sets of instances single instances. Each is asked for with one point
 * (deepest inside), three points, its tight box, and the box with one correction (deepest place of
 * the larger error; previous logits as mask prompt unless the model has a prompt prior), through
 * the same zooming predictor that users get. Rivals answer the same prompts. */
#ifndef SEGMODEL_QUALITY_QUALITY_H
#define SEGMODEL_QUALITY_QUALITY_H

#include "train/pack.h"

typedef enum sgm_quality_answer {
    SGM_ANSWER_POINT,
    SGM_ANSWER_POINTS,
    SGM_ANSWER_BOX,
    SGM_ANSWER_CORRECTED,
    SGM_ANSWER_BOX_POST, /* with predict/session/tight_box.h; all others without */
    SGM_ANSWER_ELLIPSE,
    SGM_ANSWER_GROWN_POINT,
    SGM_ANSWER_GROWN_POINTS,
    SGM_ANSWER_GROWN_BOX,
    SGM_ANSWER_COUNT
} sgm_quality_answer;

typedef struct sgm_quality_row {
    int set, item;
    int area;
    double dice[SGM_ANSWER_COUNT], surface[SGM_ANSWER_COUNT]; /* as segmodel/metrics.h */
} sgm_quality_row;

typedef struct sgm_quality_options {
    int objects;          /* per data set */
    int min_area;         /* pixels; smaller objects are noise of the labels */
    double tolerance;     /* of the surface Dice, pixels of the pack's image */
    bool without_volumes; /* pictures alone: no slice of a volume, no frame of a sequence */
    void (*progress)(void *user, int done, int all);
    void *progress_user;
} sgm_quality_options;

typedef struct sgm_quality {
    const sgm_pack *pack; /* borrowed */
    sgm_quality_row *rows;
    int count;
    int left_out; /* validation images that without_volumes kept out */
} sgm_quality;

sgm_status sgm_quality_measure(sgm_model *model, const sgm_pack *pack,
                               const sgm_quality_options *options, sgm_quality *out);
void sgm_quality_clear(sgm_quality *quality);

const char *sgm_answer_name(int answer);
/* One row per object. */
sgm_status sgm_quality_csv(const sgm_quality *quality, const char *path);
/* Tables per data set and modality, and the summary the acceptance rule speaks of: pooled error of
 * the box against the ellipse's over sets that are not thin. */
sgm_status sgm_quality_markdown(const sgm_quality *quality, const char *path);

#endif
