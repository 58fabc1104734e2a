/* Segmentations that rows begin with (initial, boxes, maskPrompts): the names and values in them,
 * without their voxels. One that many rows name is read once. */
#ifndef PROMPTSEG_BATCH_DRAWN_H
#define PROMPTSEG_BATCH_DRAWN_H

#include <stddef.h>
#include <stdint.h>

typedef struct batch_drawn_segment {
    char *name;  /* owned; NULL: of masks with one value, which has the row's segmentName */
    size_t rank; /* how many before it have its name */
    int value;   /* in a plain label map of these segments */
    int is_empty;
} batch_drawn_segment;

typedef struct batch_drawn {
    struct batch_drawn *next;  /* in its bucket */
    struct batch_drawn *later; /* the next one that was asked for */
    char *path;
    uint64_t identity; /* batch_identity.h */
    int are_masks;     /* read as maskPrompts are */
    int is_own;        /* a row of this run begins with it (batch_names.h) */
    int is_known; /* 0: it cannot be read, or not without its row's volume (RT structure sets) */
    char
        *reason; /* owned; why it could not be read, NULL for RT structure sets and what is known */
    batch_drawn_segment *segments;
    size_t count;
} batch_drawn;

/* Start with {0}. */
typedef struct batch_drawn_set {
    batch_drawn *buckets[4096];
    batch_drawn *first, *last; /* in the order in which they were asked for */
} batch_drawn_set;

/* What `path` holds, read unless it is known; `outputs`: see batch_identity. *found belongs to the
 * set. 0; CLI_EXIT_CANCELLED, or CLI_EXIT_MEMORY with a message when there is none for the set
 * itself: a file that takes too much is one that cannot be read. */
int batch_drawn_find(batch_drawn_set *set, const char *path, int are_masks, const char *outputs,
                     batch_drawn **found);
void batch_drawn_clear(batch_drawn_set *set);

#endif
