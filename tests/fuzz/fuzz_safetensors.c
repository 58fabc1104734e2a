/* Any bytes as a checkpoint; whatever opens is read and looked up, then once more by the names that
 * are left without what is wrapped around a network. */
#include "fuzz_result.h"

#include "checkpoint/checkpoint.h"
#include "checkpoint/prefix.h"

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

static void read_all(const sgm_checkpoint *c)
{
    for (size_t i = 0; i < sgm_checkpoint_count(c); i++)
        read_tensor(c, sgm_checkpoint_tensor(c, i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const landmarks[] = {"a", "b.w", NULL};
    sgm_checkpoint *c;
    fuzz_refused = sgm_checkpoint_open_memory(data, size, "fuzz", &c) != SGM_OK;
    if (fuzz_refused) return 0;
    read_all(c);
    for (size_t i = 0; i < sgm_checkpoint_metadata_count(c); i++)
        if (!sgm_checkpoint_metadata(c, sgm_checkpoint_metadata_at(c, i).key)) abort();
    fuzz_refused = sgm_checkpoint_take_off_prefix(c, landmarks) != SGM_OK;
    if (!fuzz_refused) read_all(c);
    sgm_checkpoint_close(c);
    return 0;
}
