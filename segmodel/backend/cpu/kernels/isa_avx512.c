#define ISA_TABLE sgm_isa_avx512
#include "backend/cpu/kernels/isa_table.h"
