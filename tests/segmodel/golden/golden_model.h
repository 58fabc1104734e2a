/* What the parts of the golden test share: a loaded model, its pictures, its limits. */
#ifndef SEGMODEL_TESTS_GOLDEN_MODEL_H
#define SEGMODEL_TESTS_GOLDEN_MODEL_H

#include "golden_file.h"
#include "predict/picture/preprocess.h"
#include "predict/session/model.h"

typedef struct golden_model {
    const char *folder; /* of the golden files */
    sgm_context *context;
    sgm_model *model;
    const sgm_model_config *config;
    bool exact; /* FP32; otherwise BF16 with the wider limits */
    double embedding_limit, logit_limit, iou_limit;
    double upsampled_limit; /* one mask at image size: smoothed, so its spread is smaller */
    float *input;           /* [S, S, 3] of the encoder golden's picture */
    float *embedding;       /* [grid, grid, dim] of it, once encoded */
} golden_model;

/* The encoder's input for golden picture `variant` (0: the encoder golden's; 3: the second one of
 * batches). */
void golden_make_input(const golden_model *m, int variant, float *input);

/* Encodes `input`; taps are checked against `stages` unless that is NULL. */
void golden_encode(golden_model *m, const float *input, const golden_file *stages,
                   float *embedding);

/* All prompt cases of the model on m->embedding. */
void golden_prompts(golden_model *m);

/* Which mask the public interface answers with, on m->embedding. */
void golden_answers(golden_model *m);

/* End to end from an 8-bit picture through the public interface. */
void golden_predictor(golden_model *m);

#endif
