/* Several outputs of one run that appear together: a report must not exist without the
 * segmentation it describes, nor the other way round. */
#ifndef SGIO_OUTPUTS_H
#define SGIO_OUTPUTS_H

#include "sgio/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* From here on, files written by this thread through the library are complete on disk but keep
 * their old content under their name, until sgio_outputs_commit. */
void sgio_outputs_begin(void);

/* Gives all of them their names, in the order they were written. SGIO_UNWRITABLE when a rename
 * fails; those not yet renamed are dropped. */
sgio_status sgio_outputs_commit(void);

/* Drops what was written since sgio_outputs_begin; does nothing after a commit. */
void sgio_outputs_discard(void);

#ifdef __cplusplus
}
#endif
#endif
