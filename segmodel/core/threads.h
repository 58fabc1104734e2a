/* The thread pool of a context: the caller and n - 1 workers share the items of a loop.
 *
 * Workers spin briefly for the next loop, then sleep, so that a sequence of kernels runs without
 * system calls and an idle pool costs nothing. One loop runs at a time; loops of other threads on
 * the same pool wait. A loop started inside a loop's body runs serially on that thread. */
#ifndef SEGMODEL_CORE_THREADS_H
#define SEGMODEL_CORE_THREADS_H

#include "core/status.h"

typedef struct sgm_threads sgm_threads;

/* n <= 0: sgm_available_cores() of core/system.h, or fewer where the system does not give so many;
 * at most 256. What was asked for by its number is got or refused. */
sgm_status sgm_threads_create(int n, sgm_threads **out);
/* In a forked child it only frees memory: the workers stayed with the parent. */
void sgm_threads_destroy(sgm_threads *pool);
int sgm_threads_count(const sgm_threads *pool);

/* Items [begin, end) for worker `thread` (0 .. count - 1, the caller is 0). */
typedef void (*sgm_parallel_fn)(void *context, int64_t begin, int64_t end, int thread);

/* Calls fn until items 0 .. n_items - 1 are done, `chunk` at a time (<= 0: chosen so that each
 * thread gets about eight). Which thread gets which items is not fixed: results must not depend
 * on it. Returns when all are done. */
void sgm_parallel_for(sgm_threads *pool, int64_t n_items, int64_t chunk, sgm_parallel_fn fn,
                      void *context);

/* Working memory that grows when needed and is kept: steady state allocates nothing.
 * Hold the lock (recursive) from reserve to the end of the last loop that uses the memory. */
void sgm_threads_lock(sgm_threads *pool);
void sgm_threads_unlock(sgm_threads *pool);
/* Lock held. SGM_OUT_OF_MEMORY when there is none. */
sgm_status sgm_threads_reserve(sgm_threads *pool, size_t bytes_per_thread, size_t bytes_shared);
/* 64-byte aligned, at least what was reserved, not cleared. */
void *sgm_threads_scratch(sgm_threads *pool, int thread);
void *sgm_threads_shared(sgm_threads *pool);

#endif
