/* Surface distances against MedPy and DeepMind's surface-distance, in planes and volumes. */
#include "metrics_golden.h"

static const double tolerances[] = {0.5, 1, 2, 3};
static const char *const dice_keys[] = {"dm_surface_dice_0.5", "dm_surface_dice_1",
                                        "dm_surface_dice_2", "dm_surface_dice_3"};

typedef struct pair {
    golden_array gt, pred;
    int64_t size[3];
} pair;

static pair load(const char *file, const char *name, int above)
{
    char key[128];
    pair p;
    snprintf(key, sizeof key, "gt.%s", name);
    p.gt = golden_bytes(file, key);
    snprintf(key, sizeof key, "pred.%s", name);
    p.pred = golden_bytes(file, key);
    for (size_t i = 0; i < p.gt.count; i++) {
        p.gt.data[i] = p.gt.data[i] > above;
        p.pred.data[i] = above ? p.pred.data[i] >= 128 : p.pred.data[i] > 0;
    }
    for (int axis = 0; axis < 3; axis++)
        p.size[axis] = axis < p.gt.rank ? p.gt.shape[p.gt.rank - 1 - axis] : 1;
    return p;
}

static void clear(pair *p)
{
    free(p->gt.data);
    free(p->pred.data);
}

static void check_voxels(const char *name, const sgm_surface_metrics *m, const json_t *wanted)
{
    if (isnan(golden_number(wanted, "medpy_hd"))) { /* MedPy refuses an empty mask */
        assert_true(!isfinite(m->hd) && !isfinite(m->hd95) && !isfinite(m->assd));
        return;
    }
    check_near(name, "HD", m->hd, golden_number(wanted, "medpy_hd"), 1e-9);
    check_near(name, "HD95", m->hd95, golden_number(wanted, "medpy_hd95"), 1e-9);
    check_near(name, "ASSD", m->assd, golden_number(wanted, "medpy_assd"), 1e-9);
    check_near(name, "ASD", m->mean_distance[1], golden_number(wanted, "medpy_asd_pred_to_gt"),
               1e-9);
}

static void check_elements(const char *name, const sgm_surface_metrics *m, const json_t *wanted,
                           const char *area_gt, const char *area_pred)
{
    int nothing = m->area[0] == 0 && m->area[1] == 0;
    check_near(name, "area", m->area[0], golden_number(wanted, area_gt), 1e-9);
    check_near(name, "area", m->area[1], golden_number(wanted, area_pred), 1e-9);
    /* Nothing on nothing: infinite there, not defined here, as every other distance. */
    check_near(name, "hd100", nothing ? INFINITY : m->element_hd100,
               golden_number(wanted, "dm_hd100"), 1e-9);
    check_near(name, "hd95", nothing ? INFINITY : m->element_hd95, golden_number(wanted, "dm_hd95"),
               1e-9);
    check_near(name, "mean", m->element_mean[0], golden_number(wanted, "dm_avg_gt_to_pred"), 1e-9);
    check_near(name, "mean", m->element_mean[1], golden_number(wanted, "dm_avg_pred_to_gt"), 1e-9);
    for (int t = 0; t < 4; t++)
        if (json_object_get(wanted, dice_keys[t]))
            check_near(name, dice_keys[t], m->surface_dice[t], golden_number(wanted, dice_keys[t]),
                       1e-9);
}

static void volumes_are_those_of_the_toolboxes(void **state)
{
    (void)state;
    const char *name;
    json_t *wanted, *root = golden_json("volumes.json");
    json_object_foreach(json_object_get(root, "surface3d"), name, wanted)
    {
        const json_t *spacing = json_object_get(wanted, "spacing_zyx");
        double axes[3][3] = {{0}};
        sgm_surface_metrics m;
        pair p = load("volumes.safetensors", name, 0);
        for (size_t axis = 0; axis < 3; axis++)
            axes[axis][axis] = json_number_value(json_array_get(spacing, 2 - axis));
        assert_int_equal(sgm_surface_compare(p.gt.data, p.pred.data, p.size,
                                             (const double(*)[3])axes, tolerances, 4, &m),
                         SGM_OK);
        check_voxels(name, &m, wanted);
        check_elements(name, &m, wanted, "dm_area_gt", "dm_area_pred");
        clear(&p);
    }
    json_decref(root);
}

static void check_plane(const char *name, const json_t *surface2d, const char *key, double row,
                        double column)
{
    const json_t *wanted = json_object_get(surface2d, key);
    const double axes[3][3] = {{column, 0, 0}, {0, row, 0}, {0, 0, 1}};
    sgm_surface_metrics m;
    pair p = load("pairs.safetensors", name, 128);
    assert_int_equal(sgm_surface_compare(p.gt.data, p.pred.data, p.size, axes, tolerances, 4, &m),
                     SGM_OK);
    check_voxels(name, &m, wanted);
    check_elements(name, &m, wanted, "dm_len_gt", "dm_len_pred");
    clear(&p);
}

static void planes_are_those_of_the_toolboxes(void **state)
{
    (void)state;
    const char *name;
    json_t *wanted, *root = golden_json("pairs.json");
    json_object_foreach(json_object_get(root, "cases"), name, wanted)
    {
        const json_t *planes = json_object_get(wanted, "surface2d");
        check_plane(name, planes, "spacing_1_1", 1, 1);
        check_plane(name, planes, "spacing_0.7_2.5", 0.7, 2.5);
    }
    json_decref(root);
}

/* Turning the grid in space changes nothing. */
static void oblique_grids_measure_the_same(void **state)
{
    (void)state;
    const double c = cos(0.4), s = sin(0.4), x = 0.8, y = 0.7, z = 3;
    const double straight[3][3] = {{x, 0, 0}, {0, y, 0}, {0, 0, z}};
    const double turned[3][3] = {{c * x, -s * y, 0}, {0, 0, -z}, {s * x, c * y, 0}};
    sgm_surface_metrics a, b;
    pair p = load("volumes.safetensors", "noisy", 0);
    assert_int_equal(
        sgm_surface_compare(p.gt.data, p.pred.data, p.size, straight, tolerances, 4, &a), SGM_OK);
    assert_int_equal(sgm_surface_compare(p.gt.data, p.pred.data, p.size, turned, tolerances, 4, &b),
                     SGM_OK);
    check_near("turned", "HD", b.hd, a.hd, 1e-9);
    check_near("turned", "HD95", b.hd95, a.hd95, 1e-9);
    check_near("turned", "area", b.area[1], a.area[1], 1e-9);
    check_near("turned", "surface Dice", b.surface_dice[2], a.surface_dice[2], 1e-9);
    clear(&p);
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    const uint8_t voxel = 1;
    const double axes[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
    sgm_surface_metrics m;
    assert_int_equal(sgm_surface_compare(&voxel, &voxel, (int64_t[3]){1, 0, 1}, axes, NULL, 0, &m),
                     SGM_INVALID_ARGUMENT);
    assert_int_equal(
        sgm_surface_compare(&voxel, &voxel, (int64_t[3]){1, 1, 1}, axes, tolerances, 9, &m),
        SGM_INVALID_ARGUMENT);
}

int main(int argc, char **argv)
{
    golden_folder = argc > 1 ? argv[1] : ".";
    const struct CMUnitTest tests[] = {cmocka_unit_test(volumes_are_those_of_the_toolboxes),
                                       cmocka_unit_test(planes_are_those_of_the_toolboxes),
                                       cmocka_unit_test(oblique_grids_measure_the_same),
                                       cmocka_unit_test(impossible_sizes_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
