/* Checkpoints: named tensors and key/value metadata out of a .safetensors or PyTorch .pth file.
 *
 * The file is memory-mapped while its directory is parsed and stays open; values are read when they
 * are asked for. So opening costs about a millisecond whatever the size, and a file that somebody
 * cuts while it is in use is an error. Every byte is taken as hostile: sizes, offsets, depth and
 * memory are bounded, nothing in a pickle is ever executed. This folder knows names, shapes and
 * types, not models.
 *
 * Formats, recognised by content:
 *  - safetensors (huggingface/safetensors, format description in its README): strict, no gaps or
 *    overlaps, header at most 25 MB.
 *  - PyTorch's zip format (torch.save since 1.6) and the one before it (still written by
 *    _use_new_zipfile_serialization=False) of state dicts: tensors, Parameters, dicts, lists,
 * tuples and plain values; views and shared storages; wrappers such as {"state_dict": {...}}.
 * Objects of other classes are passed over. The still older tar format, TorchScript and whole
 * pickled modules are refused with the line of Python that exports a state dict.
 *
 * Names. Of nested dicts the one under "state_dict", "model" and the like is taken, whatever stands
 * beside it, or the only one that holds tensors; of several, each is kept and its tensors are
 * called
 * "<dict>/<name>". Optimiser state and entries that are no tensors are ignored. Names are the
 * file's: prefix.h takes off what a training program put before a network's. */
#ifndef SEGMODEL_CHECKPOINT_CHECKPOINT_H
#define SEGMODEL_CHECKPOINT_CHECKPOINT_H

#include "checkpoint/stored_tensor.h"

typedef struct sgm_checkpoint sgm_checkpoint;

typedef struct sgm_metadata_entry {
    const char *key, *value;
} sgm_metadata_entry;

/* Opens a file. On failure: SGM_BAD_MODEL (or SGM_OUT_OF_MEMORY), a message that names the file and
 * the tensor or position, and *out is NULL. */
sgm_status sgm_checkpoint_open(const char *path, sgm_checkpoint **out);

/* The same from memory, which must stay until the close; `label` stands for the path in messages.
 * Data is used in place: a buffer from malloc keeps tensors as aligned as the file has them. */
sgm_status sgm_checkpoint_open_memory(const void *bytes, size_t size, const char *label,
                                      sgm_checkpoint **out);

/* Tensors, names and metadata of the checkpoint die with it. NULL is fine. */
void sgm_checkpoint_close(sgm_checkpoint *checkpoint);

/* Tensors in the file's order. */
size_t sgm_checkpoint_count(const sgm_checkpoint *checkpoint);
const sgm_stored_tensor *sgm_checkpoint_tensor(const sgm_checkpoint *checkpoint, size_t index);

/* O(log n); NULL if there is no tensor of that name. Sets no message: the caller knows who wanted
 * it. */
const sgm_stored_tensor *sgm_checkpoint_find(const sgm_checkpoint *checkpoint, const char *name);

/* `__metadata__` of a .safetensors; a .pth has none. The value, or NULL. */
const char *sgm_checkpoint_metadata(const sgm_checkpoint *checkpoint, const char *key);
size_t sgm_checkpoint_metadata_count(const sgm_checkpoint *checkpoint);
sgm_metadata_entry sgm_checkpoint_metadata_at(const sgm_checkpoint *checkpoint, size_t index);

/* The path or label it was opened with; "safetensors", "PyTorch zip" or "PyTorch before 1.6"; the
 * prefix that was taken off the names (prefix.h; "" if none); the keys that were unwrapped, joined
 * by '.', "" if none. */
const char *sgm_checkpoint_path(const sgm_checkpoint *checkpoint);
const char *sgm_checkpoint_format(const sgm_checkpoint *checkpoint);
const char *sgm_checkpoint_prefix(const sgm_checkpoint *checkpoint);
const char *sgm_checkpoint_wrapper(const sgm_checkpoint *checkpoint);

#endif
