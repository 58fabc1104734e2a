/* Element types: half and bfloat16 in both directions, strided reading, size arithmetic. */
#include "check.h"
#include "checkpoint/stored_tensor.h"

#include <stdlib.h>

/* The value of a half by the definition in IEEE 754. */
static double half_value(unsigned half)
{
    double sign = half & 0x8000 ? -1 : 1;
    int exponent = half >> 10 & 31, fraction = half & 0x3ff;
    if (exponent == 31) return fraction ? NAN : sign * INFINITY;
    if (exponent == 0) return sign * ldexp(fraction, -24);
    return sign * ldexp(1024 + fraction, exponent - 25);
}

static void every_half_converts_exactly_and_back(void)
{
    int wrong_value = 0, wrong_back = 0;
    for (unsigned h = 0; h < 0x10000; h++) {
        float got = sgm_f16_to_f32((uint16_t)h);
        double want = half_value(h);
        wrong_value +=
            isnan(want) ? !isnan(got) : !(got == want && !signbit(got) == !signbit(want));
        uint16_t back = sgm_f32_to_f16(got);
        wrong_back += isnan(want) ? !isnan(half_value(back)) : back != h;
    }
    CHECK(wrong_value == 0);
    CHECK(wrong_back == 0);
}

/* Between each pair of neighbours: just below, at and just above the midpoint. */
static void halves_round_to_nearest_even(void)
{
    int wrong = 0;
    for (unsigned h = 0; h < 0x7bff; h++) {
        float low = sgm_f16_to_f32((uint16_t)h), high = sgm_f16_to_f32((uint16_t)(h + 1));
        float middle = (low + high) / 2; /* exact */
        wrong += sgm_f32_to_f16(nextafterf(middle, 0)) != h;
        wrong += sgm_f32_to_f16(nextafterf(middle, 1e9f)) != h + 1;
        wrong += sgm_f32_to_f16(middle) != h + (h & 1);
    }
    CHECK(wrong == 0);
    CHECK(sgm_f32_to_f16(65519.99f) == 0x7bff);
    CHECK(sgm_f32_to_f16(65520.0f) == 0x7c00);
    CHECK(sgm_f32_to_f16(-1e30f) == 0xfc00);
    CHECK(sgm_f32_to_f16(1e-30f) == 0);
}

static void bfloat16_rounds_to_nearest_even(void)
{
    int wrong = 0;
    for (unsigned b = 0; b < 0x7f7f; b++) {
        float low = sgm_bf16_to_f32((uint16_t)b), high = sgm_bf16_to_f32((uint16_t)(b + 1));
        float middle = (float)(((double)low + high) / 2);
        wrong += sgm_f32_to_bf16(low) != b;
        wrong += sgm_f32_to_bf16(nextafterf(middle, 0)) != b;
        wrong += sgm_f32_to_bf16(nextafterf(middle, INFINITY)) != b + 1;
        wrong += sgm_f32_to_bf16(middle) != b + (b & 1);
    }
    CHECK(wrong == 0);
    CHECK(isnan(sgm_bf16_to_f32(sgm_f32_to_bf16(NAN))));
    CHECK(sgm_f32_to_bf16(INFINITY) == 0x7f80);
    CHECK(sgm_f32_to_bf16(-0.0f) == 0x8000);
}

static sgm_stored_tensor tensor_of(sgm_stored_type type, const void *data, int rank, int64_t a,
                                   int64_t b)
{
    sgm_stored_tensor t = {.name = "t", .type = type, .rank = rank, .data = data, .shape = {a, b}};
    CHECK(sgm_stored_tensor_set_sizes(&t));
    return t;
}

static void every_type_reads_as_float(void)
{
    const float want[3] = {0, 1, 100};
    float got[3];
#define CHECK_TYPE(stored, type)                                                                   \
    do {                                                                                           \
        type values[3] = {0, 1, 100};                                                              \
        sgm_stored_tensor t = tensor_of(stored, values, 1, 3, 0);                                  \
        CHECK(t.byte_size == sizeof values);                                                       \
        sgm_stored_tensor_read_f32(&t, got);                                                       \
        check_close(#stored, got, want, 3, 0, 0);                                                  \
    } while (0)
    CHECK_TYPE(SGM_STORED_F32, float);
    CHECK_TYPE(SGM_STORED_F64, double);
    CHECK_TYPE(SGM_STORED_I64, int64_t);
    CHECK_TYPE(SGM_STORED_I32, int32_t);
    CHECK_TYPE(SGM_STORED_I16, int16_t);
    CHECK_TYPE(SGM_STORED_I8, int8_t);
    CHECK_TYPE(SGM_STORED_U64, uint64_t);
    CHECK_TYPE(SGM_STORED_U32, uint32_t);
    CHECK_TYPE(SGM_STORED_U16, uint16_t);
    CHECK_TYPE(SGM_STORED_U8, uint8_t);
    uint8_t flags[3] = {0, 1, 255};
    sgm_stored_tensor t = tensor_of(SGM_STORED_BOOL, flags, 1, 3, 0);
    sgm_stored_tensor_read_f32(&t, got);
    check_close("bool", got, (float[]){0, 1, 1}, 3, 0, 0);
}

static void strided_views_read_in_row_major_order(void)
{
    enum { ROWS = 70, COLUMNS = 90 }; /* more than one chunk of the reader */
    static float data[ROWS * COLUMNS], want[ROWS * COLUMNS], got[ROWS * COLUMNS];
    for (int i = 0; i < ROWS * COLUMNS; i++)
        data[i] = (float)i;
    sgm_stored_tensor t = tensor_of(SGM_STORED_F32, data, 2, COLUMNS, ROWS);
    t.strides[0] = 1;
    t.strides[1] = COLUMNS;
    t.contiguous = false;
    for (int c = 0; c < COLUMNS; c++)
        for (int r = 0; r < ROWS; r++)
            want[c * ROWS + r] = data[r * COLUMNS + c];
    sgm_stored_tensor_read_f32(&t, got);
    check_close("transposed", got, want, ROWS * COLUMNS, 0, 0);
    sgm_stored_tensor_read_f32_range(&t, 101, 3000, got);
    check_close("range", got, want + 101, 3000, 0, 0);
    CHECK(sgm_stored_tensor_f32(&t) == NULL);
}

static void only_aligned_contiguous_floats_are_direct(void)
{
    _Alignas(8) char bytes[64] = {0};
    sgm_stored_tensor t = tensor_of(SGM_STORED_F32, bytes, 1, 3, 0);
    CHECK(sgm_stored_tensor_f32(&t) == (const float *)bytes);
    t.data = bytes + 1;
    CHECK(sgm_stored_tensor_f32(&t) == NULL);
    float got[3] = {NAN, NAN, NAN};
    sgm_stored_tensor_read_f32(&t, got); /* must not trap */
    check_close("misaligned", got, (float[]){0, 0, 0}, 3, 0, 0);
    t = tensor_of(SGM_STORED_F64, bytes, 1, 3, 0);
    CHECK(sgm_stored_tensor_f32(&t) == NULL);
}

static void sizes_are_bounded(void)
{
    sgm_stored_tensor t = {.rank = 3, .shape = {1 << 30, 1 << 30, 1 << 30}};
    CHECK(!sgm_stored_tensor_set_sizes(&t));
    t = (sgm_stored_tensor){.rank = 3, .shape = {INT64_MAX, INT64_MAX, 0}};
    CHECK(!sgm_stored_tensor_set_sizes(&t)); /* the zero must not hide the overflow */
    t = (sgm_stored_tensor){.rank = 1, .shape = {INT64_MAX / 2}};
    CHECK(!sgm_stored_tensor_set_sizes(&t)); /* bytes overflow */
    t = (sgm_stored_tensor){.rank = 1, .shape = {-1}};
    CHECK(!sgm_stored_tensor_set_sizes(&t));
    t = (sgm_stored_tensor){.rank = 9};
    CHECK(!sgm_stored_tensor_set_sizes(&t));
    t = (sgm_stored_tensor){.rank = 2, .shape = {5, 0}};
    CHECK(sgm_stored_tensor_set_sizes(&t) && t.count == 0 && t.byte_size == 0);
    t = (sgm_stored_tensor){.rank = 0};
    CHECK(sgm_stored_tensor_set_sizes(&t) && t.count == 1 && t.byte_size == 4);
}

int main(void)
{
    every_half_converts_exactly_and_back();
    halves_round_to_nearest_even();
    bfloat16_rounds_to_nearest_even();
    every_type_reads_as_float();
    strided_views_read_in_row_major_order();
    only_aligned_contiguous_floats_are_direct();
    sizes_are_bounded();
    return check_report();
}
