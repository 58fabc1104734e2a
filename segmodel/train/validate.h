/* How good the network is on samples that are not trained on: Dice per kind of prompt. */
#ifndef SEGMODEL_TRAIN_VALIDATE_H
#define SEGMODEL_TRAIN_VALIDATE_H

#include "train/train_graph.h"

typedef struct sgm_validation {
    int samples;
    double dice[SGM_ROUNDS]; /* one point, box, points or box with points, corrected; with walks
                                neighbour (of objects that go on) and loose box, else 0 */
    double growth;           /* mean log of the neighbour answer's area over the truth's */
    double ended_seen;       /* share of ended objects that are answered with nothing */
    double ellipse;          /* of the ellipse inscribed in the box of round 1 */
} sgm_validation;

/* Asked before each batch of a validation, which may take minutes; all but SGM_OK ends it. */
typedef struct sgm_validation_watch {
    sgm_status (*before)(void *user, int batch, int batches); /* NULL: it is not watched */
    void *user;
} sgm_validation_watch;

/* How many batches `count` samples are: rounded down, at least one. */
int sgm_validation_batches(int count, int batch);

/* Draws samples 0 .. count - 1 of `sampler` (made without augmentation), runs the plan forward with
 * the parameters as they are on the device, and averages. count is made whole batches. One point is
 * answered by the mask of the highest predicted IoU among 1.., anything else by mask 0. */
sgm_status sgm_validate(const sgm_train_graph *graph, sgm_train_plan *plan,
                        const sgm_sampler *sampler, const sgm_sampler_options *options, int batch,
                        int count, sgm_validation_watch watch, sgm_validation *out);

/* Index of the mask that answers: multi picks the best rated of 1 .. masks - 1. */
int sgm_answer_index(const float *iou, int masks, bool multi);

#endif
