/* Work in processes of its own, so that each one's memory is measured from nothing. */
#ifndef SEGMODEL_TOOL_CHILDREN_H
#define SEGMODEL_TOOL_CHILDREN_H

#include <stddef.h>

/* Runs `work` in a copy of this process; its exit code and, if asked, its peak memory in bytes. On
 * Windows, which has no such copies, in this process. */
int child_copy(int (*work)(const void *argument), const void *argument, double *peak);

/* Starts this program anew, waits for it, and gives its exit code; -1: cannot be started. */
int child_anew(char *const arguments[]);

/* Zeroed memory that copies of this process share; NULL: none. Stays until the process ends. */
void *child_shared(size_t size);

#endif
