/* Prompts in image pixels to the decoder's tokens. */
#ifndef SEGMODEL_PREDICT_SESSION_PROMPT_TOKENS_H
#define SEGMODEL_PREDICT_SESSION_PROMPT_TOKENS_H

#include "models/models.h"
#include "predict/picture/preprocess.h"

#define SGM_MAX_POINTS 4096

/* SGM_BAD_PROMPT names the first thing wrong: no prompt at all, too many points, a point that is
 * not a number, outside the image (by more than one pixel from the nearest pixel centre) or of
 * unknown label, an empty box, a mask with values that are not numbers. */
sgm_status sgm_prompt_check(const sgm_model_config *config, const sgm_frame *frame,
                            const sgm_prompt *prompt);

/* The part of it that is about the class asked for; 0: none. */
sgm_status sgm_prompt_check_class(const sgm_model_config *config, int class_index);

/* Tokens the prompt becomes: points, a padding token when there are points but no box (as the
 * official code adds it), two corners of a box, a padding token behind those of a loose one and one
 * more where it has no point beside it: training asks with four tokens. 0 for a mask alone. */
int sgm_prompt_token_count(const sgm_prompt *prompt);

/* coordinates: [count][2] in [-1, 1] over the encoder's square; labels: [count] of sgm_token. */
void sgm_prompt_tokens(const sgm_model_config *config, const sgm_frame *frame,
                       const sgm_prompt *prompt, float *coordinates, int32_t *labels);

/* One place, in pixels of the encoder's square, as a token's coordinates: the centre of pixel
 * (0, 0) is half a pixel from the border. */
void sgm_token_place(int image_size, double x, double y, float coordinates[2]);

#endif
