#define ISA_TABLE sgm_isa_avx512_bf16
#include "backend/cpu/kernels/isa_table.h"
