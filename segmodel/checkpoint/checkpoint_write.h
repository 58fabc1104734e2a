/* Writes .safetensors files: metadata, any number of tensors, floats stored as F32, F16 or BF16.
 *
 *     sgm_checkpoint_writer *writer;
 *     sgm_checkpoint_writer_create(&writer);
 *     sgm_checkpoint_writer_metadata(writer, "architecture", "sam_vit_b");
 *     sgm_checkpoint_writer_add_f32(writer, "pos_embed", 4, shape, values, SGM_STORED_BF16);
 *     status = sgm_checkpoint_writer_save(writer, "model.safetensors");
 *     sgm_checkpoint_writer_destroy(writer);
 *
 * The file's bytes depend only on what was added, not on the order: tensors are laid out by element
 * size, then by name, metadata by key. The data begin at a multiple of 64 bytes and every tensor at
 * a multiple of its element size. Values are converted while they are written, in pieces, so memory
 * stays small; what was added is borrowed until the save. */
#ifndef SEGMODEL_CHECKPOINT_CHECKPOINT_WRITE_H
#define SEGMODEL_CHECKPOINT_CHECKPOINT_WRITE_H

#include "checkpoint/checkpoint.h"

typedef struct sgm_checkpoint_writer sgm_checkpoint_writer;

/* Gives the F32 values [first, first + count) in row-major order; called in increasing order. */
typedef sgm_status (*sgm_checkpoint_source)(void *user, size_t first, size_t count, float *out);

sgm_status sgm_checkpoint_writer_create(sgm_checkpoint_writer **out);
void sgm_checkpoint_writer_destroy(sgm_checkpoint_writer *writer);

/* Copies both texts; a key given again is replaced. */
sgm_status sgm_checkpoint_writer_metadata(sgm_checkpoint_writer *writer, const char *key,
                                          const char *value);

/* Adds a tensor under its own name (copied); data are borrowed. If it holds floats they are stored
 * as `type` (F32, F16, BF16, F64 only if it is F64 already); other types are stored as they are. */
sgm_status sgm_checkpoint_writer_add(sgm_checkpoint_writer *writer, const sgm_stored_tensor *tensor,
                                     sgm_stored_type type);

/* Row-major floats, stored as F32, F16 or BF16. */
sgm_status sgm_checkpoint_writer_add_f32(sgm_checkpoint_writer *writer, const char *name, int rank,
                                         const int64_t *shape, const float *values,
                                         sgm_stored_type type);

/* Any type as it is, row-major: counters, random states. */
sgm_status sgm_checkpoint_writer_add_raw(sgm_checkpoint_writer *writer, const char *name,
                                         sgm_stored_type type, int rank, const int64_t *shape,
                                         const void *values);

/* Floats that are made, or fetched from a device, while the file is written. */
sgm_status sgm_checkpoint_writer_add_source(sgm_checkpoint_writer *writer, const char *name,
                                            int rank, const int64_t *shape,
                                            sgm_checkpoint_source source, void *user,
                                            sgm_stored_type type);

/* Writes the file beside `path`, flushes it to the disk and renames it. May be called again.
 * SGM_UNWRITABLE: the file; SGM_INVALID_ARGUMENT: two tensors of one name, or a finite value that
 * F16 cannot hold (BF16 can). */
sgm_status sgm_checkpoint_writer_save(sgm_checkpoint_writer *writer, const char *path);

/* Adds every tensor and the metadata of an open checkpoint, which must stay open until the save. */
sgm_status sgm_checkpoint_writer_add_all(sgm_checkpoint_writer *writer,
                                         const sgm_checkpoint *checkpoint, sgm_stored_type type);

#endif
