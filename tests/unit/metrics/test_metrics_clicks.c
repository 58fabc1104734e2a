/* Simulated clicks and areas under their curves against the CVPR 2025 challenge's evaluation. */
#include "metrics_golden.h"

enum { CLASSES = 2 };

static golden_array gt;
static int64_t size[3];

static golden_array prediction(size_t step)
{
    char key[32];
    snprintf(key, sizeof key, "cvpr.seg%zu", step);
    return golden_bytes("volumes.safetensors", key);
}

static void one_class(const golden_array *labels, int label, uint8_t *mask)
{
    for (size_t i = 0; i < labels->count; i++)
        mask[i] = labels->data[i] == label;
}

/* Any of the equally deep places will do. */
static void check_click(const json_t *wanted, const uint8_t *r, const uint8_t *p)
{
    sgm_click click;
    assert_int_equal(sgm_click_component(r, p, size, &click), SGM_OK);
    check_near("click", "depth", click.distance, golden_number(wanted, "edt_max"), 1e-9);
    const char *label = json_string_value(json_object_get(wanted, "label"));
    assert_int_equal(click.label, strcmp(label, "fg") == 0 ? SGM_FOREGROUND : SGM_BACKGROUND);
    const json_t *places = json_object_get(wanted, "all_maxima_zyx");
    int found = 0;
    for (size_t i = 0; i < json_array_size(places); i++) {
        const json_t *place = json_array_get(places, i);
        int same = 1;
        for (size_t axis = 0; axis < 3; axis++)
            same &= json_integer_value(json_array_get(place, 2 - axis)) == click.index[axis];
        found |= same;
    }
    if (!found)
        fail_msg("a click at (%d, %d, %d)", (int)click.index[0], (int)click.index[1],
                 (int)click.index[2]);
}

static void clicks_and_areas_are_the_challenges(void **state)
{
    (void)state;
    json_t *root = golden_json("volumes.json");
    const json_t *wanted = json_object_get(root, "cvpr25_interactive");
    const json_t *steps = json_object_get(wanted, "steps"), *spacing;
    double dsc[6], nsd[6], axes[3][3] = {{0}};
    const double tolerance = 2;
    spacing = json_object_get(wanted, "spacing_zyx");
    gt = golden_bytes("volumes.safetensors", "cvpr.gt");
    uint8_t *r = malloc(gt.count), *p = malloc(gt.count);
    for (size_t axis = 0; axis < 3; axis++) {
        size[axis] = gt.shape[2 - axis];
        axes[axis][axis] = json_number_value(json_array_get(spacing, 2 - axis));
    }
    assert_int_equal(json_array_size(steps), 6);
    for (size_t s = 0; s < 6; s++) {
        const json_t *step = json_array_get(steps, s);
        golden_array seg = prediction(s);
        dsc[s] = nsd[s] = 0;
        for (int c = 1; c <= CLASSES; c++) {
            sgm_surface_metrics m;
            one_class(&gt, c, r);
            one_class(&seg, c, p);
            sgm_overlap o = sgm_overlap_of(r, p, gt.count);
            assert_int_equal(
                sgm_surface_compare(r, p, size, (const double(*)[3])axes, &tolerance, 1, &m),
                SGM_OK);
            dsc[s] += sgm_overlap_dice(&o, 0) / CLASSES;
            nsd[s] += m.surface_dice[0] / CLASSES;
            const json_t *clicks = json_object_get(step, "next_clicks");
            for (size_t i = 0; i < json_array_size(clicks); i++) {
                const json_t *click = json_array_get(clicks, i);
                if (json_integer_value(json_object_get(click, "class")) == c)
                    check_click(click, r, p);
            }
        }
        check_near("step", "DSC", dsc[s], golden_number(step, "dsc"), 1e-9);
        check_near("step", "NSD", nsd[s], golden_number(step, "nsd_tol2_before_rule"), 1e-9);
        if (dsc[s] <= 0.2) nsd[s] = 0;
        free(seg.data);
    }
    check_near("area", "DSC", sgm_interaction_area(dsc), golden_number(wanted, "DSC_AUC"), 1e-9);
    check_near("area", "NSD", sgm_interaction_area(nsd), golden_number(wanted, "NSD_AUC"), 1e-9);
    free(r);
    free(p);
    free(gt.data);
    json_decref(root);
}

/* 7 x 1 pixels: three are missing, three too much: equally deep, so the background click wins; with
 * one more missing the foreground does; what is taken is not chosen again. */
static void a_tie_goes_to_the_background(void **state)
{
    (void)state;
    const int64_t plane[3] = {11, 3, 1};
    uint8_t r[33] = {0}, p[33] = {0};
    sgm_click click;
    for (int y = 0; y < 3; y++)
        for (int x = 1; x < 4; x++)
            r[11 * y + x] = p[11 * y + x + 5] = 1;
    assert_int_equal(sgm_click_deepest(r, p, plane, NULL, 0, &click), SGM_OK);
    assert_int_equal(click.label, SGM_BACKGROUND);
    assert_true(click.index[0] == 7 && click.index[1] == 1 && click.distance == 2);
    const int64_t taken = 11 + 7;
    assert_int_equal(sgm_click_deepest(r, p, plane, &taken, 1, &click), SGM_OK);
    assert_int_equal(click.label, SGM_FOREGROUND);
    assert_true(click.index[0] == 2 && click.index[1] == 1);
    assert_int_equal(sgm_click_deepest(r, r, plane, NULL, 0, &click), SGM_OK);
    assert_int_equal(click.label, -1);
}

int main(int argc, char **argv)
{
    golden_folder = argc > 1 ? argv[1] : ".";
    const struct CMUnitTest tests[] = {cmocka_unit_test(clicks_and_areas_are_the_challenges),
                                       cmocka_unit_test(a_tie_goes_to_the_background)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
