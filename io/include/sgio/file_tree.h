/* The files below a folder. */
#ifndef SGIO_FILE_TREE_H
#define SGIO_FILE_TREE_H

#include "sgio/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sgio_file_tree {
    char **files; /* sorted */
    size_t count;
    size_t left_out; /* entries that could not be looked at, and why for the first one */
    char first_left_out[512];
} sgio_file_tree;

/* Regular files in `folder` and, down to `depth` levels, in its subfolders; hidden ones are left
 * out, and everything that is neither file nor folder (FIFOs, sockets). A file or folder that links
 * lead to again is visited once. SGIO_UNREADABLE when the folder cannot be opened or holds more
 * than a million files. To be released with sgio_file_tree_clear, also after a failure. */
sgio_status sgio_list_files(const char *folder, int depth, sgio_file_tree *tree);
void sgio_file_tree_clear(sgio_file_tree *tree);

#ifdef __cplusplus
}
#endif
#endif
