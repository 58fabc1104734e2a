/* Losses on the CPU: the reference rules, SAM's pixels by vectors. */
#include "backend/cpu/cpu_glue.h"
#include "backend/cpu/kernels/isa.h"
#include "backend/ref/loss.h"

static sgm_loss_loops loops(void)
{
    return (sgm_loss_loops){sgm_loops()->sam_sums, sgm_loops()->sam_grad};
}

sgm_status sgm_cpu_loss(sgm_threads *pool, const sgm_step *step)
{
    const sgm_node *node = step->node;
    sgm_loss_loops by = loops();
    (void)pool;
    return sgm_loss_forward_by(&by, node->u.loss.kind, node->u.loss.value, step->input_count,
                               step->in, step->out.data);
}

sgm_status sgm_cpu_loss_backward(sgm_threads *pool, const sgm_step *step)
{
    const sgm_node *node = step->node;
    sgm_loss_loops by = loops();
    (void)pool;
    return sgm_loss_backward_by(&by, node->u.loss.kind, node->u.loss.value, step->input_count,
                                step->in, *(const float *)step->grad_out.data, step->grad_in,
                                step->accumulate);
}
