#include "predict/picture/labels.h"

/* NaN is no label. */
#define IS_WHOLE_SET(x) ((x) != 0)
#define IS_REAL_SET(x) ((x) < 0 || (x) > 0)

#define MATCH(type, is_set)                                                                        \
    {                                                                                              \
        const type *from = (const type *)labels + start;                                           \
        if (value)                                                                                 \
            for (int64_t i = 0; i < count; i++)                                                    \
                found += match[i] = from[i * stride] == wanted;                                    \
        else                                                                                       \
            for (int64_t i = 0; i < count; i++)                                                    \
                found += match[i] = is_set(from[i * stride]);                                      \
    }                                                                                              \
    break

/* Every type but U64 goes to int64_t or double without loss. */
#define MATCH_AS(type, as, is_set)                                                                 \
    {                                                                                              \
        const as wanted = (as)value;                                                               \
        MATCH(type, is_set);                                                                       \
    }                                                                                              \
    break

int64_t sgm_labels_match(const void *labels, sgm_voxel type, int64_t value, int64_t start,
                         int64_t stride, int64_t count, uint8_t *match)
{
    int64_t found = 0;
    switch (type) {
    case SGM_VOXEL_U8:
        MATCH_AS(uint8_t, int64_t, IS_WHOLE_SET);
    case SGM_VOXEL_I8:
        MATCH_AS(int8_t, int64_t, IS_WHOLE_SET);
    case SGM_VOXEL_U16:
        MATCH_AS(uint16_t, int64_t, IS_WHOLE_SET);
    case SGM_VOXEL_I16:
        MATCH_AS(int16_t, int64_t, IS_WHOLE_SET);
    case SGM_VOXEL_U32:
        MATCH_AS(uint32_t, int64_t, IS_WHOLE_SET);
    case SGM_VOXEL_I32:
        MATCH_AS(int32_t, int64_t, IS_WHOLE_SET);
    case SGM_VOXEL_F32:
        MATCH_AS(float, double, IS_REAL_SET);
    case SGM_VOXEL_F64:
        MATCH_AS(double, double, IS_REAL_SET);
    case SGM_VOXEL_U64: {
        const uint64_t wanted = value > 0 ? (uint64_t)value : UINT64_MAX;
        MATCH(uint64_t, IS_WHOLE_SET);
    } break;
    case SGM_VOXEL_I64:
        MATCH_AS(int64_t, int64_t, IS_WHOLE_SET);
    }
    return found;
}

int sgm_labels_fit(sgm_voxel type, int64_t value)
{
    switch (type) {
    case SGM_VOXEL_U8:
        return value >= 0 && value <= UINT8_MAX;
    case SGM_VOXEL_I8:
        return value >= INT8_MIN && value <= INT8_MAX;
    case SGM_VOXEL_U16:
        return value >= 0 && value <= UINT16_MAX;
    case SGM_VOXEL_I16:
        return value >= INT16_MIN && value <= INT16_MAX;
    case SGM_VOXEL_U32:
        return value >= 0 && value <= UINT32_MAX;
    case SGM_VOXEL_I32:
        return value >= INT32_MIN && value <= INT32_MAX;
    case SGM_VOXEL_U64:
        return value >= 0;
    case SGM_VOXEL_I64:
        return 1;
    case SGM_VOXEL_F32:
    case SGM_VOXEL_F64:
        return 0;
    }
    return 0;
}

#define FILL(type)                                                                                 \
    for (int64_t i = 0; i < count; i++)                                                            \
        ((type *)labels)[start + i * stride] = (type)value;                                        \
    break

void sgm_labels_fill(void *labels, sgm_voxel type, int64_t value, int64_t start, int64_t stride,
                     int64_t count)
{
    switch (type) {
    case SGM_VOXEL_U8:
    case SGM_VOXEL_I8:
        FILL(uint8_t);
    case SGM_VOXEL_U16:
    case SGM_VOXEL_I16:
        FILL(uint16_t);
    case SGM_VOXEL_U32:
    case SGM_VOXEL_I32:
        FILL(uint32_t);
    case SGM_VOXEL_U64:
    case SGM_VOXEL_I64:
        FILL(uint64_t);
    case SGM_VOXEL_F32:
    case SGM_VOXEL_F64:
        break;
    }
}
