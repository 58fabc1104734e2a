/* Step 2 of "How to add a family" (segmodel/README.md): the list, and one line more. */
#include "../../../../segmodel/models/family_list.h"
FAMILY(sgm_family_linear)
