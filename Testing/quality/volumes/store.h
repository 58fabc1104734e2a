/* Embeddings of one case in memory, so that the protocols do not encode the same slices again. */
#ifndef QUALITY_VOLUMES_STORE_H
#define QUALITY_VOLUMES_STORE_H

#include "segmodel/volume.h"

typedef struct memory_store memory_store;

memory_store *memory_store_new(size_t most_bytes);
void memory_store_free(memory_store *store);
/* Forgets everything. */
void memory_store_clear(memory_store *store);
sgm_embedding_store memory_store_view(memory_store *store);

#endif
