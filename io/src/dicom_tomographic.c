#include "dicom_tomographic.h"

#include "dicom_header_parts.h"
#include "io_status.h"
#include "vectors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int sgio_dicom_is_tomographic(const sgio_dicom_set *set)
{
    char sop_class[80], type[128];
    sgio_dicom_text(set, DICOM_SOP_CLASS, sop_class, sizeof sop_class);
    if (strcmp(sop_class, "1.2.840.10008.5.1.4.1.1.20") != 0) return 0;
    sgio_dicom_text(set, DICOM_IMAGE_TYPE, type, sizeof type);
    return strstr(type, "RECON TOMO") || strstr(type, "RECON GATED TOMO");
}

/* What is being read, and from which file, for messages. */
typedef struct reader {
    sgio_dicom_tomographic *out;
    sgio_dicom_slice slice; /* of it only the directions and what messages want are used */
    int has_position, has_directions;
} reader;

static sgio_status read_detector(void *user, const sgio_dicom_set *item)
{
    reader *r = user;
    const sgio_dicom_header header = {item, &r->slice};
    if (r->has_position) return SGIO_OK; /* the first detector's place is that of all slices */
    sgio_status status =
        sgio_header_vector(&header, DICOM_POSITION, 3, r->out->position, &r->has_position);
    if (status != SGIO_OK) return status;
    return sgio_header_directions(&header, DICOM_ORIENTATION, &r->has_directions);
}

/* The distance of slices, whose sign says on which side of the first one they lie. */
static sgio_status read_step(const sgio_dicom_set *set, reader *r)
{
    const sgio_dicom_header header = {set, &r->slice};
    int has_step = 0;
    sgio_status status =
        sgio_header_vector(&header, DICOM_SPACING_BETWEEN, 1, &r->out->step, &has_step);
    if (status == SGIO_OK && !has_step)
        status = sgio_header_vector(&header, DICOM_SLICE_THICKNESS, 1, &r->out->step, &has_step);
    if (status != SGIO_OK || (has_step && r->out->step != 0)) return status;
    return sgio_fail(SGIO_UNREADABLE, "%s: its slices have no SpacingBetweenSlices", r->slice.path);
}

sgio_status sgio_dicom_read_tomographic(const sgio_dicom_set *set, sgio_dicom_tomographic *out)
{
    reader r = {.out = out};
    char path[1024];
    memset(out, 0, sizeof *out);
    snprintf(path, sizeof path, "%s", sgio_dicom_path(set->file));
    r.slice.path = path;
    sgio_status status = sgio_dicom_for_items(set, DICOM_DETECTORS, read_detector, &r);
    if (status == SGIO_OK) status = read_detector(&r, set); /* where older files have it */
    if (status == SGIO_OK && !(r.has_position && r.has_directions))
        status = sgio_fail(SGIO_UNREADABLE, "%s: its slices have no %s", path,
                           r.has_position ? "ImageOrientationPatient" : "ImagePositionPatient");
    if (status != SGIO_OK) return status;
    memcpy(out->cosines, r.slice.row, sizeof r.slice.row);
    memcpy(out->cosines + 3, r.slice.column, sizeof r.slice.column);
    return read_step(set, &r);
}

/* A frame's value in a vector that has one for each; `fallback` where there is none. */
static double in_vector(const sgio_dicom_set *set, enum sgio_dicom_tag vector, int frame,
                        double fallback)
{
    double value;
    sgio_dicom_found found = sgio_dicom_number(set, vector, frame, &value);
    return found == SGIO_DICOM_NUMBER ? value : fallback;
}

void sgio_dicom_tomographic_place(const sgio_dicom_set *set, const sgio_dicom_tomographic *slices,
                                  int frame, double position[3])
{
    double normal[3];
    const double slice = in_vector(set, DICOM_SLICE_VECTOR, frame, frame + 1) - 1;
    sgio_cross(slices->cosines, slices->cosines + 3, normal);
    for (int r = 0; r < 3; r++)
        position[r] = slices->position[r] + slice * slices->step * normal[r];
}

sgio_status sgio_dicom_add_tomographic(const sgio_dicom_set *set, const sgio_dicom_slice *common,
                                       sgio_dicom_slices *slices)
{
    sgio_dicom_tomographic places;
    sgio_dicom_slice slice = *common;
    sgio_status status = sgio_dicom_read_tomographic(set, &places);
    memcpy(slice.row, places.cosines, sizeof slice.row);
    memcpy(slice.column, places.cosines + 3, sizeof slice.column);
    slice.has_plane = 1;
    slice.thickness = fabs(places.step);
    for (int n = 0; n < common->stored_frames && status == SGIO_OK; n++) {
        slice.frame = n;
        slice.attributes[SGIO_DICOM_TEMPORAL_POSITION] =
            in_vector(set, DICOM_TIME_SLOT_VECTOR, n, NAN);
        slice.attributes[SGIO_DICOM_ACQUISITION_NUMBER] =
            in_vector(set, DICOM_ENERGY_WINDOW_VECTOR, n, NAN);
        sgio_dicom_tomographic_place(set, &places, n, slice.position);
        status = sgio_dicom_slices_add(slices, &slice);
    }
    return status;
}
