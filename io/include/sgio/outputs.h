/* Output files: complete under their name or not there at all, alone or several together. A report
 * must not exist without the segmentation it describes, nor the other way round.
 *
 * A file is written beside its place (nameless where the file system can, else as
 * ".sgio-*.partial"), synced, and renamed. Files of one set are renamed after all are complete,
 * segmentations last, under the protection of a journal: when the process is killed in between,
 * the next program that writes into one of the folders completes the set, unless somebody has
 * changed one of the files since. It also removes what else killed processes left there.
 *
 * A file that is replaced keeps its permissions and, where allowed, its group; symbolic links are
 * followed and stay links; of a hard link only the given name gets the new content. A file without
 * any write permission (chmod 444) is not replaced, whoever asks. */
#ifndef SGIO_OUTPUTS_H
#define SGIO_OUTPUTS_H

#include "sgio/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Files that appear together: every writer of this library takes such a set, and NULL for a file
 * that appears by itself. One thread at a time uses a set. */
typedef struct sgio_outputs sgio_outputs;

/* An empty set; release with sgio_outputs_destroy. */
sgio_status sgio_outputs_create(sgio_outputs **outputs);

/* Gives all files their names, segmentations last, else in the order they were written. The set is
 * empty afterwards. SGIO_UNWRITABLE: nothing was renamed, or a rename failed and those after it
 * were dropped. */
sgio_status sgio_outputs_commit(sgio_outputs *outputs);

/* Drops what was not committed. NULL is fine. */
void sgio_outputs_destroy(sgio_outputs *outputs);

/* To be asked before the work that ends in writing `path`: SGIO_UNWRITABLE with the reason when the
 * name is too long, its folder is not there or cannot be written, or it is a folder, a pipe or a
 * write-protected file. Leaves nothing behind. */
sgio_status sgio_output_check(const char *path);

/* Writes a file from memory. */
sgio_status sgio_output_write(sgio_outputs *outputs, const char *path, const void *bytes,
                              size_t size);

#ifdef __cplusplus
}
#endif
#endif
