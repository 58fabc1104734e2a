/* Classes of networks that are asked for one instead of being shown places (sgm_model_info.classes):
 * numbers from 1, and names where the model's metadata have them ("classes": "clasper,wrist"). */
#ifndef SEGMODEL_CLASSES_H
#define SEGMODEL_CLASSES_H

#include "segmodel/segmodel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The class of that number or, where the metadata name the classes, of that name. SGM_BAD_PROMPT
 * says which there are. Any number of threads. */
SGM_API sgm_status sgm_model_class(const sgm_model *model, const char *text, int *class_index);

#ifdef __cplusplus
}
#endif

#endif
