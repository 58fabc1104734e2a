/* Any bytes as a file of the embedding cache: a miss, or exactly the values asked for. */
#include "fuzz_result.h"

#include "segmodel/volume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COUNT = 8 };

static const uint64_t key = 0x0123456789abcdef;
static char folder[] = "/tmp/fuzz_store.XXXXXX";
static sgm_embedding_store store;

static void clean_up(void)
{
    char path[64];
    snprintf(path, sizeof path, "%s/0123456789abcdef.emb", folder);
    unlink(path);
    rmdir(folder);
    sgm_store_close(&store);
}

static int open_store(void)
{
    if (store.get) return 1;
    if (!mkdtemp(folder) || sgm_store_open(folder, 0, &store) != SGM_OK) return 0;
    atexit(clean_up);
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    float values[COUNT];
    if (!open_store()) return 0;
    snprintf(path, sizeof path, "%s/0123456789abcdef.emb", folder);
    FILE *file = fopen(path, "wb");
    if (!file) return 0;
    fwrite(data, 1, size, file);
    fclose(file);
    fuzz_refused = !store.get(store.user, key, values, COUNT);
    if (!fuzz_refused && size != 40 + 2 * COUNT && size != 40 + 4 * COUNT) abort();
    return 0;
}
