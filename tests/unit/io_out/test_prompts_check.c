/* Prompts against a volume: inside, meeting it, and having something to find. */
#include "io_out_support.h"

#include <math.h>
#include <string.h>

static sgio_geometry unit_volume(void)
{
    sgio_geometry g = {.size = {10, 10, 10},
                       .matrix = {{-1, 0, 0, 100}, {0, 1, 0, 0}, {0, 0, 2, 0}}};
    return g; /* x 90.5 to 100.5, y -0.5 to 9.5, z -1 to 19 */
}

static sgio_status check_point(double x, double y, double z)
{
    sgio_prompts prompts = {0};
    sgio_geometry g = unit_volume();
    const double lps[3] = {x, y, z};
    assert_int_equal(sgio_prompts_add_point(&prompts, "tumour", lps, 1, "F-3"), SGIO_OK);
    sgio_status status = sgio_prompts_check(&prompts, &g, NULL);
    sgio_prompts_clear(&prompts);
    return status;
}

static void points_may_lie_anywhere_in_a_voxel(void **state)
{
    (void)state;
    assert_int_equal(check_point(95, 5, 5), SGIO_OK);
    assert_int_equal(check_point(90.5, -0.5, -1), SGIO_OK);
    assert_int_equal(check_point(100.5, 9.5, 19), SGIO_OK);
    assert_int_equal(check_point(100.5005, 5, 5), SGIO_OK); /* six digits, rounded */
    assert_int_equal(check_point(100.6, 5, 5), SGIO_BAD_PROMPT);
    assert_int_equal(check_point(95, 5, -1.2), SGIO_BAD_PROMPT);
}

static void a_point_outside_is_named_with_the_bounds(void **state)
{
    (void)state;
    assert_int_equal(check_point(-95, 5, 5), SGIO_BAD_PROMPT);
    assert_message("F-3");
    assert_message("tumour");
    assert_message("-95,5,5");
    assert_message("x 90.5 to 100.5, y -0.5 to 9.5, z -1 to 19 mm (LPS)");
}

static sgio_status check_roi(const char *text)
{
    sgio_prompts prompts = {0};
    sgio_geometry g = unit_volume();
    assert_int_equal(sgio_prompts_add_roi_text(&prompts, "A", text, NULL), SGIO_OK);
    sgio_status status = sgio_prompts_check(&prompts, &g, NULL);
    sgio_prompts_clear(&prompts);
    return status;
}

static void an_roi_has_to_meet_the_volume(void **state)
{
    (void)state;
    assert_int_equal(check_roi("95,5,9,2,2,2"), SGIO_OK);
    assert_int_equal(check_roi("95,5,9,500,500,500"), SGIO_OK); /* around all of it */
    assert_int_equal(check_roi("105,5,9,5,2,2"), SGIO_OK);      /* half in */
    assert_int_equal(check_roi("95,5,9,2,2,0"), SGIO_OK);       /* flat */
    assert_int_equal(check_roi("110,5,9,5,2,2"), SGIO_BAD_PROMPT);
    assert_message("misses the volume");
    assert_message("110,5,9");
    /* Turned by 45 degrees at the corner x = 100.5, y = 9.5: its bounding box meets the volume,
     * the box itself does not. */
    const char *near = "104.5,13.5,9,3,3,5,.70710678,-.70710678,0,.70710678,.70710678,0,0,0,1";
    assert_int_equal(check_roi(near), SGIO_BAD_PROMPT);
    /* Only an edge of one and an edge of the other keep these two apart. */
    const char *skew = "86.4751,-3.80673,6.80826,6,2,2,0.742972,-0.556171,-0.37238,-0.604612,"
                       "-0.319024,-0.729841,0.287118,0.767397,-0.573294";
    assert_int_equal(check_roi(skew), SGIO_BAD_PROMPT);
    const char *nearer = "102.5,11.5,9,3,3,5,.70710678,-.70710678,0,.70710678,.70710678,0,0,0,1";
    assert_int_equal(check_roi(nearer), SGIO_OK);
}

static void the_index_range_is_clipped(void **state)
{
    sgio_geometry g = unit_volume();
    sgio_prompts prompts = {0};
    double low[3], high[3];
    (void)state;
    assert_int_equal(sgio_prompts_add_roi_text(&prompts, "A", "98,2,30,1.5,10,14", NULL), SGIO_OK);
    assert_int_equal(sgio_box_index_range(&prompts.segments[0].boxes[0], &g, low, high), 1);
    const double wanted[2][3] = {{0.5, -0.5, 8}, {3.5, 9.5, 9.5}};
    for (int a = 0; a < 3; a++) {
        assert_near(low[a], wanted[0][a], 1e-12);
        assert_near(high[a], wanted[1][a], 1e-12);
    }
    sgio_prompts_clear(&prompts);
}

static void a_box_contains_what_is_between_its_faces(void **state)
{
    /* axes (0.6, 0.8, 0) and (-0.8, 0.6, 0) */
    static const struct {
        const char *text;
        double p[3];
        int inside;
    } cases[] = {{"0,0,0,10,5,2,.6,-.8,0,.8,.6,0,0,0,1", {6, 8, 2}, 1},
                 {"0,0,0,10,5,2,.6,-.8,0,.8,.6,0,0,0,1", {6.1, 8.1, 0}, 0},
                 {"0,0,0,10,5,2,.6,-.8,0,.8,.6,0,0,0,1", {-4, 3, -2}, 1},
                 {"0,0,0,10,5,2,.6,-.8,0,.8,.6,0,0,0,1", {8, -6, 0}, 0},
                 {"0,0,0,10,5,0", {9, 4, 0}, 1},
                 {"0,0,0,10,5,0", {9, 6, 0}, 0},
                 {"0,0,0,10,5,0", {9, 4, 0.01}, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sgio_prompts prompts = {0};
        assert_int_equal(sgio_prompts_add_roi_text(&prompts, "A", cases[i].text, NULL), SGIO_OK);
        if (sgio_box_contains(&prompts.segments[0].boxes[0], cases[i].p) != cases[i].inside)
            fail_msg("case %zu", i);
        sgio_prompts_clear(&prompts);
    }
}

static int mask_for_old(void *user, const char *segment)
{
    (void)user;
    return segment[0] == 'o';
}

static void each_segment_needs_something_to_find(void **state)
{
    sgio_geometry g = unit_volume();
    const double lps[3] = {95, 5, 5};
    const sgio_prompts_check_options refines = {.has_mask = mask_for_old};
    sgio_prompts prompts = {0};
    (void)state;
    assert_int_equal(sgio_prompts_check(&prompts, &g, NULL), SGIO_BAD_PROMPT);
    assert_message("no prompt");
    assert_int_equal(sgio_prompts_add_point(&prompts, "old", lps, 0, "-"), SGIO_OK);
    assert_int_equal(sgio_prompts_check(&prompts, &g, NULL), SGIO_BAD_PROMPT);
    assert_message("'old' has background points only");
    assert_int_equal(sgio_prompts_check(&prompts, &g, &refines), SGIO_OK);
    assert_int_equal(sgio_prompts_add_point(&prompts, "new", lps, 0, "-"), SGIO_OK);
    assert_int_equal(sgio_prompts_check(&prompts, &g, &refines), SGIO_BAD_PROMPT);
    assert_message("'new'");
    sgio_prompts_clear(&prompts);
}

/* Slicer shows RAS. */
static void a_point_outside_is_told_in_both_systems(void **state)
{
    sgio_geometry g = unit_volume();
    const double lps[3] = {1, -2, 300};
    sgio_prompts prompts = {0};
    (void)state;
    assert_int_equal(sgio_prompts_add_point(&prompts, "A", lps, 1, "F-1"), SGIO_OK);
    assert_int_equal(sgio_prompts_check(&prompts, &g, NULL), SGIO_BAD_PROMPT);
    assert_message("at 1,-2,300 lies outside the volume: x ");
    assert_message("3D Slicer shows RAS: there it is at -1,2,300 and the volume is R ");
    sgio_prompts_clear(&prompts);
    assert_int_equal(sgio_prompts_add_roi_text(&prompts, "A", "-500,0,7,1,1,1", NULL), SGIO_OK);
    assert_int_equal(sgio_prompts_check(&prompts, &g, NULL), SGIO_BAD_PROMPT);
    assert_message("there it is at 500,0,7 and the volume is R ");
    sgio_prompts_clear(&prompts);
}

static void inside_and_outside_in_one_voxel_are_warned_about(void **state)
{
    sgio_geometry g = unit_volume();
    warnings seen = {0};
    const sgio_prompts_check_options options = {.warn = count_warning, .warn_user = &seen};
    sgio_prompts prompts = {0};
    double lps[3] = {95, 5, 5};
    (void)state;
    sgio_prompts_add_point(&prompts, "A", lps, 1, "in");
    sgio_prompts_add_point(&prompts, "A", (double[3]){93, 5, 5}, 0, "far");
    sgio_prompts_add_point(&prompts, "B", lps, 0, "other segment");
    sgio_prompts_add_point(&prompts, "B", (double[3]){93, 5, 5}, 1, "b");
    assert_int_equal(sgio_prompts_check(&prompts, &g, &options), SGIO_OK);
    assert_int_equal(seen.count, 0);
    lps[1] += 0.01;
    sgio_prompts_add_point(&prompts, "A", lps, 0, "out");
    assert_int_equal(sgio_prompts_check(&prompts, &g, &options), SGIO_OK);
    assert_int_equal(seen.count, 1);
    assert_non_null(strstr(seen.last, "'in' (inside) and 'out' (outside) lie in one voxel"));
    sgio_prompts_clear(&prompts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_may_lie_anywhere_in_a_voxel),
        cmocka_unit_test(a_point_outside_is_named_with_the_bounds),
        cmocka_unit_test(an_roi_has_to_meet_the_volume),
        cmocka_unit_test(the_index_range_is_clipped),
        cmocka_unit_test(a_box_contains_what_is_between_its_faces),
        cmocka_unit_test(a_point_outside_is_told_in_both_systems),
        cmocka_unit_test(inside_and_outside_in_one_voxel_are_warned_about),
        cmocka_unit_test(each_segment_needs_something_to_find)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
