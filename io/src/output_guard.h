/* A journal's file, locked from its creation on: while it is, nobody takes the temporary files of
 * its folder for left behind (output_recovery.h). Empty it guards files that have no lock of their
 * own, and announces nothing. */
#ifndef SGIO_OUTPUT_GUARD_H
#define SGIO_OUTPUT_GUARD_H

#include <stddef.h>

typedef struct sgio_guard {
    char *path;
    int descriptor; /* holds the lock */
} sgio_guard;

typedef struct sgio_guards {
    sgio_guard *items;
    size_t count;
} sgio_guards;

/* The guard of the folder that `temporary` lies in, made beside that file and named after it where
 * there is none yet. NULL and errno when that fails. */
sgio_guard *sgio_guard_folder(sgio_guards *guards, const char *temporary);

/* The files go, and the locks with them. */
void sgio_guards_remove(sgio_guards *guards);

#endif
