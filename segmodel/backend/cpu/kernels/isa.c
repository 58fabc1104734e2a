#include "backend/cpu/kernels/isa.h"

const sgm_isa_table *sgm_loops(void)
{
#if defined(__x86_64__) && !defined(SGM_AMX_EMULATED)
    switch (sgm_cpu()->isa) {
    case SGM_ISA_AVX512_BF16:
        return &sgm_isa_avx512_bf16;
    case SGM_ISA_AVX512:
        return &sgm_isa_avx512;
    case SGM_ISA_AVX2:
        return &sgm_isa_avx2;
    case SGM_ISA_BASE:
        break;
    }
#endif
    return &sgm_isa_base;
}

const sgm_micro *sgm_micro_for(sgm_dtype dtype)
{
    if (dtype == SGM_F32) return &sgm_loops()->f32;
    if (sgm_cpu()->bf16 == SGM_BF16_AMX) return &sgm_micro_amx;
#if defined(SGM_AMX_EMULATED)
#elif defined(__aarch64__)
    if (sgm_cpu()->bf16 == SGM_BF16_DOT) return &sgm_micro_mmla;
#else
    if (sgm_cpu()->bf16 == SGM_BF16_DOT) return &sgm_micro_dot;
#endif
    return NULL;
}
