#include "core/cpu_features.h"

#include "core/sync.h"
#include "core/system.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

static sgm_cpu_features detected, current;
static sgm_once once;

#if defined(SGM_AMX_EMULATED) /* tests: see micro_amx.c */

static void detect_processor(sgm_cpu_features *f)
{
    f->bf16 = SGM_BF16_AMX;
}

#elif defined(__x86_64__)

static uint64_t enabled_state(void)
{
    uint32_t eax, edx;
    __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    return (uint64_t)edx << 32 | eax;
}

/* Tile registers exist, the system saves them, and lets this process use them. */
static bool has_amx(void)
{
    uint32_t a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    bool tile = d >> 24 & 1, bf16 = d >> 22 & 1;
    if (!tile || !bf16 || (enabled_state() >> 17 & 3) != 3) return false;
    return sgm_allow_amx();
}

/* AMD's vdpbf16ps makes as many instructions per clock as its FMA, so twice the products. */
static bool has_fast_dot(void)
{
    uint32_t a, b, c, d;
    char vendor[13] = "";
    if (!__get_cpuid(0, &a, &b, &c, &d)) return false;
    memcpy(vendor, &b, 4);
    memcpy(vendor + 4, &d, 4);
    memcpy(vendor + 8, &c, 4);
    if (strcmp(vendor, "AuthenticAMD") != 0) return false;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
}

/* What the processor has and the system saves between threads. By hand: not every compiler's run
 * time brings what __builtin_cpu_supports calls. */
static sgm_isa detect_isa(void)
{
    const uint32_t saved = 1u << 27, avx = 1u << 28, fma = 1u << 12;   /* leaf 1, ecx */
    const uint32_t avx2 = 1u << 5;                                     /* leaf 7, ebx, and these: */
    const uint32_t avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (~c & (saved | avx | fma))) return SGM_ISA_BASE;
    uint64_t state = enabled_state();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & avx2) || (~state & 6))
        return SGM_ISA_BASE;
    return (b & avx512) == avx512 && !(~state & 0xe6) ? SGM_ISA_AVX512 : SGM_ISA_AVX2;
}

static void detect_processor(sgm_cpu_features *f)
{
    f->isa = detect_isa();
    if (f->isa != SGM_ISA_AVX512) return;
    uint32_t a, b, c, d;
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1)) f->isa = SGM_ISA_AVX512_BF16;
    f->bf16 = has_amx() ? SGM_BF16_AMX : has_fast_dot() ? SGM_BF16_DOT : SGM_BF16_NONE;
}

#elif defined(__aarch64__) && defined(SGM_BFMMLA)

static void detect_processor(sgm_cpu_features *f)
{
    if (sgm_has_bfmmla()) f->bf16 = SGM_BF16_DOT;
}

#else

static void detect_processor(sgm_cpu_features *f)
{
    (void)f;
}

#endif

static void detect(void)
{
    detect_processor(&detected);
    detected.l2_bytes = 1 << 20;
    long l2 = sgm_level2_cache();
    if (l2 >= 256 << 10 && l2 <= 64 << 20) detected.l2_bytes = l2;
    current = detected;
}

const sgm_cpu_features *sgm_cpu(void)
{
    sgm_once_run(&once, detect);
    return &current;
}

#ifdef __aarch64__
#define SGM_PORTABLE "NEON"
#else
#define SGM_PORTABLE "portable code"
#endif

const char *sgm_cpu_summary(void)
{
    static const char *const names[4][3] = {
        {SGM_PORTABLE, SGM_PORTABLE ", bf16 by bfmmla", SGM_PORTABLE ", bf16 by AMX"},
        {"AVX2", "AVX2", "AVX2, bf16 by AMX"},
        {"AVX-512", "AVX-512, bf16 by vdpbf16ps", "AVX-512, bf16 by AMX"},
        {"AVX-512 BF16", "AVX-512 BF16, bf16 by vdpbf16ps", "AVX-512 BF16, bf16 by AMX"},
    };
    const sgm_cpu_features *f = sgm_cpu();
    return names[f->isa][f->bf16];
}

void sgm_cpu_limit(sgm_isa isa, sgm_bf16_unit bf16)
{
    sgm_once_run(&once, detect);
    current = detected;
    if (current.isa > isa) current.isa = isa;
#if defined(__x86_64__) && !defined(SGM_AMX_EMULATED)
    if (current.isa < SGM_ISA_AVX512) current.bf16 = SGM_BF16_NONE;
#endif
    if (bf16 < current.bf16) current.bf16 = bf16;
    if (current.bf16 == SGM_BF16_DOT && detected.bf16 != SGM_BF16_DOT) current.bf16 = SGM_BF16_NONE;
}
