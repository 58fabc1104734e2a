/* A labelled volume or sequence, and the objects in it that are asked for. */
#ifndef QUALITY_VOLUMES_CASE_H
#define QUALITY_VOLUMES_CASE_H

#include "grid.h"

#include "segmodel/volume.h"
#include "sgio/volume.h"

enum { NAME_ROOM = 64, PATH_ROOM = 512, MOST_OBJECTS = 10 };

/* A row of cases.csv. */
typedef struct case_row {
    char dataset[NAME_ROOM], id[NAME_ROOM];
    char image[PATH_ROOM], label[PATH_ROOM];
    char role[NAME_ROOM], patient[NAME_ROOM];
    double tolerance; /* of the surface Dice, mm */
} case_row;

/* Returns rows (malloc'ed) or NULL after a message on stderr. */
case_row *cases_read(const char *path, size_t *count);

/* Where the object is, as the label says. */
typedef struct truth {
    uint8_t *mask; /* 0/1, the volume's size */
    int32_t label;
    int number;              /* among the case's objects */
    int64_t voxels, largest; /* `largest`: the slice with the largest cross-section */
    span box;
} truth;

typedef struct volume_case {
    const case_row *row;
    sgio_volume image;
    sgm_volume volume;
    grid grid; /* slices along the axis that a lone point gets */
    truth objects[MOST_OBJECTS];
    size_t object_count;
} volume_case;

/* Components of one label (voxels sharing a corner) on at least 5 slices with at least 300 voxels;
 * of more than `most` those evenly spaced in the order of their volume. 0, or -1 after a message on
 * stderr. */
int case_load(const char *root, const case_row *row, size_t most, volume_case *out);
void case_clear(volume_case *loaded);

#endif
