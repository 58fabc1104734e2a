/* Average recall against pycocotools. */
#include "metrics_golden.h"

enum { MOST = 64, IMAGES = 4 };

typedef struct disc {
    double x, y, r, score;
} disc;

typedef struct image {
    disc gt[MOST], pred[MOST];
    size_t gts, preds;
    double iou[MOST * MOST], gt_area[MOST], pred_area[MOST], score[MOST];
} image;

static int width, height;

static int inside(const disc *d, int x, int y)
{
    return (x - d->x) * (x - d->x) + (y - d->y) * (y - d->y) < d->r * d->r;
}

static double area(const disc *d)
{
    double sum = 0;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            sum += inside(d, x, y);
    return sum;
}

static double overlap(const disc *a, const disc *b)
{
    double both = 0, any = 0;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            both += inside(a, x, y) && inside(b, x, y);
            any += inside(a, x, y) || inside(b, x, y);
        }
    return both / any;
}

static double value(const json_t *item, size_t i)
{
    return json_number_value(json_array_get(item, i));
}

static void read_images(const json_t *root, image *images)
{
    size_t i;
    json_t *item;
    width = (int)value(json_object_get(root, "image_size"), 0);
    height = (int)value(json_object_get(root, "image_size"), 1);
    json_array_foreach(json_object_get(root, "items"), i, item)
    {
        image *m = &images[(int)value(item, 1) - 1];
        disc d = {value(item, 2), value(item, 3), value(item, 4), value(item, 5)};
        if (strcmp(json_string_value(json_array_get(item, 0)), "gt") == 0)
            m->gt[m->gts++] = d;
        else
            m->pred[m->preds++] = d;
    }
}

static sgm_instances measure(image *m)
{
    for (size_t r = 0; r < m->gts; r++)
        m->gt_area[r] = area(&m->gt[r]);
    for (size_t p = 0; p < m->preds; p++) {
        m->pred_area[p] = area(&m->pred[p]);
        m->score[p] = m->pred[p].score;
        for (size_t r = 0; r < m->gts; r++)
            m->iou[p * m->gts + r] = overlap(&m->pred[p], &m->gt[r]);
    }
    return (sgm_instances){m->gts, m->preds, m->iou, m->gt_area, m->pred_area, m->score};
}

static void recall_is_that_of_coco(void **state)
{
    (void)state;
    static image images[IMAGES];
    static const char *const ranges[] = {"all", "small", "medium", "large"};
    static const double low[] = {0, 0, 32 * 32, 96 * 96}, high[] = {1e10, 32 * 32, 96 * 96, 1e10};
    static const size_t most[] = {1, 10, 100, 1000};
    sgm_instances all[IMAGES];
    sgm_instance_metrics m;
    json_t *root = golden_json("ar.json"), *wanted = json_object_get(root, "result");
    memset(images, 0, sizeof images);
    read_images(root, images);
    for (int i = 0; i < IMAGES; i++)
        all[i] = measure(&images[i]);
    for (int n = 0; n < 4; n++)
        for (int r = 0; r < 4; r++) {
            char key[32];
            snprintf(key, sizeof key, "AR@%zu_%s", most[n], ranges[r]);
            assert_int_equal(sgm_instances_compare(all, IMAGES, most[n], low[r], high[r], &m),
                             SGM_OK);
            check_near("discs", key, m.average_recall, golden_number(wanted, key), 1e-12);
        }
    assert_int_equal(sgm_instances_compare(all, IMAGES, 1000, 0, 1e10, &m), SGM_OK);
    const json_t *levels = json_object_get(wanted, "recall_per_iou_0.50_to_0.95");
    for (size_t l = 0; l < 10; l++)
        check_near("discs", "recall", m.recall[l], value(levels, l), 1e-12);
    json_decref(root);
}

/* Two objects, three predictions: hit, miss, hit in order of score. Precision 1 up to recall 1/2,
 * then 2/3: (51 + 50 * 2/3) / 101. */
static void precision_is_averaged_over_101_recalls(void **state)
{
    (void)state;
    const double iou[6] = {1, 0, 0, 0, 0, 1}, area[3] = {100, 100, 100};
    const double score[3] = {0.9, 0.8, 0.7};
    const sgm_instances image = {2, 3, iou, area, area, score};
    sgm_instance_metrics m;
    assert_int_equal(sgm_instances_compare(&image, 1, 100, 0, 1e10, &m), SGM_OK);
    check_near("by hand", "AP", m.average_precision, (51 + 50 * 2.0 / 3) / 101, 1e-12);
    assert_true(m.average_recall > 1 - 1e-12);
    assert_int_equal(sgm_instances_compare(&image, 1, 100, 200, 300, &m), SGM_OK);
    assert_true(m.average_recall == -1 && m.average_precision == -1);
}

/* As numpy has them 7 / 20 lies below the recall 35 * 0.01, and 17 / 20 is the level .85: of the
 * plain 35 / 100 and 0.5 + 0.05 * 7 neither is so. */
static void steps_are_those_of_numpy(void **state)
{
    (void)state;
    double iou[7 * 20] = {0}, area[20], score[7], whole = 17.0 / 20;
    sgm_instance_metrics m;
    for (int i = 0; i < 20; i++)
        area[i] = 100;
    for (int p = 0; p < 7; p++)
        iou[p * 20 + p] = 1, score[p] = 1 - 0.1 * p;
    const sgm_instances found = {20, 7, iou, area, area, score};
    const sgm_instances small = {1, 1, &whole, area, area, score};
    assert_int_equal(sgm_instances_compare(&found, 1, 100, 0, 1e10, &m), SGM_OK);
    check_near("7 of 20 objects", "AP", m.average_precision, 35 / 101.0, 1e-12);
    assert_int_equal(sgm_instances_compare(&small, 1, 100, 0, 1e10, &m), SGM_OK);
    check_near("17 of 20 pixels", "AR", m.average_recall, 0.8, 1e-12);
    assert_true(m.recall[7] == 1 && m.recall[8] == 0);
}

int main(int argc, char **argv)
{
    golden_folder = argc > 1 ? argv[1] : ".";
    const struct CMUnitTest tests[] = {cmocka_unit_test(recall_is_that_of_coco),
                                       cmocka_unit_test(precision_is_averaged_over_101_recalls),
                                       cmocka_unit_test(steps_are_those_of_numpy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
