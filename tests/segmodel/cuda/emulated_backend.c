/* sgm_cuda_create for tests without a GPU: the CUDA backend's own source, compiled for the host
 * against emulation/cuda_emulation.h and linked in, takes the place of the loader. */
#include "backend/cuda/cuda_module.h"

sgm_status sgm_cuda_module_create(const sgm_cuda_host *host, int index, sgm_backend **out);

sgm_status sgm_cuda_create(int index, sgm_backend **out)
{
    return sgm_cuda_module_create(sgm_cuda_host_services(), index, out);
}
