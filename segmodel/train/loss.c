#include "train/loss.h"

#include <string.h>

#include "train/loss_rules.h"

typedef double (*rule_fn)(const sgm_loss_call *call);

typedef enum target_layout {
    SAME,      /* in[1] has as many values as in[0] */
    CLASSES,   /* in[0] [B, C, ...], in[1] [B, ...] */
    SAM_MASKS, /* see SGM_LOSS_SAM */
    PROTOTYPES
} target_layout;

static const struct {
    const char *name;
    rule_fn rule;
    target_layout layout;
    int least, most;    /* inputs */
    int differentiable; /* the first n inputs have gradients */
} KINDS[SGM_LOSS_KIND_COUNT] = {
    [SGM_LOSS_BCE] = {"bce", sgm_rule_bce, SAME, 2, 2, 1},
    [SGM_LOSS_DICE] = {"dice", sgm_rule_dice, SAME, 2, 2, 1},
    [SGM_LOSS_FOCAL] = {"focal", sgm_rule_focal, SAME, 2, 2, 1},
    [SGM_LOSS_BOUNDARY] = {"boundary", sgm_rule_boundary, SAME, 2, 2, 1},
    [SGM_LOSS_CROSS_ENTROPY] = {"cross entropy", sgm_rule_cross_entropy, CLASSES, 2, 2, 1},
    [SGM_LOSS_DICE_SOFTMAX] = {"softmax dice", sgm_rule_dice_softmax, CLASSES, 2, 2, 1},
    [SGM_LOSS_MSE] = {"mse", sgm_rule_mse, SAME, 2, 2, 1},
    [SGM_LOSS_SAM] = {"sam", sgm_rule_sam, SAM_MASKS, 3, 4, 2},
    [SGM_LOSS_PROTOTYPE] = {"prototype", sgm_rule_prototype, PROTOTYPES, 3, 3, 2},
    [SGM_LOSS_RANGE] = {"range", sgm_rule_range, SAME, 2, 2, 1},
};

const char *sgm_loss_name(int kind)
{
    return kind >= 0 && kind < SGM_LOSS_KIND_COUNT ? KINDS[kind].name : "unknown";
}

static sgm_status shape_error(int kind, int index, const char *wanted, sgm_shape found)
{
    char text[64];
    return sgm_fail(SGM_INVALID_ARGUMENT, "%s loss: input %d must be %s, found %s",
                    KINDS[kind].name, index, wanted, sgm_shape_text(found, text));
}

static sgm_status check_counts(int kind, const sgm_shape s[], int64_t classes)
{
    if (s[0].ndim < 1) return shape_error(kind, 0, "a batch", s[0]);
    if (sgm_shape_count(s[1]) * classes != sgm_shape_count(s[0]))
        return shape_error(
            kind, 1, classes == 1 ? "as large as the logits" : "one class number per pixel", s[1]);
    return SGM_OK;
}

static sgm_status check_sam(int kind, const float value[4], int count, const sgm_shape s[])
{
    if (s[0].ndim < 3) return shape_error(kind, 0, "logits [B, M, pixels]", s[0]);
    int64_t batch = s[0].dim[0], masks = s[0].dim[1], pixels = sgm_shape_count(s[0]);
    if (masks < 1 + (int)value[3] % 2) return shape_error(kind, 0, "logits with more masks", s[0]);
    if (sgm_shape_count(s[1]) != batch * masks) return shape_error(kind, 1, "IoU [B, M]", s[1]);
    if (sgm_shape_count(s[2]) * masks != pixels)
        return shape_error(kind, 2, "a target [B, pixels]", s[2]);
    if (count > 3 && sgm_shape_count(s[3]) != batch) return shape_error(kind, 3, "[B]", s[3]);
    return SGM_OK;
}

static sgm_status check_prototypes(int kind, const sgm_shape s[])
{
    if (s[0].ndim != 2) return shape_error(kind, 0, "[classes, D]", s[0]);
    if (s[1].ndim != 2 || s[1].dim[1] != s[0].dim[1])
        return shape_error(kind, 1, "[B, D] with the prototypes' D", s[1]);
    if (sgm_shape_count(s[2]) != s[1].dim[0]) return shape_error(kind, 2, "[B]", s[2]);
    return SGM_OK;
}

sgm_status sgm_loss_check(int kind, const float value[4], int count, const sgm_shape shapes[])
{
    if (kind < 0 || kind >= SGM_LOSS_KIND_COUNT)
        return sgm_fail(SGM_INVALID_ARGUMENT, "loss kind %d is unknown", kind);
    if (count < KINDS[kind].least || count > KINDS[kind].most)
        return sgm_fail(SGM_INVALID_ARGUMENT, "%s loss: wanted %d inputs, found %d",
                        KINDS[kind].name, KINDS[kind].least, count);
    switch (KINDS[kind].layout) {
    case SAME:
        return check_counts(kind, shapes, 1);
    case CLASSES:
        if (shapes[0].ndim < 2) return shape_error(kind, 0, "logits [B, C, pixels]", shapes[0]);
        return check_counts(kind, shapes, shapes[0].dim[1]);
    case SAM_MASKS:
        return check_sam(kind, value, count, shapes);
    case PROTOTYPES:
        return check_prototypes(kind, shapes);
    }
    return sgm_fail(SGM_INTERNAL, "loss kind %d has no shape rule", kind);
}

static sgm_status make_call(int kind, const float value[4], int count, const sgm_tensor in[],
                            sgm_loss_call *call)
{
    memset(call, 0, sizeof *call);
    call->value = value;
    while (count > 0 && !in[count - 1].data)
        count--;
    for (int i = 0; i < count; i++) {
        call->in[i] = in[i].data;
        call->shape[i] = in[i].shape;
    }
    return sgm_loss_check(kind, value, count, call->shape);
}

sgm_status sgm_loss_forward(int kind, const float value[4], int count, const sgm_tensor in[],
                            float *loss)
{
    sgm_loss_call call;
    SGM_TRY(make_call(kind, value, count, in, &call));
    *loss = (float)KINDS[kind].rule(&call);
    return SGM_OK;
}

sgm_status sgm_loss_backward(int kind, const float value[4], int count, const sgm_tensor in[],
                             float grad_loss, const sgm_tensor grad_in[], const bool accumulate[])
{
    sgm_loss_call call;
    SGM_TRY(make_call(kind, value, count, in, &call));
    call.scale = grad_loss;
    for (int i = 0; i < count; i++) {
        if (!grad_in[i].data) continue;
        if (!accumulate[i])
            memset(grad_in[i].data, 0, (size_t)sgm_shape_count(in[i].shape) * sizeof(float));
        if (i < KINDS[kind].differentiable) call.grad[i] = grad_in[i].data;
    }
    KINDS[kind].rule(&call);
    return SGM_OK;
}

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
