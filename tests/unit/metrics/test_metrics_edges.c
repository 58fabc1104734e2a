/* Thinning, matching and summaries of edges against skimage and pyEdgeEval. */
#include "metrics_golden.h"

enum { IMAGES = 3 };

/* The official matcher adds random outliers: its counts move by up to 4 between runs. Its thinning
 * leaves one pixel more or less than skimage's, which ours equals, at some thresholds. */
static const double spread = 4, thinning = 1;

static void thin_lines_are_those_of_skimage(void **state)
{
    (void)state;
    golden_array strength = golden_bytes("edges.safetensors", "pred0");
    golden_array wanted = golden_bytes("edges.safetensors", "thin0_30");
    for (size_t i = 0; i < strength.count; i++)
        strength.data[i] = strength.data[i] / 255.0 >= 0.3;
    assert_int_equal(sgm_edge_thin(strength.data, (int)strength.shape[1], (int)strength.shape[0]),
                     SGM_OK);
    for (size_t i = 0; i < strength.count; i++)
        if (strength.data[i] != (wanted.data[i] != 0)) fail_msg("pixel %zu differs", i);
    free(strength.data);
    free(wanted.data);
}

static double place(const json_t *image, const char *key, size_t i)
{
    return json_number_value(json_array_get(json_object_get(image, key), i));
}

static void check_counts(const json_t *image, const sgm_edge_counts *counts)
{
    for (size_t k = 0; k < SGM_EDGE_THRESHOLDS; k++) {
        check_near("edges", "reference", counts[k].reference, place(image, "sum_r", k), 0);
        assert_true(fabs(counts[k].predicted - place(image, "sum_p", k)) <= thinning);
        if (fabs(counts[k].recalled - place(image, "count_r", k)) > spread ||
            fabs(counts[k].confirmed - place(image, "count_p", k)) > spread)
            fail_msg("threshold %zu: %g and %g matches, wanted %g and %g", k + 1,
                     counts[k].recalled, counts[k].confirmed, place(image, "count_r", k),
                     place(image, "count_p", k));
    }
}

static void check_exact(const json_t *root, int image, const sgm_edge_counts *counts)
{
    const json_t *exact = json_object_get(root, "exact_assignment");
    for (int tenths = 1; tenths <= 9; tenths += 2) {
        char key[32];
        snprintf(key, sizeof key, "%d@0.%d0", image, tenths);
        const json_t *wanted = json_object_get(exact, key);
        const sgm_edge_counts *found = &counts[10 * tenths - 1];
        check_near(key, "recalled", found->recalled, golden_number(wanted, "count_r"), 0);
        /* Which annotator's pairs are chosen is free: the union may differ by a pixel or two. */
        assert_true(fabs(found->confirmed - golden_number(wanted, "count_p")) <= 2);
    }
}

static void counts_and_summary_are_those_of_bsds(void **state)
{
    (void)state;
    static sgm_edge_counts counts[IMAGES * SGM_EDGE_THRESHOLDS];
    sgm_edge_metrics m;
    json_t *root = golden_json("edges.json");
    for (int n = 0; n < IMAGES; n++) {
        char key[16];
        snprintf(key, sizeof key, "pred%d", n);
        golden_array strength = golden_bytes("edges.safetensors", key);
        snprintf(key, sizeof key, "gt%d.a", n);
        golden_array a = golden_bytes("edges.safetensors", key);
        snprintf(key, sizeof key, "gt%d.b", n);
        golden_array b = golden_bytes("edges.safetensors", key);
        const uint8_t *annotators[2] = {a.data, b.data};
        sgm_edge_counts *own = counts + n * SGM_EDGE_THRESHOLDS;
        assert_int_equal(sgm_edge_compare(strength.data, annotators, 2, (int)a.shape[1],
                                          (int)a.shape[0], 0.0075, own),
                         SGM_OK);
        snprintf(key, sizeof key, "%d", n);
        check_counts(json_object_get(json_object_get(root, "per_image"), key), own);
        check_exact(root, n, own);
        free(strength.data);
        free(a.data);
        free(b.data);
    }
    assert_int_equal(sgm_edge_summary(counts, IMAGES, &m), SGM_OK);
    const json_t *overall = json_object_get(root, "overall");
    const json_t *pdollar = json_object_get(root, "pdollar_edges_rules");
    check_near("all", "ODS", m.ods, golden_number(overall, "ODS_f1"), 0.01);
    check_near("all", "ODS recall", m.ods_recall, golden_number(overall, "ODS_recall"), 0.01);
    check_near("all", "OIS", m.ois, golden_number(overall, "OIS_f1"), 0.01);
    check_near("all", "AP", m.ap, golden_number(pdollar, "AP_unique_first"), 0.01);
    check_near("all", "R50", m.r50, golden_number(pdollar, "R50_unique_first"), 0.01);
    json_decref(root);
}

int main(int argc, char **argv)
{
    golden_folder = argc > 1 ? argv[1] : ".";
    const struct CMUnitTest tests[] = {cmocka_unit_test(thin_lines_are_those_of_skimage),
                                       cmocka_unit_test(counts_and_summary_are_those_of_bsds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
