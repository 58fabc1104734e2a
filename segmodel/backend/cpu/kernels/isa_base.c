#define ISA_TABLE sgm_isa_base
#include "backend/cpu/kernels/isa_table.h"
