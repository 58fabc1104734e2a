#include "segmodel/segmodel.h"

#define TEXT(x) #x
#define DOTTED(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)

const char *sgm_version(void)
{
    return DOTTED(SGM_VERSION_MAJOR, SGM_VERSION_MINOR, SGM_VERSION_PATCH);
}
