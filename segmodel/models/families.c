/* The table of families, made of family_list.h. */
#include "models/family.h"

#define FAMILY(row) extern const sgm_family row;
#include "models/family_list.h"
#undef FAMILY

const sgm_family *const sgm_families[] = {
#define FAMILY(row) &row,
#include "models/family_list.h"
#undef FAMILY
    NULL};
