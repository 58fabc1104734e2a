/* The four narrow networks that the official code was run and trained with: pictures, prompts, and
 * what their golden files call things. */
#ifndef SEGMODEL_TESTS_SMALL_CASE_H
#define SEGMODEL_TESTS_SMALL_CASE_H

#include "predict/picture/preprocess.h"

typedef struct small_case {
    const char *name, *variant;
    const char *low_res;   /* the golden's name for the logits; NULL: golden_small asks otherwise */
    const char *upsampled; /* and for the logits at image size, or NULL */
    int images, first_mask, masks;
    sgm_prompt prompt[2]; /* one per image */
} small_case;

/* NULL: there is no such case. */
const small_case *small_case_find(const char *name);

/* Picture `index` as the network's input, [S, S, 3]. MedSAM's and SAMIHS's own resampling has
 * nothing to do here; SAMIHS's percentiles are left out by the golden. Counts failed checks. */
void small_case_input(const sgm_model_config *config, int index, sgm_frame *frame, float *input);

/* FP32 on "cpu", "ref" or "cuda". */
sgm_status small_case_context(const char *device, sgm_context **context);

#endif
