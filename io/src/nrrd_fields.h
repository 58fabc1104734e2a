/* The values of NRRD's "field: value" lines. */
#ifndef SGIO_NRRD_FIELDS_H
#define SGIO_NRRD_FIELDS_H

#include "nrrd_header.h"

/* Takes one field into the header; fields without a meaning for the voxels are passed over. `value`
 * must live as long as the header. SGIO_UNREADABLE names the file and the field. */
sgio_status sgio_nrrd_set_field(const char *path, const char *name, const char *value,
                                sgio_nrrd *header);

#endif
