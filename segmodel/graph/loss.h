/* The losses of training: what SGM_OP_LOSS computes (graph.h), and their shape rules.
 *
 * Masks are logits [B, M, ...] with all axes after the second counted as pixels; targets are
 * probabilities or 0/1 as F32. Targets, weights and class numbers never receive a gradient. */
#ifndef SEGMODEL_GRAPH_LOSS_H
#define SEGMODEL_GRAPH_LOSS_H

#include "graph/graph.h"

typedef enum sgm_loss_kind {
    /* Mean binary cross entropy. in: logits, target of the same count. value: positive weight. */
    SGM_LOSS_BCE,

    /* 1 - (2 sum(p t) + num) / (sum p^k + sum t^k + den), k = 2 when `squared`, else 1.
     * in: logits [B, ...], target. value: num, den, squared, per_sample: with per_sample the mean
     * over B of the losses of single samples, else one loss from sums over the whole batch.
     * Milletari 2016 (V-Net); the variants of SAMUS, SurgicalSAM, MONAI and SAM differ in these. */
    SGM_LOSS_DICE,

    /* Mean sigmoid focal loss (Lin 2017). in: logits, target. value: alpha, gamma. */
    SGM_LOSS_FOCAL,

    /* Boundary-sensitive loss of SAMIHS as its code computes it: (Z+Y-2I+s) / (Z+Y-(1+g)I+s) over
     * the whole batch, Z = sum p^2, Y = sum t^2, g = min(2 (1 - (C+s)/(S+s)) - 1, 0.8) where C of S
     * foreground pixels touch background or the image's edge. in: logits [B, .., H, W], target.
     * value: smoothing s, and 1 for the form of the paper (equations 4 and 5): 1 - 2 g I /
     * (P + T - 2 (1 - g) I) with soft sums P, T, I and g = 1 - C / S; 1 without an object. It is
     * the same for whatever is drawn where all of an object is boundary. */
    SGM_LOSS_BOUNDARY,

    /* Mean softmax cross entropy. in: logits [B, C, ...], class numbers [B, ...] as F32. */
    SGM_LOSS_CROSS_ENTROPY,

    /* Mean over classes of the batch-global squared Dice of softmax probabilities (SAMed).
     * in as above. value: smoothing. */
    SGM_LOSS_DICE_SOFTMAX,

    /* Mean squared error. in: prediction, target. */
    SGM_LOSS_MSE,

    /* SAM (Kirillov 2023, section 3): w0 focal + w1 dice + w2 MSE of the predicted IoU, averaged
     * over samples. Single (value[3] even): mask 0 is trained. Multi (odd): of masks 1.. the one
     * with the smallest w0 focal + w1 dice is trained, the IoU head for all of them. in: logits [B,
     * M, ...], predicted IoU [B, M], target [B, ...], sample weights [B] or absent. True IoU is
     * that of logit > 0 with target > 0.5, 0 where there is nothing, and carries no gradient.
     * value[3] >= 2: focal's alpha is 0.5 instead of 0.25. */
    SGM_LOSS_SAM,

    /* Prototype contrast of SurgicalSAM (NT-Xent, cosine). in: prototypes [C, D], embeddings
     * [B, D], class index (from 0) of each embedding [B] as F32. value: temperature. Mean over the
     * pairs of a prototype and an embedding of its class; embeddings of other classes are the
     * negatives. No pair at all: 0. */
    SGM_LOSS_PROTOTYPE,

    /* AutoSAM: masks are stretched between their extremes, p = (x - least) / (most - least + 1e-6)
     * of each sample. Mean BCE of p (logarithms at least -100, slope's divisor at least 1e-12, as
     * PyTorch's) + mean over samples of 1 - (I + 1) / (I + (T - I) / 2 + (P - I) / 2 + 1). in:
     * logits [B, ...], target. The slope of an extreme goes to its first pixel. */
    SGM_LOSS_RANGE,

    SGM_LOSS_KIND_COUNT
} sgm_loss_kind;

const char *sgm_loss_name(int kind);

/* Shape rule: SGM_OK, or SGM_INVALID_ARGUMENT with wanted and found shape. Absent inputs are those
 * at or after `count`. */
sgm_status sgm_loss_check(int kind, const float value[4], int count, const sgm_shape shapes[]);

/* How many of the inputs, the first ones, have a gradient; the kind is one of them. */
int sgm_loss_differentiable(int kind);

#endif
