/* Any bytes as a .xz file. */
#include "fuzz_result.h"

#include "checkpoint/xz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sgm_status look(void *user, const uint8_t *bytes, size_t size)
{
    unsigned *sum = user;
    for (size_t i = 0; i < size; i++)
        *sum += bytes[i];
    return SGM_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned sum = 0;
    fuzz_refused = sgm_xz_unpack(data, size, "fuzz", 1 << 20, look, &sum) != SGM_OK;
    return 0;
}
