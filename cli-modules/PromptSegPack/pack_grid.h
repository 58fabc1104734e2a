/* A label map has to lie where its image lies. */
#ifndef PROMPTSEG_PACK_GRID_H
#define PROMPTSEG_PACK_GRID_H

#include "sgio/volume.h"

/* Turns the label round where it is stored along other axes than its image. CLI_EXIT_INPUT with a
 * message that names both grids when it lies elsewhere. Of pictures and sequences, and of files
 * that give no spacing, nobody knows where they lie: there the order of the pixels counts. */
int pack_grid_fit(const sgio_volume *image, sgio_volume *label);

#endif
