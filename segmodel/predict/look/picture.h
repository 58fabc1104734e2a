/* sgm_picture on any predictor. */
#ifndef SEGMODEL_PREDICT_LOOK_PICTURE_H
#define SEGMODEL_PREDICT_LOOK_PICTURE_H

#include "predict/look/predictor.h"

/* `predictor` is borrowed; `zoom` 0: the whole image always. */
sgm_status sgm_picture_make(const sgm_predictor *predictor, int zoom,
                            const sgm_picture_options *options, sgm_picture **out);

/* What sgm_picture_predict asks of points and box, as sgm_volume_predict does of seeds and ROIs:
 * SGM_BAD_PROMPT for a place outside the image's pixels and for background points alone. */
sgm_status sgm_picture_check(const sgm_image *image, const sgm_prompt *prompt);

#endif
