/* One output file on its way to its name: written beside it, synced, renamed. */
#ifndef SGIO_ATOMIC_FILE_H
#define SGIO_ATOMIC_FILE_H

#include "sgio/outputs.h"

#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sgio_atomic_file {
    FILE *stream;          /* to write to and read from; NULL when not open */
    char *target;          /* where it will appear; symbolic links are followed */
    char *temporary;       /* its name while being written, in the same directory */
    int nameless;          /* it has no name yet */
    int is_segmentation;   /* appears after the other files of its set */
    sgio_outputs *outputs; /* the set it joins, NULL: none; borrowed */
} sgio_atomic_file;

/* Creates the temporary file. SGIO_UNWRITABLE names the target and the reason. */
sgio_status sgio_atomic_open(sgio_atomic_file *file, const char *path, sgio_outputs *outputs);

/* Writes bytes; on failure (full disk) removes the temporary and returns SGIO_UNWRITABLE. Further
 * calls on the removed file return SGIO_UNWRITABLE and leave the message as it is. */
sgio_status sgio_atomic_write(sgio_atomic_file *file, const void *bytes, size_t count);

/* Syncs, and renames or joins the set; on failure removes the temporary. *file is done with either
 * way. */
sgio_status sgio_atomic_commit(sgio_atomic_file *file);

/* Removes the temporary; fine on a file that is committed, removed or zeroed. */
void sgio_atomic_discard(sgio_atomic_file *file);

/* The steps of the commit of a set. A nameless file gets its temporary name; 0, or -1 and errno. */
int sgio_atomic_give_name(sgio_atomic_file *file);
/* Closes a file that has its temporary name; its lock goes. 0, or -1 and errno. */
int sgio_atomic_close(sgio_atomic_file *file);
/* The rename. On failure the file is discarded. */
sgio_status sgio_atomic_publish(sgio_atomic_file *file);

#ifdef __cplusplus
}
#endif
#endif
