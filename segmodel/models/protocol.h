/* Protocols: how a picture is shown to a network and its answer read, as the official code of its
 * family does it. One row of numbers and words per protocol, and nothing that asks for a protocol's
 * name: prediction (predict/picture/preprocess.c, predict/session) and training read the same row.
 */
#ifndef SEGMODEL_MODELS_PROTOCOL_H
#define SEGMODEL_MODELS_PROTOCOL_H

#include "core/status.h"

#include <stdbool.h>

/* How 8-bit pixels are brought to another size: predict/picture/resample.h. */
typedef enum sgm_resampling {
    SGM_RESAMPLING_PILLOW, /* antialiased bilinear, as Pillow */
    SGM_RESAMPLING_CUBIC,  /* cubic with a Gaussian against aliasing, as scikit-image */
    SGM_RESAMPLING_AREA,   /* means over areas, as OpenCV */
    SGM_RESAMPLING_FLOATS  /* bilinear on floats, rounded, as torch; grey only */
} sgm_resampling;

/* What grey levels become. */
typedef enum sgm_levels {
    SGM_LEVELS_IMAGENET,      /* (v - mean) / deviation per channel */
    SGM_LEVELS_UNIT_IMAGENET, /* (v / 255 - mean) / deviation, the same two for 0..255: a quirk of
                                 Medical-SAM-Adapter */
    SGM_LEVELS_UNIT,          /* v / 255 */
    SGM_LEVELS_RANGE          /* (v - least) / (most - least) of the resized picture */
} sgm_levels;

/* Which of the decoder's masks is meant. */
typedef enum sgm_answer_rule {
    SGM_ANSWER_SAM,   /* one point and nothing else: the best rated of 1 ..; otherwise 0 */
    SGM_ANSWER_FIRST, /* mask 0 */
    SGM_ANSWER_CLASS  /* where the class that is asked for is the largest of all masks */
} sgm_answer_rule;

/* How a walk from slice to slice asks about the next slice, given the mask of the last one: what
 * the family has been trained to be asked by. Prompts that the user set on a slice are asked there
 * in any case. */
typedef struct sgm_walk {
    bool logits; /* the last answer's logits as mask prompt */
    bool box;    /* a box around the last mask */
    int points;  /* so many of the innermost points of the last mask, at most SGM_WALK_POINTS */
} sgm_walk;

#define SGM_WALK_POINTS 3

/* The last mask alone says what is meant. */
bool sgm_walk_is_by_mask(const sgm_walk *walk);

typedef struct sgm_protocol {
    const char *name;
    bool grey;      /* colour is turned into grey (ITU-R 601), three equal channels are shown */
    bool stretch;   /* to the whole square; else the aspect is kept and the rest padded with 0 */
    double clip[2]; /* percentiles of the grey levels that pixels are clipped to first; {0, 0}: none
                     */
    sgm_resampling resampling;
    sgm_levels levels;
    bool whole_corners; /* corners of a box are cut to whole pixels of the square */
    bool probabilities; /* masks go through the sigmoid first, then straight to the picture's size,
                           and are cut at 0.5; else logits, by way of the square, at 0 */
    bool range; /* masks are stretched between the extremes of their map first, resized with corners
                   on corners, and cut at 0.5 */
    bool unprompted; /* the network is asked nothing: it makes its own prompt of the picture */
    sgm_answer_rule answer;
    sgm_walk walk;
    const sgm_walk *walk_in_box; /* where a box in space bounds the object, if the network has not
                                    learnt what such a box means (its checkpoint says so:
                                    predict/session/prompt_prior.h); NULL: `walk` */
    bool crops;                  /* the network knows crops of pictures: predict/look zooms */
    const char *trained; /* patterns of what is trained of a network by which others are asked
                            otherwise, and train it whole; NULL: what the family says */
    bool rows_first;     /* the network was told places as (row, column) */
    const struct sgm_protocol *other; /* the same but for what its name says: known from a file's
                                         architecture alone; NULL: none */
} sgm_protocol;

/* sam_crops: SAM's, for networks that have learnt on crops what a neighbour's mask means (those
 * trained here). Files call both "sam": in them it is the row of inputs up to 512 pixels. */
extern const sgm_protocol sgm_protocol_sam, sgm_protocol_sam_crops, sgm_protocol_medsam,
    sgm_protocol_lite_medsam, sgm_protocol_samus, sgm_protocol_samihs;
/* SAMIHS's for pictures that were windowed before: grey levels are not clipped. */
extern const sgm_protocol sgm_protocol_samihs_unclipped;

/* The protocol of that name among those that known networks use, and the others of those; NULL if
 * there is none. */
const sgm_protocol *sgm_protocol_find(const char *name);

/* Whether one is the other's `other`. */
bool sgm_protocol_is_other(const sgm_protocol *a, const sgm_protocol *b);

/* The protocol or its other form, whichever clips grey levels, or whichever does not; where there
 * is none of the kind, the protocol itself. */
const sgm_protocol *sgm_protocol_clipping(const sgm_protocol *protocol, bool clips);

/* Index of the mask that answers. one_point: the prompt is a single point and nothing else;
 * `iou`: predictions of `masks` masks; class_index: the class asked for, from 0. */
int sgm_protocol_answer(const sgm_protocol *protocol, bool one_point, const float *iou, int masks,
                        int class_index);

#endif
