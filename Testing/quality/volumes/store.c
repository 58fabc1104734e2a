#include "store.h"

#include "grid.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096 };

typedef struct entry {
    struct entry *next;
    uint64_t key;
    size_t count;
    float values[];
} entry;

struct memory_store {
    entry *buckets[BUCKETS];
    size_t bytes, most;
};

memory_store *memory_store_new(size_t most_bytes)
{
    memory_store *store = must_alloc(1, sizeof *store);
    store->most = most_bytes;
    return store;
}

void memory_store_clear(memory_store *store)
{
    for (size_t i = 0; i < BUCKETS; i++)
        while (store->buckets[i]) {
            entry *first = store->buckets[i];
            store->buckets[i] = first->next;
            free(first);
        }
    store->bytes = 0;
}

void memory_store_free(memory_store *store)
{
    memory_store_clear(store);
    free(store);
}

static int get(void *user, uint64_t key, float *values, size_t count)
{
    memory_store *store = user;
    for (entry *e = store->buckets[key % BUCKETS]; e; e = e->next)
        if (e->key == key && e->count == count) {
            memcpy(values, e->values, count * sizeof *values);
            return 1;
        }
    return 0;
}

static void put(void *user, uint64_t key, const float *values, size_t count)
{
    memory_store *store = user;
    size_t bytes = sizeof(entry) + count * sizeof *values;
    if (store->bytes + bytes > store->most) memory_store_clear(store);
    entry *e = malloc(bytes);
    if (!e) return;
    e->key = key;
    e->count = count;
    memcpy(e->values, values, count * sizeof *values);
    e->next = store->buckets[key % BUCKETS];
    store->buckets[key % BUCKETS] = e;
    store->bytes += bytes;
}

sgm_embedding_store memory_store_view(memory_store *store)
{
    return (sgm_embedding_store){.get = get, .put = put, .user = store};
}
