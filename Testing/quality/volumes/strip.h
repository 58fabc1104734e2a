/* Pictures of results: a strip of slices per result, a page of the worst strips. */
#ifndef QUALITY_VOLUMES_STRIP_H
#define QUALITY_VOLUMES_STRIP_H

#include "case.h"
#include "rows.h"

/* FOLDER/dataset_case_object_protocol.png: slices from below the object to above it; the truth's
 * outline green, the mask's red, where both run yellow. Nothing is written when that fails. */
void strip_write(const char *folder, const volume_case *c, const truth *object, const row *r,
                 const uint8_t *mask);
/* Path of a result's strip. */
void strip_path(const char *folder, const row *r, char *path, size_t room);
/* Strips one below the other; those that cannot be read are left black. 0, or -1 after a message:
 * none could be read, or the page not be written. */
int strip_page(const char *folder, const row *const *worst, size_t count, const char *path);

#endif
