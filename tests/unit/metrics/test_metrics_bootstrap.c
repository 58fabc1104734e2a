/* Bootstrap intervals, draw by draw those of the protocol. */
#include "metrics_golden.h"

static size_t numbers(const json_t *array, double *out)
{
    size_t n = json_array_size(array);
    for (size_t i = 0; i < n; i++)
        out[i] = json_number_value(json_array_get(array, i));
    return n;
}

static void check_interval(const char *name, const json_t *wanted, const double *values,
                           const int *groups, size_t count)
{
    sgm_interval v;
    const json_t *ci = json_object_get(wanted, "ci95");
    assert_int_equal(sgm_bootstrap(name, values, groups, count, &v), SGM_OK);
    check_near(name, "mean", v.mean, golden_number(wanted, "mean"), 1e-12);
    check_near(name, "low", v.low, json_number_value(json_array_get(ci, 0)), 1e-12);
    check_near(name, "high", v.high, json_number_value(json_array_get(ci, 1)), 1e-12);
    check_near(name, "deviation", v.deviation, golden_number(wanted, "se"), 1e-12);
}

static void intervals_are_those_of_the_protocol(void **state)
{
    (void)state;
    const char *name;
    json_t *item, *root = golden_json("bootstrap.json");
    double a[256], b[256];
    int groups[256];
    assert_true(json_object_size(root) >= 6);
    json_object_foreach(root, name, item)
    {
        const json_t *result = json_object_get(item, "result");
        const json_t *group = json_object_get(item, "groups");
        if (json_object_get(item, "a")) {
            size_t n = numbers(json_object_get(item, "a"), a);
            numbers(json_object_get(item, "b"), b);
            for (size_t i = 0; i < n; i++)
                b[i] -= a[i];
            check_interval(name, json_object_get(item, "result_b_minus_a"), b, NULL, n);
            continue;
        }
        size_t n = numbers(json_object_get(item, "values"), a);
        for (size_t i = 0; group && i < n; i++)
            groups[i] = (int)json_integer_value(json_array_get(group, i));
        check_interval(name, result, a, group ? groups : NULL, n);
    }
    json_decref(root);
}

static void no_values_have_no_interval(void **state)
{
    (void)state;
    sgm_interval v;
    assert_int_equal(sgm_bootstrap("none", NULL, NULL, 0, &v), SGM_INVALID_ARGUMENT);
}

/* One patient says nothing of others: that is not a spread of zero. */
static void one_group_has_no_interval(void **state)
{
    (void)state;
    const double values[3] = {0.5, 0.7, 0.9};
    const int same[3] = {4, 4, 4}, two[3] = {4, 4, 5};
    sgm_interval v;
    assert_int_equal(sgm_bootstrap("one", values, same, 3, &v), SGM_OK);
    check_near("one group", "mean", v.mean, 0.7, 1e-12);
    assert_true(isnan(v.low) && isnan(v.high) && isnan(v.deviation));
    assert_int_equal(sgm_bootstrap("one", values, NULL, 1, &v), SGM_OK);
    assert_true(v.mean == 0.5 && isnan(v.low) && isnan(v.high) && isnan(v.deviation));
    assert_int_equal(sgm_bootstrap("one", values, two, 3, &v), SGM_OK);
    assert_true(v.low < v.mean && v.mean < v.high && v.deviation > 0);
}

int main(int argc, char **argv)
{
    golden_folder = argc > 1 ? argv[1] : ".";
    const struct CMUnitTest tests[] = {cmocka_unit_test(intervals_are_those_of_the_protocol),
                                       cmocka_unit_test(no_values_have_no_interval),
                                       cmocka_unit_test(one_group_has_no_interval)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
