/* The means over all objects as a picture: Dice on the left, IoU on the right. */
#include <math.h>
#include <string.h>

#include "core/status.h"
#include "study/study.h"
#include "train/plot.h"
#include "train/png_write.h"

enum { WIDTH = 1160, HEIGHT = 540, COLOURS = 6 };
static const uint32_t colours[COLOURS] = {0x2040A0, 0xD06010, 0x70A0E0,
                                          0xF0B080, 0x108040, 0x903090};

typedef struct figure {
    const sgm_study *study;
    sgm_study_cell cells[SGM_STUDY_MOST_CONDITIONS];
    sgm_plot_area area;
} figure;

/* Ticks are at quarters: a multiple of four keeps them whole. */
static double right_end(const sgm_study *study)
{
    double most = 0;
    for (int c = 0; c < study->condition_count; c++)
        most = fmax(most, study->conditions[c].x);
    return 4 * fmax(ceil(most / 4), 1);
}

/* Around all means and what intervals they have, four steps of a round number. */
static void fit_scores(figure *f)
{
    static const double steps[] = {0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25};
    double low = 1, high = 0;
    for (int c = 0; c < f->study->condition_count; c++) {
        low = fmin(low, fmin(f->cells[c].low, f->cells[c].mean));
        high = fmax(high, fmax(f->cells[c].high, f->cells[c].mean));
    }
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        f->area.y_low = fmax(fmin(floor(low / steps[i]) * steps[i], 1 - 4 * steps[i]), 0);
        f->area.y_high = f->area.y_low + 4 * steps[i];
        if (high <= f->area.y_high + 1e-9) return;
    }
}

/* Number of the series among those before. */
static int series_of(const sgm_study *study, int condition)
{
    int number = 0;
    for (int c = 0; c < condition; c++) {
        if (study->conditions[c].series == study->conditions[condition].series)
            return series_of(study, c);
        bool is_new = true;
        for (int before = 0; before < c; before++)
            is_new &= study->conditions[before].series != study->conditions[c].series;
        number += is_new;
    }
    return number;
}

static void draw_interval(sgm_canvas *canvas, const figure *f, int c, uint32_t colour)
{
    const double x = f->study->conditions[c].x, wide = 0.01 * f->area.x_high;
    const sgm_study_cell *cell = &f->cells[c];
    const double upright_x[2] = {x, x}, upright_y[2] = {cell->low, cell->high};
    const double level_x[2] = {x - wide, x + wide}, level_y[2] = {cell->mean, cell->mean};
    if (!isnan(cell->low)) sgm_plot_line(canvas, &f->area, upright_x, upright_y, 2, colour);
    sgm_plot_line(canvas, &f->area, level_x, level_y, 2, colour);
}

static void draw_series(sgm_canvas *canvas, const figure *f, int number, uint32_t colour)
{
    double x[SGM_STUDY_MOST_CONDITIONS], y[SGM_STUDY_MOST_CONDITIONS];
    int count = 0;
    for (int c = 0; c < f->study->condition_count; c++) {
        if (series_of(f->study, c) != number) continue;
        x[count] = f->study->conditions[c].x;
        y[count++] = f->cells[c].mean;
        draw_interval(canvas, f, c, colour);
    }
    sgm_plot_line(canvas, &f->area, x, y, count, colour);
}

static void draw_legend(sgm_canvas *canvas, const sgm_study *study)
{
    int drawn = 0;
    for (int c = 0; c < study->condition_count; c++) {
        const int number = series_of(study, c);
        if (number < drawn) continue;
        sgm_canvas_text(canvas, 70 + number % 4 * 270, 480 + number / 4 * 20,
                        study->conditions[c].series, colours[number % COLOURS]);
        drawn++;
    }
    sgm_canvas_text(canvas, 70, 450, study->kind->axis, 0x404040);
}

static sgm_status draw(const sgm_study *study, const sgm_study_group *group, sgm_canvas *canvas)
{
    static const char *const titles[2] = {"DICE", "IOU"};
    for (int panel = 0; panel < 2; panel++) {
        figure f = {.study = study, .area = {70 + panel * 570, 40, 480, 380, 0, 0, 0, 1}};
        for (int c = 0; c < study->condition_count; c++)
            SGM_TRY(sgm_study_cell_make(study, group, c, panel ? SGM_STUDY_IOU : SGM_STUDY_DICE,
                                        false, &f.cells[c]));
        f.area.x_high = right_end(study);
        fit_scores(&f);
        sgm_plot_axes(canvas, &f.area, titles[panel]);
        for (int number = 0; number <= series_of(study, study->condition_count - 1); number++)
            draw_series(canvas, &f, number, colours[number % COLOURS]);
    }
    draw_legend(canvas, study);
    return SGM_OK;
}

sgm_status sgm_study_write_plot(const sgm_study *study, const sgm_study_groups *groups,
                                const char *path)
{
    sgm_canvas canvas;
    SGM_TRY(sgm_canvas_create(WIDTH, HEIGHT, &canvas));
    sgm_status status = draw(study, &groups->items[0], &canvas);
    if (status == SGM_OK) status = sgm_png_write(path, canvas.rgb, canvas.width, canvas.height);
    sgm_canvas_clear(&canvas);
    return status;
}
