/* Which slices, and how they are shown: every axis order and sign must show the same picture. */
#include "check.h"
#include "phantom.h"

#include "predict/picture/plane.h"
#include "predict/picture/slice.h"

#include <stdlib.h>
#include <string.h>

static double ramp(const double mm[3])
{
    return 128 + 3 * mm[0] + 1.5 * mm[1] - mm[2];
}

static void set_diagonal(sgm_volume *volume, double i, double j, double k)
{
    memset(volume->matrix, 0, sizeof volume->matrix);
    volume->matrix[0][0] = i;
    volume->matrix[1][1] = j;
    volume->matrix[2][2] = k;
}

static int auto_axis(const sgm_volume *volume, const sgm_object *object)
{
    sgm_plane plane;
    CHECK_OK(sgm_plane_choose(volume, SGM_AXIS_AUTO, object, object ? 1 : 0, &plane));
    return plane.axis;
}

static void check_auto_axis(void)
{
    uint8_t voxel = 0;
    sgm_volume volume = {.data = &voxel, .channels = 1, .size = {40, 40, 40}};
    set_diagonal(&volume, 1, 1, 3);
    CHECK(auto_axis(&volume, NULL) == 2);
    set_diagonal(&volume, 2, 1, 1);
    CHECK(auto_axis(&volume, NULL) == 0);
    set_diagonal(&volume, 1, 1, 1);
    CHECK(auto_axis(&volume, NULL) == 2);
    /* clicks in coronal slices: in-plane they fall anywhere */
    sgm_seed seeds[3] = {{{5.3, 20, 1.2}, 1}, {{9.1, 22, 30.4}, 0}, {{22.6, 7.001, 12.3}, 1}};
    sgm_object planar = {.seeds = seeds, .seed_count = 3};
    CHECK(auto_axis(&volume, &planar) == 1);
    seeds[1].index[1] = 22.4; /* not all of them */
    CHECK(auto_axis(&volume, &planar) == 2);
    /* along a cord that runs straight: on one sagittal slice too, but nobody clicked there */
    sgm_seed cord[3] = {{{20, 18, 5}, 1}, {{20, 19, 15}, 1}, {{20, 22, 30}, 1}};
    sgm_object straight_cord = {.seeds = cord, .seed_count = 3};
    CHECK(auto_axis(&volume, &straight_cord) == 2);
    sgm_roi flat = {{20, 20, 20}, {{0.1, 0, 0}, {0, 15, 0}, {0, 0, 15}}};
    sgm_object box = {.rois = &flat, .roi_count = 1};
    CHECK(auto_axis(&volume, &box) == 0);
    flat.half_axis[0][0] = 2; /* a box in space says nothing of slices */
    CHECK(auto_axis(&volume, &box) == 2);
    volume.size[1] = 1;
    set_diagonal(&volume, 5, 1, 1);
    CHECK(auto_axis(&volume, &box) == 1);
}

/* Axial, coronal and sagittal name the nearest index axis, and three different ones even where two
 * index axes lie at 45 degrees. */
static void check_anatomical_axes(void)
{
    uint8_t voxel = 0;
    sgm_volume volume = {.data = &voxel, .channels = 1, .size = {8, 8, 8}};
    const double h = 0.70710678118654752;
    double turned[3][4] = {{h, -h, 0, 0}, {h, h, 0, 0}, {0, 0, -1, 0}};
    memcpy(volume.matrix, turned, sizeof turned);
    sgm_plane axial, coronal, sagittal;
    CHECK_OK(sgm_plane_choose(&volume, SGM_AXIS_AXIAL, NULL, 0, &axial));
    CHECK_OK(sgm_plane_choose(&volume, SGM_AXIS_CORONAL, NULL, 0, &coronal));
    CHECK_OK(sgm_plane_choose(&volume, SGM_AXIS_SAGITTAL, NULL, 0, &sagittal));
    CHECK(axial.axis == 2);
    CHECK(coronal.axis + sagittal.axis == 1);
    for (int number = 0; number < 48; number++) {
        int order[3], signs;
        phantom p;
        const int64_t extent[3] = {3, 4, 5};
        const double spacing[3] = {1, 1, 1};
        phantom_orientation(number, order, &signs);
        phantom_make(&p, ramp, extent, spacing, order, signs);
        CHECK_OK(sgm_plane_choose(&p.volume, SGM_AXIS_SAGITTAL, NULL, 0, &sagittal));
        CHECK(order[sagittal.axis] == 0);
        CHECK_OK(sgm_plane_choose(&p.volume, SGM_AXIS_CORONAL, NULL, 0, &coronal));
        CHECK(order[coronal.axis] == 1);
        phantom_clear(&p);
    }
}

typedef struct shown {
    sgm_plane plane;
    uint8_t *pixels;
} shown;

static shown show(const phantom *p, sgm_axis axis, const double mm[3], double *x, double *y)
{
    shown s = {0};
    sgm_slicer slicer;
    double index[3];
    phantom_index(p, mm, index);
    CHECK_OK(sgm_plane_choose(&p->volume, axis, NULL, 0, &s.plane));
    CHECK_OK(sgm_slicer_init(&slicer, &p->volume, &s.plane, 0, 255));
    s.pixels = malloc((size_t)s.plane.width * (size_t)s.plane.height);
    sgm_slicer_extract(&slicer, sgm_plane_slice_of(&s.plane, index[s.plane.axis]), s.pixels);
    sgm_slicer_clear(&slicer);
    sgm_plane_project(&s.plane, index, x, y);
    return s;
}

/* The picture, and where a prompt lies in it, must not depend on how the volume is stored. */
static void check_same_picture(sgm_axis axis, const double spacing[3])
{
    const int64_t extent[3] = {12, 15, 10};
    const double mm[3] = {2 * spacing[0] - 0.5, -3.2 * spacing[1], 1.5 * spacing[2]};
    const int straight[3] = {0, 1, 2};
    phantom reference, turned;
    double x, y, turned_x, turned_y;
    phantom_make(&reference, ramp, extent, spacing, straight, 0);
    shown want = show(&reference, axis, mm, &x, &y);
    for (int number = 1; number < 48; number++) {
        int order[3], signs;
        phantom_orientation(number, order, &signs);
        phantom_make(&turned, ramp, extent, spacing, order, signs);
        shown got = show(&turned, axis, mm, &turned_x, &turned_y);
        CHECK(got.plane.width == want.plane.width && got.plane.height == want.plane.height);
        CHECK_NEAR(turned_x, x, 1e-9);
        CHECK_NEAR(turned_y, y, 1e-9);
        CHECK(memcmp(got.pixels, want.pixels,
                     (size_t)want.plane.width * (size_t)want.plane.height) == 0);
        free(got.pixels);
        phantom_clear(&turned);
    }
    free(want.pixels);
    phantom_clear(&reference);
}

/* Left is right, posterior is down (axial); inferior is down (coronal, sagittal). */
static void check_radiological_view(void)
{
    const int64_t extent[3] = {11, 11, 11};
    const double spacing[3] = {1, 1, 1}, centre[3] = {0, 0, 0};
    const int straight[3] = {0, 1, 2};
    phantom p;
    double x, y;
    phantom_make(&p, ramp, extent, spacing, straight, 0);
    shown axial = show(&p, SGM_AXIS_AXIAL, centre, &x, &y);
    CHECK(axial.pixels[10] > axial.pixels[0] && axial.pixels[110] > axial.pixels[0]);
    CHECK(axial.pixels[10] - axial.pixels[0] == 30 && axial.pixels[110] - axial.pixels[0] == 15);
    shown coronal = show(&p, SGM_AXIS_CORONAL, centre, &x, &y);
    CHECK(coronal.pixels[10] - coronal.pixels[0] == 30);
    CHECK(coronal.pixels[110] - coronal.pixels[0] == 10); /* the ramp falls with z */
    shown sagittal = show(&p, SGM_AXIS_SAGITTAL, centre, &x, &y);
    CHECK(sagittal.pixels[10] - sagittal.pixels[0] == 15);
    CHECK(sagittal.pixels[110] - sagittal.pixels[0] == 10);
    free(axial.pixels);
    free(coronal.pixels);
    free(sagittal.pixels);
    phantom_clear(&p);
}

/* Voxels of 1 x 3 mm become square pixels; a linear ramp stays linear, a position stays put. */
static void check_square_pixels(void)
{
    const int64_t extent[3] = {30, 10, 1};
    const double spacing[3] = {1, 3, 5}, mm[3] = {4, -3, 0};
    const int straight[3] = {0, 1, 2};
    phantom p;
    double x, y;
    phantom_make(&p, ramp, extent, spacing, straight, 0);
    shown s = show(&p, SGM_AXIS_K, mm, &x, &y);
    CHECK(s.plane.width == 30 && s.plane.height == 30);
    CHECK_NEAR(x, 4 + 14.5, 1e-9);
    CHECK_NEAR(y, -3 + 14.5, 1e-9);
    for (int row = 2; row < 28; row++) /* beyond the outer centres values are held, not continued */
        for (int column = 0; column < 30; column++) {
            double want = 128 + 3 * (column - 14.5) + 1.5 * (row - 14.5);
            CHECK_NEAR(s.pixels[row * 30 + column], want, 1.01); /* 8 bits twice */
        }
    free(s.pixels);
    phantom_clear(&p);
}

/* A mask that goes to the picture and back is the same; so is one that came from the picture where
 * it is made of whole voxels. */
static void check_masks_return(void)
{
    const int64_t extent[3] = {9, 7, 5};
    const double spacing[3] = {1, 1.7, 4};
    for (int number = 0; number < 48; number++)
        for (int axis = SGM_AXIS_I; axis <= SGM_AXIS_K; axis++) {
            int order[3], signs;
            phantom p;
            sgm_plane plane;
            uint8_t mask[9 * 7 * 5], back[9 * 7 * 5] = {0};
            phantom_orientation(number, order, &signs);
            phantom_make(&p, ramp, extent, spacing, order, signs);
            CHECK_OK(sgm_plane_choose(&p.volume, (sgm_axis)axis, NULL, 0, &plane));
            for (int i = 0; i < 9 * 7 * 5; i++)
                mask[i] = (i * 7919 + number) % 3 == 0;
            uint8_t *picture = malloc((size_t)plane.width * (size_t)plane.height);
            for (int64_t slice = 0; slice < plane.slices; slice++) {
                uint8_t part[9 * 7], again[9 * 7];
                for (int64_t n = 0; n < plane.columns * plane.rows; n++)
                    part[n] = mask[sgm_plane_offset(&plane, p.volume.size, slice, n % plane.columns,
                                                    n / plane.columns)];
                sgm_slice_load(&plane, part, picture);
                sgm_slice_store(&plane, picture, again);
                for (int64_t n = 0; n < plane.columns * plane.rows; n++)
                    back[sgm_plane_offset(&plane, p.volume.size, slice, n % plane.columns,
                                          n / plane.columns)] = again[n];
            }
            CHECK(memcmp(mask, back, sizeof mask) == 0);
            free(picture);
            phantom_clear(&p);
        }
}

static void check_refusals(void)
{
    uint8_t voxel = 0;
    sgm_plane plane;
    sgm_volume volume = {.data = &voxel, .channels = 1, .size = {1, 1, 1}};
    CHECK_STATUS(sgm_plane_choose(&volume, SGM_AXIS_AUTO, NULL, 0, &plane), SGM_UNREADABLE,
                 "axis 0");
    set_diagonal(&volume, 1, NAN, 1);
    CHECK_STATUS(sgm_plane_choose(&volume, SGM_AXIS_AUTO, NULL, 0, &plane), SGM_UNREADABLE,
                 "axis 1");
    set_diagonal(&volume, 1, 1, 1);
    volume.matrix[2][3] = INFINITY;
    CHECK_STATUS(sgm_plane_choose(&volume, SGM_AXIS_AUTO, NULL, 0, &plane), SGM_UNREADABLE,
                 "origin");
    set_diagonal(&volume, 1, 1, 1);
    volume.size[0] = 0;
    CHECK_STATUS(sgm_volume_check(&volume), SGM_UNREADABLE, "0 x 1 x 1");
    volume.size[0] = volume.size[1] = volume.size[2] = INT32_MAX;
    CHECK_STATUS(sgm_volume_check(&volume), SGM_UNREADABLE, "too large");
    volume.size[0] = 40000;
    volume.size[1] = volume.size[2] = 1;
    CHECK_STATUS(sgm_plane_choose(&volume, SGM_AXIS_K, NULL, 0, &plane), SGM_UNREADABLE, "40000");
    volume.type = SGM_VOXEL_I16;
    volume.channels = 3;
    CHECK_STATUS(sgm_volume_check(&volume), SGM_UNREADABLE, "8 bits");
}

/* A stack's table of shades is another way to the same pictures: those of 32-bit voxels, which have
 * none. */
static void check_table(sgm_voxel type, double thickness, int flipped)
{
    enum { I = 90, J = 70, K = 60 };
    static int16_t small[I * J * K];
    static int32_t large[I * J * K];
    static uint8_t got[4 * K * I * J / 2], want[4 * K * I * J / 2];
    sgm_volume volume = {.data = small,
                         .type = type,
                         .channels = 1,
                         .size = {I, J, K},
                         .has_padding = 1,
                         .padding = 1000},
               plain = volume;
    unsigned code = 1;
    for (int n = 0; n < I * J * K; n++, code = code * 69069 + 1) {
        small[n] = n % 7 ? (int16_t)(code >> 16) : 1000;
        large[n] = type == SGM_VOXEL_U16 ? (uint16_t)small[n] : small[n];
    }
    plain.data = large;
    plain.type = SGM_VOXEL_I32;
    set_diagonal(&volume, flipped ? 1 : -1, flipped ? -1 : 1, thickness);
    set_diagonal(&plain, flipped ? 1 : -1, flipped ? -1 : 1, thickness);
    for (int axis = SGM_AXIS_I; axis <= SGM_AXIS_K; axis++) {
        sgm_plane plane;
        sgm_slicer slicer[2];
        CHECK_OK(sgm_plane_choose(&volume, (sgm_axis)axis, NULL, 0, &plane));
        size_t pixels = (size_t)plane.width * (size_t)plane.height;
        if (!CHECK(pixels <= sizeof got)) return;
        CHECK_OK(sgm_slicer_init(&slicer[0], &volume, &plane, -1234.5, 21000));
        CHECK_OK(sgm_slicer_init(&slicer[1], &plain, &plane, -1234.5, 21000));
        CHECK(slicer[0].table && slicer[0].bytes && !slicer[1].table);
        sgm_slicer_extract(&slicer[0], 33, got);
        sgm_slicer_extract(&slicer[1], 33, want);
        CHECK(memcmp(got, want, pixels) == 0);
        for (int n = 0; n < 2; n++)
            sgm_slicer_clear(&slicer[n]);
    }
}

int main(void)
{
    const double isotropic[3] = {1, 1, 1}, thick[3] = {0.8, 0.8, 2}, uneven[3] = {1, 1.6, 2.3};
    check_auto_axis();
    check_anatomical_axes();
    for (int axis = SGM_AXIS_AXIAL; axis <= SGM_AXIS_SAGITTAL; axis++) {
        check_same_picture((sgm_axis)axis, isotropic);
        check_same_picture((sgm_axis)axis, thick);
        check_same_picture((sgm_axis)axis, uneven);
    }
    check_radiological_view();
    check_square_pixels();
    check_masks_return();
    for (int flipped = 0; flipped < 2; flipped++) {
        check_table(SGM_VOXEL_I16, 1, flipped);
        check_table(SGM_VOXEL_I16, 2.5, flipped);
        check_table(SGM_VOXEL_U16, 1, flipped);
    }
    check_refusals();
    return check_report();
}
