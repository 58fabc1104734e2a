/* Any bytes as the pickle of a PyTorch checkpoint that has two small storages: parsed by itself,
 * then as part of an archive, whose tensors are read. */
#include "fuzz_result.h"

#include "checkpoint/checkpoint.h"
#include "checkpoint/pickle.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_READ = 1 << 16, STORAGE_SIZE = 128, MAX_ENTRIES = 3 };

typedef struct {
    unsigned char *bytes;
    size_t size, offsets[MAX_ENTRIES], sizes[MAX_ENTRIES];
    const char *names[MAX_ENTRIES];
    int count;
} archive;

static void put(archive *a, const void *bytes, size_t size)
{
    if (size > 0) memcpy(a->bytes + a->size, bytes, size);
    a->size += size;
}

static void put_number(archive *a, uint64_t value, int n)
{
    for (int i = 0; i < n; i++)
        a->bytes[a->size++] = i < 8 ? (unsigned char)(value >> 8 * i) : 0;
}

static void add(archive *a, const char *name, const void *bytes, size_t size)
{
    a->names[a->count] = name;
    a->offsets[a->count] = a->size;
    a->sizes[a->count++] = size;
    put(a, "PK\3\4", 4);
    put_number(a, 0, 22);
    put_number(a, strlen(name), 2);
    put_number(a, 0, 2);
    put(a, name, strlen(name));
    put(a, bytes, size);
}

static void finish(archive *a)
{
    size_t start = a->size;
    for (int i = 0; i < a->count; i++) {
        put(a, "PK\1\2", 4);
        put_number(a, 0, 16);
        put_number(a, a->sizes[i], 4);
        put_number(a, a->sizes[i], 4);
        put_number(a, strlen(a->names[i]), 2);
        put_number(a, 0, 12);
        put_number(a, a->offsets[i], 4);
        put(a, a->names[i], strlen(a->names[i]));
    }
    size_t length = a->size - start;
    put(a, "PK\5\6", 4);
    put_number(a, 0, 4);
    put_number(a, (uint64_t)a->count, 2);
    put_number(a, (uint64_t)a->count, 2);
    put_number(a, length, 4);
    put_number(a, start, 4);
    put_number(a, 0, 2);
}

static void read_all(const sgm_checkpoint *c)
{
    for (size_t i = 0; i < sgm_checkpoint_count(c); i++) {
        const sgm_stored_tensor *t = sgm_checkpoint_tensor(c, i);
        float *values = t->count <= MAX_READ ? malloc((t->count + 1) * sizeof *values) : NULL;
        if (values) sgm_stored_tensor_read_f32(t, values);
        free(values);
    }
}

static void open_archive(const uint8_t *data, size_t size)
{
    static const char storage[STORAGE_SIZE];
    archive a = {.bytes = malloc(size + 2 * STORAGE_SIZE + 1024)};
    sgm_checkpoint *c;
    if (!a.bytes) return;
    add(&a, "a/data.pkl", data, size);
    add(&a, "a/data/0", storage, sizeof storage);
    add(&a, "a/data/1", storage, sizeof storage / 2);
    finish(&a);
    if (sgm_checkpoint_open_memory(a.bytes, a.size, "fuzz", &c) == SGM_OK) {
        read_all(c);
        sgm_checkpoint_close(c);
    }
    free(a.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sgm_pickle pickle;
    fuzz_refused = sgm_pickle_parse(data, size, &pickle) != SGM_OK;
    if (fuzz_refused) return 0;
    sgm_pickle_free(&pickle);
    open_archive(data, size);
    return 0;
}
