/* Boxes that a detector found: what PromptSegEverything asks instead of a grid of points.
 *
 *  - COCO results (.json): an array of {"image_id", "category_id", "bbox": [x, y, width, height],
 *    "score"}; other members are left alone.
 *  - a table (.csv, .tsv): columns x0, y0, x1, y1, and, where they are there, score, category,
 * image.
 *
 * Coordinates are pixels of the picture; a box reaches from x to x + width. */
#ifndef PROMPTSEG_EVERYTHING_DETECTIONS_H
#define PROMPTSEG_EVERYTHING_DETECTIONS_H

#include <stddef.h>

typedef struct detection {
    double x0, y0, x1, y1; /* finite, x0 < x1, y0 < y1 */
    double score;          /* finite; 1 where the file has none */
    long long category;    /* 0 where the file has none */
    char *image;           /* owned; what the file calls its picture, "" where it does not */
} detection;

typedef struct detections {
    detection *items; /* owned, in the file's order */
    size_t count;
} detections;

enum { MOST_DETECTIONS = 1000000 };

/* Reads a file by its ending. 0; CLI_EXIT_INPUT with a message that names the file, the entry or
 * line, what was wanted and what was found; CLI_EXIT_MEMORY. *out is empty after a failure. */
int detections_read(const char *path, detections *out);
/* The same from memory; `name` is the file's in messages, its ending says what it is. `text` is
 * malloc'ed, ends in a zero behind `size` bytes, and is taken over. */
int detections_parse(const char *name, char *text, size_t size, detections *out);
void detections_clear(detections *found);

/* Keeps those of one picture: of the image that is called `image`; NULL: all, which must then be of
 * one image. 0 or CLI_EXIT_INPUT with a message that names `name`. */
int detections_keep(detections *found, const char *name, const char *image);

#endif
