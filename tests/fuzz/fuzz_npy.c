/* Any bytes as a .npy file; whatever opens is read. */
#include "fuzz_result.h"

#include "checkpoint/npy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgm_npy npy;
    fuzz_refused = sgm_npy_open_memory(data, size, "fuzz", &npy) != SGM_OK;
    if (fuzz_refused) return 0;
    float *values = malloc((npy.array.count + 1) * sizeof *values);
    if (values) sgm_stored_tensor_read_f32(&npy.array, values);
    free(values);
    sgm_npy_close(&npy);
    return 0;
}
