#include "backend/cpu/kernels/attention.h"
#include "backend/cpu/kernels/attention_grid.h"
sgm_status sgm_attention_backward(sgm_threads *pool, const sgm_attention_args *forward,
                                  const sgm_attention_grads *grads)
{
    (void)pool;
    (void)forward;
    (void)grads;
    return SGM_INTERNAL;
}
sgm_status sgm_attention_grid_backward(sgm_threads *pool, const sgm_attention_grid_args *forward,
                                       const sgm_attention_grid_grads *grads)
{
    (void)pool;
    (void)forward;
    (void)grads;
    return SGM_INTERNAL;
}
