/* The inside of a checkpoint, for the format readers of this folder only. */
#ifndef SEGMODEL_CHECKPOINT_CHECKPOINT_BUILD_H
#define SEGMODEL_CHECKPOINT_CHECKPOINT_BUILD_H

#include "checkpoint/checkpoint.h"
#include "checkpoint/mapped_file.h"
#include "checkpoint/parse_arena.h"

enum {
    SGM_CHECKPOINT_MAX_TENSORS = 1 << 16,
    SGM_CHECKPOINT_MAX_METADATA = 1 << 16,
    SGM_CHECKPOINT_MAX_NAME = 1024,
};

struct sgm_checkpoint {
    sgm_mapped_file file; /* what is closed in the end; empty if opened from memory */
    sgm_tensor_source source;
    const unsigned char *bytes;
    size_t size;
    sgm_parse_arena arena; /* names, metadata, path */
    const char *path, *format, *prefix, *wrapper;
    sgm_stored_tensor *tensors; /* in the file's order */
    size_t count, capacity;
    sgm_metadata_entry *metadata; /* sorted by key once open */
    size_t metadata_count, metadata_capacity;
    const sgm_stored_tensor **by_name;
    sgm_checkpoint *layers[2]; /* of a stack: overlay and base, whose tensors these are */
};

/* Each fills tensors, metadata and format from bytes; messages do not name the file, the caller
 * does. */
sgm_status sgm_safetensors_parse(sgm_checkpoint *checkpoint);
sgm_status sgm_torch_file_parse(sgm_checkpoint *checkpoint);
sgm_status sgm_torch_stream_parse(sgm_checkpoint *checkpoint);

/* Are these the first bytes of what torch.save wrote before PyTorch 1.6? */
bool sgm_torch_stream_begins(const unsigned char *bytes, size_t size);

/* Refuses names that are empty, too long or hold control characters. Call it before a message
 * prints a name. */
sgm_status sgm_checkpoint_check_name(const char *name);

/* Appends; `tensor->name` and the texts must live in the arena. Refuses bad names and more tensors
 * than the limit. */
sgm_status sgm_checkpoint_add_tensor(sgm_checkpoint *checkpoint, const sgm_stored_tensor *tensor);
sgm_status sgm_checkpoint_add_metadata(sgm_checkpoint *checkpoint, sgm_metadata_entry entry);

/* Sorts names and metadata for look-up; refuses duplicates. Call it again when names have changed.
 */
sgm_status sgm_checkpoint_build_index(sgm_checkpoint *checkpoint);

#endif
