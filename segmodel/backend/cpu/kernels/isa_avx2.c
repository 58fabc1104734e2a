#define ISA_TABLE sgm_isa_avx2
#include "backend/cpu/kernels/isa_table.h"
