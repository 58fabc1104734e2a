#define _XOPEN_SOURCE 700
#include "pack_reserved.h"

#include <stdlib.h>
#include <string.h>

/* As far as the data sets' own folders go; what a user calls t2s is something else. */
static const char *const RESERVED[] = {"pyradiomics/data/brain1_image.nrrd",
                                       "pyradiomics/data/brain1_label.nrrd",
                                       "dcmqi/data/segmentations/ct-3slice",
                                       "sct_testing_data/t2s",
                                       "resources/demo/brain1",
                                       "resources/demo/ct-3slice"};

static int is_below(const char *path, const char *part)
{
    const size_t length = strlen(part);
    for (const char *at = path; (at = strstr(at, part)) != NULL; at += length)
        if (at[length] == '/' || at[length] == '\0') return 1;
    return 0;
}

int pack_is_reserved(const char *path)
{
    char *real = realpath(path, NULL);
    int found = 0;
    for (size_t i = 0; i < sizeof RESERVED / sizeof *RESERVED && !found; i++)
        found = is_below(path, RESERVED[i]) || (real && is_below(real, RESERVED[i]));
    free(real);
    return found;
}
