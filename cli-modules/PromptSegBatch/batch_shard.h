/* Which rows this process is for. */
#ifndef PROMPTSEG_BATCH_SHARD_H
#define PROMPTSEG_BATCH_SHARD_H

#include <stddef.h>

typedef struct batch_shard {
    int number, count; /* 1 <= number <= count */
} batch_shard;

/* From --shard "i/n", counted from 1; from SLURM_ARRAY_TASK_ID, _MIN, _COUNT and _STEP when that is
 * NULL; else 1/1. 0, or CLI_EXIT_USAGE. */
int batch_shard_read(const char *text, batch_shard *out);

/* Rows are dealt in turn: neighbours in a manifest tend to take the same time. */
int batch_shard_has(batch_shard shard, size_t row);

#endif
