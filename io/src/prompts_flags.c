#include "prompts_parse.h"

#include "io_status.h"
#include "text_number.h"

#include <math.h>
#include <string.h>

/* Slicer prints 6 significant digits, so unit vectors are unit to about 1e-5; users round. */
static const double AXIS_TOLERANCE = 1e-2;
/* Volume of the parallelepiped of the unit axes; 1 for a rotation. */
static const double LEAST_AXES_VOLUME = 0.1;

int sgio_parse_numbers(const char *text, double *values, int most)
{
    for (int count = 0; count < most;) {
        if (!sgio_take_double(&text, &values[count++])) return -1;
        text += strspn(text, " \t");
        if (*text == '\0') return count;
        if (*text++ != ',') return -1;
    }
    return -1;
}

sgio_status sgio_prompts_add_point_text(sgio_prompts *prompts, const char *segment,
                                        const char *text, int foreground)
{
    double lps[3];
    if (sgio_parse_numbers(text, lps, 3) != 3)
        return sgio_fail(SGIO_USAGE, "a point needs three finite numbers x,y,z in LPS mm, not '%s'",
                         text);
    return sgio_prompts_add_point(prompts, segment, lps, foreground, text);
}

static double axes_volume(const double m[9])
{
    return m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) +
           m[2] * (m[3] * m[7] - m[4] * m[6]);
}

static sgio_status check_axes(const double matrix[9], const char *what)
{
    for (int axis = 0; axis < 3; axis++) {
        double length = sqrt(matrix[axis] * matrix[axis] + matrix[3 + axis] * matrix[3 + axis] +
                             matrix[6 + axis] * matrix[6 + axis]);
        if (!(fabs(length - 1) <= AXIS_TOLERANCE))
            return sgio_fail(SGIO_BAD_PROMPT,
                             "%s: column %d of the orientation must be a unit vector, its length "
                             "is %g",
                             what, axis + 1, length);
    }
    if (!(fabs(axes_volume(matrix)) >= LEAST_AXES_VOLUME))
        return sgio_fail(SGIO_BAD_PROMPT, "%s: its three axes lie in one plane", what);
    return SGIO_OK;
}

sgio_status sgio_box_make(const double centre[3], const double half[3], const double matrix[9],
                          const char *what, sgio_box *box)
{
    int flat = 0;
    for (int axis = 0; axis < 3; axis++) {
        if (!(half[axis] >= 0))
            return sgio_fail(SGIO_BAD_PROMPT, "%s: size %g along axis %d is negative", what,
                             2 * half[axis], axis + 1);
        flat += half[axis] == 0;
    }
    if (flat > 1)
        return sgio_fail(SGIO_BAD_PROMPT, "%s: two of its sizes are zero, one may be", what);
    sgio_status status = check_axes(matrix, what);
    if (status != SGIO_OK) return status;
    for (int axis = 0; axis < 3; axis++) {
        box->centre[axis] = centre[axis];
        for (int r = 0; r < 3; r++)
            box->half_axis[axis][r] = half[axis] * matrix[3 * r + axis];
    }
    return SGIO_OK;
}

/* What Slicer passes for a ROI node that was never drawn. */
static int is_undrawn(const double centre_and_radii[6])
{
    for (int i = 0; i < 6; i++)
        if (centre_and_radii[i] != 0) return 0;
    return 1;
}

sgio_status sgio_prompts_add_roi_text(sgio_prompts *prompts, const char *segment, const char *text,
                                      const sgio_prompts_options *options)
{
    double v[15] = {0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1};
    int count = sgio_parse_numbers(text, v, 15);
    if (count != 6 && count != 15)
        return sgio_fail(SGIO_USAGE,
                         "a ROI needs cx,cy,cz,rx,ry,rz (centre and radii in LPS mm) and, when "
                         "rotated, 9 more numbers, not '%s'",
                         text);
    if (count == 6) memcpy(v + 6, (double[9]){1, 0, 0, 0, 1, 0, 0, 0, 1}, 9 * sizeof *v);
    if (is_undrawn(v)) {
        if (options)
            sgio_warn(options->warn, options->warn_user,
                      "a ROI of segment '%s' was never drawn (%s) and is skipped", segment, text);
        return SGIO_OK;
    }
    sgio_box box;
    sgio_status status = sgio_box_make(v, v + 3, v + 6, "ROI", &box);
    return status == SGIO_OK ? sgio_prompts_add_box(prompts, segment, &box) : status;
}
