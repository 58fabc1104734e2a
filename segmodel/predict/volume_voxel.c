#include "predict/volume_voxel.h"

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
    case SGM_U8:
        READ(uint8_t);
    case SGM_I8:
        READ(int8_t);
    case SGM_U16:
        READ(uint16_t);
    case SGM_I16:
        READ(int16_t);
    case SGM_U32:
        READ(uint32_t);
    case SGM_I32:
        READ(int32_t);
    case SGM_VF32:
        READ(float);
    case SGM_VF64:
        READ(double);
    }
}
