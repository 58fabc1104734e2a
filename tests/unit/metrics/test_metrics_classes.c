/* IoU of label maps against SurgicalSAM's evaluation. */
#include "metrics_golden.h"

static void add_frame(sgm_class_iou *sums, const char *frame, const char *prediction)
{
    char key[128];
    snprintf(key, sizeof key, "gt.%s", frame);
    golden_array gt = golden_bytes("surgical.safetensors", key);
    snprintf(key, sizeof key, "%s.%s", strcmp(prediction, "pred") ? "gt" : "pred", frame);
    golden_array pred = golden_bytes("surgical.safetensors", key);
    assert_int_equal(sgm_class_iou_add(sums, gt.data, pred.data, gt.count), SGM_OK);
    free(gt.data);
    free(pred.data);
}

/* Golden values are percent with three decimals. */
static void check_set(const char *name, const json_t *set)
{
    const json_t *frames = json_object_get(set, "frames"), *wanted = json_object_get(set, "result");
    const json_t *classes = json_object_get(wanted, "cIoU_per_class");
    const char *prediction = json_string_value(json_object_get(set, "prediction"));
    sgm_class_iou sums = {.classes = 7};
    for (size_t i = 0; i < json_array_size(frames); i++)
        add_frame(&sums, json_string_value(json_array_get(frames, i)), prediction);
    const double tolerance = 0.00051;
    check_near(name, "IoU", 100 * sgm_class_iou_mean(&sums), golden_number(wanted, "IoU"),
               tolerance);
    check_near(name, "challenge", 100 * sgm_class_iou_challenge(&sums),
               golden_number(wanted, "challengIoU"), tolerance);
    check_near(name, "mc IoU", 100 * sgm_class_iou_per_class(&sums), golden_number(wanted, "mcIoU"),
               tolerance);
    check_near(name, "mIoU", 100 * sgm_class_iou_total(&sums), golden_number(wanted, "mIoU"),
               tolerance);
    for (int c = 1; c <= 7; c++) {
        const json_t *value = json_array_get(classes, (size_t)c - 1);
        check_near(name, "class", 100 * sgm_class_iou_of(&sums, c),
                   json_is_number(value) ? json_number_value(value) : NAN, tolerance);
    }
}

static void frames_count_as_in_surgical_sam(void **state)
{
    (void)state;
    const char *name;
    json_t *set, *root = golden_json("surgical.json");
    assert_true(json_object_size(json_object_get(root, "sets")) == 5);
    json_object_foreach(json_object_get(root, "sets"), name, set) check_set(name, set);
    json_decref(root);
}

static void a_label_beyond_the_classes_is_refused(void **state)
{
    (void)state;
    const uint8_t two[1] = {2}, one[1] = {1};
    sgm_class_iou sums = {.classes = 1};
    assert_int_equal(sgm_class_iou_add(&sums, one, two, 1), SGM_INVALID_ARGUMENT);
    assert_non_null(strstr(sgm_last_message(), "label 2"));
    assert_int_equal(sgm_class_iou_add(&(sgm_class_iou){0}, one, one, 1), SGM_INVALID_ARGUMENT);
}

int main(int argc, char **argv)
{
    golden_folder = argc > 1 ? argv[1] : ".";
    const struct CMUnitTest tests[] = {cmocka_unit_test(frames_count_as_in_surgical_sam),
                                       cmocka_unit_test(a_label_beyond_the_classes_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
