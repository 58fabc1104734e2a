/* Slices as pictures through the public interface: what a pixel shows, which voxel it belongs to,
 * and which voxels a mask paints agree, along every axis and however axes are stored. */
#include "check.h"

#include "segmodel/slices.h"

#include <stdlib.h>

enum { I = 7, J = 5, K = 4, VOXELS = I * J * K };

static uint8_t data[VOXELS];

/* Axes that run backwards and have different spacings. */
static sgm_volume make_volume(double si, double sj, double sk)
{
    sgm_volume volume = {.data = data,
                         .type = SGM_VOXEL_U8,
                         .channels = 1,
                         .size = {I, J, K},
                         .hounsfield = SGM_HOUNSFIELD_OFF};
    for (int n = 0; n < VOXELS; n++)
        data[n] = (uint8_t)(n + 100);
    volume.matrix[0][0] = si;
    volume.matrix[1][1] = sj;
    volume.matrix[2][2] = sk;
    return volume;
}

/* Every voxel of the slice is painted by the pixels that show it, and by no others. */
static void check_slice(sgm_slices *slices, const sgm_slices_info *info, int64_t slice)
{
    static uint16_t labels[VOXELS];
    size_t pixels = (size_t)info->width * (size_t)info->height;
    int64_t *voxels = malloc(pixels * sizeof *voxels), painted;
    uint8_t *mask = malloc(pixels);
    int64_t stride[3] = {1, I, I * J};
    sgm_image picture;
    CHECK_OK(sgm_slices_picture(slices, slice, &picture));
    CHECK(picture.width == info->width && picture.height == info->height);
    CHECK_OK(sgm_slices_voxels(slices, slice, voxels));
    for (size_t n = 0; n < pixels; n++) {
        CHECK(voxels[n] >= 0 && voxels[n] < VOXELS);
        int64_t size[3] = {I, J, K};
        CHECK(voxels[n] / stride[info->axis] % size[info->axis] == slice);
    }
    memset(mask, 1, pixels);
    memset(labels, 0, sizeof labels);
    CHECK_OK(sgm_slices_paint(slices, slice, mask, 7, labels, &painted));
    int64_t count = 0;
    for (int n = 0; n < VOXELS; n++)
        count += labels[n] == 7;
    int64_t across[3] = {J * K, I * K, I * J};
    CHECK(count == across[info->axis] && painted == count);
    free(voxels);
    free(mask);
}

/* Slices that come back, sooner or later, show what they showed. */
static void test_order(void)
{
    static const int64_t order[] = {0, 1, 0, 2, 3, 4, 0, 5, 6, 4, 3, 2, 1, 0, 6};
    static uint8_t first[I][J * K];
    sgm_volume volume = make_volume(1, 1, 1);
    sgm_volume_options options = sgm_volume_options_init();
    options.axis = SGM_AXIS_I;
    sgm_slices *slices = NULL;
    sgm_image picture;
    if (!CHECK_OK(sgm_slices_create(&volume, &options, NULL, &slices))) return;
    for (int64_t i = 0; i < I; i++) {
        CHECK_OK(sgm_slices_picture(slices, i, &picture));
        CHECK(picture.width * picture.height == J * K);
        memcpy(first[i], picture.data, J * K);
        CHECK(!i || memcmp(first[i], first[i - 1], J * K) != 0);
    }
    for (size_t n = 0; n < sizeof order / sizeof *order; n++) {
        CHECK_OK(sgm_slices_picture(slices, order[n], &picture));
        CHECK(memcmp(first[order[n]], picture.data, J * K) == 0);
    }
    sgm_slices_destroy(slices);
}

static void test_axes(void)
{
    static const double spacings[][3] = {{1, 1, 1}, {-1, 1, -1}, {1, -2, 3}, {-0.5, -0.5, 2}};
    for (size_t s = 0; s < 4; s++)
        for (int axis = SGM_AXIS_I; axis <= SGM_AXIS_K; axis++) {
            sgm_volume volume = make_volume(spacings[s][0], spacings[s][1], spacings[s][2]);
            sgm_volume_options options = sgm_volume_options_init();
            sgm_slices_info info = {.size = sizeof info};
            sgm_slices *slices = NULL;
            options.axis = (sgm_axis)axis;
            if (!CHECK_OK(sgm_slices_create(&volume, &options, NULL, &slices))) continue;
            CHECK_OK(sgm_slices_get_info(slices, &info));
            CHECK(info.axis == axis - SGM_AXIS_I && info.count == volume.size[info.axis]);
            for (int64_t slice = 0; slice < info.count; slice++)
                check_slice(slices, &info, slice);
            sgm_slices_destroy(slices);
        }
}

/* A picture file: its pixels in its own order, its own values. */
static void test_picture(void)
{
    sgm_volume volume = make_volume(1, 1, 1);
    sgm_volume_options options = sgm_volume_options_init();
    sgm_slices *slices = NULL;
    sgm_image picture;
    int64_t voxels[I * J];
    volume.size[2] = 1;
    options.window = SGM_WINDOW_MANUAL;
    options.window_high = 255;
    if (!CHECK_OK(sgm_slices_create(&volume, &options, NULL, &slices))) return;
    CHECK_OK(sgm_slices_picture(slices, 0, &picture));
    CHECK_OK(sgm_slices_voxels(slices, 0, voxels));
    CHECK(picture.width == I && picture.height == J);
    for (int n = 0; n < I * J; n++)
        CHECK(voxels[n] == n && picture.data[n] == data[n]);
    CHECK_STATUS(sgm_slices_picture(slices, 1, &picture), SGM_INVALID_ARGUMENT, "no slice 1");
    CHECK_STATUS(sgm_slices_picture(slices, -1, &picture), SGM_INVALID_ARGUMENT, "no slice -1");
    sgm_slices_destroy(slices);
}

static void test_refusals(void)
{
    sgm_volume volume = make_volume(1, 1, 1);
    sgm_volume_options options = sgm_volume_options_init();
    sgm_slices *slices = (sgm_slices *)&volume;
    options.axis = (sgm_axis)99;
    CHECK_STATUS(sgm_slices_create(&volume, &options, NULL, &slices), SGM_INVALID_ARGUMENT, "axis");
    CHECK(slices == NULL);
    volume.channels = 2;
    CHECK_STATUS(sgm_slices_create(&volume, NULL, NULL, &slices), SGM_UNREADABLE, NULL);
}

int main(void)
{
    test_axes();
    test_order();
    test_picture();
    test_refusals();
    return check_report();
}
