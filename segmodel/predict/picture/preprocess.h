/* From an 8-bit image to the encoder's input, as each family's official code does it. */
#ifndef SEGMODEL_PREDICT_PICTURE_PREPROCESS_H
#define SEGMODEL_PREDICT_PICTURE_PREPROCESS_H

#include "models/config.h"
#include "predict/picture/resample.h"

/* Where the image lies in the encoder's square: resized to `resized`, at the top left. */
typedef struct sgm_frame {
    sgm_size original, resized;
} sgm_frame;

/* SGM_INVALID_ARGUMENT for a size outside 1..32768. */
sgm_status sgm_frame_make(const sgm_model_config *config, int width, int height, sgm_frame *frame);

/* input: image_size x image_size x 3 floats. SGM_INVALID_ARGUMENT names what is wrong with the
 * image. */
sgm_status sgm_preprocess(const sgm_model_config *config, const sgm_image *image, float *input,
                          sgm_frame *frame);

/* The same for a device that prepares pictures (backend/picture.h): the rule for images of this
 * frame, and the pixels it takes (malloc'ed, one byte per channel without gaps). `channels` is what
 * sgm_picture_channels gives. */
int sgm_picture_channels(const sgm_model_config *config, const sgm_image *image);
sgm_status sgm_picture_rule_make(const sgm_model_config *config, const sgm_frame *frame,
                                 int channels, sgm_picture_rule *rule);
void sgm_picture_rule_clear(sgm_picture_rule *rule);
sgm_status sgm_picture_pixels(const sgm_model_config *config, const sgm_image *image,
                              uint8_t **pixels);

/* 64-bit hash of memory, for cache keys: not against malice. */
uint64_t sgm_hash_bytes(const void *bytes, size_t size);

#endif
