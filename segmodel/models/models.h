/* The stages of a network. Every function emits nodes into net->graph and returns the result, NULL
 * once the graph has an error (sgm_graph_status tells). The same functions serve inference and
 * training. Which network it is, config->family says (family.h). */
#ifndef SEGMODEL_MODELS_MODELS_H
#define SEGMODEL_MODELS_MODELS_H

#include "checkpoint/checkpoint.h"
#include "models/config.h"
#include "models/net.h"

/* What the encoder makes of pictures: the embedding[B, grid, grid, dim], and after it what else the
 * family's decoder reads; names and shapes are those of sgm_config_features (family.h). */
typedef struct sgm_features {
    int count;
    sgm_node *node[8]; /* SGM_MAX_FEATURES; each [B, rows, columns, channels] */
} sgm_features;

/* image[B, S, S, 3], preprocessed. */
sgm_features sgm_encode(const sgm_net *net, const sgm_model_config *config, sgm_node *image);

/* The features of B pictures, `times` times one after the other: for `times` prompt sets each. */
sgm_features sgm_features_repeat(sgm_graph *graph, const sgm_features *features, int times);

/* Labels of prompt tokens, in the order of the embedding table. */
typedef enum sgm_token {
    SGM_TOKEN_BACKGROUND = 0,
    SGM_TOKEN_FOREGROUND = 1,
    SGM_TOKEN_BOX_FIRST = 2,  /* top-left corner */
    SGM_TOKEN_BOX_SECOND = 3, /* bottom-right corner */
    SGM_TOKEN_PADDING = 4     /* SAM's label -1: no position */
} sgm_token;

/* Prompts of B objects; what is not asked with is NULL. */
typedef struct sgm_prompt_input {
    sgm_node *coordinates; /* [B, N, 2]: x, y in [-1, 1] over the encoder's square input */
    sgm_node *labels;      /* [B, N]: sgm_token (int32) */
    sgm_node *mask;        /* [B, 4 grid, 4 grid, 1]: low-res logits */
    sgm_node *classes;     /* [B]: index of the class (int32), for families prompted by class */
} sgm_prompt_input;

/* What prompts become. */
typedef struct sgm_prompt_embedding {
    sgm_node *sparse;   /* [B, N, dim], or NULL when there are no tokens */
    sgm_node *dense;    /* [B, grid, grid, dim] of a mask, or [1, 1, 1, dim] */
    sgm_node *position; /* [1, grid, grid, dim], encoding of the grid's places */
} sgm_prompt_embedding;

sgm_prompt_embedding sgm_encode_prompt(const sgm_net *net, const sgm_model_config *config,
                                       const sgm_prompt_input *input, const sgm_features *features);

typedef struct sgm_decoder_output {
    sgm_node *low_res; /* [B, mask_tokens, 4 grid, 4 grid] logits */
    sgm_node *iou;     /* [B, mask_tokens] */
} sgm_decoder_output;

/* Features of B pictures, or of one picture for all B prompt sets. `batch` is B (prompts may be
 * empty, so it cannot always be read off them). */
sgm_decoder_output sgm_decode(const sgm_net *net, const sgm_model_config *config,
                              const sgm_features *features, const sgm_prompt_embedding *prompt,
                              int64_t batch);

/* ------------------------------------------------------------------- parts that families share */

/* SAM's prompt encoder (prompt_encoder.c) under the scope "prompt_encoder"; it does not look at the
 * features. */
sgm_prompt_embedding sgm_sam_prompt(const sgm_net *net, const sgm_model_config *config,
                                    const sgm_prompt_input *input, const sgm_features *features);

/* SAM's mask decoder (mask_decoder.c) under the scope "mask_decoder". */
sgm_decoder_output sgm_sam_decode(const sgm_net *net, const sgm_model_config *config,
                                  const sgm_features *features, const sgm_prompt_embedding *prompt,
                                  int64_t batch);

/* The same with EfficientSAM's transformer. */
sgm_decoder_output sgm_efficient_decode(const sgm_net *net, const sgm_model_config *config,
                                        const sgm_features *features,
                                        const sgm_prompt_embedding *prompt, int64_t batch);

/* mask_tokens as the file has them. */
void sgm_sam_decoder_adopt(const sgm_checkpoint *file, sgm_decoder_config *decoder);
/* SGM_BAD_MODEL names a number of config->decoder that cannot be. */
sgm_status sgm_sam_decoder_check(const sgm_model_config *config);
extern const sgm_decoder_config sgm_sam_decoder_numbers;

#endif
