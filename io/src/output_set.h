/* Files that wait for one another. */
#ifndef SGIO_OUTPUT_SET_H
#define SGIO_OUTPUT_SET_H

#include "atomic_file.h"

/* Takes over a file that is complete and synced; it is discarded when memory runs out. */
sgio_status sgio_outputs_join(sgio_outputs *outputs, sgio_atomic_file *file);

#endif
