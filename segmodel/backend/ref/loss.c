#include "backend/ref/loss.h"

#include <string.h>

#include "backend/ref/loss_rules.h"

static double (*const RULES[SGM_LOSS_KIND_COUNT])(const sgm_loss_call *call) = {
    [SGM_LOSS_BCE] = sgm_rule_bce,
    [SGM_LOSS_DICE] = sgm_rule_dice,
    [SGM_LOSS_FOCAL] = sgm_rule_focal,
    [SGM_LOSS_BOUNDARY] = sgm_rule_boundary,
    [SGM_LOSS_CROSS_ENTROPY] = sgm_rule_cross_entropy,
    [SGM_LOSS_DICE_SOFTMAX] = sgm_rule_dice_softmax,
    [SGM_LOSS_MSE] = sgm_rule_mse,
    [SGM_LOSS_SAM] = sgm_rule_sam,
    [SGM_LOSS_PROTOTYPE] = sgm_rule_prototype,
    [SGM_LOSS_RANGE] = sgm_rule_range,
};

static sgm_status make_call(const sgm_loss_loops *loops, int kind, const float value[4], int count,
                            const sgm_tensor in[], sgm_loss_call *call)
{
    memset(call, 0, sizeof *call);
    call->loops = loops;
    call->value = value;
    while (count > 0 && !in[count - 1].data)
        count--;
    for (int i = 0; i < count; i++) {
        call->in[i] = in[i].data;
        call->shape[i] = in[i].shape;
    }
    return sgm_loss_check(kind, value, count, call->shape);
}

sgm_status sgm_loss_forward_by(const sgm_loss_loops *loops, int kind, const float value[4],
                               int count, const sgm_tensor in[], float *loss)
{
    sgm_loss_call call;
    SGM_TRY(make_call(loops, kind, value, count, in, &call));
    *loss = (float)RULES[kind](&call);
    return SGM_OK;
}

sgm_status sgm_loss_backward_by(const sgm_loss_loops *loops, int kind, const float value[4],
                                int count, const sgm_tensor in[], float grad_loss,
                                const sgm_tensor grad_in[], const bool accumulate[])
{
    sgm_loss_call call;
    SGM_TRY(make_call(loops, kind, value, count, in, &call));
    call.scale = grad_loss;
    for (int i = 0; i < count; i++) {
        if (!grad_in[i].data) continue;
        if (!accumulate[i])
            memset(grad_in[i].data, 0, (size_t)sgm_shape_count(in[i].shape) * sizeof(float));
        if (i < sgm_loss_differentiable(kind)) call.grad[i] = grad_in[i].data;
    }
    RULES[kind](&call);
    return SGM_OK;
}

sgm_status sgm_loss_forward(int kind, const float value[4], int count, const sgm_tensor in[],
                            float *loss)
{
    return sgm_loss_forward_by(&sgm_ref_loss_loops, kind, value, count, in, loss);
}

sgm_status sgm_loss_backward(int kind, const float value[4], int count, const sgm_tensor in[],
                             float grad_loss, const sgm_tensor grad_in[], const bool accumulate[])
{
    return sgm_loss_backward_by(&sgm_ref_loss_loops, kind, value, count, in, grad_loss, grad_in,
                                accumulate);
}
