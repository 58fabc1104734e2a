/* Output files that are complete or not there: written beside their name, then renamed. */
#ifndef SEGMODEL_TRAIN_REPLACE_FILE_H
#define SEGMODEL_TRAIN_REPLACE_FILE_H

#include <stdio.h>

#include <stdbool.h>

#include "core/status.h"

typedef struct sgm_replace_file {
    FILE *stream; /* write here */
    char *path, *beside;
} sgm_replace_file;

/* SGM_UNWRITABLE names the path. */
sgm_status sgm_replace_begin(const char *path, sgm_replace_file *file);
/* Flushes to the disk and renames. On failure the old file is untouched and nothing is left. */
sgm_status sgm_replace_commit(sgm_replace_file *file);
/* Removes what was written; fine after a commit and on a zeroed struct. */
void sgm_replace_abandon(sgm_replace_file *file);

#endif
