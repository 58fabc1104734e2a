#include "dicom_header_parts.h"

#include "io_status.h"
#include "text_number.h"
#include "vectors.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* "PixelSpacing \"0,5\\0,5\"" */
static void quote(const sgio_dicom_header *header, enum sgio_dicom_tag tag, char *out, size_t size)
{
    char text[64];
    sgio_dicom_text(header->set, tag, text, sizeof text);
    snprintf(out, size, "%s \"%s\"", sgio_dicom_keyword(tag), text);
}

int sgio_header_number(const sgio_dicom_header *header, enum sgio_dicom_tag tag, int index,
                       double fallback, double *value)
{
    sgio_dicom_slice *slice = header->slice;
    sgio_dicom_found found = sgio_dicom_number(header->set, tag, index, value);
    if (found == SGIO_DICOM_COMMA && !slice->with_comma[0])
        quote(header, tag, slice->with_comma, sizeof slice->with_comma);
    if (found == SGIO_DICOM_NO_NUMBER && !slice->not_a_number[0])
        quote(header, tag, slice->not_a_number, sizeof slice->not_a_number);
    if (found == SGIO_DICOM_NUMBER || found == SGIO_DICOM_COMMA) return 1;
    *value = fallback;
    return 0;
}

int sgio_header_whole(const sgio_dicom_header *header, enum sgio_dicom_tag tag, int fallback)
{
    double value;
    sgio_header_number(header, tag, 0, fallback, &value);
    return fabs(value) < 1e9 ? (int)value : fallback;
}

sgio_status sgio_header_refuse_number(const sgio_dicom_header *header, enum sgio_dicom_tag tag)
{
    char quoted[96];
    quote(header, tag, quoted, sizeof quoted);
    return sgio_fail(SGIO_UNREADABLE, "%s: %s makes no sense", header->slice->path, quoted);
}

sgio_status sgio_header_vector(const sgio_dicom_header *header, enum sgio_dicom_tag tag, int count,
                               double *out, int *has)
{
    double values[6], first;
    for (int i = 0; i < count; i++) {
        if (sgio_header_number(header, tag, i, 0, &values[i])) continue;
        int absent = sgio_dicom_number(header->set, tag, 0, &first) == SGIO_DICOM_ABSENT;
        return absent ? SGIO_OK : sgio_header_refuse_number(header, tag);
    }
    memcpy(out, values, (size_t)count * sizeof *out);
    *has = 1;
    return SGIO_OK;
}

sgio_status sgio_header_spacing(const sgio_dicom_header *header, enum sgio_dicom_tag tag)
{
    sgio_dicom_slice *slice = header->slice;
    double spacing[2];
    int has = 0;
    sgio_status status = sgio_header_vector(header, tag, 2, spacing, &has);
    if (status != SGIO_OK || !has) return status;
    slice->has_spacing = 1;
    slice->row_spacing = spacing[0];
    slice->column_spacing = spacing[1];
    if (spacing[0] > 0 && spacing[1] > 0) return SGIO_OK;
    return sgio_header_refuse_number(header, tag);
}

/* Written with few digits perhaps, but a direction. */
static int make_direction(double v[3])
{
    const double length = sgio_normalise(v);
    return length > 0.5 && length < 2;
}

sgio_status sgio_header_directions(const sgio_dicom_header *header, enum sgio_dicom_tag tag,
                                   int *has)
{
    sgio_dicom_slice *slice = header->slice;
    double cosines[6], dot = 0;
    int found = 0;
    sgio_status status = sgio_header_vector(header, tag, 6, cosines, &found);
    if (status != SGIO_OK || !found) return status;
    *has = 1;
    memcpy(slice->row, cosines, sizeof slice->row);
    memcpy(slice->column, cosines + 3, sizeof slice->column);
    int directions = make_direction(slice->row) && make_direction(slice->column);
    for (int r = 0; r < 3; r++)
        dot += slice->row[r] * slice->column[r];
    if (directions && fabs(dot) < 0.01) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: image orientation is not a pair of perpendicular vectors", slice->path);
}

sgio_status sgio_header_rescale(const sgio_dicom_header *header)
{
    sgio_dicom_slice *slice = header->slice;
    double slope = 1, intercept = 0;
    int any = 0;
    sgio_status status = sgio_header_vector(header, DICOM_SLOPE, 1, &slope, &any);
    if (status == SGIO_OK)
        status = sgio_header_vector(header, DICOM_INTERCEPT, 1, &intercept, &any);
    if (status != SGIO_OK || (!any && slice->has_rescale)) return status;
    if (slope == 0) return sgio_header_refuse_number(header, DICOM_SLOPE);
    slice->has_rescale = any;
    slice->slope = slope;
    slice->intercept = intercept;
    sgio_dicom_text(header->set, DICOM_RESCALE_TYPE, slice->rescale_type,
                    sizeof slice->rescale_type);
    double most = ldexp(fabs(slope), slice->bits_stored) + fabs(intercept);
    return most <= FLT_MAX ? SGIO_OK : sgio_header_refuse_number(header, DICOM_SLOPE);
}

void sgio_header_thickness(const sgio_dicom_header *header)
{
    double thickness;
    sgio_header_number(header, DICOM_SLICE_THICKNESS, 0, 0, &thickness);
    if (thickness > 0) header->slice->thickness = thickness;
}

double sgio_header_checksum(const char *text)
{
    return (double)crc32(0, (const Bytef *)text, (uInt)strlen(text));
}

/* Directions that are alike in three decimals are one. */
void sgio_header_gradient(const sgio_dicom_header *header)
{
    sgio_dicom_slice *slice = header->slice;
    double v[3];
    for (int i = 0; i < 3; i++)
        if (!sgio_header_number(header, DICOM_GRADIENT, i, 0, &v[i]) || fabs(v[i]) > 2) return;
    for (int i = 0; i < 3; i++)
        v[i] = rint(1000 * v[i]) / 1000 + 0.0; /* no -0 */
    sgio_print(slice->gradient, sizeof slice->gradient, "%g %g %g", v[0], v[1], v[2]);
    slice->attributes[SGIO_DICOM_GRADIENT] = sgio_header_checksum(slice->gradient);
}

void sgio_header_attributes(const sgio_dicom_header *header)
{
    static const struct {
        int attribute;
        enum sgio_dicom_tag tag;
    } numbers[] = {
        {SGIO_DICOM_CARDIAC_PHASE, DICOM_CARDIAC_PHASE},
        {SGIO_DICOM_RESPIRATORY_PHASE, DICOM_RESPIRATORY_PHASE},
        {SGIO_DICOM_ECHO_TIME, DICOM_ECHO_TIME},
        {SGIO_DICOM_INVERSION_TIME, DICOM_INVERSION_TIME},
        {SGIO_DICOM_FLIP_ANGLE, DICOM_FLIP_ANGLE},
        {SGIO_DICOM_TEMPORAL_POSITION, DICOM_TEMPORAL_POSITION},
        {SGIO_DICOM_B_VALUE, DICOM_B_VALUE},
        {SGIO_DICOM_TRIGGER_TIME, DICOM_TRIGGER_TIME},
        {SGIO_DICOM_ACQUISITION_NUMBER, DICOM_ACQUISITION_NUMBER},
        {SGIO_DICOM_ACQUISITION_TIME, DICOM_ACQUISITION_TIME},
        {SGIO_DICOM_CONTENT_TIME, DICOM_CONTENT_TIME},
    };
    double value;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (sgio_header_number(header, numbers[i].tag, 0, NAN, &value))
            header->slice->attributes[numbers[i].attribute] = value;
    sgio_header_gradient(header);
}
