/* PromptSegEvaluate's numbers, from segmentations to values, against the toolboxes'. */
#include "metrics_golden.h"

#include "evaluate_pairs.h"

static sgio_segmentation segmentation_of(const golden_array *a, int from)
{
    sgio_geometry grid = {.size = {a->shape[1], a->shape[0], 1},
                          .matrix = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    sgio_segmentation s;
    uint8_t *mask = calloc(a->count, 1);
    size_t inside = 0, index = 0;
    assert_non_null(mask);
    for (size_t i = 0; i < a->count; i++)
        inside += mask[i] = a->data[i] >= from;
    assert_int_equal(sgio_segmentation_init(&s, &grid), SGIO_OK);
    if (inside) { /* a file's label map has no label without voxels */
        assert_int_equal(sgio_segmentation_add(&s, "polyp", NULL, &index), SGIO_OK);
        assert_int_equal(sgio_segmentation_set_mask(&s, index, mask), SGIO_OK);
    }
    free(mask);
    return s;
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : NAN;
}

static void check_counts(const char *name, const double *value, const json_t *wanted)
{
    const double tp = golden_number(wanted, "tp"), fp = golden_number(wanted, "fp"),
                 fn = golden_number(wanted, "fn"), tn = golden_number(wanted, "tn");
    check_near(name, "Dice", value[EVALUATE_DICE], share(2 * tp, 2 * tp + fp + fn), 1e-9);
    check_near(name, "IoU", value[EVALUATE_IOU], share(tp, tp + fp + fn), 1e-9);
    check_near(name, "sensitivity", value[EVALUATE_SENSITIVITY], share(tp, tp + fn), 1e-9);
    check_near(name, "specificity", value[EVALUATE_SPECIFICITY], share(tn, tn + fp), 1e-9);
}

static void check_surfaces(const char *name, const double *value, const json_t *wanted)
{
    if (isnan(golden_number(wanted, "medpy_hd"))) { /* MedPy refuses an empty mask */
        assert_true(!isfinite(value[EVALUATE_HD]) && !isfinite(value[EVALUATE_ASSD]));
    } else {
        check_near(name, "HD", value[EVALUATE_HD], golden_number(wanted, "medpy_hd"), 1e-9);
        check_near(name, "HD95", value[EVALUATE_HD95], golden_number(wanted, "medpy_hd95"), 1e-9);
        check_near(name, "ASSD", value[EVALUATE_ASSD], golden_number(wanted, "medpy_assd"), 1e-9);
        check_near(name, "element HD95", value[EVALUATE_ELEMENT_HD95],
                   golden_number(wanted, "dm_hd95"), 1e-9);
    }
    check_near(name, "surface Dice", value[EVALUATE_SURFACE_DICE],
               golden_number(wanted, "dm_surface_dice_1"), 1e-9);
}

static void check_pictures(const char *name, const double *value, const json_t *wanted)
{
    const json_t *vps = json_object_get(wanted, "vps"), *pysod = json_object_get(wanted, "pysod");
    check_near(name, "S", value[EVALUATE_S_MEASURE],
               golden_number(json_object_get(wanted, "contract"), "S"), 1e-6);
    check_near(name, "weighted F", value[EVALUATE_WEIGHTED_F], golden_number(pysod, "wfm"), 1e-3);
    check_near(name, "mean E", value[EVALUATE_MEAN_E], golden_number(vps, "meanEm"), 1e-9);
    check_near(name, "max E", value[EVALUATE_MAX_E], golden_number(vps, "maxEm"), 1e-9);
    check_near(name, "MAE", value[EVALUATE_MAE], golden_number(vps, "MAE"), 1e-9);
}

static void check_case(const char *name, const json_t *wanted)
{
    char key[128];
    evaluate_pairs pairs;
    evaluate_how how = {.tolerance_mm = 1};
    snprintf(key, sizeof key, "gt.%s", name);
    golden_array gt = golden_bytes("pairs.safetensors", key);
    snprintf(key, sizeof key, "pred.%s", name);
    golden_array pred = golden_bytes("pairs.safetensors", key);
    sgio_segmentation r = segmentation_of(&gt, 129), p = segmentation_of(&pred, 128);
    how.map = pred.data;
    assert_int_equal(evaluate_set_parse("all", &how.metrics), 0);
    assert_int_equal(evaluate_match(&r, &p, 0, &pairs), 0);
    /* Nothing on nothing is no pair in the program; here it is one all the same. */
    evaluate_pair none = {.reference = -1, .prediction = -1}, *pair = pairs.items;
    assert_true(pairs.count <= 1);
    if (pairs.count == 0) pair = &none;
    assert_int_equal(evaluate_compare(&r, &p, &how, pair), 0);
    check_counts(name, pair->values.value, json_object_get(wanted, "samus_binary"));
    check_surfaces(name, pair->values.value,
                   json_object_get(json_object_get(wanted, "surface2d"), "spacing_1_1"));
    check_pictures(name, pair->values.value, wanted);
    free(pairs.items);
    sgio_segmentation_clear(&r);
    sgio_segmentation_clear(&p);
    free(gt.data);
    free(pred.data);
}

static void pairs_are_those_of_the_toolboxes(void **state)
{
    (void)state;
    const char *name;
    json_t *wanted, *root = golden_json("pairs.json");
    json_t *cases = json_object_get(root, "cases");
    assert_true(json_object_size(cases) >= 48);
    json_object_foreach(cases, name, wanted) check_case(name, wanted);
    json_decref(root);
}

int main(int argc, char **argv)
{
    golden_folder = argc > 1 ? argv[1] : ".";
    const struct CMUnitTest tests[] = {cmocka_unit_test(pairs_are_those_of_the_toolboxes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
