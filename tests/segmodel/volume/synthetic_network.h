/* A network without weights: the picture scaled to a square (nearest pixel) is its embedding, and
 * its answer is the part of the picture, inside the box, that is connected to the foreground points
 * and of their intensity. One that walks by masks also finds, around what a mask prompt holds, all
 * that is of the object's intensity, and keeps off intensities that background points lie on. It
 * counts what is asked of it. */
#ifndef SEGMODEL_TESTS_SYNTHETIC_NETWORK_H
#define SEGMODEL_TESTS_SYNTHETIC_NETWORK_H

#include "predict/look/predictor.h"

#define SYNTHETIC_MAX_SIDE 256

typedef struct synthetic_network {
    sgm_predictor predictor;
    int tolerance; /* intensities that still belong together */
    int encodes, decodes, mask_prompts, background_points;
    float mask_peak; /* largest logit of the last mask prompt */
    int ignores_box; /* 1: answers beyond it */
    int object_grey; /* walking by masks: intensity of what is meant, up to object_reach */
    int object_reach;
    float rating; /* of its answers to masks */
    int points, boxes, loose_boxes;
    int cancel_after; /* encodes after which the user wants to stop; 0: never */
    sgm_prompt last;  /* counts only; pointers are not valid */
    sgm_box last_box;
    /* the current embedding's picture */
    int width, height;
    float embedding[SYNTHETIC_MAX_SIDE * SYNTHETIC_MAX_SIDE];
    float logits[SYNTHETIC_MAX_SIDE * SYNTHETIC_MAX_SIDE];
    float map[SYNTHETIC_MAX_SIDE * SYNTHETIC_MAX_SIDE];
    int stack[SYNTHETIC_MAX_SIDE * SYNTHETIC_MAX_SIDE];
    uint8_t *mask;
    float iou;
    int batches;       /* encode_staged calls */
    float *staged[16]; /* embeddings of the pictures that are staged */
} synthetic_network;

/* side: of its input, at most SYNTHETIC_MAX_SIDE. */
void synthetic_init(synthetic_network *network, int side);
/* Makes it one that shows its embedding as a map of one channel, intensities as parts of 255. */
void synthetic_show_maps(synthetic_network *network);
/* Makes it one that keeps embeddings to itself and encodes up to `batch` (at most 16) at a time. */
void synthetic_encode_in_batches(synthetic_network *network, int batch);
void synthetic_clear(synthetic_network *network);

#endif
