/* A volume as a stack of pictures along one of its axes, and the room to work on one of them. */
#ifndef SEGMODEL_PREDICT_VOLUME_STACK_H
#define SEGMODEL_PREDICT_VOLUME_STACK_H

#include "predict/picture/packed_mask.h"
#include "predict/picture/slice.h"

/* Pictures that are kept: a click goes on to both neighbours and comes back to its slice. */
enum { SGM_STACK_PICTURES = 4 };

typedef struct sgm_stack {
    const sgm_volume *volume; /* borrowed */
    sgm_plane plane;
    sgm_slicer slicer;
    sgm_image picture;                   /* of slice `shown` */
    uint8_t *pixels[SGM_STACK_PICTURES]; /* the last pictures shown; NULL: not yet needed */
    int64_t slices[SGM_STACK_PICTURES];  /* of which slices; -1: none */
    int oldest;                          /* of the pictures */
    int64_t shown;                       /* -1: none */
    sgm_image ahead;                     /* picture of a slice that is encoded ahead */
    uint8_t *ahead_pixels;
    uint8_t *neighbour, *other_neighbour; /* masks of the picture's size */
    uint8_t *voxels;                      /* mask of the slice's size */
    int *region;              /* of a click's region; NULL before sgm_stack_make_regions */
    uint8_t *behind, *around; /* likewise */
} sgm_stack;

sgm_status sgm_stack_init(sgm_stack *stack, const sgm_volume *volume, const sgm_plane *plane,
                          double low, double high);
void sgm_stack_clear(sgm_stack *stack);

/* Makes room for as many places as the picture has pixels, and for two masks of its size. */
sgm_status sgm_stack_make_regions(sgm_stack *stack);

/* Brings a slice's picture up. */
void sgm_stack_show(sgm_stack *stack, int64_t slice);
/* Another slice's picture, beside the one that is shown; valid until the next call. */
const sgm_image *sgm_stack_look_ahead(sgm_stack *stack, int64_t slice);
/* Its number for the embedder: no two slices of a volume share one, whatever their axis. */
int64_t sgm_stack_picture(const sgm_stack *stack, int64_t slice);
int64_t sgm_stack_slice(int64_t picture);

/* A picture's mask, packed as the slice's, and back. */
sgm_status sgm_stack_pack(sgm_stack *stack, const uint8_t *picture, sgm_packed_mask *packed);
void sgm_stack_unpack(sgm_stack *stack, const sgm_packed_mask *packed, uint8_t *picture);

#endif
