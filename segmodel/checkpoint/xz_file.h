/* .xz files (the .xz file format 1.2): streams of blocks of LZMA2, each with a checksum. What `xz`
 * writes by default, with any number of blocks and streams; other filters than LZMA2 are refused.
 */
#ifndef SEGMODEL_CHECKPOINT_XZ_FILE_H
#define SEGMODEL_CHECKPOINT_XZ_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

/* Gets the bytes of one block after the other. */
typedef sgm_status (*sgm_xz_sink)(void *user, const uint8_t *bytes, size_t size);

/* Unpacks all of it. A block may unpack to at most `block_limit` bytes (memory grows with what is
 * really there). CRC32 and CRC64 are checked, SHA-256 is not. `label` names the file in messages.
 * SGM_UNREADABLE, SGM_OUT_OF_MEMORY, or the sink's status. */
sgm_status sgm_xz_unpack(const uint8_t *bytes, size_t size, const char *label, size_t block_limit,
                         sgm_xz_sink sink, void *user);

#endif
