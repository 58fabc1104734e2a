/* Whether a row's files are there, and are the row's. */
#ifndef PROMPTSEG_BATCH_DONE_H
#define PROMPTSEG_BATCH_DONE_H

#include "batch_journal.h"
#include "batch_plan.h"

/* The journal says that row `i` was done for its key, into the files that the manifest names now;
 * no other row was since; and they all are there: segmentation, report, picture, labels. Lines of
 * versions that did not note report and picture, or values of labels, count as well. Thumbnails are
 * passed over: they are the contact sheet's. */
int batch_is_done(const batch_plan *plan, const batch_journal *journal, size_t i);

#endif
