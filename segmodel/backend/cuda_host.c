/* The table the CUDA module works with. */
#include "backend/cuda/cuda_module.h"
#include "graph/graph_internal.h"
#include "graph/loss.h"

const sgm_cuda_host *sgm_cuda_host_services(void)
{
    static const sgm_cuda_host services = {
        .version = SGM_CUDA_MODULE_VERSION,
        .step_size = sizeof(sgm_step),
        .set_message = sgm_set_message,
        .op_name = sgm_op_name,
        .loss_check = sgm_loss_check,
    };
    return &services;
}
