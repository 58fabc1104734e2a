/* The threshold that makes an under-filled mask span its tight box. */
#include "check.h"
#include "predict/session/tight_box.h"

enum { SIDE = 32 };

/* Logits of a disc that cross 0 at radius r, falling by `slope` per pixel. */
static void disc(float low[SIDE * SIDE], double r, double slope)
{
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            low[y * SIDE + x] = (float)(slope * (r - hypot(x - 15.5, y - 15.5)));
}

int main(void)
{
    float low[SIDE * SIDE];
    const sgm_box box = {5.5, 5.5, 25.5, 25.5}; /* of a disc of radius 10 */
    disc(low, 10, 0.5);
    CHECK(sgm_tight_box_threshold(low, SIDE, &box, 0) == 0); /* spans it already */

    disc(low, 8, 0.5); /* 80 % of the box: half a logit deeper per missing pixel */
    float deeper = sgm_tight_box_threshold(low, SIDE, &box, 0);
    CHECK(deeper < 0 && deeper >= -1);

    CHECK(sgm_tight_box_threshold(low, SIDE, &box, -1.5f) == -1.5f); /* the model's own does */

    disc(low, 3, 0.5); /* too far off: the object is not what the box says */
    CHECK(sgm_tight_box_threshold(low, SIDE, &box, 0) == 0);
    CHECK(sgm_tight_box_threshold(low, SIDE, &box, -0.25f) == -0.25f);

    const sgm_box outside = {40, 40, 50, 50}, flipped = {25.5, 25.5, 5.5, 5.5};
    disc(low, 8, 0.5);
    CHECK(sgm_tight_box_threshold(low, SIDE, &outside, 0) == 0);
    CHECK(sgm_tight_box_threshold(low, SIDE, &flipped, 0) == deeper);
    for (int i = 0; i < SIDE * SIDE; i++)
        low[i] = NAN;
    CHECK(sgm_tight_box_threshold(low, SIDE, &box, 0) == 0);
    return check_report();
}
