/* Thinning, matching and summaries of edges against skimage and pyEdgeEval. */
#include <time.h>

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

/* Asked for alone a threshold says the same; there are none beyond the 99. */
static void check_single(const uint8_t *strength, const uint8_t *const *annotators,
                         const golden_array *size, const sgm_edge_counts *all)
{
    const int width = (int)size->shape[1], height = (int)size->shape[0];
    sgm_edge_counts one;
    for (int k = 1; k <= SGM_EDGE_THRESHOLDS; k += 49) {
        assert_int_equal(
            sgm_edge_compare_at(strength, annotators, 2, width, height, 0.0075, k, &one), SGM_OK);
        assert_memory_equal(&one, &all[k - 1], sizeof one);
    }
    for (int k = 0; k <= 100; k += 100)
        assert_int_equal(
            sgm_edge_compare_at(strength, annotators, 2, width, height, 0.0075, k, &one),
            SGM_INVALID_ARGUMENT);
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
        check_single(strength.data, annotators, &a, own);
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

/* -------------------------------------------------------------------- the most pairs there are */

enum { MOST = 150 };

typedef struct picture {
    int width, height, reach;
    uint8_t a[MOST], b[MOST];
} picture;

/* Depth first: whether pixel `from` of a gets a partner, of those of b that are not asked yet. */
static int finds(const picture *p, int from, int *partner, uint8_t *asked)
{
    for (int to = 0; to < p->width * p->height; to++) {
        const int x = to % p->width - from % p->width, y = to / p->width - from / p->width;
        if (!p->b[to] || asked[to] || x * x + y * y > p->reach * p->reach) continue;
        asked[to] = 1;
        if (partner[to] >= 0 && !finds(p, partner[to], partner, asked)) continue;
        partner[to] = from;
        return 1;
    }
    return 0;
}

static int most_pairs(const picture *p)
{
    int partner[MOST], pairs = 0;
    memset(partner, -1, sizeof partner);
    for (int i = 0; i < p->width * p->height; i++) {
        uint8_t asked[MOST] = {0};
        pairs += p->a[i] && finds(p, i, partner, asked);
    }
    return pairs;
}

static int draw(uint32_t *state, int below)
{
    *state = *state * 1664525u + 1013904223u;
    return (int)((*state >> 8) % (uint32_t)below);
}

static void pairs_are_the_most_there_are(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (int n = 0; n < 3000; n++) {
        picture p = {.width = 1 + draw(&random, 15), .height = 1 + draw(&random, 10)};
        uint8_t matched[2][MOST];
        const int of_a = 1 + draw(&random, 6), of_b = 1 + draw(&random, 6);
        int found[2] = {0, 0};
        p.reach = draw(&random, 4);
        for (int i = 0; i < p.width * p.height; i++) {
            p.a[i] = draw(&random, of_a) == 0;
            p.b[i] = draw(&random, of_b) == 0;
        }
        assert_int_equal(
            sgm_edge_match(p.a, p.b, p.width, p.height, p.reach, matched[0], matched[1]), SGM_OK);
        for (int i = 0; i < p.width * p.height; i++) {
            assert_true(matched[0][i] <= p.a[i] && matched[1][i] <= p.b[i]);
            found[0] += matched[0][i], found[1] += matched[1][i];
        }
        assert_int_equal(found[0], found[1]);
        assert_int_equal(found[0], most_pairs(&p));
    }
}

/* ----------------------------------------------------------------------------------------- time */

/* Processor time of `times` matches of a side * side picture, seconds. */
static double match_time(const uint8_t *a, const uint8_t *b, int side, double reach, int times,
                         uint8_t *matched)
{
    const clock_t start = clock();
    for (int i = 0; i < times; i++)
        assert_int_equal(
            sgm_edge_match(a, b, side, side, reach, matched, matched + (size_t)side * (size_t)side),
            SGM_OK);
    return (double)(clock() - start) / CLOCKS_PER_SEC;
}

/* Few pixels have nobody in reach: 441 places to look at instead of 5 are not 88 walks through the
 * whole picture instead of one. */
static void reach_costs_by_the_edge(void **state)
{
    (void)state;
    enum { SIDE = 1500 };
    const size_t count = (size_t)SIDE * SIDE;
    uint8_t *a = calloc(4 * count, 1), *b = a + count, *matched = b + count;
    assert_non_null(a);
    for (size_t i = 0; i < SIDE; i++)
        a[i * SIDE + i] = 1;
    b[SIDE - 1] = 1;
    match_time(a, b, SIDE, 1, 1, matched); /* wakes the memory */
    const double near = match_time(a, b, SIDE, 1, 3, matched);
    const double far = match_time(a, b, SIDE, 12, 3, matched);
    if (far > 6 * near) fail_msg("%.3f s within 12 pixels, %.3f s within 1", far, near);
    free(a);
}

/* A sheet of a over a quarter of it in b: three quarters search in vain. Nine sheets' worth in one
 * piece may cost what nine cost, not 81. */
static void searches_in_vain_cost_by_the_pixel(void **state)
{
    (void)state;
    enum { SIDE = 144, PART = SIDE / 3 };
    static uint8_t a[SIDE * SIDE], b[SIDE * SIDE], part[PART * PART], matched[2 * SIDE * SIDE];
    memset(a, 1, sizeof a);
    for (int i = 0; i < SIDE * SIDE; i++)
        b[i] = i % SIDE % 2 == 0 && i / SIDE % 2 == 0;
    for (int i = 0; i < PART * PART; i++)
        part[i] = i % PART % 2 == 0 && i / PART % 2 == 0;
    match_time(a, part, PART, 3, 1, matched);
    const double parts = match_time(a, part, PART, 3, 9, matched);
    const double whole = match_time(a, b, SIDE, 3, 1, matched);
    if (whole > 4 * parts) fail_msg("%.3f s for the whole, %.3f s for nine parts", whole, parts);
}

int main(int argc, char **argv)
{
    golden_folder = argc > 1 ? argv[1] : ".";
    const struct CMUnitTest tests[] = {cmocka_unit_test(thin_lines_are_those_of_skimage),
                                       cmocka_unit_test(counts_and_summary_are_those_of_bsds),
                                       cmocka_unit_test(pairs_are_the_most_there_are),
                                       cmocka_unit_test(reach_costs_by_the_edge),
                                       cmocka_unit_test(searches_in_vain_cost_by_the_pixel)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
