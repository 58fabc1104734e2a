/* Salient-object metrics against VPS and PySODMetrics, pair by pair and by sequence. */
#include "metrics_golden.h"

/* Sums in another order. */
static const double rounding = 1e-9;

static sgm_saliency compare(const char *name)
{
    char key[128];
    sgm_saliency out;
    snprintf(key, sizeof key, "gt.%s", name);
    golden_array gt = golden_bytes("pairs.safetensors", key);
    snprintf(key, sizeof key, "pred.%s", name);
    golden_array pred = golden_bytes("pairs.safetensors", key);
    assert_int_equal(
        sgm_saliency_compare(gt.data, pred.data, (int)gt.shape[1], (int)gt.shape[0], &out), SGM_OK);
    free(gt.data);
    free(pred.data);
    return out;
}

static void check_curve(const char *where, const char *key, const double *curve,
                        const json_t *wanted)
{
    static const int places[8] = {0, 1, 64, 127, 128, 191, 254, 255};
    char mean[32], most[32], some[32];
    snprintf(mean, sizeof mean, "mean%s", key);
    snprintf(most, sizeof most, "max%s", key);
    snprintf(some, sizeof some, "%s_curve8", key);
    check_near(where, mean, sgm_curve_mean(curve), golden_number(wanted, mean), rounding);
    check_near(where, most, sgm_curve_max(curve), golden_number(wanted, most), rounding);
    const json_t *values = json_object_get(wanted, some);
    assert_int_equal(json_array_size(values), 8);
    for (size_t i = 0; i < 8; i++) {
        const json_t *value = json_array_get(values, i);
        check_near(where, some, curve[places[i]],
                   json_is_number(value) ? json_number_value(value) : NAN, rounding);
    }
}

static void check_case(const char *name, const json_t *wanted)
{
    const json_t *vps = json_object_get(wanted, "vps"), *pysod = json_object_get(wanted, "pysod");
    sgm_saliency s = compare(name);
    check_near(name, "S", s.s_measure, golden_number(json_object_get(wanted, "contract"), "S"),
               1e-6);
    /* The nearest pixel of the object is not unique: goldens move by 5e-4 when a pair is mirrored.
     */
    check_near(name, "weighted F", s.weighted_f, golden_number(pysod, "wfm"), 1e-3);
    check_near(name, "MAE", s.mae, golden_number(vps, "MAE"), rounding);
    check_near(name, "adaptive E", s.adaptive_e, golden_number(vps, "adpEm"), rounding);
    check_near(name, "adaptive F", s.adaptive_f, golden_number(vps, "adpFm"), rounding);
    check_curve(name, "Em", s.e, vps);
    check_curve(name, "Fm", s.f, vps);
    check_curve(name, "Sen", s.sensitivity, vps);
    check_curve(name, "Spe", s.specificity, vps);
    check_curve(name, "Dice", s.dice, vps);
    check_curve(name, "IoU", s.iou, vps);
}

static void pairs_are_those_of_the_toolboxes(void **state)
{
    (void)state;
    const char *name;
    json_t *wanted, *root = golden_json("pairs.json");
    json_object_foreach(json_object_get(root, "cases"), name, wanted) check_case(name, wanted);
    json_decref(root);
}

/* First and last frame of a sequence are dropped, as VPS does. */
static void sequences_weigh_the_same(void **state)
{
    (void)state;
    const char *key;
    json_t *names, *root = golden_json("vps_sequences.json");
    json_t *wanted = json_object_get(root, "unrounded");
    sgm_saliency sequences[8], all;
    size_t count = 0;
    json_object_foreach(json_object_get(root, "sequences"), key, names)
    {
        sgm_saliency frames[16];
        size_t n = json_array_size(names);
        assert_true(n > 2 && n <= 16 && count < 8);
        for (size_t i = 1; i + 1 < n; i++)
            frames[i - 1] = compare(json_string_value(json_array_get(names, i)));
        sgm_saliency_mean(frames, n - 2, &sequences[count++]);
    }
    sgm_saliency_mean(sequences, count, &all);
    check_near("all", "S", all.s_measure, golden_number(wanted, "Smeasure"), 1e-6);
    check_near("all", "wF", all.weighted_f, golden_number(wanted, "wFmeasure"), 1e-3);
    check_near("all", "MAE", all.mae, golden_number(wanted, "MAE"), rounding);
    check_near("all", "meanEm", sgm_curve_mean(all.e), golden_number(wanted, "meanEm"), rounding);
    check_near("all", "maxEm", sgm_curve_max(all.e), golden_number(wanted, "maxEm"), rounding);
    check_near("all", "maxFm", sgm_curve_max(all.f), golden_number(wanted, "maxFm"), rounding);
    check_near("all", "maxDice", sgm_curve_max(all.dice), golden_number(wanted, "maxDice"),
               rounding);
    check_near("all", "meanSen", sgm_curve_mean(all.sensitivity), golden_number(wanted, "meanSen"),
               rounding);
    check_near("all", "maxSpe", sgm_curve_max(all.specificity), golden_number(wanted, "maxSpe"),
               rounding);
    check_near("all", "maxIoU", sgm_curve_max(all.iou), golden_number(wanted, "maxIoU"), rounding);
    json_decref(root);
}

int main(int argc, char **argv)
{
    golden_folder = argc > 1 ? argv[1] : ".";
    const struct CMUnitTest tests[] = {cmocka_unit_test(pairs_are_those_of_the_toolboxes),
                                       cmocka_unit_test(sequences_weigh_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
