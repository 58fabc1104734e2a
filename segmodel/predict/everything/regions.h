/* Small holes and islands of a mask. */
#ifndef SEGMODEL_PREDICT_EVERYTHING_REGIONS_H
#define SEGMODEL_PREDICT_EVERYTHING_REGIONS_H

#include "segmodel/segmodel.h"

typedef enum sgm_region_kind { SGM_REGION_HOLES, SGM_REGION_ISLANDS } sgm_region_kind;

/* Fills holes (8-connected background) or drops islands (8-connected foreground) of fewer than
 * `least` pixels of a 0/1 mask; if all islands are that small, the largest stays, the first one
 * among equals. *changed says whether there were any. SGM_OUT_OF_MEMORY. */
sgm_status sgm_regions_remove(uint8_t *mask, int width, int height, int64_t least,
                              sgm_region_kind kind, int *changed);

#endif
