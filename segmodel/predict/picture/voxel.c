#include "predict/picture/voxel.h"

#define READ(type)                                                                                 \
    {                                                                                              \
        const type *from = (const type *)volume->data + start;                                     \
        for (int64_t i = 0; i < count; i++)                                                        \
            values[i] = (double)from[i * stride];                                                  \
    }                                                                                              \
    break

void sgm_voxel_read(const sgm_volume *volume, int64_t start, int64_t stride, int64_t count,
                    double *values)
{
    switch (volume->type) {
    case SGM_VOXEL_U8:
        READ(uint8_t);
    case SGM_VOXEL_I8:
        READ(int8_t);
    case SGM_VOXEL_U16:
        READ(uint16_t);
    case SGM_VOXEL_I16:
        READ(int16_t);
    case SGM_VOXEL_U32:
        READ(uint32_t);
    case SGM_VOXEL_I32:
        READ(int32_t);
    case SGM_VOXEL_F32:
        READ(float);
    case SGM_VOXEL_F64:
        READ(double);
    case SGM_VOXEL_U64: /* refused by sgm_volume_check */
    case SGM_VOXEL_I64:
        break;
    }
}
