#include "pack_slices.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "cli_exit.h"
#include "predict/picture/resample.h"
#include "predict/picture/window.h"
#include "segmodel/segmodel.h"

static int from_model(sgm_status status)
{
    return status == SGM_OK
               ? 0
               : cli_fail(cli_exit_from_model_status((int)status), "%s", sgm_last_message());
}

/* What a file does not say of its values is told by their looks, as prediction does. */
static void settle_units(sgm_volume *view)
{
    if (view->hounsfield != SGM_HOUNSFIELD_AUTO) return;
    view->hounsfield = sgm_volume_looks_hounsfield(view) ? SGM_HOUNSFIELD_ON : SGM_HOUNSFIELD_OFF;
}

static int begin_slicer(pack_slicing *s, sgm_axis axis)
{
    sgm_plane plane;
    double low, high;
    int code = from_model(sgm_volume_check(&s->view));
    if (code == 0) settle_units(&s->view);
    if (code == 0) code = from_model(sgm_plane_choose(&s->view, axis, NULL, 0, &plane));
    if (code == 0)
        code = from_model(sgm_window_choose(&s->view, SGM_WINDOW_AUTO, NULL, &low, &high));
    if (code == 0) code = from_model(sgm_slicer_init(&s->slicer, &s->view, &plane, low, high));
    if (code != 0) return code;
    s->voxels = malloc((size_t)plane.width * (size_t)plane.height * sizeof *s->voxels);
    return s->voxels ? 0 : cli_fail(CLI_EXIT_MEMORY, "no memory");
}

/* Label maps may come as RGB pictures with equal channels; other colours are no numbers. */
static int is_coloured(const sgio_volume *label)
{
    const size_t channels = (size_t)label->channels;
    const int64_t *size = label->geometry.size;
    const size_t count = (size_t)(size[0] * size[1] * size[2]);
    for (size_t i = 0; channels > 1 && i < count; i++)
        for (size_t c = 1; c < channels; c++)
            if (sgio_volume_value(label, i * channels + c) !=
                sgio_volume_value(label, i * channels))
                return 1;
    return 0;
}

int pack_slicing_begin(const sgio_volume *image, const sgio_volume *label, sgm_axis axis,
                       int max_side, pack_slicing *out)
{
    *out = (pack_slicing){.label = label, .view = bridge_volume(image), .max_side = max_side};
    if (is_coloured(label))
        return cli_fail(CLI_EXIT_INPUT,
                        "a colour image is not a label map: label maps are grey, or "
                        "have a palette whose indices are the labels");
    return begin_slicer(out, axis);
}

void pack_slicing_end(pack_slicing *slicing)
{
    sgm_slicer_clear(&slicing->slicer);
    free(slicing->voxels);
    memset(slicing, 0, sizeof *slicing);
}

int64_t pack_slicing_count(const pack_slicing *s)
{
    return s->slicer.plane.slices;
}

static double label_at(const pack_slicing *s, int64_t voxel)
{
    return sgio_volume_value(s->label, voxel * s->label->channels);
}

int pack_slicing_has_label(const pack_slicing *s, int64_t index)
{
    const sgm_plane *plane = &s->slicer.plane;
    for (int64_t v = 0; v < plane->rows; v++)
        for (int64_t u = 0; u < plane->columns; u++)
            if (label_at(s, sgm_plane_offset(plane, s->view.size, index, u, v)) != 0) return 1;
    return 0;
}

/* The predictor's picture, or a smaller one that fits into max_side. */
static sgm_size picture_size(const pack_slicing *s)
{
    const sgm_plane *plane = &s->slicer.plane;
    int longest = plane->width > plane->height ? plane->width : plane->height;
    if (longest <= s->max_side) return (sgm_size){plane->width, plane->height};
    double scale = (double)s->max_side / longest;
    return (sgm_size){(int)fmax(1, floor(plane->width * scale + 0.5)),
                      (int)fmax(1, floor(plane->height * scale + 0.5))};
}

static int fill_image(pack_slicing *s, pack_slice *out)
{
    const sgm_plane *plane = &s->slicer.plane;
    if (out->width == plane->width && out->height == plane->height) {
        sgm_slicer_extract(&s->slicer, out->index, out->image);
        return 0;
    }
    uint8_t *full = malloc((size_t)plane->width * (size_t)plane->height * (size_t)out->channels);
    if (!full) return cli_fail(CLI_EXIT_MEMORY, "no memory");
    sgm_slicer_extract(&s->slicer, out->index, full);
    int code =
        from_model(sgm_resample_area(full, (sgm_size){plane->width, plane->height}, out->channels,
                                     out->image, (sgm_size){out->width, out->height}));
    free(full);
    return code;
}

static int fill_label(pack_slicing *s, pack_slice *out)
{
    const sgm_plane *plane = &s->slicer.plane;
    sgm_slice_voxels(plane, s->view.size, out->index, s->voxels);
    for (int y = 0; y < out->height; y++)
        for (int x = 0; x < out->width; x++) {
            int64_t u = (2 * x + 1) * (int64_t)plane->width / (2 * out->width);
            int64_t v = (2 * y + 1) * (int64_t)plane->height / (2 * out->height);
            double label = label_at(s, s->voxels[v * plane->width + u]);
            if (!(label >= 0 && label <= 65535) || label != floor(label))
                return cli_fail(CLI_EXIT_INPUT,
                                "label values must be whole numbers from 0 to "
                                "65535, found %g",
                                label);
            out->label[(size_t)y * (size_t)out->width + (size_t)x] = (uint16_t)label;
            if (label > out->most) out->most = (int)label;
        }
    return 0;
}

int pack_slicing_make(pack_slicing *s, int64_t index, pack_slice *out)
{
    sgm_size size = picture_size(s);
    *out = (pack_slice){
        .index = index, .width = size.width, .height = size.height, .channels = s->view.channels};
    size_t pixels = (size_t)out->width * (size_t)out->height;
    out->image = malloc(pixels * (size_t)out->channels);
    out->label = malloc(pixels * sizeof *out->label);
    int code = out->image && out->label ? 0 : cli_fail(CLI_EXIT_MEMORY, "no memory");
    if (code == 0) code = fill_image(s, out);
    if (code == 0) code = fill_label(s, out);
    if (code != 0) pack_slice_clear(out);
    return code;
}

void pack_slice_clear(pack_slice *slice)
{
    free(slice->image);
    free(slice->label);
    memset(slice, 0, sizeof *slice);
}
