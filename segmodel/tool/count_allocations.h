/* How often the program asks for memory: for `bench`, to show that running a plan never does. */
#ifndef SEGMODEL_TOOL_COUNT_ALLOCATIONS_H
#define SEGMODEL_TOOL_COUNT_ALLOCATIONS_H

/* Calls of malloc, calloc, realloc and aligned_alloc by all threads so far; -1 where this cannot be
 * counted (not glibc, or a sanitizer has taken the allocator's place). */
long count_allocations(void);

#endif
