/* Division by multiplication against division, at the borders of quotients and over the range. */
#include "backend/cuda/cuda_fastdiv.h"
#include "check.h"

static int wrong; /* counted: a check per quotient would be millions */

static void compare(int64_t i, int by, sgm_divisor d)
{
    int rest;
    if (i < 0 || i > INT32_MAX) return;
    if (sgm_divide_rest((int)i, d, &rest) != i / by || rest != i % by) wrong++;
}

/* Around multiples of `by`, where a factor that is off shows first, small and large ones. */
static void test_divisor(int by)
{
    sgm_divisor d = sgm_divisor_of(by);
    int64_t multiples = INT32_MAX / by, step = multiples / 200 + 1;
    for (int64_t k = 0; k <= multiples; k += step)
        for (int near = -2; near <= 2; near++) {
            compare(k * by + near, by, d);
            compare((multiples - k) * by + near, by, d);
        }
    compare(INT32_MAX, by, d);
    compare(INT32_MAX - 1, by, d);
}

int main(void)
{
    for (int by = 1; by <= 4096; by++)
        test_divisor(by);
    for (int power = 1; power < 31; power++)
        for (int near = -2; near <= 2; near++)
            if ((1 << power) + near > 0) test_divisor((1 << power) + near);
    for (int64_t by = 4099; by < INT32_MAX; by += by / 7)
        test_divisor((int)by);
    test_divisor(INT32_MAX);
    CHECK(wrong == 0);
    return check_report();
}
