/* What the process is said to have used. */
#include "../check.h"

#include "core/clock.h"
#include "core/system.h"

#include <stdlib.h>

/* Work is counted, about as long as it takes at most; memory that was touched is seen. */
int main(void)
{
    enum { BYTES = 64 << 20 };
    double processor = sgm_processor_time(), peak = sgm_peak_memory(), clock = sgm_clock();
    volatile unsigned sum = 0;
    while (sgm_clock() - clock < 0.2 || sgm_processor_time() - processor < 0.02)
        sum = sum * 31 + 7;
    double worked = sgm_processor_time() - processor, passed = sgm_clock() - clock;
    CHECK(worked >= 0.02 && worked <= passed + 0.05); /* one thread; clocks of 10 ms and more */
    volatile char *memory = malloc(BYTES); /* volatile: clang leaves out what nobody reads */
    CHECK(memory != NULL);
    for (size_t i = 0; memory && i < BYTES; i += 1024)
        memory[i] = 1;
    CHECK(sgm_peak_memory() >= peak && sgm_peak_memory() >= BYTES);
    free((void *)memory);
    return check_report();
}
