/* Any bytes as a PyTorch file of the format before 1.6: whatever opens is read and looked up. */
#include "fuzz_result.h"

#include "checkpoint/checkpoint_build.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_READ = 1 << 16 };

static void read_tensor(const sgm_checkpoint *c, const sgm_stored_tensor *t)
{
    float *values = t->count <= MAX_READ ? malloc((t->count + 1) * sizeof *values) : NULL;
    if (values) sgm_stored_tensor_read_f32(t, values);
    free(values);
    if (sgm_checkpoint_find(c, t->name) != t) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgm_checkpoint *c;
    fuzz_refused = !sgm_torch_stream_begins(data, size) ||
                   sgm_checkpoint_open_memory(data, size, "fuzz", &c) != SGM_OK;
    if (fuzz_refused) return 0;
    for (size_t i = 0; i < sgm_checkpoint_count(c); i++)
        read_tensor(c, sgm_checkpoint_tensor(c, i));
    sgm_checkpoint_close(c);
    return 0;
}
