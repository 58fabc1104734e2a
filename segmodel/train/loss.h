/* The losses of papers, as sums of the graph's (graph/loss.h). */
#ifndef SEGMODEL_TRAIN_LOSS_H
#define SEGMODEL_TRAIN_LOSS_H

#include "graph/loss.h"

/* w0 BCE(pos_weight 2) + w1 Dice(batch, 1e-5): SAMUS with 0.2 and 0.8. */
sgm_node *sgm_loss_samus(sgm_graph *g, sgm_node *logits, sgm_node *target);
/* 0.5 BCE(pos_weight 2) + 0.5 boundary-sensitive, as the code or as the paper has it. */
sgm_node *sgm_loss_samihs(sgm_graph *g, sgm_node *logits, sgm_node *target, bool paper);
/* BCE(pos_weight 2): Medical-SAM-Adapter. */
sgm_node *sgm_loss_msa(sgm_graph *g, sgm_node *logits, sgm_node *target);
/* 0.2 cross entropy + 0.8 softmax Dice of class maps: SAMed. target: class numbers. */
sgm_node *sgm_loss_samed(sgm_graph *g, sgm_node *logits, sgm_node *target);
/* SGM_LOSS_RANGE. */
sgm_node *sgm_loss_autosam(sgm_graph *g, sgm_node *logits, sgm_node *target);
/* Dice(per sample, squared, 2e-3 below the line) + prototype contrast at temperature 0.07:
 * SurgicalSAM. prototypes [C, D], embeddings [B, D], class_at [B] as F32, from 0. */
sgm_node *sgm_loss_surgicalsam(sgm_graph *g, sgm_node *logits, sgm_node *target,
                               sgm_node *prototypes, sgm_node *embeddings, sgm_node *class_at);
/* Dice(per sample, 1e-5) + BCE: MedSAM. */
sgm_node *sgm_loss_medsam(sgm_graph *g, sgm_node *logits, sgm_node *target);
/* Shares of SAM's loss; the paper has 20, 1, 1. */
typedef struct sgm_sam_shares {
    float focal, dice, rating;
    bool balanced; /* focal's alpha is 0.5 instead of 0.25 */
} sgm_sam_shares;

/* One mask or the best of several. `weights` may be NULL. */
sgm_node *sgm_loss_sam(sgm_graph *g, sgm_node *logits, sgm_node *iou, sgm_node *target,
                       sgm_node *weights, sgm_sam_shares shares, bool multi);

#endif
