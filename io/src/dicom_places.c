#include "dicom_places.h"

#include "dicom_groups.h"
#include "dicom_tomographic.h"
#include "io_status.h"
#include "text_number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int sgio_dicom_numbers(const sgio_dicom_set *set, enum sgio_dicom_tag tag, int count, double *out)
{
    for (int i = 0; i < count; i++) {
        sgio_dicom_found found = sgio_dicom_number(set, tag, i, &out[i]);
        if (found != SGIO_DICOM_NUMBER && found != SGIO_DICOM_COMMA) return 0;
    }
    return 1;
}

/* Whether a text is `count` values of VR DS: decimal numbers of at most 16 characters. */
static int is_decimal_text(const char *text, int count)
{
    for (int i = 0; i < count; i++, text++) {
        const char *end = text;
        double value;
        if (!sgio_take_double(&end, &value)) return 0;
        end += strspn(end, " ");
        if (end - text > SGIO_DICOM_DECIMAL || *end != (i + 1 < count ? '\\' : 0)) return 0;
        text = end;
    }
    return 1;
}

/* As many digits as a DS has room for, 15 at most: further ones are noise of doubles. */
static int print_decimal(char out[SGIO_DICOM_DECIMAL + 1], double value)
{
    int length = SGIO_DICOM_DECIMAL + 1;
    for (int digits = 15; length > SGIO_DICOM_DECIMAL; digits--)
        length = sgio_print(out, SGIO_DICOM_DECIMAL + 1, "%.*g", digits, value);
    return length;
}

static void print_decimals(const double *values, int count, char *out)
{
    for (int i = 0; i < count; i++) {
        if (i > 0) *out++ = '\\';
        out += print_decimal(out, values[i]);
    }
}

void sgio_dicom_number_text(const sgio_dicom_set *set, enum sgio_dicom_tag tag, int count,
                            const double *values, char *out)
{
    char text[SGIO_DICOM_DECIMALS(7)];
    sgio_dicom_exact_text(set, (uint32_t)tag, text, sizeof text);
    if (is_decimal_text(text, count)) {
        strcpy(out, text);
        return;
    }
    print_decimals(values, count, out);
}

/* Takes numbers and their text from what has them; 0 where it has not, and then what was taken
 * before stays: a frame's group may lack what its image says. */
static int take_numbers(const sgio_dicom_set *set, enum sgio_dicom_tag tag, int count,
                        double *numbers, char *text)
{
    double found[6];
    if (!sgio_dicom_numbers(set, tag, count, found)) return 0;
    memcpy(numbers, found, (size_t)count * sizeof *found);
    sgio_dicom_number_text(set, tag, count, numbers, text);
    return 1;
}

static sgio_status read_position(void *user, const sgio_dicom_set *set)
{
    sgio_dicom_place *place = user;
    place->has_position |= take_numbers(set, DICOM_POSITION, 3, place->position, place->text);
    return SGIO_OK;
}

static sgio_status read_place_of_frame(void *user, const sgio_dicom_frame *frame)
{
    const sgio_dicom_places *places = user;
    return sgio_dicom_in_frame(frame, DICOM_PLANE_POSITIONS, read_position,
                               &places->items[frame->number]);
}

static int frames_of(const sgio_dicom_set *set)
{
    double count;
    int has = sgio_dicom_numbers(set, DICOM_FRAMES, 1, &count);
    return has && count >= 1 && count <= 1e6 ? (int)count : 1;
}

/* Places that are calculated have no digits in the file. */
static sgio_status read_tomographic(const sgio_dicom_set *set, sgio_dicom_places *out)
{
    sgio_dicom_tomographic slices;
    sgio_status status = sgio_dicom_read_tomographic(set, &slices);
    for (size_t n = 0; n < out->count && status == SGIO_OK; n++) {
        sgio_dicom_place *place = &out->items[n];
        sgio_dicom_tomographic_place(set, &slices, (int)n, place->position);
        print_decimals(place->position, 3, place->text);
        place->has_position = 1;
    }
    return status;
}

sgio_status sgio_dicom_read_places(const sgio_dicom_set *set, sgio_dicom_places *out)
{
    const int has_groups = sgio_dicom_has_groups(set);
    const int is_tomographic = !has_groups && sgio_dicom_is_tomographic(set);
    out->count = has_groups || is_tomographic ? (size_t)frames_of(set) : 1;
    out->items = calloc(out->count, sizeof *out->items);
    if (!out->items) return sgio_fail_memory(out->count, sgio_dicom_path(set->file));
    if (is_tomographic && out->count > 1) return read_tomographic(set, out);
    sgio_status status = read_position(&out->items[0], set);
    if (!has_groups) return status;
    return sgio_dicom_for_frames(set, (int)out->count, read_place_of_frame, out);
}

void sgio_dicom_places_clear(sgio_dicom_places *places)
{
    free(places->items);
    memset(places, 0, sizeof *places);
}

static sgio_status read_directions(void *user, const sgio_dicom_set *set)
{
    sgio_dicom_plane *plane = user;
    plane->has_directions |=
        take_numbers(set, DICOM_ORIENTATION, 6, plane->cosines, plane->orientation_text);
    return SGIO_OK;
}

/* The first detector's directions are those of all slices. */
static sgio_status read_first_directions(void *user, const sgio_dicom_set *detector)
{
    const sgio_dicom_plane *plane = user;
    return plane->has_directions ? SGIO_OK : read_directions(user, detector);
}

static int take_spacing(const sgio_dicom_set *set, enum sgio_dicom_tag tag, sgio_dicom_plane *plane)
{
    return take_numbers(set, tag, 2, plane->spacing, plane->spacing_text);
}

static sgio_status read_spacing(void *user, const sgio_dicom_set *measures)
{
    take_spacing(measures, DICOM_PIXEL_SPACING, user);
    return SGIO_OK;
}

/* The plane of one frame of several. */
typedef struct wanted {
    int frame;
    sgio_dicom_plane *plane;
} wanted;

static sgio_status read_plane_of_frame(void *user, const sgio_dicom_frame *frame)
{
    const wanted *w = user;
    if (frame->number != w->frame) return SGIO_OK;
    sgio_status status =
        sgio_dicom_in_frame(frame, DICOM_PLANE_ORIENTATIONS, read_directions, w->plane);
    if (status != SGIO_OK) return status;
    return sgio_dicom_in_frame(frame, DICOM_PIXEL_MEASURES, read_spacing, w->plane);
}

sgio_status sgio_dicom_read_plane(const sgio_dicom_set *set, int frame, sgio_dicom_plane *out)
{
    wanted w = {frame, out};
    memset(out, 0, sizeof *out);
    out->spacing[0] = out->spacing[1] = 1;
    print_decimals(out->spacing, 2, out->spacing_text);
    read_directions(out, set);
    if (!take_spacing(set, DICOM_PIXEL_SPACING, out))
        take_spacing(set, DICOM_IMAGER_PIXEL_SPACING, out);
    if (!out->has_directions && sgio_dicom_is_tomographic(set))
        return sgio_dicom_for_items(set, DICOM_DETECTORS, read_first_directions, out);
    if (!sgio_dicom_has_groups(set)) return SGIO_OK;
    return sgio_dicom_for_frames(set, frames_of(set), read_plane_of_frame, &w);
}

static void replace_where_other(const double *wanted, int count, double tolerance, double *numbers,
                                char *text)
{
    int same = 1;
    for (int i = 0; i < count; i++)
        same &= fabs(numbers[i] - wanted[i]) <= tolerance;
    if (same) return;
    memcpy(numbers, wanted, (size_t)count * sizeof *wanted);
    print_decimals(numbers, count, text);
}

void sgio_dicom_use_grid(const sgio_geometry *grid, sgio_dicom_plane *plane)
{
    double spacing[3], axes[3][3], cosines[6];
    sgio_geometry_spacing(grid, spacing);
    sgio_geometry_direction(grid, axes);
    const double between[2] = {spacing[1], spacing[0]};
    for (int r = 0; r < 3; r++) {
        cosines[r] = axes[r][0];
        cosines[3 + r] = axes[r][1];
    }
    replace_where_other(between, 2, 1e-6 * fmin(spacing[0], spacing[1]), plane->spacing,
                        plane->spacing_text);
    replace_where_other(cosines, 6, 1e-3, plane->cosines, plane->orientation_text);
}
