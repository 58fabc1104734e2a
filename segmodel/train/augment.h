/* What scanners and operators do to intensities, on a square RGB float image in [0, 255]. */
#ifndef SEGMODEL_TRAIN_AUGMENT_H
#define SEGMODEL_TRAIN_AUGMENT_H

#include "models/config.h"
#include "train/rng.h"

/* strength 0 leaves the image alone, 1 is the usual amount. `scratch` holds size * size * 3 floats.
 * Window jitter, gamma, rare inversion, colour to grey, colour cast, bias field, blur, noise. */
void sgm_augment(float *image, int size, double strength, sgm_rng *rng, float *scratch);

/* Into the network's numbers, by the protocol's row as the predictor does it
 * (predict/picture/preprocess.c). */
void sgm_normalise(float *image, int size, const sgm_protocol *protocol);

#endif
