#include "picture_view.h"
#include "segmentation_parts.h"

#include "io_status.h"
#include "text_number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_TILES = 12, DEFAULT_PIXELS = 320, MOST_TILES = 400, GAP = 6 };

static const sgio_rgb BACKGROUND = {22, 24, 28}, INK = {235, 235, 235};
static const sgio_rgb FOREGROUND = {70, 235, 90}, BACKGROUND_POINT = {250, 70, 60};
static const sgio_rgb BOX = {255, 215, 60}, BLACK = {0, 0, 0};
static const double FILL_ALPHA = 0.22;

typedef struct montage {
    sgio_canvas canvas;
    sgio_view view;
    const sgio_volume *volume;
    const sgio_segmentation *segmentation;
    const sgio_prompts *prompts;
    const int64_t *slices;
    size_t count, columns;
    double window[2];
    int with_legend;
    int text_scale, line; /* line: thickness of outlines in pixels */
    uint8_t *inside;      /* one tile */
} montage;

static sgio_rgb to_rgb(const double colour[3])
{
    return (sgio_rgb){(uint8_t)(colour[0] * 255 + 0.5), (uint8_t)(colour[1] * 255 + 0.5),
                      (uint8_t)(colour[2] * 255 + 0.5)};
}

static int64_t nearest(double index, int64_t size)
{
    int64_t n = (int64_t)floor(index + 0.5);
    return n < 0 ? 0 : n >= size ? size - 1 : n;
}

/* Tile pixels whose nearest voxel belongs to the segment; 0 when there are none. */
static int mark_segment(montage *m, const sgio_segment *segment, int64_t slice)
{
    const sgio_geometry *g = &m->segmentation->geometry;
    const int64_t *range = segment->extent + 2 * m->view.axis;
    int any = 0;
    if (segment->layer < 0 || slice < range[0] || slice > range[1]) return 0;
    const sgio_layer *layer = &m->segmentation->layers[segment->layer];
    for (int y = 0; y < m->view.height; y++) {
        for (int x = 0; x < m->view.width; x++) {
            double index[3];
            sgio_view_index(&m->view, x, y, slice, index);
            size_t voxel = (size_t)((nearest(index[2], g->size[2]) * g->size[1] +
                                     nearest(index[1], g->size[1])) *
                                        g->size[0] +
                                    nearest(index[0], g->size[0]));
            int inside = sgio_layer_value(layer, voxel) == segment->label;
            m->inside[y * m->view.width + x] = (uint8_t)inside;
            any |= inside;
        }
    }
    return any;
}

static int mark_box(montage *m, const sgio_box *box, int64_t slice)
{
    int any = 0;
    for (int y = 0; y < m->view.height; y++) {
        for (int x = 0; x < m->view.width; x++) {
            double index[3], lps[3];
            sgio_view_index(&m->view, x, y, slice, index);
            sgio_geometry_index_to_lps(m->view.geometry, index, lps);
            int inside = sgio_box_contains(box, lps);
            m->inside[y * m->view.width + x] = (uint8_t)inside;
            any |= inside;
        }
    }
    return any;
}

/* Inside, with a pixel outside at most `line` steps away along a row or column. The tile's own
 * border counts as inside, so that a region that is cut off stays open there. */
static int on_outline(const montage *m, int x, int y, int line)
{
    int width = m->view.width, height = m->view.height;
    for (int step = 1; step <= line; step++) {
        if (x >= step && !m->inside[y * width + x - step]) return 1;
        if (x + step < width && !m->inside[y * width + x + step]) return 1;
        if (y >= step && !m->inside[(y - step) * width + x]) return 1;
        if (y + step < height && !m->inside[(y + step) * width + x]) return 1;
    }
    return 0;
}

static void draw_region(montage *m, int left, int top, sgio_rgb colour, double fill)
{
    for (int y = 0; y < m->view.height; y++) {
        for (int x = 0; x < m->view.width; x++) {
            if (!m->inside[y * m->view.width + x]) continue;
            int line = on_outline(m, x, y, m->line);
            if (line || fill > 0)
                sgio_canvas_blend(&m->canvas, left + x, top + y, colour, line ? 1 : fill);
        }
    }
}

/* A flat box shows in the slice it lies in, although no pixel is exactly on it. */
static sgio_box visible_box(const sgio_box *box, const sgio_geometry *geometry, int axis)
{
    sgio_box shown = *box;
    double spacing[3], d[3][3];
    sgio_geometry_spacing(geometry, spacing);
    sgio_geometry_direction(geometry, d);
    for (int a = 0; a < 3; a++) {
        double *h = shown.half_axis[a];
        if (h[0] != 0 || h[1] != 0 || h[2] != 0) continue;
        for (int r = 0; r < 3; r++)
            h[r] = 0.5 * spacing[axis] * d[r][axis];
    }
    return shown;
}

/* A plus for foreground, a cross for background, both on a black rim. */
static void draw_point(montage *m, int x, int y, int foreground)
{
    int reach = 3 * m->line + 1;
    for (int pass = 1; pass >= 0; pass--) {
        sgio_rgb colour = pass ? BLACK : foreground ? FOREGROUND : BACKGROUND_POINT;
        for (int t = -reach - pass; t <= reach + pass; t++) {
            for (int w = -m->line / 2 - pass; w <= (m->line - 1) / 2 + pass; w++) {
                if (foreground) {
                    sgio_canvas_blend(&m->canvas, x + t, y + w, colour, 1);
                    sgio_canvas_blend(&m->canvas, x + w, y + t, colour, 1);
                } else {
                    sgio_canvas_blend(&m->canvas, x + t + w, y + t, colour, 1);
                    sgio_canvas_blend(&m->canvas, x + t + w, y - t, colour, 1);
                }
            }
        }
    }
}

static void draw_prompts(montage *m, int left, int top, int64_t slice)
{
    for (size_t s = 0; m->prompts && s < m->prompts->segment_count; s++) {
        const sgio_prompt_segment *segment = &m->prompts->segments[s];
        for (size_t b = 0; b < segment->box_count; b++) {
            sgio_box box = visible_box(&segment->boxes[b], m->view.geometry, m->view.axis);
            if (mark_box(m, &box, slice)) draw_region(m, left, top, BOX, 0);
        }
        for (size_t p = 0; p < segment->point_count; p++) {
            double index[3], x, y;
            if (sgio_geometry_lps_to_index(m->view.geometry, segment->points[p].lps, index) != 0 ||
                round(index[m->view.axis]) != (double)slice)
                continue;
            sgio_view_pixel(&m->view, index, &x, &y);
            draw_point(m, left + (int)lround(x), top + (int)lround(y),
                       segment->points[p].foreground);
        }
    }
}

static void draw_tile(montage *m, size_t tile)
{
    int left = GAP + (int)(tile % m->columns) * (m->view.width + GAP);
    int top = GAP + (int)(tile / m->columns) * (m->view.height + GAP);
    char caption[48];
    sgio_draw_slice(&m->canvas, left, top, &m->view, m->volume, m->slices[tile], m->window);
    for (size_t s = 0; s < m->segmentation->segment_count; s++) {
        const sgio_segment *segment = &m->segmentation->segments[s];
        if (mark_segment(m, segment, m->slices[tile]))
            draw_region(m, left, top, to_rgb(segment->colour), FILL_ALPHA);
    }
    draw_prompts(m, left, top, m->slices[tile]);
    if (m->volume->is_sequence)
        snprintf(caption, sizeof caption, "frame %ld",
                 sgio_volume_frame_number(m->volume, m->slices[tile]));
    else
        snprintf(caption, sizeof caption, "%c=%lld", "ijk"[m->view.axis],
                 (long long)m -> slices[tile]);
    sgio_canvas_text(&m->canvas, left + 4, top + 4, caption, m->text_scale, INK);
}

/* Lays the legend out from y on, drawing when `draw`; returns the y below it. */
static int legend(montage *m, int64_t width, int y, int draw)
{
    int x = GAP, scale = m->text_scale, side = 7 * scale;
    if (!m->with_legend || m->segmentation->segment_count == 0) return y;
    for (size_t s = 0; s < m->segmentation->segment_count; s++) {
        const sgio_segment *segment = &m->segmentation->segments[s];
        char text[96];
        if (m->volume->is_sequence) /* without millilitres */
            sgio_print(text, sizeof text, "%.60s", segment->name);
        else
            sgio_print(text, sizeof text, "%.60s %.3g ml", segment->name,
                       sgio_segmentation_ml(m->segmentation, s));
        int needed = side + 3 * scale + sgio_text_width(text, scale) + 4 * scale;
        if (x > GAP && x + needed > width) {
            x = GAP;
            y += side + 2 * scale;
        }
        if (draw) {
            sgio_canvas_fill(&m->canvas, x, y, side, side, to_rgb(segment->colour));
            sgio_canvas_text(&m->canvas, x + side + 3 * scale, y, text, scale, INK);
        }
        x += needed;
    }
    return y + side + GAP;
}

static size_t choose_columns(size_t count, const sgio_view *view)
{
    if (count <= 4 && view->width <= 2 * view->height) return count <= 3 ? count : 2;
    size_t columns = (size_t)ceil(sqrt((double)count * view->height / view->width * 1.3));
    return columns < 1 ? 1 : columns > count ? count : columns;
}

static sgio_status draw_montage(montage *m)
{
    size_t rows = (m->count + m->columns - 1) / m->columns;
    int64_t width = GAP + (int64_t)m->columns * (m->view.width + GAP);
    int64_t tiles = GAP + (int64_t)rows * (m->view.height + GAP);
    int64_t height = legend(m, width, (int)tiles, 0);
    sgio_status status = sgio_canvas_create(&m->canvas, width, height, BACKGROUND);
    if (status != SGIO_OK) return status;
    m->inside = malloc((size_t)m->view.width * (size_t)m->view.height);
    if (!m->inside)
        return sgio_fail_memory((size_t)m->view.width * (size_t)m->view.height, "a picture");
    for (size_t tile = 0; tile < m->count; tile++)
        draw_tile(m, tile);
    legend(m, width, (int)tiles, 1);
    return SGIO_OK;
}

static sgio_status check(const sgio_volume *volume, const sgio_segmentation *segmentation,
                         const sgio_picture_options *options)
{
    int axis = options->axis, pixels = options->tile_pixels, tiles = options->max_tiles;
    if (memcmp(volume->geometry.size, segmentation->geometry.size, sizeof volume->geometry.size))
        return sgio_fail(SGIO_USAGE, "the picture's volume and segmentation differ in size");
    if (axis < 0 || axis > 2 || pixels < 0 || pixels > 4096 || tiles < 0 || tiles > MOST_TILES)
        return sgio_fail(SGIO_USAGE, "picture options: axis %d, %d pixels, %d tiles", axis, pixels,
                         tiles);
    for (size_t i = 0; i < options->slice_count; i++)
        if (options->slices[i] < 0 || options->slices[i] >= volume->geometry.size[axis])
            return sgio_fail(SGIO_USAGE, "the picture's slice %lld is not in the volume",
                             (long long)options->slices[i]);
    return options->slice_count <= MOST_TILES
               ? SGIO_OK
               : sgio_fail(SGIO_USAGE, "more than %d slices in a picture", MOST_TILES);
}

sgio_status sgio_picture_write(sgio_outputs *outputs, const char *path, const sgio_volume *volume,
                               const sgio_segmentation *segmentation, const sgio_prompts *prompts,
                               const sgio_picture_options *options)
{
    static const sgio_picture_options usual = {.axis = 2};
    int64_t chosen[MOST_TILES];
    montage m = {.volume = volume, .segmentation = segmentation, .prompts = prompts};
    if (!options) options = &usual;
    m.with_legend = !options->without_legend;
    sgio_status status = check(volume, segmentation, options);
    if (status != SGIO_OK) return status;
    int pixels = options->tile_pixels ? options->tile_pixels : DEFAULT_PIXELS;
    size_t most = options->max_tiles ? (size_t)options->max_tiles : DEFAULT_TILES;
    m.slices = options->slice_count ? options->slices : chosen;
    m.count = options->slice_count
                  ? options->slice_count
                  : sgio_choose_slices(segmentation, prompts, options, most, chosen);
    sgio_view_make(&m.view, &volume->geometry, options->axis, pixels);
    memcpy(m.window, options->window, sizeof m.window);
    if (m.window[0] == m.window[1])
        sgio_slices_window(volume, options->axis, m.slices, m.count, m.window);
    m.columns = choose_columns(m.count, &m.view);
    m.text_scale = pixels / 200 + 1;
    m.line = pixels / 300 + 1;
    status = draw_montage(&m);
    if (status == SGIO_OK)
        status = sgio_png_write_rgb(outputs, path, m.canvas.rgb, m.canvas.width, m.canvas.height);
    free(m.inside);
    sgio_canvas_clear(&m.canvas);
    return status;
}
