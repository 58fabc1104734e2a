/* Stands where the CUDA backend will be: this version computes on the CPU only, and says so. */
#include "backend/backend.h"

sgm_status sgm_cuda_create(int index, sgm_backend **out)
{
    (void)index, (void)out;
    return sgm_fail(SGM_DEVICE, "CUDA is not available: this version of segmodel has no CUDA "
                                "backend; use the CPU (--device cpu)");
}
