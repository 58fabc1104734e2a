/* Masks in the plane, connected components in space, and mask prompts. */
#include "check.h"

#include "predict/look/logits.h"
#include "predict/picture/packed_mask.h"
#include "predict/session/mask.h"
#include "predict/volume/components.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* '#' is set. */
static void draw(uint8_t *mask, const char *rows)
{
    for (; *rows; rows++)
        if (*rows != '\n') *mask++ = *rows == '#';
}

static size_t inner_points(const uint8_t *mask, int width, int height, size_t most,
                           sgm_point *points)
{
    size_t count = 99;
    CHECK_OK(sgm_mask_inner_points(mask, width, height, most, points, &count));
    return count;
}

static void check_inner_points(void)
{
    uint8_t mask[8 * 12];
    sgm_point points[3];
    draw(mask, "............"
               ".#####......"
               ".#####......"
               ".#####..###."
               ".#####..###."
               ".#####..###."
               "............"
               "#...........");
    CHECK(inner_points(mask, 12, 8, 3, points) == 2); /* the lone pixel is too small */
    CHECK(points[0].x == 3 && points[0].y == 3 && points[0].label == SGM_FOREGROUND);
    CHECK(points[1].x == 9 && points[1].y == 4);
    CHECK(inner_points(mask, 12, 8, 1, points) == 1);
    memset(mask, 0, sizeof mask);
    CHECK(inner_points(mask, 12, 8, 3, points) == 0);
    memset(mask, 1, sizeof mask); /* a mask that fills the picture: the middle, not a corner */
    CHECK(inner_points(mask, 12, 8, 3, points) == 1);
    CHECK_NEAR(points[0].x, 5.5, 0.5);
    CHECK_NEAR(points[0].y, 3.5, 0.5);
}

/* A body among very many specks: what lies in the picture costs no more than its pixels. */
static void check_specks(void)
{
    enum { EDGE = 1500 };
    uint8_t *mask = calloc(EDGE, EDGE);
    sgm_point points[3];
    for (int y = 0; mask && y < EDGE; y++)
        for (int x = 0; x < EDGE; x++)
            mask[y * EDGE + x] = hypot(x - 300, y - 200) < 100 || (x > 450 && x % 3 + y % 3 == 0);
    CHECK(mask && inner_points(mask, EDGE, EDGE, 3, points) == 1);
    CHECK(points[0].x == 300 && points[0].y == 200);
    free(mask);
}

static void check_holes(void)
{
    uint8_t mask[6 * 7], want[6 * 7];
    draw(mask, ".#####."
               ".#...#."
               ".#.#.#."
               ".#...#."
               "..####."
               "...#.#.");
    draw(want, ".#####."
               ".#####."
               ".#####."
               ".#####."
               "..####."
               "...#.#.");
    CHECK_OK(sgm_mask_fill_holes(mask, 7, 6));
    CHECK(memcmp(mask, want, sizeof mask) == 0);
}

/* Components by flooding, the oracle. */
static size_t flood(const uint8_t *mask, const int64_t size[3], int64_t start, uint8_t *part)
{
    static int64_t stack[20 * 20 * 20];
    size_t count = 0, top = 0;
    stack[top++] = start;
    part[start] = 1;
    while (top) {
        int64_t at = stack[--top], i = at % size[0], j = at / size[0] % size[1];
        int64_t k = at / size[0] / size[1];
        count++;
        for (int64_t c = k - 1; c <= k + 1; c++)
            for (int64_t b = j - 1; b <= j + 1; b++)
                for (int64_t a = i - 1; a <= i + 1; a++) {
                    if (a < 0 || b < 0 || c < 0 || a >= size[0] || b >= size[1] || c >= size[2])
                        continue;
                    int64_t next = a + size[0] * (b + size[1] * c);
                    if (!mask[next] || part[next]) continue;
                    part[next] = 1;
                    stack[top++] = next;
                }
    }
    return count;
}

static void check_components(unsigned seed, unsigned share)
{
    enum { COUNT = 17 * 13 * 11 };
    const int64_t size[3] = {17, 13, 11}, first[3] = {0, 0, 0}, last[3] = {16, 12, 10};
    static uint8_t mask[COUNT], seen[COUNT], part[COUNT], want[COUNT];
    size_t largest = 0;
    memset(seen, 0, sizeof seen);
    memset(want, 0, sizeof want);
    for (int i = 0; i < COUNT; i++) {
        seed = seed * 1664525u + 1013904223u;
        mask[i] = (seed >> 16) % 100 < share;
    }
    for (int i = 0; i < COUNT; i++) {
        if (!mask[i] || seen[i]) continue;
        memset(part, 0, sizeof part);
        size_t count = flood(mask, size, i, part);
        for (int n = 0; n < COUNT; n++)
            seen[n] |= part[n];
        if (count > largest) memcpy(want, part, sizeof want);
        if (count > largest) largest = count;
    }
    CHECK_OK(sgm_keep_largest(mask, size, first, last));
    CHECK(memcmp(mask, want, sizeof mask) == 0);
}

/* A picture of 20 x 10 in a padded square of 8 x 8: 2.5 pixels each. */
static void check_mask_logits(void)
{
    sgm_predictor predictor = {.low_res_shape = {8, 8}};
    uint8_t mask[20 * 10] = {0};
    float logits[64], moved[64], want;
    for (int y = 0; y < 10; y++)
        for (int x = 5; x < 11; x++)
            mask[y * 20 + x] = 1;
    sgm_logits_from_mask(&predictor, mask, 20, 10, sgm_view_whole(20, 10), logits);
    for (int row = 0; row < 8; row++)
        for (int column = 0; column < 8; column++) {
            want = row > 3 ? -10 : column == 2 || column == 3 ? 10 : -10;
            if (row <= 3 && column == 4) want = (float)(2 * 1 / 2.5 - 1) * 10; /* one of 2.5 */
            CHECK_NEAR(logits[row * 8 + column], want, 1e-4);
        }
    sgm_logits_move(&predictor, logits, sgm_view_whole(20, 10), moved, sgm_view_whole(20, 10));
    CHECK(memcmp(logits, moved, sizeof logits) == 0);
    /* the left half of the picture, at twice the scale: column 2n lies between n - 1/4 ... */
    sgm_logits_move(&predictor, logits, sgm_view_whole(20, 10), moved, (sgm_view){0, 0, 10, 10});
    CHECK_NEAR(moved[2 * 8 + 5], 10, 1e-4);
    CHECK_NEAR(moved[2 * 8 + 4], 0.25 * -10 + 0.75 * 10, 1e-4);
    CHECK_NEAR(moved[2 * 8 + 0], -10, 1e-4);
}

/* The share of a cell that the mask covers, from a grid of samples. */
static double sampled_share(const uint8_t *mask, int width, int height, double x0, double x1,
                            double y0, double y1)
{
    enum { SAMPLES = 60 };
    int inside = 0;
    for (int n = 0; n < SAMPLES * SAMPLES; n++) {
        int x = (int)floor(x0 + (x1 - x0) * (n % SAMPLES + 0.5) / SAMPLES);
        int y = (int)floor(y0 + (y1 - y0) * (n / SAMPLES + 0.5) / SAMPLES);
        inside += x >= 0 && y >= 0 && x < width && y < height && mask[y * width + x];
    }
    return (double)inside / (SAMPLES * SAMPLES);
}

/* Cells that cut pixels, coarser and finer than they are, and reach beyond the picture. */
static void check_mask_logits_in_parts(void)
{
    enum { W = 23, H = 17, SIDE = 8 };
    const sgm_view views[] = {{0, 0, W, H}, {3, 2, 11, 11}, {5, 4, 5, 7}, {12, 6, 11, 11}};
    sgm_predictor predictor = {.low_res_shape = {SIDE, SIDE}};
    uint8_t mask[W * H];
    float logits[SIDE * SIDE];
    for (int n = 0; n < W * H; n++)
        mask[n] = n % W > 2 && n % W < 19 && (n * n / 7 % 3 || n / W > 9);
    for (size_t v = 0; v < sizeof views / sizeof *views; v++) {
        double cell = fmax(views[v].width, views[v].height) / (double)SIDE;
        sgm_logits_from_mask(&predictor, mask, W, H, views[v], logits);
        for (int n = 0; n < SIDE * SIDE; n++) {
            double x = n % SIDE * cell, y = n / SIDE * cell, share = 0;
            if (x + cell / 2 <= views[v].width && y + cell / 2 <= views[v].height)
                share = sampled_share(mask, W, H, views[v].x + x, views[v].x + x + cell,
                                      views[v].y + y, views[v].y + y + cell);
            /* 60 samples a side are wrong by up to 1/60 of a side for each cut edge */
            CHECK_NEAR(logits[n], (2 * share - 1) * SGM_SURE_LOGIT, 0.8);
        }
    }
}

/* Beside the formula, pixel by pixel. */
static void check_weakening(void)
{
    enum { SIDE = 96 };
    static float logits[SIDE * SIDE];
    sgm_predictor predictor = {.low_res_shape = {SIDE, SIDE}};
    const double click[][2] = {{40, 30}, {3.25, 90}, {-20, 50}, {47.5, 47.5}};
    for (size_t c = 0; c < sizeof click / sizeof *click; c++) {
        for (int n = 0; n < SIDE * SIDE; n++)
            logits[n] = (float)(n % 17 - 8);
        sgm_logits_weaken(&predictor, logits, sgm_view_whole(SIDE, SIDE), click[c][0], click[c][1]);
        for (int n = 0; n < SIDE * SIDE; n++) {
            double d = hypot(n % SIDE - click[c][0], n / SIDE - click[c][1]) / (0.06 * SIDE);
            CHECK_NEAR(logits[n], (n % 17 - 8) * (1 - exp(-0.5 * d * d)), 1e-6);
        }
    }
    CHECK(logits[0] == -8); /* far away nothing fades */
}

static void check_packing(void)
{
    float values[5] = {-3.25f, 100, -100, 0.1f, NAN}, back[5];
    int8_t packed[5];
    sgm_logits_pack(values, 5, packed);
    sgm_logits_unpack(packed, 5, back);
    CHECK(back[0] == -3.25f && back[1] == 31.75f && back[2] == -31.75f);
    CHECK_NEAR(back[3], 0.1, 0.125);
    CHECK(isfinite(back[4]));
    for (int n = -1100; n <= 1100; n++) { /* eighths of a step, the halves among them */
        float value = (float)n / 32 / 4 + (n % 3 ? 0 : 1e-4f);
        sgm_logits_pack(&value, 1, packed);
        CHECK(packed[0] == lrintf(fmaxf(-127, fminf(127, 4 * value))));
    }
}

/* Runs that end with a row, go on in the next one, and fill a row. */
static void check_packed_masks(void)
{
    enum { W = 9, H = 6 };
    uint8_t mask[W * H], back[W * H];
    const char *const drawings[] = {"........."
                                    "..###...."
                                    "..####..."
                                    ".#.#.#.#."
                                    "########."
                                    ".........",
                                    "#########"
                                    "#########"
                                    "........."
                                    "#########"
                                    "........#"
                                    "#........",
                                    "........."
                                    "........."
                                    "....#...."
                                    "........."
                                    "........."
                                    "........."};
    for (size_t d = 0; d < sizeof drawings / sizeof *drawings; d++) {
        sgm_packed_mask packed;
        draw(mask, drawings[d]);
        CHECK_OK(sgm_packed_mask_make(mask, W, H, &packed));
        memset(back, 5, sizeof back);
        sgm_packed_mask_unpack(&packed, W, H, back);
        CHECK(memcmp(mask, back, sizeof mask) == 0);
        sgm_packed_mask_clear(&packed);
    }
}

int main(void)
{
    check_inner_points();
    check_specks();
    check_holes();
    for (unsigned seed = 1; seed < 8; seed++)
        check_components(seed, 2 * seed + 1);
    check_components(3, 60);
    check_components(4, 0);
    check_mask_logits();
    check_mask_logits_in_parts();
    check_weakening();
    check_packing();
    check_packed_masks();
    return check_report();
}
