#include <math.h>
#include <stdlib.h>

#include "train/plot.h"
#include "train/png_write.h"
#include "train/train_log.h"

enum { LOSS, SMOOTH, POINT, BOX, ELLIPSE, ASIDE_POINT, ASIDE_BOX, CURVES };

static const struct {
    const char *name;
    uint32_t colour;
} STYLE[CURVES] = {{"LOSS", 0xC0C8E0},
                   {"LOSS SMOOTHED", 0x2040A0},
                   {"POINT", 0xD06010},
                   {"BOX", 0x108040},
                   {"ELLIPSE", 0x909090},
                   {"POINT ON SETS ASIDE", 0xF0B080},
                   {"BOX ON SETS ASIDE", 0x80D0A0}};

static double value_of(const sgm_log_row *row, int curve)
{
    const sgm_validation *split = &row->split, *aside = &row->held_out;
    switch (curve) {
    case POINT:
        return split->samples ? split->dice[0] : NAN;
    case BOX:
        return split->samples ? split->dice[1] : NAN;
    case ELLIPSE:
        return split->samples ? split->ellipse : NAN;
    case ASIDE_POINT:
        return aside->samples ? aside->dice[0] : NAN;
    case ASIDE_BOX:
        return aside->samples ? aside->dice[1] : NAN;
    default:
        return row->loss;
    }
}

enum { SMOOTHED = 8 };

/* The smoothed loss is the mean of the last eight reports: the first ones, far above all others,
 * are soon forgotten. Validations have rows without a loss. */
static void fill_curve(const sgm_train_log *log, int curve, double *y)
{
    double last[SMOOTHED] = {0};
    int reports = 0;
    for (size_t i = 0; i < log->count; i++) {
        y[i] = value_of(&log->rows[i], curve);
        if (curve != SMOOTH) continue;
        if (isfinite(y[i])) last[reports++ % SMOOTHED] = y[i];
        double sum = 0;
        for (int k = 0; k < SMOOTHED; k++)
            sum += last[k];
        y[i] = reports ? sum / (reports < SMOOTHED ? reports : SMOOTHED) : NAN;
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* High enough for 98 % of the losses: the first steps would flatten all others. */
static double loss_top(const double *loss, size_t count, double *sorted)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(loss[i])) sorted[n++] = loss[i];
    if (!n) return 1;
    qsort(sorted, n, sizeof *sorted, compare);
    return sorted[(size_t)(0.98 * (double)(n - 1))] * 1.05;
}

static void draw(const sgm_train_log *log, sgm_canvas *canvas, double *x, double *y, double *spare)
{
    size_t n = log->count;
    for (size_t i = 0; i < n; i++)
        x[i] = (double)log->rows[i].step;
    fill_curve(log, LOSS, y);
    sgm_plot_area left = {70, 40, 480, 380, 0, x[n - 1], 0, loss_top(y, n, spare)};
    sgm_plot_area right = {640, 40, 480, 380, 0, x[n - 1], 0.3, 1};
    sgm_plot_axes(canvas, &left, "TRAINING LOSS PER STEP");
    sgm_plot_axes(canvas, &right, "VALIDATION DICE PER STEP");
    for (int curve = 0; curve < CURVES; curve++) {
        fill_curve(log, curve, y);
        sgm_plot_line(canvas, curve <= SMOOTH ? &left : &right, x, y, (int)n, STYLE[curve].colour);
        int column = curve <= SMOOTH ? 70 + curve * 100 : 640 + (curve - POINT) % 3 * 165;
        int row = curve < ASIDE_POINT ? 450 : 466;
        sgm_canvas_text(canvas, column, row, STYLE[curve].name, STYLE[curve].colour);
    }
}

sgm_status sgm_train_log_plot(const sgm_train_log *log, const char *path)
{
    if (!log->count) return SGM_OK;
    sgm_canvas canvas;
    double *memory = malloc(3 * log->count * sizeof *memory);
    if (!memory) return sgm_fail(SGM_OUT_OF_MEMORY, "%s: no memory", path);
    sgm_status status = sgm_canvas_create(1160, 490, &canvas);
    if (status == SGM_OK) {
        draw(log, &canvas, memory, memory + log->count, memory + 2 * log->count);
        status = sgm_png_write(path, canvas.rgb, canvas.width, canvas.height);
        sgm_canvas_clear(&canvas);
    }
    free(memory);
    return status;
}
