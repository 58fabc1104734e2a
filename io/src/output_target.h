/* Where an output goes, and whether it may. */
#ifndef SGIO_OUTPUT_TARGET_H
#define SGIO_OUTPUT_TARGET_H

#include "sgio/status.h"

#include <sys/stat.h>

typedef struct sgio_target {
    char *path;       /* symbolic links followed; owned */
    int exists;       /* a regular file that may be replaced */
    struct stat info; /* of that file */
} sgio_target;

/* SGIO_UNWRITABLE names the path and why nothing can be written there; the caller frees
 * target->path otherwise. */
sgio_status sgio_target_find(const char *path, sgio_target *target);

/* The folder of a path, "." where it names none; malloc'ed, NULL when out of memory. */
char *sgio_folder_of(const char *path);

/* Renames must reach the disk too; a folder that cannot be synced is no error. */
void sgio_sync_folder_of(const char *path);

#endif
