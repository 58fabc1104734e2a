/* The loss and the gradient's norm of training steps, read while a device computes the next one.
 *
 * A step has `parts` losses, then a norm. They are asked for in that order and looked at in that
 * order; the first that is no finite number ends the run with the step and its images named. */
#ifndef SEGMODEL_TRAIN_STEP_NUMBERS_H
#define SEGMODEL_TRAIN_STEP_NUMBERS_H

#include "backend/backend.h"

enum { SGM_STEP_ITEMS = 700 }; /* bytes of a text that names a batch's images */

typedef struct sgm_awaited_number sgm_awaited_number;

typedef struct sgm_step_numbers {
    sgm_backend *backend;        /* borrowed */
    sgm_awaited_number *waiting; /* a ring of `room` */
    int parts, room, first, count;
    double part_loss; /* of the parts looked at so far of a step */
    /* What was found; loss_sum and loss_count are the caller's to begin anew. */
    double loss_sum, norm;
    int64_t loss_count; /* steps */
} sgm_step_numbers;

sgm_status sgm_step_numbers_create(sgm_backend *backend, int parts, sgm_step_numbers *out);
void sgm_step_numbers_clear(sgm_step_numbers *numbers);

/* Asks for what the work submitted so far leaves in device memory: the loss (a float) of part
 * `part`, from 0; the norm (a double). `items` names the images. At most two steps may be under
 * way. */
sgm_status sgm_step_numbers_loss(sgm_step_numbers *numbers, int64_t step, int part,
                                 const char *items, const void *memory);
sgm_status sgm_step_numbers_norm(sgm_step_numbers *numbers, int64_t step, const char *items,
                                 const void *memory);

/* Waits for all numbers of steps up to `step`. SGM_INTERNAL: one of step *failed is not finite. */
sgm_status sgm_step_numbers_settle(sgm_step_numbers *numbers, int64_t step, int64_t *failed);

#endif
