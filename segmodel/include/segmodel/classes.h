/* Classes of networks that are asked for one instead of being shown places
 * (sgm_model_info.classes): numbers from 1, and names where the model's metadata have them
 * ("classes": "clasper,wrist"). */
#ifndef SEGMODEL_CLASSES_H
#define SEGMODEL_CLASSES_H

#include "segmodel/volume.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The class of that number or, where the metadata name the classes, of that name. SGM_BAD_PROMPT
 * says which there are. Any number of threads. */
SGM_API sgm_status sgm_model_class(const sgm_model *model, const char *text, int *class_index);

/* The name that the model's metadata give a class, "" where they give none (or there is no such
 * class), into `name`, which holds `room` bytes; longer names are cut. Any number of threads. */
SGM_API void sgm_model_class_name(const sgm_model *model, int class_index, char *name, size_t room);

/* Whether the model is prompted by points, boxes and masks. Others answer without: those with
 * classes, and those that make their own prompt of the picture (AutoSAM). */
SGM_API int sgm_model_wants_places(const sgm_model *model);

/* All classes of a picture at once: labels[height * width] of the picture that the session has, the
 * class of every pixel or 0. Where a network has a mask per class these are its largest masks
 * (SAMed); masks of others (SurgicalSAM) may overlap, and the best rated lies on top. Errors as
 * sgm_session_predict's; SGM_BAD_PROMPT for networks without classes. */
SGM_API sgm_status sgm_session_predict_labels(sgm_session *session, uint16_t *labels);

/* Every slice of a volume, without any prompt: objects[i] is class classes[i]; `classes` NULL: all
 * of them, in order; for a network that makes its own prompt NULL, and one object. What
 * sgm_session_predict_labels gives of every slice's picture: no voxel has two classes. Of the
 * options class_index, no_propagation and max_slices are not looked at. SGM_BAD_PROMPT for a class
 * that does not exist, and for networks that want places (sgm_model_wants_places); else as
 * sgm_volume_predict. */
SGM_API sgm_status sgm_volume_predict_classes(sgm_model *model, const sgm_volume *volume,
                                              const int *classes, size_t class_count,
                                              const sgm_volume_options *options,
                                              const sgm_call *call, sgm_volume_result *out);

#ifdef __cplusplus
}
#endif

#endif
