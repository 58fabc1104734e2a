/* Output files that appear complete or not at all: written beside the target, synced, renamed. */
#ifndef SGIO_ATOMIC_FILE_H
#define SGIO_ATOMIC_FILE_H

#include "sgio/status.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sgio_atomic_file {
    FILE *stream;    /* to write to; NULL when not open */
    char *target;    /* where it will appear; symbolic links are followed */
    char *temporary; /* its name while being written, in the same directory */
    int nameless;    /* it has no name yet */
} sgio_atomic_file;

/* Creates the temporary file. SGIO_UNWRITABLE names the target and the reason. */
sgio_status sgio_atomic_open(sgio_atomic_file *file, const char *path);

/* Writes bytes; on failure (full disk) removes the temporary and returns SGIO_UNWRITABLE. Further
 * calls on the removed file return SGIO_UNWRITABLE and leave the message as it is. */
sgio_status sgio_atomic_write(sgio_atomic_file *file, const void *bytes, size_t count);

/* Syncs and renames (within sgio_outputs_begin: later, with the others); on failure removes the
 * temporary. *file is done with either way. */
sgio_status sgio_atomic_commit(sgio_atomic_file *file);

/* Removes the temporary; fine on a file that is committed, removed or zeroed. */
void sgio_atomic_discard(sgio_atomic_file *file);

#ifdef __cplusplus
}
#endif
#endif
