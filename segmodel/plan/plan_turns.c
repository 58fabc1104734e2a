/* Two linear layers, the second the only reader of the first (an MLP), take turns over blocks of
 * rows, so that the hidden values are there for one block at a time: 50 MB less for ViT-B's 4096 x
 * 3072 in FP32, and what one layer writes the next still finds in cache. Every row is computed as
 * it would be otherwise. */
#include "backend/ref/ref_ops.h"
#include "plan/plan_internal.h"

#define LARGEST_TURN ((int64_t)24 << 20) /* bytes of hidden values; half of ViT-B's */
/* Each turn is a product of its own: with fewer rows for every thread it would read the weights too
 * often for the work it does on them (LEAST_ROWS of the CPU's gemm.c). */
#define THREAD_ROWS 512

static bool is_linear(const sgm_planned *step)
{
    return step->node->op == SGM_OP_LINEAR && step->packed;
}

static bool feeds_only(const sgm_plan *plan, const sgm_planned *step, const sgm_planned *next)
{
    return next->node->in[0] == step->root && plan->consumers[step->root->id] == 1 &&
           !step->residual_node;
}

/* Rows of equally long turns, or 0 when the whole is small enough. */
static int64_t turn_rows(const sgm_plan *plan, const sgm_planned *step)
{
    int64_t rows = sgm_row_count(step->out.shape), columns = sgm_last_dim(step->out.shape);
    int64_t most = LARGEST_TURN / (columns * (step->out.dtype == SGM_BF16 ? 2 : 4));
    int64_t least = (int64_t)THREAD_ROWS * plan->backend->threads;
    if (most < least) most = least;
    int64_t turns = (rows + most - 1) / most;
    return turns > 1 ? (rows + turns - 1) / turns : 0;
}

void sgm_plan_take_turns(sgm_plan *plan)
{
    /* A GPU wants all rows at once, and has the memory. */
    if (!plan->backend->ops->host_memory) return;
    for (int i = 0; i + 1 < plan->step_count; i++) {
        sgm_planned *step = &plan->steps[i], *next = step + 1;
        if (!is_linear(step) || !is_linear(next) || !feeds_only(plan, step, next)) continue;
        step->turn_rows = turn_rows(plan, step);
        if (step->turn_rows) i++;
    }
}

static void take_rows(sgm_tensor *tensor, int64_t row, int64_t rows, bool whole)
{
    int64_t columns = sgm_last_dim(tensor->shape);
    if (whole && tensor->data)
        tensor->data = (char *)tensor->data + row * columns * (tensor->dtype == SGM_BF16 ? 2 : 4);
    tensor->shape = SGM_SHAPE(rows, columns);
}

void sgm_step_rows(sgm_step *step, int64_t row, int64_t rows, bool whole_in, bool whole_out)
{
    take_rows(&step->in[0], row, rows, whole_in);
    take_rows(&step->out, row, rows, whole_out);
    if (step->residual.data) take_rows(&step->residual, row, rows, whole_out);
}
