/* Structs of the interface that begin with their own size: a caller may know fewer members than the
 * library, or more. */
#ifndef SEGMODEL_CORE_SIZED_H
#define SEGMODEL_CORE_SIZED_H

#include "segmodel/segmodel.h"

/* Copies a caller's struct, which begins with its size (0: `first`, that of the first version), to
 * one of `room` bytes; members the caller does not know become zero. SGM_INVALID_ARGUMENT names
 * `type` when the size is too small to be one, or when members that the library does not know are
 * set. */
sgm_status sgm_sized_read(const char *type, const void *from, size_t first, void *to, size_t room);

/* Whether a caller's struct can be filled: before what it takes is done. */
sgm_status sgm_sized_check(const char *type, const void *to, size_t first);

/* The other way, for results: fills as much of the caller's struct as it has, but for its size. */
sgm_status sgm_sized_write(const char *type, const void *from, size_t first, size_t room, void *to);

#endif
