/* One prediction on a picture, from wherever the network has to look: the whole picture, or for
 * models of small input a crop around the prompt. */
#ifndef SEGMODEL_PREDICT_LOOK_LOOK_H
#define SEGMODEL_PREDICT_LOOK_LOOK_H

#include "predict/look/embedder.h"

/* In picture coordinates, as in sgm_prompt; all parts borrowed. */
typedef struct sgm_question {
    int64_t picture; /* its number, for the embedder */
    const sgm_image *image;
    const sgm_point *points;
    size_t point_count;
    const sgm_box *box;
    int loose_box;       /* as in sgm_prompt */
    const float *logits; /* low-res logits of `logits_view`, or NULL */
    sgm_view logits_view;
    const sgm_box *extent; /* of an earlier mask of the object, to choose a view by; may be NULL */
    sgm_view stay;         /* an earlier view to stay in while it serves; width 0: none */
    sgm_choice choice;
    sgm_tight_box tight_box;
    int class_index; /* as in sgm_prompt */
} sgm_question;

/* Owned by the looker, valid until its next question. */
typedef struct sgm_look {
    uint8_t *mask; /* 0/1, of the picture's size; the caller may change it */
    int width, height;
    int64_t area;   /* pixels of the mask */
    sgm_box extent; /* its bounding box, pixel centres; undefined when area is 0 */
    sgm_view view;
    float *low_res; /* of the chosen mask in `view` */
    sgm_mask raw;   /* as the network gave it: in `view`, valid as long as the look */
} sgm_look;

typedef struct sgm_looker {
    const sgm_predictor *predictor;
    sgm_embedder *embedder; /* borrowed */
    int zoom;               /* 0: always the whole picture */
    uint8_t *mask;
    size_t mask_size;
    sgm_point *points;
    size_t point_room;
    float *moved, *low_res;
    int64_t decoded; /* decodes so far */
} sgm_looker;

#define SGM_MOST_VIEWS 7

sgm_status sgm_looker_init(sgm_looker *looker, const sgm_predictor *predictor,
                           sgm_embedder *embedder, int zoom);
void sgm_looker_clear(sgm_looker *looker);

/* Answers a question.
 *
 * Zoomed: with a box or a mask, the view is `stay` if it serves, else one around them; when the
 * answer touches a side of the view, it is asked again in a view around prompt and answer.
 * With points alone: looks at several scales around the foreground points, takes the one that most
 * likely shows what a lone point means (point_rating.h) or whose answer the network rates best (not
 * touching the view), then looks again at a view around that answer; several points stay in `stay`
 * if it serves, so that a correcting click is one decode.
 *
 * SGM_BAD_PROMPT as sgm_session_predict. */
sgm_status sgm_look_at(sgm_looker *looker, const sgm_question *question, sgm_look *out);

/* One look in one view, without a choice. SGM_BAD_PROMPT as sgm_session_predict. */
sgm_status sgm_look_in(sgm_looker *looker, const sgm_question *question, sgm_view view,
                       sgm_look *out);

/* The views (at most SGM_MOST_VIEWS) that a question of this one point begins with. */
int sgm_looker_views(const sgm_looker *looker, const sgm_image *image, const sgm_point *point,
                     sgm_view *views);

/* Clears the pixels that the box (in pixel centres) does not reach into. */
void sgm_look_clip(sgm_look *look, const sgm_box *box);

#endif
