/* Attention between a few tokens (a prompt's) and many (a picture's), arranged for that.
 *
 * As it is written down, every picture token is projected to a key, a value or a query, and what a
 * picture token gets is projected back: four products of [N, C] with [C, C / 2] for N = 4096
 * picture tokens. A head's score is bilinear in the two tokens it is of, q.(W x) = (W^T q).x, and a
 * head's output is linear in its values. So the projections can be moved to the side of the T
 * tokens, once per head: products of [N, C] with [C, heads * T] take their place. With 7 tokens and
 * 8 heads that is 0.44 of the arithmetic, and no projected copy of the picture is ever formed.
 *
 * Same values up to rounding. For inference: training keeps the layers as they are, whose gradients
 * need the projections anyway. */
#ifndef SEGMODEL_MODELS_FEW_TOKENS_H
#define SEGMODEL_MODELS_FEW_TOKENS_H

#include "models/net.h"

/* One attention layer of the scope net: tensors <prefix>.q_proj, k_proj, v_proj [inner, C] and
 * out_proj [C, inner], with biases. */
typedef struct sgm_few_tokens {
    const char *prefix;
    int heads;
    int64_t inner;
    sgm_node *placed, *tokens;      /* [B, T, C]: with and without their places */
    sgm_node *placed_image, *image; /* [B | 1, N, C] */
} sgm_few_tokens;

/* Whether it is less arithmetic, for tokens of `channels` channels that a kernel takes as one head.
 */
bool sgm_few_tokens_pay(int heads, int64_t inner, int64_t channels, int64_t tokens);

/* The tokens look at the picture: [B, T, C], the layer's output. */
sgm_node *sgm_few_tokens_ask(const sgm_net *net, const sgm_few_tokens *layer);

/* The picture looks at the tokens: image + the layer's output, [B, N, C]. */
sgm_node *sgm_few_tokens_answer(const sgm_net *net, const sgm_few_tokens *layer);

#endif
