#include "graph/loss.h"

#include "core/status.h"

typedef enum target_layout {
    SAME,      /* in[1] has as many values as in[0] */
    CLASSES,   /* in[0] [B, C, ...], in[1] [B, ...] */
    SAM_MASKS, /* see SGM_LOSS_SAM */
    PROTOTYPES
} target_layout;

static const struct {
    const char *name;
    target_layout layout;
    int least, most;    /* inputs */
    int differentiable; /* the first n inputs have gradients */
} KINDS[SGM_LOSS_KIND_COUNT] = {
    [SGM_LOSS_BCE] = {"bce", SAME, 2, 2, 1},
    [SGM_LOSS_DICE] = {"dice", SAME, 2, 2, 1},
    [SGM_LOSS_FOCAL] = {"focal", SAME, 2, 2, 1},
    [SGM_LOSS_BOUNDARY] = {"boundary", SAME, 2, 2, 1},
    [SGM_LOSS_CROSS_ENTROPY] = {"cross entropy", CLASSES, 2, 2, 1},
    [SGM_LOSS_DICE_SOFTMAX] = {"softmax dice", CLASSES, 2, 2, 1},
    [SGM_LOSS_MSE] = {"mse", SAME, 2, 2, 1},
    [SGM_LOSS_SAM] = {"sam", SAM_MASKS, 3, 4, 2},
    [SGM_LOSS_PROTOTYPE] = {"prototype", PROTOTYPES, 3, 3, 2},
    [SGM_LOSS_RANGE] = {"range", SAME, 2, 2, 1},
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

int sgm_loss_differentiable(int kind)
{
    return KINDS[kind].differentiable;
}
