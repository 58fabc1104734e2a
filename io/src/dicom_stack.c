#include "dicom_stack.h"

#include "io_status.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Everything the steps of the plan share. */
typedef struct plan {
    const char *path;
    const sgio_dicom_slices *slices;
    const sgio_dicom_volume *volume;
    const sgio_read_options *options;
    double normal[3];
} plan;

static const sgio_dicom_slice *slice_at(const plan *plan, size_t k)
{
    return &plan->slices->items[plan->volume->slices[k]];
}

static double distance_at(const plan *plan, size_t k)
{
    return sgio_dicom_distance(slice_at(plan, k), plan->normal);
}

static double length(const double v[3])
{
    return sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
}

/* In-plane columns and the origin from the first slice, the third column as given. */
static void set_geometry(const plan *plan, const double step[3], int64_t count,
                         sgio_geometry *geometry)
{
    const sgio_dicom_slice *first = slice_at(plan, 0);
    geometry->size[0] = first->columns;
    geometry->size[1] = first->rows;
    geometry->size[2] = count;
    for (int r = 0; r < 3; r++) {
        geometry->matrix[r][0] = first->row[r] * first->column_spacing;
        geometry->matrix[r][1] = first->column[r] * first->row_spacing;
        geometry->matrix[r][2] = step[r];
        geometry->matrix[r][3] = first->position[r];
    }
}

/* Frames of a sequence are 1 apart, which is no length. */
static void plan_flat_picture(const sgio_dicom_slice *slice, sgio_geometry *geometry)
{
    memset(geometry, 0, sizeof *geometry);
    geometry->size[0] = slice->columns;
    geometry->size[1] = slice->rows;
    geometry->size[2] = slice->frames;
    geometry->matrix[0][0] = slice->column_spacing;
    geometry->matrix[1][1] = slice->row_spacing;
    geometry->matrix[2][2] = 1;
}

static void plan_single_slice(const plan *plan, sgio_dicom_stack *stack)
{
    double step[3], thickness = slice_at(plan, 0)->thickness;
    if (thickness == 0) stack->assumed = 1;
    if (thickness == 0)
        sgio_warn(plan->options->warn, plan->options->warn_user,
                  "%s: one slice without thickness, 1 mm is assumed", plan->path);
    for (int r = 0; r < 3; r++)
        step[r] = plan->normal[r] * (thickness > 0 ? thickness : 1);
    set_geometry(plan, step, 1, &stack->geometry);
}

static void step_between_ends(const plan *plan, double intervals, double step[3])
{
    const double *first = slice_at(plan, 0)->position;
    const double *last = slice_at(plan, plan->volume->count - 1)->position;
    for (int r = 0; r < 3; r++)
        step[r] = (last[r] - first[r]) / intervals;
}

/* Angle in degrees between a step and the normal. */
static double tilt_of(const plan *plan, const double step[3])
{
    double along = 0, across[3];
    for (int r = 0; r < 3; r++)
        along += step[r] * plan->normal[r];
    for (int r = 0; r < 3; r++)
        across[r] = step[r] - along * plan->normal[r];
    return atan2(length(across), along) * 180 / acos(-1);
}

/* The columns hold the shear; the flag is set where it moves the last slice by more than rounding
 * of positions can. */
static void note_tilt(const plan *plan, const double step[3], int64_t count,
                      sgio_dicom_stack *stack)
{
    double degrees = tilt_of(plan, step);
    double drift = length(step) * sin(degrees * acos(-1) / 180) * (double)(count - 1);
    stack->sheared = degrees > 0.05 && drift > 0.1;
    if (stack->sheared)
        sgio_warn(plan->options->warn, plan->options->warn_user,
                  "%s: gantry tilt of %.2f degrees is kept as a sheared grid", plan->path, degrees);
}

static void plan_even(const plan *plan, double deviation, double spacing, sgio_dicom_stack *stack)
{
    double step[3];
    size_t count = plan->volume->count;
    step_between_ends(plan, (double)(count - 1), step);
    set_geometry(plan, step, (int64_t)count, &stack->geometry);
    note_tilt(plan, step, (int64_t)count, stack);
    if (deviation > fmax(0.01, 0.01 * spacing))
        sgio_warn(plan->options->warn, plan->options->warn_user,
                  "%s: slice positions deviate by up to %.3f mm from even spacing of %.3f mm",
                  plan->path, deviation, spacing);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Middle of the sorted gaps: the spacing that most slices have. */
static sgio_status sorted_gaps(const plan *plan, double **gaps)
{
    size_t count = plan->volume->count - 1;
    *gaps = malloc(count * sizeof **gaps);
    if (!*gaps) return sgio_fail_memory(count * sizeof **gaps, plan->path);
    for (size_t k = 0; k < count; k++)
        (*gaps)[k] = distance_at(plan, k + 1) - distance_at(plan, k);
    qsort(*gaps, count, sizeof **gaps, compare_doubles);
    return SGIO_OK;
}

/* Slices that are on disk and could not be read are the likeliest to be missing. */
static void write_left_out(const plan *plan, const char *how, char *out, size_t size)
{
    const sgio_dicom_slices *slices = plan->slices;
    out[0] = 0;
    if (slices->left_out > 0)
        snprintf(out, size, "; %s %zu file(s) that could not be read: %s", how, slices->left_out,
                 slices->first_left_out);
}

static sgio_status refuse_uneven(const plan *plan, double usual)
{
    char left_out[640];
    size_t worst = 0;
    double most = -1;
    for (size_t k = 0; k + 1 < plan->volume->count; k++) {
        double off = fabs(distance_at(plan, k + 1) - distance_at(plan, k) - usual);
        if (off > most) {
            most = off;
            worst = k;
        }
    }
    write_left_out(plan, "among them perhaps", left_out, sizeof left_out);
    return sgio_fail(SGIO_UNREADABLE,
                     "%s: slices are missing or unevenly spaced: slices %zu and %zu lie %.3f mm "
                     "apart, others %.3f mm (%s, %s)%s; --allowGaps resamples to even spacing",
                     plan->path, worst + 1, worst + 2,
                     distance_at(plan, worst + 1) - distance_at(plan, worst), usual,
                     sgio_dicom_slice_name(slice_at(plan, worst)),
                     sgio_dicom_slice_name(slice_at(plan, worst + 1)), left_out);
}

/* Resampling is along k only: every slice must lie on the line from the first to the last. */
static sgio_status check_line(const plan *plan, const double direction[3])
{
    double total = distance_at(plan, plan->volume->count - 1) - distance_at(plan, 0);
    const double *first = slice_at(plan, 0)->position;
    for (size_t k = 0; k < plan->volume->count; k++) {
        double share = (distance_at(plan, k) - distance_at(plan, 0)) / total, off[3];
        for (int r = 0; r < 3; r++)
            off[r] = slice_at(plan, k)->position[r] - first[r] - share * direction[r];
        if (!(length(off) <= 0.5 * slice_at(plan, k)->column_spacing))
            return sgio_fail(SGIO_UNREADABLE,
                             "%s: slice %zu (%s) is shifted sideways by %.2f mm: the slices do not "
                             "form a volume",
                             plan->path, k + 1, sgio_dicom_slice_name(slice_at(plan, k)),
                             length(off));
    }
    return SGIO_OK;
}

/* The smallest gap loses nothing, unless one odd gap would multiply the slices. */
static int64_t resampled_count(double total, const double *gaps, size_t count)
{
    double smallest = fmax(gaps[0], 2 * SGIO_DICOM_SAME_POSITION);
    double intervals = rint(total / smallest);
    if (intervals > 4 * (double)count) intervals = rint(total / gaps[count / 2]);
    return (int64_t)fmax(fmin(intervals, 4 * (double)count), 1) + 1;
}

static sgio_status plan_resampling(const plan *plan, const double *gaps, sgio_dicom_stack *stack)
{
    double direction[3], step[3];
    char left_out[640];
    size_t count = plan->volume->count;
    double total = distance_at(plan, count - 1) - distance_at(plan, 0);
    int64_t even_count = resampled_count(total, gaps, count - 1);
    step_between_ends(plan, 1, direction);
    sgio_status status = check_line(plan, direction);
    if (status != SGIO_OK) return status;
    stack->place = malloc(count * sizeof *stack->place);
    if (!stack->place) return sgio_fail_memory(count * sizeof *stack->place, plan->path);
    for (size_t k = 0; k < count; k++)
        stack->place[k] =
            (distance_at(plan, k) - distance_at(plan, 0)) / total * (double)(even_count - 1);
    step_between_ends(plan, (double)(even_count - 1), step);
    set_geometry(plan, step, even_count, &stack->geometry);
    note_tilt(plan, step, even_count, stack);
    write_left_out(plan, "interpolation may stand for", left_out, sizeof left_out);
    sgio_warn(
        plan->options->warn, plan->options->warn_user,
        "%s: %zu unevenly spaced slices (%.3f to %.3f mm apart) were resampled to %lld slices "
        "%.3f mm apart%s",
        plan->path, count, gaps[0], gaps[count - 2], (long long)even_count,
        total / (double)(even_count - 1), left_out);
    return SGIO_OK;
}

static sgio_status plan_uneven(const plan *plan, sgio_dicom_stack *stack)
{
    double *gaps;
    sgio_status status = sorted_gaps(plan, &gaps);
    if (status != SGIO_OK) return status;
    status = plan->options->allow_gaps ? plan_resampling(plan, gaps, stack)
                                       : refuse_uneven(plan, gaps[(plan->volume->count - 1) / 2]);
    free(gaps);
    return status;
}

static sgio_status plan_slices(const plan *plan, sgio_dicom_stack *stack)
{
    double spacing;
    if (!slice_at(plan, 0)->has_plane || slice_at(plan, 0)->frames > 1) {
        plan_flat_picture(slice_at(plan, 0), &stack->geometry);
        return SGIO_OK;
    }
    if (plan->volume->count == 1) {
        plan_single_slice(plan, stack);
        return SGIO_OK;
    }
    double deviation =
        sgio_dicom_unevenness(plan->slices, plan->volume->slices, plan->volume->count, &spacing);
    if (!sgio_dicom_is_even(deviation, spacing)) return plan_uneven(plan, stack);
    plan_even(plan, deviation, spacing, stack);
    return SGIO_OK;
}

static void warn_of_spacing(const plan *plan, sgio_dicom_stack *stack)
{
    int regions = slice_at(plan, 0)->regions;
    stack->assumed = 1;
    if (regions > 1)
        sgio_warn(plan->options->warn, plan->options->warn_user,
                  "%s: no pixel spacing, and %d ultrasound regions with a scale each; 1 mm is "
                  "assumed",
                  plan->path, regions);
    else
        sgio_warn(plan->options->warn, plan->options->warn_user,
                  "%s: no pixel spacing, 1 mm is assumed", plan->path);
}

sgio_status sgio_dicom_stack_plan(const char *path, const sgio_dicom_slices *slices,
                                  const sgio_dicom_volume *volume, const sgio_read_options *options,
                                  sgio_dicom_stack *stack)
{
    plan plan = {path, slices, volume, options, {0, 0, 0}};
    memset(stack, 0, sizeof *stack);
    if (slice_at(&plan, 0)->has_plane) sgio_dicom_normal(slice_at(&plan, 0), plan.normal);
    if (!slice_at(&plan, 0)->has_spacing) warn_of_spacing(&plan, stack);
    sgio_status status = plan_slices(&plan, stack);
    if (status != SGIO_OK) sgio_dicom_stack_clear(stack);
    return status;
}

void sgio_dicom_stack_clear(sgio_dicom_stack *stack)
{
    free(stack->place);
    memset(stack, 0, sizeof *stack);
}
