/* Memory layout: where values live in one block, given when each is needed. */
#ifndef SEGMODEL_PLAN_LAYOUT_H
#define SEGMODEL_PLAN_LAYOUT_H

#include <stddef.h>

#include "segmodel/segmodel.h"

/* cuBLASLt 13 refuses a workspace that is not aligned so, and it lies in a step's scratch. */
enum { SGM_ALIGNMENT = 256 };

/* A piece of memory that is needed from time `first` to time `last`, both included. */
typedef struct sgm_lifetime {
    size_t size; /* bytes; 0 is legal and gets offset 0 */
    int first, last;
    size_t offset; /* result, a multiple of SGM_ALIGNMENT */
} sgm_lifetime;

/* Chooses offsets so that pieces needed at the same time do not overlap; *total is the size of the
 * block. Greedy, largest first, each at the lowest place where it fits. */
sgm_status sgm_layout(sgm_lifetime *pieces, int count, size_t *total);

#endif
