/* Masks in the plane, connected components in space, and mask prompts. */
#include "check.h"

#include "predict/look/logits.h"
#include "predict/session/mask.h"
#include "predict/volume/components.h"

#include <stdlib.h>
#include <string.h>

/* '#' is set. */
static void draw(uint8_t *mask, const char *rows)
{
    for (; *rows; rows++)
        if (*rows != '\n') *mask++ = *rows == '#';
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
    CHECK(sgm_mask_inner_points(mask, 12, 8, 3, points) == 2); /* the lone pixel is too small */
    CHECK(points[0].x == 3 && points[0].y == 3 && points[0].label == SGM_FOREGROUND);
    CHECK(points[1].x == 9 && points[1].y == 4);
    CHECK(sgm_mask_inner_points(mask, 12, 8, 1, points) == 1);
    memset(mask, 0, sizeof mask);
    CHECK(sgm_mask_inner_points(mask, 12, 8, 3, points) == 0);
    memset(mask, 1, sizeof mask); /* a mask that fills the picture: the middle, not a corner */
    CHECK(sgm_mask_inner_points(mask, 12, 8, 3, points) == 1);
    CHECK_NEAR(points[0].x, 5.5, 0.5);
    CHECK_NEAR(points[0].y, 3.5, 0.5);
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

static void check_packing(void)
{
    float values[5] = {-3.25f, 100, -100, 0.1f, NAN}, back[5];
    int8_t packed[5];
    sgm_logits_pack(values, 5, packed);
    sgm_logits_unpack(packed, 5, back);
    CHECK(back[0] == -3.25f && back[1] == 31.75f && back[2] == -31.75f);
    CHECK_NEAR(back[3], 0.1, 0.125);
    CHECK(isfinite(back[4]));
}

int main(void)
{
    check_inner_points();
    check_holes();
    for (unsigned seed = 1; seed < 8; seed++)
        check_components(seed, 2 * seed + 1);
    check_components(3, 60);
    check_components(4, 0);
    check_mask_logits();
    check_packing();
    return check_report();
}
