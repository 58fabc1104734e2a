/* Answers kept by the exact step they answer.
 *
 * Answers that somebody holds (an object's result, a walk), and those they were reached from, stay
 * and count for nothing: what is kept of earlier answers does not shrink with the number of
 * objects. Others, and the logits of all, which only a walk that goes on needs and which can be
 * computed again, go when there are too many bytes of them, those unused for longest first. */
#ifndef SEGMODEL_PREDICT_VOLUME_ANSWERS_H
#define SEGMODEL_PREDICT_VOLUME_ANSWERS_H

#include "predict/volume/step.h"

typedef struct sgm_kept sgm_kept;

typedef struct sgm_answers {
    sgm_kept **buckets;
    size_t bucket_count, count;
    sgm_kept *oldest, *newest; /* by last use */
    uint64_t tick;
    size_t limit, bytes; /* of answers that nothing held needs, and of all logits */
    size_t checked_at;   /* bytes at which nothing more could be given up */
    size_t logit_count;  /* values of an answer's logits */
} sgm_answers;

void sgm_answers_init(sgm_answers *answers, size_t limit, size_t logit_count);
void sgm_answers_clear(sgm_answers *answers);

/* The answer to exactly this step, held for the caller; NULL: it is not known. */
const sgm_answer *sgm_answers_find(sgm_answers *answers, const sgm_volume_step *step);

/* Keeps an answer, held for the caller; takes over what it owns, also after a failure. The answers
 * the step came from are held as long as it is kept. */
sgm_status sgm_answers_add(sgm_answers *answers, const sgm_volume_step *step, sgm_answer *answer,
                           const sgm_answer **out);

const sgm_answer *sgm_answers_hold(sgm_answers *answers, const sgm_answer *answer);
void sgm_answers_release(sgm_answers *answers, const sgm_answer *answer); /* NULL: nothing */

/* The step of a kept answer; valid as long as the answer is held. */
void sgm_answers_step(const sgm_answer *answer, sgm_volume_step *step);
/* Takes over logits computed again; they are not given up while `pin` (+1, then -1) says so. */
void sgm_answers_set_logits(sgm_answers *answers, const sgm_answer *answer, int8_t *logits);
/* Takes over the weights of an answer's likeness, which are made once; `size` in bytes. */
void sgm_answers_set_likeness(sgm_answers *answers, const sgm_answer *answer, float *weights,
                              size_t size);
void sgm_answers_pin(const sgm_answer *answer, int by);
/* Gives up what goes beyond the limit. */
void sgm_answers_trim(sgm_answers *answers);

#endif
