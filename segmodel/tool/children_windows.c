#include "children.h"

#include "core/system.h"

#include <stdlib.h>

int child_copy(int (*work)(const void *), const void *argument, double *peak)
{
    int code = work(argument);
    if (peak) *peak = sgm_peak_memory();
    return code;
}

int child_anew(char *const arguments[])
{
    (void)arguments;
    return -1;
}

void *child_shared(size_t size)
{
    return calloc(1, size);
}
