/* What tests can do to the emulated device. Plain C. */
#ifndef SEGMODEL_TESTS_EMULATION_CONTROL_H
#define SEGMODEL_TESTS_EMULATION_CONTROL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* cudaMalloc fails where more than `bytes` would be allocated altogether; 0: no limit. */
void emulation_limit_memory(size_t bytes);
size_t emulation_memory(void); /* allocated now */
size_t emulation_pinned(void); /* pinned host memory now */

/* The runtime's function `call` fails with `error` (a cudaError_t) after `after` more calls of it,
 * once; with `sticky`, every later call of any function fails too, as on a lost device. NULL: all
 * is well again. */
void emulation_fail(const char *call, int error, int after, int sticky);

/* After `after` more of them, the next wait for an event calls `then` first, in the waiting thread and
 * with nothing of the emulation locked: what other threads can do while one waits. */
void emulation_on_wait(void (*then)(void), int after);

/* Work is done at once (1) or as late as possible (0). */
void emulation_eager(int on);

typedef struct emulation_counts {
    long launches; /* kernels and products queued, those of graphs not */
    long captures; /* graphs instantiated */
    long replays;  /* graphs launched */
} emulation_counts;
emulation_counts emulation_count(void);

#ifdef __cplusplus
}
#endif
#endif
