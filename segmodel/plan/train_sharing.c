/* Gradients that share memory. The gradient of a sum is that of each operand of its shape: where
 * nobody still wants the one when the other changes, it need not be copied. A stream of residual
 * blocks keeps one block of memory for its gradient all the way.
 *
 * Times are those of steps, backwards. A gradient is complete when its own node's step reads it;
 * whoever else uses the node writes to it before, each at the time of its step. */
#include "plan/train_internal.h"

#include <limits.h>

/* When the gradient of `base` is next written to after `now`; INT_MAX: never. */
static int next_write(sgm_train_plan *plan, const train_value *base, int now)
{
    int next = INT_MAX;
    for (int t = 0; t < plan->step_count; t++) {
        const train_step *step = &plan->steps[t];
        int time = plan->values[step->node->id].backward_time;
        for (int i = 0; step->backward && i < step->node->input_count; i++)
            if (sgm_train_wanted_grad(plan, step->node, i) == base && time > now && time < next)
                next = time;
    }
    return next;
}

/* May `in` lie in the memory of the ring of `out` from `now` on? Whoever of the ring is still to be
 * read must be read before `in` changes, and the other way round. */
static bool fits(sgm_train_plan *plan, const train_value *out, const train_value *in, int now)
{
    int write = next_write(plan, in, now);
    const train_value *member = out;
    do {
        if (member == in) return false;
        if (member->backward_time > now &&
            (write <= member->backward_time || next_write(plan, member, now) <= in->backward_time))
            return false;
        member = &plan->values[member->shares];
    } while (member != out);
    return true;
}

static bool may_share(sgm_train_plan *plan, const train_step *step, int i)
{
    const sgm_node *node = step->node;
    const train_value *in = sgm_train_wanted_grad(plan, node, i);
    bool twice = sgm_base_of(node->in[0]) == sgm_base_of(node->in[1]);
    return in && !twice && !step->accumulate[i] && !in->param && !in->asked &&
           in->backward_time >= 0 && node != plan->loss &&
           sgm_shape_count(node->in[i]->shape) == sgm_shape_count(node->shape);
}

void sgm_train_share_gradients(sgm_train_plan *plan)
{
    for (int id = 0; id < plan->node_count; id++)
        plan->values[id].shares = id;
    for (int t = plan->step_count - 1; t >= 0; t--) {
        train_step *step = &plan->steps[t];
        if (step->node->op != SGM_OP_ADD || !step->backward) continue;
        train_value *out = &plan->values[step->node->id];
        for (int i = 0; i < 2; i++) {
            train_value *in = sgm_train_wanted_grad(plan, step->node, i);
            if (!may_share(plan, step, i) || !fits(plan, out, in, out->backward_time)) continue;
            step->shared[i] = true;
            in->shares = out->shares; /* alone until now: its first contribution is this one */
            out->shares = (int)(in - plan->values);
        }
    }
}

void sgm_train_merge_pieces(const sgm_train_plan *plan, sgm_lifetime *pieces)
{
    for (int id = 0; id < plan->node_count; id++)
        for (int other = plan->values[id].shares; other != id && pieces[id].size;
             other = plan->values[other].shares) {
            sgm_lifetime *a = &pieces[id], *b = &pieces[other];
            if (b->size && b->first < a->first) a->first = b->first;
            if (b->size && b->last > a->last) a->last = b->last;
            b->size = 0;
        }
}

void sgm_train_spread_offsets(sgm_train_plan *plan)
{
    for (int id = 0; id < plan->node_count; id++)
        for (int other = plan->values[id].shares; other > id; other = plan->values[other].shares)
            plan->values[other].grad_offset = plan->values[id].grad_offset;
}
