#include "train/loss.h"

/* a x + b y of two losses on the same inputs. */
static sgm_node *mix(sgm_graph *g, float a, int kind_a, const float *va, float b, int kind_b,
                     const float *vb, sgm_node *logits, sgm_node *target)
{
    sgm_node *in[2] = {logits, target};
    sgm_node *x = sgm_affine(g, sgm_loss(g, kind_a, va, 2, in), a, 0);
    sgm_node *y = sgm_affine(g, sgm_loss(g, kind_b, vb, 2, in), b, 0);
    return sgm_add(g, x, y);
}

sgm_node *sgm_loss_samus(sgm_graph *g, sgm_node *logits, sgm_node *target)
{
    const float bce[4] = {2}, dice[4] = {1e-5f, 1e-5f, 1, 0};
    return mix(g, 0.2f, SGM_LOSS_BCE, bce, 0.8f, SGM_LOSS_DICE, dice, logits, target);
}

sgm_node *sgm_loss_samihs(sgm_graph *g, sgm_node *logits, sgm_node *target, bool paper)
{
    const float bce[4] = {2}, boundary[4] = {1e-5f, paper ? 1.f : 0.f};
    return mix(g, 0.5f, SGM_LOSS_BCE, bce, 0.5f, SGM_LOSS_BOUNDARY, boundary, logits, target);
}

sgm_node *sgm_loss_medsam(sgm_graph *g, sgm_node *logits, sgm_node *target)
{
    const float bce[4] = {1}, dice[4] = {1e-5f, 1e-5f, 1, 1};
    return mix(g, 1, SGM_LOSS_DICE, dice, 1, SGM_LOSS_BCE, bce, logits, target);
}

sgm_node *sgm_loss_msa(sgm_graph *g, sgm_node *logits, sgm_node *target)
{
    const float bce[4] = {2};
    sgm_node *in[2] = {logits, target};
    return sgm_loss(g, SGM_LOSS_BCE, bce, 2, in);
}

sgm_node *sgm_loss_samed(sgm_graph *g, sgm_node *logits, sgm_node *target)
{
    const float entropy[4] = {0}, dice[4] = {1e-5f};
    return mix(g, 0.2f, SGM_LOSS_CROSS_ENTROPY, entropy, 0.8f, SGM_LOSS_DICE_SOFTMAX, dice, logits,
               target);
}

sgm_node *sgm_loss_autosam(sgm_graph *g, sgm_node *logits, sgm_node *target)
{
    const float none[4] = {0};
    sgm_node *in[2] = {logits, target};
    return sgm_loss(g, SGM_LOSS_RANGE, none, 2, in);
}

sgm_node *sgm_loss_surgicalsam(sgm_graph *g, sgm_node *logits, sgm_node *target,
                               sgm_node *prototypes, sgm_node *embeddings, sgm_node *class_at)
{
    const float dice[4] = {0, 2e-3f, 1, 1}, contrast[4] = {0.07f};
    sgm_node *masks[2] = {logits, target}, *classes[3] = {prototypes, embeddings, class_at};
    return sgm_add(g, sgm_loss(g, SGM_LOSS_DICE, dice, 2, masks),
                   sgm_loss(g, SGM_LOSS_PROTOTYPE, contrast, 3, classes));
}

sgm_node *sgm_loss_sam(sgm_graph *g, sgm_node *logits, sgm_node *iou, sgm_node *target,
                       sgm_node *weights, sgm_sam_shares shares, bool multi)
{
    sgm_node *in[4] = {logits, iou, target, weights};
    const float value[4] = {shares.focal, shares.dice, shares.rating,
                            (multi ? 1.f : 0.f) + (shares.balanced ? 2.f : 0.f)};
    return sgm_loss(g, SGM_LOSS_SAM, value, weights ? 4 : 3, in);
}
