/* What this processor can do, and which of it the kernels use. */
#ifndef SEGMODEL_CORE_CPU_FEATURES_H
#define SEGMODEL_CORE_CPU_FEATURES_H

#include <stdbool.h>

typedef enum sgm_isa {
    SGM_ISA_BASE,       /* what the compiler was told: SSE2, NEON */
    SGM_ISA_AVX2,       /* AVX2 + FMA */
    SGM_ISA_AVX512,     /* F, BW, DQ, VL */
    SGM_ISA_AVX512_BF16 /* and BF16, here for its conversion */
} sgm_isa;

/* How BF16 products are made. AMX: tiles. DOT: a vector instruction: vdpbf16ps, used only where it
 * runs at twice the FP32 rate (AMD Zen 4 and later; on Intel it is slower than FP32), or ARM's
 * bfmmla, wherever it is (16 products where an FP32 instruction makes 4). */
typedef enum sgm_bf16_unit { SGM_BF16_NONE, SGM_BF16_DOT, SGM_BF16_AMX } sgm_bf16_unit;

typedef struct sgm_cpu_features {
    sgm_isa isa;
    sgm_bf16_unit bf16;
    long l2_bytes; /* per core; 1 MiB when unknown */
} sgm_cpu_features;

/* Detected once, thread-safe; asks the kernel for permission to use AMX tiles. */
const sgm_cpu_features *sgm_cpu(void);

/* "AVX-512, bf16 by AMX" for logs. */
const char *sgm_cpu_summary(void);

/* Restricts what sgm_cpu() reports to at most this, for tests and for comparing code paths.
 * Packed weights made before belong to the old setting. Not while kernels run. */
void sgm_cpu_limit(sgm_isa isa, sgm_bf16_unit bf16);

#endif
