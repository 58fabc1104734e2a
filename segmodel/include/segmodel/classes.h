/* Classes of networks that are asked for one instead of being shown places
 * (sgm_model_info.classes): numbers from 1, and names where the model's metadata have them
 * ("classes": "clasper,wrist"). */
#ifndef SEGMODEL_CLASSES_H
#define SEGMODEL_CLASSES_H

#include "segmodel/segmodel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The class of that number or, where the metadata name the classes, of that name. SGM_BAD_PROMPT
 * says which there are. Any number of threads. */
SGM_API sgm_status sgm_model_class(const sgm_model *model, const char *text, int *class_index);

/* All classes of a picture at once: labels[height * width] of the picture that the session has, the
 * class of every pixel or 0. Where a network has a mask per class these are its largest masks
 * (SAMed); masks of others (SurgicalSAM) may overlap, and the best rated lies on top. Errors as
 * sgm_session_predict's; SGM_BAD_PROMPT for networks without classes. */
SGM_API sgm_status sgm_session_predict_labels(sgm_session *session, uint16_t *labels);

#ifdef __cplusplus
}
#endif

#endif
