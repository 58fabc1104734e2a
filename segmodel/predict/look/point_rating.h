/* Which of several looks at a point shows what the point means. A network's predicted IoU says how
 * well a mask fits something; it was not taught whether a vessel, the organ around it or the whole
 * body is meant. So a file may bring a rating across scales: a weighted sum of what one look is
 * like, fitted to what points mean in labelled pictures (quality/point_fit.h). */
#ifndef SEGMODEL_PREDICT_LOOK_POINT_RATING_H
#define SEGMODEL_PREDICT_LOOK_POINT_RATING_H

#include "predict/look/predictor.h"

struct sgm_question;
struct sgm_look;

/* The terms, in the order of the weights. Areas in pixels, logits as the decoder gives them. */
typedef enum sgm_point_term {
    SGM_TERM_PREDICTED_IOU,
    SGM_TERM_VIEW_SHARE, /* ln(area / area of the view), */
    SGM_TERM_VIEW_SHARE_SQUARE,
    SGM_TERM_PICTURE_SHARE, /* ln(area / area of the picture), */
    SGM_TERM_PICTURE_SHARE_SQUARE,
    SGM_TERM_TOUCHES_VIEW,    /* 1: the mask reaches a side of the view that is not the picture's */
    SGM_TERM_TOUCHES_PICTURE, /* 1: it reaches a side of the picture */
    SGM_TERM_DEPTH,           /* of the point in its part of the mask, 1: the innermost place */
    SGM_TERM_DEPTH_SQUARE,
    SGM_TERM_OFF_CENTRE,  /* the point's distance from the centre of gravity / sqrt(area) */
    SGM_TERM_PART,        /* share of the mask that is connected with the point */
    SGM_TERM_THICKNESS,   /* ln(depth of the part's innermost place / sqrt(area)) */
    SGM_TERM_MEAN_LOGIT,  /* inside */
    SGM_TERM_POINT_LOGIT, /* at the point */
    SGM_TERM_STABILITY,   /* SAM's stability score, with an offset of 0.5 */
    SGM_POINT_TERMS
} sgm_point_term;

/* "predicted_iou" and so on: for tables. */
const char *sgm_point_term_name(int term);

typedef struct sgm_point_rating {
    double weights[SGM_POINT_TERMS];
} sgm_point_rating;

/* From metadata: SGM_POINT_TERMS finite numbers with commas between them. SGM_INVALID_ARGUMENT
 * says what is wrong. Any number of threads, as all below. */
sgm_status sgm_point_rating_read(const char *text, sgm_point_rating *out);

/* Of a look that is not empty; (x, y) is the point, in picture coordinates. SGM_OUT_OF_MEMORY. */
sgm_status sgm_point_terms(const sgm_predictor *predictor, const struct sgm_look *look, double x,
                           double y, double terms[SGM_POINT_TERMS]);

/* The weighted sum. Differences count: one of 0.1 is about e to 1 that the higher one is meant. */
double sgm_point_rating_of(const sgm_point_rating *rating, const double terms[SGM_POINT_TERMS]);

#endif
