/* How much each place of a picture looks like an object that was outlined on another one, in the
 * network's own features: a ridge regression from an embedding's maps to inside (1) and outside
 * (-1), fitted where the outline is known and read off where it is not. Discriminative models of a
 * target are common in the segmentation of videos (e.g. Robinson et al., CVPR 2020); this one has a
 * closed form and wants no training. */
#ifndef SEGMODEL_PREDICT_LOOK_LIKENESS_H
#define SEGMODEL_PREDICT_LOOK_LIKENESS_H

#include "predict/look/predictor.h"

/* Weights there are for these maps: one a channel, and a constant. */
size_t sgm_likeness_count(const sgm_feature_map *maps, int count);

/* Fits weights to a picture whose low-res logits (rows x columns) are above 0 where the object is;
 * each side counts as much as the other, and cells that are NAN (padding) not at all. *fitted is 0,
 * and so are all weights, without an inside or an outside, or where features are no numbers. Looks
 * meanwhile whether the user wants to stop. SGM_OUT_OF_MEMORY, SGM_CANCELLED. */
sgm_status sgm_likeness_fit(const sgm_feature_map *maps, int count, const float *logits, int rows,
                            int columns, float *weights, int *fitted);

/* scores[rows * columns] of another picture: about 1 where it looks like the object, -1 where it
 * looks like what was around it. SGM_OUT_OF_MEMORY. */
sgm_status sgm_likeness_scores(const sgm_feature_map *maps, int count, const float *weights,
                               int rows, int columns, float *scores);

#endif
