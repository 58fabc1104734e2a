/* Whether the plain label maps of a batch agree: a name has one value in all, a value one name. */
#ifndef PROMPTSEG_BATCH_AGREE_H
#define PROMPTSEG_BATCH_AGREE_H

#include "batch_journal.h"
#include "cli_warnings.h"

/* Compares the tables beside the rows that are done. They differ where shards did not know of each
 * other's names, or rows wait to be made anew. 0; CLI_EXIT_PARTIAL with a message; CLI_EXIT_MEMORY.
 * Names that the batch's own table does not have, those of RT structure sets, have whatever value a
 * case has left: about these there is a warning only, as about tables that cannot be read, and
 * about rows in state BATCH_ELSEWHERE, which the run could not make anew. */
int batch_agree(const batch_plan *plan, const batch_journal *journal, cli_warnings *warnings);

#endif
