#include "dicom_enhanced.h"

#include "dicom_groups.h"
#include "dicom_header_parts.h"
#include "io_status.h"
#include "text_number.h"

#include <math.h>
#include <string.h>

/* A frame being read: what its image says, then what the frame says. */
typedef struct reader {
    const sgio_dicom_slice *common;
    sgio_dicom_slices *slices;
    sgio_dicom_slice slice;
    int has_position, has_directions;
} reader;

static sgio_status read_measures(void *user, const sgio_dicom_set *item)
{
    reader *r = user;
    const sgio_dicom_header header = {item, &r->slice};
    sgio_header_thickness(&header);
    return sgio_header_spacing(&header, DICOM_PIXEL_SPACING);
}

static sgio_status read_position(void *user, const sgio_dicom_set *item)
{
    reader *r = user;
    const sgio_dicom_header header = {item, &r->slice};
    return sgio_header_vector(&header, DICOM_POSITION, 3, r->slice.position, &r->has_position);
}

static sgio_status read_directions(void *user, const sgio_dicom_set *item)
{
    reader *r = user;
    const sgio_dicom_header header = {item, &r->slice};
    return sgio_header_directions(&header, DICOM_ORIENTATION, &r->has_directions);
}

/* Ultrasound that a probe recorded as a volume lies in a frame of its own. */
static sgio_status read_position_in_volume(void *user, const sgio_dicom_set *item)
{
    reader *r = user;
    const sgio_dicom_header header = {item, &r->slice};
    return sgio_header_vector(&header, DICOM_POSITION_IN_VOLUME, 3, r->slice.position,
                              &r->has_position);
}

static sgio_status read_directions_in_volume(void *user, const sgio_dicom_set *item)
{
    reader *r = user;
    const sgio_dicom_header header = {item, &r->slice};
    return sgio_header_directions(&header, DICOM_ORIENTATION_IN_VOLUME, &r->has_directions);
}

static sgio_status read_values(void *user, const sgio_dicom_set *item)
{
    reader *r = user;
    const sgio_dicom_header header = {item, &r->slice};
    return sgio_header_rescale(&header);
}

static void read_attribute(reader *r, const sgio_dicom_set *item, enum sgio_dicom_tag tag,
                           int attribute)
{
    const sgio_dicom_header header = {item, &r->slice};
    double value;
    if (sgio_header_number(&header, tag, 0, NAN, &value)) r->slice.attributes[attribute] = value;
}

/* yyyymmddhhmmss.ffffff&zzzz to hhmmss.ffffff, what a TM has. */
static void read_time_of_day(reader *r, const sgio_dicom_set *item, enum sgio_dicom_tag tag,
                             int attribute)
{
    char text[64];
    enum { DATE = 8 };
    sgio_dicom_text(item, tag, text, sizeof text);
    if (strspn(text, "0123456789") < DATE + 6) return;
    text[DATE + strspn(text + DATE, "0123456789.")] = 0;
    const char *at = text + DATE;
    double value;
    if (sgio_take_double(&at, &value)) r->slice.attributes[attribute] = value;
}

static sgio_status read_content(void *user, const sgio_dicom_set *item)
{
    reader *r = user;
    read_attribute(r, item, DICOM_FRAME_TEMPORAL_POSITION, SGIO_DICOM_TEMPORAL_POSITION);
    read_attribute(r, item, DICOM_FRAME_ACQUISITION, SGIO_DICOM_ACQUISITION_NUMBER);
    read_time_of_day(r, item, DICOM_FRAME_ACQUIRED_AT, SGIO_DICOM_ACQUISITION_TIME);
    read_time_of_day(r, item, DICOM_FRAME_REFERS_TO, SGIO_DICOM_CONTENT_TIME);
    if (sgio_dicom_text(item, DICOM_STACK_ID, r->slice.stack, sizeof r->slice.stack))
        r->slice.attributes[SGIO_DICOM_STACK] = sgio_header_checksum(r->slice.stack);
    return SGIO_OK;
}

/* "ORIGINAL\PRIMARY\VELOCITY\NONE" and whether it shows magnitude or phase. */
static sgio_status read_type(void *user, const sgio_dicom_set *item)
{
    reader *r = user;
    char type[sizeof r->slice.image_type], component[20];
    if (!sgio_dicom_text(item, DICOM_FRAME_TYPE, type, sizeof type)) return SGIO_OK;
    memcpy(r->slice.image_type, type, sizeof type);
    if (sgio_dicom_text(item, DICOM_COMPLEX_COMPONENT, component, sizeof component) &&
        strlen(type) + 1 + strlen(component) < sizeof type) {
        strcat(r->slice.image_type, "\\");
        strcat(r->slice.image_type, component);
    }
    r->slice.attributes[SGIO_DICOM_IMAGE_TYPE] = sgio_header_checksum(r->slice.image_type);
    return SGIO_OK;
}

static sgio_status read_echo(void *user, const sgio_dicom_set *item)
{
    read_attribute(user, item, DICOM_EFFECTIVE_ECHO_TIME, SGIO_DICOM_ECHO_TIME);
    return SGIO_OK;
}

/* Of several inversions the first one tells. */
static sgio_status read_inversion(void *user, const sgio_dicom_set *item)
{
    read_attribute(user, item, DICOM_INVERSION_TIMES, SGIO_DICOM_INVERSION_TIME);
    return SGIO_OK;
}

static sgio_status read_flip(void *user, const sgio_dicom_set *item)
{
    read_attribute(user, item, DICOM_FLIP_ANGLE, SGIO_DICOM_FLIP_ANGLE);
    return SGIO_OK;
}

static sgio_status read_gradient(void *user, const sgio_dicom_set *item)
{
    reader *r = user;
    const sgio_dicom_header header = {item, &r->slice};
    sgio_header_gradient(&header);
    return SGIO_OK;
}

static sgio_status read_diffusion(void *user, const sgio_dicom_set *item)
{
    read_attribute(user, item, DICOM_B_VALUE, SGIO_DICOM_B_VALUE);
    return sgio_dicom_for_items(item, DICOM_GRADIENT_DIRECTIONS, read_gradient, user);
}

static sgio_status read_heart(void *user, const sgio_dicom_set *item)
{
    read_attribute(user, item, DICOM_TRIGGER_DELAY, SGIO_DICOM_TRIGGER_TIME);
    read_attribute(user, item, DICOM_CARDIAC_PHASE, SGIO_DICOM_CARDIAC_PHASE);
    return SGIO_OK;
}

static sgio_status read_breath(void *user, const sgio_dicom_set *item)
{
    read_attribute(user, item, DICOM_RESPIRATORY_PHASE, SGIO_DICOM_RESPIRATORY_PHASE);
    return SGIO_OK;
}

/* What a converter of single slices found no group for (PS3.3 C.7.6.16.2.25.2). */
static sgio_status read_unassigned(void *user, const sgio_dicom_set *item)
{
    reader *r = user;
    const sgio_dicom_header header = {item, &r->slice};
    sgio_header_attributes(&header);
    return SGIO_OK;
}

static sgio_status read_groups(reader *r, const sgio_dicom_frame *frame)
{
    static const struct {
        enum sgio_dicom_tag group;
        sgio_dicom_item_fn read;
    } groups[] = {
        {DICOM_UNASSIGNED_OF_ALL, read_unassigned},
        {DICOM_UNASSIGNED_OF_FRAME, read_unassigned},
        {DICOM_PLANE_POSITIONS_IN_VOLUME, read_position_in_volume},
        {DICOM_PLANE_ORIENTATIONS_IN_VOLUME, read_directions_in_volume},
        {DICOM_PLANE_POSITIONS, read_position},
        {DICOM_PLANE_ORIENTATIONS, read_directions},
        {DICOM_PIXEL_MEASURES, read_measures},
        {DICOM_VALUE_TRANSFORMATIONS, read_values},
        {DICOM_FRAME_CONTENT, read_content},
        {DICOM_MR_FRAME_TYPES, read_type},
        {DICOM_CT_FRAME_TYPES, read_type},
        {DICOM_PET_FRAME_TYPES, read_type},
        {DICOM_ECHOES, read_echo},
        {DICOM_MODIFIERS, read_inversion},
        {DICOM_TIMING, read_flip},
        {DICOM_DIFFUSION, read_diffusion},
        {DICOM_CARDIAC_SYNCHRONIZATION, read_heart},
        {DICOM_RESPIRATORY_SYNCHRONIZATION, read_breath},
    };
    sgio_status status = SGIO_OK;
    for (size_t i = 0; i < sizeof groups / sizeof *groups && status == SGIO_OK; i++)
        status = sgio_dicom_in_frame(frame, groups[i].group, groups[i].read, r);
    return status;
}

/* A lone frame may do without a place, as a lone slice may. */
static sgio_status check_place(const reader *r)
{
    if (r->slice.has_plane || r->common->stored_frames == 1) return SGIO_OK;
    return sgio_fail(SGIO_UNREADABLE, "%s: its frame %d has no %s", r->common->path,
                     r->slice.frame + 1,
                     r->has_position ? "ImageOrientationPatient" : "ImagePositionPatient");
}

static sgio_status add_frame(void *user, const sgio_dicom_frame *frame)
{
    reader *r = user;
    r->slice = *r->common;
    r->slice.frame = frame->number;
    r->has_position = r->has_directions = r->common->has_plane;
    sgio_status status = read_groups(r, frame);
    if (status != SGIO_OK) return status;
    r->slice.has_plane = r->has_position && r->has_directions;
    status = check_place(r);
    return status == SGIO_OK ? sgio_dicom_slices_add(r->slices, &r->slice) : status;
}

sgio_status sgio_dicom_add_frames(const sgio_dicom_set *set, const sgio_dicom_slice *common,
                                  sgio_dicom_slices *slices)
{
    reader r = {.common = common, .slices = slices};
    return sgio_dicom_for_frames(set, common->stored_frames, add_frame, &r);
}
