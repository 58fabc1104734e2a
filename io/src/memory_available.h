/* Whether memory is there before it is taken: Linux promises more than it has, and ends the process
 * when the pages are touched. */
#ifndef SGIO_MEMORY_AVAILABLE_H
#define SGIO_MEMORY_AVAILABLE_H

#include "sgio/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that this process can still fill: what the system has free or can free, less where a limit
 * of its control group says so. UINT64_MAX where it cannot be told. */
uint64_t sgio_memory_available(void);

/* SGIO_OUT_OF_MEMORY with both figures when `bytes` for `what` are not there. Small amounts are
 * not looked into. */
sgio_status sgio_memory_expect(uint64_t bytes, const char *what);

#ifdef __cplusplus
}
#endif
#endif
