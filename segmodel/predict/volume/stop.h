/* When a walk from slice to slice has left its object. */
#ifndef SEGMODEL_PREDICT_VOLUME_STOP_H
#define SEGMODEL_PREDICT_VOLUME_STOP_H

#include "predict/look/look.h"
#include "segmodel/volume.h"

/* Mean intensities (0..255) of a mask and of what lies around it. */
typedef struct sgm_shades {
    float inside, around;
} sgm_shades;

/* What is known of the slice a mask comes from. */
typedef struct sgm_neighbour {
    int64_t area;
    sgm_box extent;
    sgm_shades shades;
    sgm_shades first;  /* where the walk began */
    float quality;     /* predicted IoU where the walk began */
    int enclosed;      /* the walk goes towards another prompted slice */
    int calibrated;    /* grey levels mean the same on every slice (CT) */
    int by_mask;       /* the network was asked by the neighbour's mask alone */
    float stop_rating; /* then: the least predicted IoU that a walk goes on with, */
    float far_rating;  /* and the least far from where it began, if that is more */
    double distance;   /* from there, in diameters of a disc as large as the cross-section there */
    int bounded;       /* a ROI says where the object ends */
} sgm_neighbour;

/* `extent` is the bounding box of the mask, which is not empty. */
sgm_shades sgm_shades_of(const sgm_image *picture, const uint8_t *mask, const sgm_box *extent);

/* The stop rule: why the look at the next slice (`picture`; clipped to the ROI) ends the walk, or
 * SGM_STOP_NONE. It does when the mask
 *  - is empty, or its predicted IoU is below 0.6 of that of the prompted slice, or not a number;
 *  - has more than 2.5 times, or less than a tenth of, the neighbour's area (16 pixels of grace):
 *    the last slices of a ball have a third of their neighbour's area, but only leaks grow fast;
 *  - has its centre of gravity outside the neighbour's box (a tenth of grace);
 *  - looks half as much again like what surrounded the neighbour as like the neighbour, where the
 * two differed by 12 of 255 grey levels or more: beyond an object's end, a network that is shown
 * its box answers with whatever else is there. Where another prompted slice lies ahead the object
 * has not ended: there it must look twice as much like the surroundings;
 *  - is calibrated, and its mean has moved by 12 levels and a fifth of the way to what surrounded
 *    the object on the prompted slice: leaks into neighbour organs are slow from slice to slice.
 *
 * An answer that was asked for by the neighbour's mask alone ends a walk only when it is empty, if
 * a ROI says how far the object goes. Else also when its predicted IoU is below the network's
 * stop rating (or not a number), when it has more than 2.5 times the neighbour's area, or when it
 * looks like the surroundings as above. A shrinking mask or a drift of its mean does not: vertebrae
 * do both. Half a diameter from where the walk began a ball would have ended, and the network,
 * which is shown a mask, seldom denies that there is an object: from there on it must be surer of
 * it, by two hundredths for each hundredth of a diameter up to the far rating; not where another
 * prompted slice lies ahead. Tubes go on because it is sure of them. */
sgm_stop sgm_stop_reason(const sgm_image *picture, const sgm_look *look, const sgm_neighbour *from);

#endif
