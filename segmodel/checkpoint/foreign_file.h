/* What people hand over by mistake in a checkpoint's place. */
#ifndef SEGMODEL_CHECKPOINT_FOREIGN_FILE_H
#define SEGMODEL_CHECKPOINT_FOREIGN_FILE_H

#include "segmodel/segmodel.h"

/* SGM_BAD_MODEL with a sentence that says what these bytes are, of no format that is read. */
sgm_status sgm_fail_foreign_file(const unsigned char *bytes, size_t size);

#endif
