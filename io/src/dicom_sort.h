/* Which DICOM slices form one volume: decided from their headers alone. */
#ifndef SGIO_DICOM_SORT_H
#define SGIO_DICOM_SORT_H

#include "dicom_copies.h"
#include "dicom_slice.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Slices of one volume in the order of their positions along the normal; indices into
 * sgio_dicom_slices. */
typedef struct sgio_dicom_volume {
    size_t *slices;
    size_t count;
    int is_dealt;     /* told from others by instance numbers alone, as places have fewer slices */
    int is_irregular; /* by the order of slices alone, and that does not go volume by volume */
} sgio_dicom_volume;

typedef struct sgio_dicom_volumes {
    sgio_dicom_volume *items; /* by series number, series UID, instance number */
    size_t count;
    sgio_dicom_copies alike;
} sgio_dicom_volumes;

/* Groups all slices. Slices of one volume agree in series, size, pixel format, spacing,
 * orientation. What then lies evenly spaced at distinct positions is one volume, whatever else
 * differs (scanners number acquisitions per slice, and mark image types within a head CT).
 * Otherwise the attributes of dicom_slice.h are tried in turn: one that separates slices at equal
 * positions, or even stacks of different spacing, splits the group. Equal positions that nothing
 * separates are dealt out in the order of their instance numbers (which is noted where these do not
 * go volume by volume), and where some have fewer slices than others by what these numbers
 * say (dicom_deal.h). Slices without position are volumes of
 * their own, and so are sequences of frames.
 *
 * `join` is a sum of the constants below. Release with sgio_dicom_volumes_clear, also after failure
 * (out of memory). */
sgio_status sgio_dicom_sort(const sgio_dicom_slices *slices, int join, sgio_dicom_volumes *volumes);

enum {
    /* Stacks of different spacing stay together as one uneven volume (for a caller who fills gaps);
     * only slices at equal positions are then separated. */
    SGIO_DICOM_JOIN_STACKS = 1,
    /* Series count as one (for files that have a series UID each). */
    SGIO_DICOM_JOIN_SERIES = 2
};

void sgio_dicom_volumes_clear(sgio_dicom_volumes *volumes);

/* Unit normal of a slice's plane (row x column) and its position along that normal in mm. */
void sgio_dicom_normal(const sgio_dicom_slice *slice, double normal[3]);
double sgio_dicom_distance(const sgio_dicom_slice *slice, const double normal[3]);

/* Positions closer than this are the same position (mm). */
#define SGIO_DICOM_SAME_POSITION 0.005

/* The largest deviation (mm) of the slices' positions, in the order given, from an even stack
 * between the first and the last; *spacing is that stack's step length. */
double sgio_dicom_unevenness(const sgio_dicom_slices *slices, const size_t *order, size_t count,
                             double *spacing);

/* 1 when a deviation is no more than what decimal positions in files cause. */
int sgio_dicom_is_even(double deviation, double spacing);

#ifdef __cplusplus
}
#endif
#endif
