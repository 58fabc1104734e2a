/* Pictures to network inputs and logits to masks, on a device. The host makes the tables
 * (predict/picture/preprocess.c, predict/session/postprocess.c), the device does the arithmetic of
 * predict/resample_*.c, preprocess.c and postprocess.c in the same types and order, without fused
 * multiply-adds: the same bits. One exception: MedSAM's masks go through expf, which differs by two
 * units in the last place between host and device. */
#ifndef SEGMODEL_BACKEND_PICTURE_H
#define SEGMODEL_BACKEND_PICTURE_H

#include "backend/backend.h"

/* One axis of a separable resampling: output i is the sum of weight[i][0..count[i]) times the
 * samples from first[i] on. */
typedef struct sgm_taps {
    int in, out, taps;
    int *first, *count; /* [out] */
    void *weight;       /* [out][taps], int32_t or float by the rule */
    double *kernel;     /* SGM_RESAMPLE_CUBIC, instead of weights: half a Gaussian, radius + 1 */
    int radius;         /* 0: no blur */
} sgm_taps;

typedef enum sgm_resample_rule {
    SGM_RESAMPLE_PILLOW, /* int32_t weights of 22 bits; an axis of equal sizes is left out */
    SGM_RESAMPLE_FLOATS, /* float weights, both axes, rounded at the end */
    SGM_RESAMPLE_FIXED,  /* int32_t weights in 1/2048, two taps: OpenCV's enlarging */
    SGM_RESAMPLE_CUBIC   /* interpolating B-spline in double */
} sgm_resample_rule;

/* 8-bit pictures of one size to inputs [side, side, 3] of F32. */
typedef struct sgm_picture_rule {
    sgm_resample_rule resample;
    int channels; /* 1 or 3 */
    sgm_taps across, down;
    int side;             /* what the resized picture does not cover is 0 */
    bool full_range;      /* grey levels become (level - least) / (most - least) */
    float levels[3][256]; /* else these, per channel */
} sgm_picture_rule;

/* Low-res logits [low_side, low_side] to masks of 0 and 1. */
typedef struct sgm_mask_rule {
    int low_side, width, height;
    bool sigmoid;               /* first */
    const int *across, *down;   /* [width], [height]: first of four samples */
    const float *across_weight; /* [width][4] */
    const float *down_weight;   /* [height][4] */
} sgm_mask_rule;

/* All calls return before the work is done; it happens in order with steps. Tables and pixels are
 * borrowed for the call. SGM_OUT_OF_MEMORY from a create: the host can do it instead. */
typedef struct sgm_picture_ops {
    /* `places` pictures can be staged at a time. */
    sgm_status (*picture_create)(sgm_backend *backend, const sgm_picture_rule *rule, int places,
                                 void **picture);
    void (*picture_free)(sgm_backend *backend, void *picture);
    /* Brings pixels [down.in, across.in, channels] to a place, beside earlier work, and resizes
     * them. */
    sgm_status (*picture_stage)(sgm_backend *backend, void *picture, int place,
                                const uint8_t *pixels);
    /* The input made of what is at a place. */
    sgm_status (*picture_place)(sgm_backend *backend, void *picture, int place, void *input);

    sgm_status (*mask_create)(sgm_backend *backend, const sgm_mask_rule *rule, void **mask);
    void (*mask_free)(sgm_backend *backend, void *mask);
    /* Two masks may be under way; their way to the host goes beside later work. */
    sgm_status (*mask_start)(sgm_backend *backend, void *mask, const float *low, float threshold);
    /* Waits for the earliest one under way. */
    sgm_status (*mask_finish)(sgm_backend *backend, void *mask, uint8_t *to);
} sgm_picture_ops;

#endif
