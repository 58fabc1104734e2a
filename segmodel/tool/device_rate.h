/* The matrix rate of a GPU, asked for through this library's own linear layers, which are products
 * of the vendor's library (cuBLAS) there: no bias, no activation. */
#ifndef SEGMODEL_TOOL_DEVICE_RATE_H
#define SEGMODEL_TOOL_DEVICE_RATE_H

#include "backend/backend.h"

typedef struct device_rate device_rate;

/* side 0: 8192 in BF16, 4096 in FP32. The products' result is checked at a few places:
 * SGM_INTERNAL when it is wrong. */
sgm_status device_rate_create(sgm_backend *backend, bool bf16, int side, device_rate **out);
void device_rate_destroy(device_rate *rate);
/* FLOP/s now: the better of products that store FP32 and products that store BF16. NaN after a
 * failure. */
double device_rate_measure(device_rate *rate);

#endif
