/* What looks like an object outlined on another picture: fit and scores on maps made by hand. */
#include "check.h"

#include "predict/look/likeness.h"

#include <math.h>
#include <string.h>

enum { SIDE = 16, FINE = 8, COARSE = 4, CHANNELS = 3 };

/* Maps of a picture whose object is a square: the finer one has it in channel 1 (channel 0 is alike
 * everywhere, channel 2 says where in the row a place is), the coarser one has noise. */
typedef struct picture {
    float fine[FINE * FINE * CHANNELS], coarse[COARSE * COARSE * 2];
    float logits[SIDE * SIDE];
    sgm_feature_map maps[2];
} picture;

static void draw(picture *p, int x0, int y0, int side, float object, float ground)
{
    for (int y = 0; y < FINE; y++)
        for (int x = 0; x < FINE; x++) {
            int inside = x >= x0 && x < x0 + side && y >= y0 && y < y0 + side;
            float *f = p->fine + (y * FINE + x) * CHANNELS;
            f[0] = 1;
            f[1] = inside ? object : ground;
            f[2] = 0.1f * (float)x;
        }
    for (int i = 0; i < COARSE * COARSE * 2; i++)
        p->coarse[i] = (float)(i * 7 % 5) * 0.1f;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int fx = x * FINE / SIDE, fy = y * FINE / SIDE;
            int inside = fx >= x0 && fx < x0 + side && fy >= y0 && fy < y0 + side;
            p->logits[y * SIDE + x] = inside ? 6 : -6;
        }
    p->maps[0] = (sgm_feature_map){FINE, FINE, CHANNELS, p->fine};
    p->maps[1] = (sgm_feature_map){COARSE, COARSE, 2, p->coarse};
}

/* Mean score of cells well inside (1) or well outside (0) of the square. */
static double mean_score(const picture *p, const float *scores, int wanted)
{
    double sum = 0;
    int count = 0;
    for (int y = 1; y < SIDE - 1; y++)
        for (int x = 1; x < SIDE - 1; x++) {
            int alike = 0;
            for (int n = 0; n < 9; n++)
                alike += (p->logits[(y + n / 3 - 1) * SIDE + x + n % 3 - 1] > 0) == wanted;
            if (alike < 9) continue;
            sum += scores[y * SIDE + x];
            count++;
        }
    return sum / count;
}

/* Elsewhere and larger, the object is found again; where nothing has its look, nothing is. */
static void check_found_again(void)
{
    static picture first, next;
    float weights[CHANNELS + 3], scores[SIDE * SIDE];
    int fitted;
    draw(&first, 1, 2, 3, 2, -1);
    CHECK(sgm_likeness_count(first.maps, 2) == CHANNELS + 3);
    CHECK_OK(sgm_likeness_fit(first.maps, 2, first.logits, SIDE, SIDE, weights, &fitted));
    CHECK_OK(sgm_likeness_scores(first.maps, 2, weights, SIDE, SIDE, scores));
    double inside = mean_score(&first, scores, 1), outside = mean_score(&first, scores, 0);
    CHECK(fitted);
    CHECK(inside > 0.6 && outside < -0.6);
    draw(&next, 3, 3, 4, 2, -1);
    CHECK_OK(sgm_likeness_scores(next.maps, 2, weights, SIDE, SIDE, scores));
    CHECK(fabs(mean_score(&next, scores, 1) - inside) < 0.2);
    CHECK(fabs(mean_score(&next, scores, 0) - outside) < 0.2);
    draw(&next, 3, 3, 4, -1, -1);
    CHECK_OK(sgm_likeness_scores(next.maps, 2, weights, SIDE, SIDE, scores));
    CHECK(mean_score(&next, scores, 1) < -0.5);
}

/* A small object counts as much as all around it. */
static void check_sides_are_equal(void)
{
    static picture small;
    float weights[CHANNELS + 3], scores[SIDE * SIDE];
    int fitted;
    draw(&small, 3, 3, 2, 1, 0);
    CHECK_OK(sgm_likeness_fit(small.maps, 2, small.logits, SIDE, SIDE, weights, &fitted));
    CHECK_OK(sgm_likeness_scores(small.maps, 2, weights, SIDE, SIDE, scores));
    double inside = mean_score(&small, scores, 1), outside = mean_score(&small, scores, 0);
    CHECK(inside > 0.3 && outside < -0.3);
    CHECK(fabs(inside + outside) < 0.5);
}

/* Scores are those of interpolated features: of a map that rises evenly, an even rise. */
static void check_interpolation(void)
{
    float values[4 * 4], scores[8 * 8];
    const float weights[2] = {2, 0.5f};
    for (int i = 0; i < 16; i++)
        values[i] = (float)(i % 4);
    sgm_feature_map map = {4, 4, 1, values};
    CHECK_OK(sgm_likeness_scores(&map, 1, weights, 8, 8, scores));
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 8; x++) {
            double at = fmin(fmax((x + 0.5) / 2 - 0.5, 0), 3);
            CHECK(fabs(scores[y * 8 + x] - (2 * at + 0.5)) < 1e-5);
        }
}

/* Nothing to tell apart, or features that are no numbers: nothing is alike. */
static void check_nothing(void)
{
    static picture p;
    float weights[CHANNELS + 3];
    for (int n = 0; n < 4; n++) {
        int fitted = 1;
        draw(&p, 1, 1, 3, 1, 0);
        for (int i = 0; n < 2 && i < SIDE * SIDE; i++)
            p.logits[i] = n ? 3.0f : -3.0f;
        if (n == 2) p.fine[4] = NAN;
        for (int i = 0; n == 3 && i < SIDE * SIDE; i++) /* all around it is padding */
            if (p.logits[i] < 0) p.logits[i] = NAN;
        memset(weights, 1, sizeof weights);
        CHECK_OK(sgm_likeness_fit(p.maps, 2, p.logits, SIDE, SIDE, weights, &fitted));
        CHECK(!fitted);
        for (int i = 0; i < CHANNELS + 3; i++)
            CHECK(weights[i] == 0);
    }
}

int main(void)
{
    check_found_again();
    check_sides_are_equal();
    check_interpolation();
    check_nothing();
    return check_report();
}
