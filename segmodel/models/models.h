/* The networks. Every function emits nodes into net->graph and returns the result, NULL once the
 * graph has an error (sgm_graph_status tells). The same functions serve inference and training. */
#ifndef SEGMODEL_MODELS_MODELS_H
#define SEGMODEL_MODELS_MODELS_H

#include "models/config.h"
#include "models/net.h"

/* image[B, S, S, 3], preprocessed -> embedding[B, grid, grid, dim].
 * With decoder.high_res, [B, 4 grid, grid, dim]: below the embedding's rows lie the features that
 * the decoder's upsampling adds, [B, 2 grid, 2 grid, dim / 4] and [B, 4 grid, 4 grid, dim / 8], row
 * by row; one tensor, so that whoever keeps embeddings need not know. */
sgm_node *sgm_encoder(sgm_net *net, const sgm_model_config *config, sgm_node *image);

/* The families behind it. */
sgm_node *sgm_sam_vit(sgm_net *net, const sgm_model_config *config, sgm_node *image);
sgm_node *sgm_tiny_vit(sgm_net *net, const sgm_model_config *config, sgm_node *image);
sgm_node *sgm_samus(sgm_net *net, const sgm_model_config *config, sgm_node *image);
sgm_node *sgm_samihs(sgm_net *net, const sgm_model_config *config, sgm_node *image);

/* Labels of prompt tokens, in the order of the embedding table. */
typedef enum sgm_token {
    SGM_TOKEN_BACKGROUND = 0,
    SGM_TOKEN_FOREGROUND = 1,
    SGM_TOKEN_BOX_FIRST = 2,  /* top-left corner */
    SGM_TOKEN_BOX_SECOND = 3, /* bottom-right corner */
    SGM_TOKEN_PADDING = 4     /* SAM's label -1: no position */
} sgm_token;

/* What prompts become. */
typedef struct sgm_prompt_embedding {
    sgm_node *sparse;   /* [B, N, dim], or NULL when there are no tokens */
    sgm_node *dense;    /* [B, grid, grid, dim] of a mask, or [1, 1, 1, dim] */
    sgm_node *position; /* [1, grid, grid, dim], encoding of the grid's places */
} sgm_prompt_embedding;

/* coordinates[B, N, 2]: x, y in [-1, 1] over the encoder's square input; labels[B, N]: sgm_token
 * (int32); both NULL for none. mask[B, 4 grid, 4 grid, 1]: low-res logits, or NULL. */
sgm_prompt_embedding sgm_prompt_encoder(sgm_net *net, const sgm_model_config *config,
                                        sgm_node *coordinates, sgm_node *labels, sgm_node *mask);

typedef struct sgm_decoder_output {
    sgm_node *low_res; /* [B, mask_tokens, 4 grid, 4 grid] logits */
    sgm_node *iou;     /* [B, mask_tokens] */
} sgm_decoder_output;

/* embedding[B | 1, rows, grid, dim], as from sgm_encoder: one embedding serves all B prompt sets.
 * `batch` is B (prompts may be empty, so it cannot always be read off them). */
sgm_decoder_output sgm_mask_decoder(sgm_net *net, const sgm_model_config *config,
                                    sgm_node *embedding, const sgm_prompt_embedding *prompt,
                                    int64_t batch);

#endif
