/* What tells that an input has changed: name, size and time of change of a file, or of all files
 * that reading a folder looks at. Links count as what they lead to, for that is what is read. */
#ifndef PROMPTSEG_BATCH_IDENTITY_H
#define PROMPTSEG_BATCH_IDENTITY_H

#include <stdint.h>

/* 1 when there is something at `path`. The folder `outputs`, which may lie inside, does not count.
 * The last folder is remembered: many series of one folder follow one another. Main thread only. */
int batch_identity(const char *path, const char *outputs, uint64_t *identity);

#endif
