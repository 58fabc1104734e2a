/* Counts and shares against SAMUS's and SAMIHS's evaluation. */
#include "metrics_golden.h"

static void check_case(const char *name, const json_t *wanted)
{
    char key[128];
    snprintf(key, sizeof key, "gt.%s", name);
    golden_array gt = golden_bytes("pairs.safetensors", key);
    snprintf(key, sizeof key, "pred.%s", name);
    golden_array pred = golden_bytes("pairs.safetensors", key);
    int height = (int)gt.shape[0], width = (int)gt.shape[1];
    for (size_t i = 0; i < gt.count; i++) {
        gt.data[i] = gt.data[i] > 128;
        pred.data[i] = pred.data[i] >= 128;
    }
    sgm_overlap o = sgm_overlap_of(gt.data, pred.data, gt.count);
    check_near(name, "tp", (double)o.both, golden_number(wanted, "tp"), 0);
    check_near(name, "fp", (double)o.only_prediction, golden_number(wanted, "fp"), 0);
    check_near(name, "fn", (double)o.only_reference, golden_number(wanted, "fn"), 0);
    check_near(name, "tn", (double)o.neither, golden_number(wanted, "tn"), 0);
    check_near(name, "dice", sgm_overlap_dice(&o, 1e-5), golden_number(wanted, "dice"), 1e-9);
    check_near(name, "iou", sgm_overlap_iou(&o, 1e-5), golden_number(wanted, "iou"), 1e-9);
    check_near(name, "acc", sgm_overlap_accuracy(&o, 1e-5), golden_number(wanted, "acc"), 1e-9);
    check_near(name, "se", sgm_overlap_sensitivity(&o, 1e-5), golden_number(wanted, "se"), 1e-9);
    check_near(name, "sp", sgm_overlap_specificity(&o, 1e-5), golden_number(wanted, "sp"), 1e-9);
    check_near(name, "rows, Manhattan", sgm_rows_distance(gt.data, pred.data, width, height, 1),
               golden_number(wanted, "hd_rows_manhattan"), 1e-9);
    check_near(name, "rows, Euclidean", sgm_rows_distance(gt.data, pred.data, width, height, 2),
               golden_number(wanted, "hd_rows_euclidean"), 1e-9);
    free(gt.data);
    free(pred.data);
}

static void shares_are_those_of_samus(void **state)
{
    (void)state;
    const char *name;
    json_t *wanted, *root = golden_json("pairs.json");
    json_t *cases = json_object_get(root, "cases");
    assert_true(json_object_size(cases) >= 48);
    json_object_foreach(cases, name, wanted)
        check_case(name, json_object_get(wanted, "samus_binary"));
    json_decref(root);
}

static void nothing_on_nothing_is_no_plain_share(void **state)
{
    (void)state;
    const uint8_t none[4] = {0};
    sgm_overlap o = sgm_overlap_of(none, none, 4);
    assert_true(isnan(sgm_overlap_dice(&o, 0)));
    assert_true(isnan(sgm_overlap_iou(&o, 0)));
    assert_true(sgm_overlap_dice(&o, 1e-5) == 1);
}

int main(int argc, char **argv)
{
    golden_folder = argc > 1 ? argv[1] : ".";
    const struct CMUnitTest tests[] = {cmocka_unit_test(shares_are_those_of_samus),
                                       cmocka_unit_test(nothing_on_nothing_is_no_plain_share)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
