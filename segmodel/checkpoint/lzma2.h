/* LZMA2, the compression inside .xz: chunks of LZMA (Pavlov's LZ77 with a range coder and adaptive
 * bits; format as in the LZMA SDK's specification) or of plain bytes. Decoding only, one block at a
 * time, the block's output being its dictionary. */
#ifndef SEGMODEL_CHECKPOINT_LZMA2_H
#define SEGMODEL_CHECKPOINT_LZMA2_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

/* Output that grows; free(bytes) at the end, also after a failure. */
typedef struct sgm_lzma2_output {
    uint8_t *bytes;
    size_t size, room;
    size_t limit; /* most bytes it may grow to */
} sgm_lzma2_output;

/* Decodes one LZMA2 stream from bytes[*at ..size) and moves *at behind it. `label` names the file
 * in messages. SGM_UNREADABLE: damaged, cut off, or more than the limit; SGM_OUT_OF_MEMORY. */
sgm_status sgm_lzma2_decode(const uint8_t *bytes, size_t size, size_t *at, const char *label,
                            sgm_lzma2_output *out);

#endif
