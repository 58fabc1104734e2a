#include "core/threads.h"

#include "core/sync.h"
#include "core/system.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#define MAX_THREADS 256
#define SPIN_ROUNDS 2000 /* tens of microseconds: about the gap between two kernels */

/* `state` counts loops and who is in the current one: generation << 17 | OPEN | workers inside.
 * A worker may enter only while the loop is OPEN, so the caller never waits for one that wakes up
 * too late to help. */
#define OPEN ((uint64_t)1 << 16)
#define ACTIVE_MASK (OPEN - 1)
#define GENERATION(state) ((state) >> 17)

typedef struct block {
    void *memory;
    size_t size;
} block;

typedef struct worker {
    sgm_threads *pool;
    int index;
} worker;

struct sgm_threads {
    int count;
    int started;
    long process;    /* that has the workers: a forked child has none */
    sgm_mutex owner; /* who may run loops and use the scratch memory */
    sgm_mutex sleep_mutex;
    sgm_condition wake;
    _Atomic uint64_t state;
    _Atomic int sleepers;
    _Atomic int wanted; /* workers of this number and above end */
    /* The loop in progress; written by the caller while nobody is inside. */
    sgm_parallel_fn fn;
    void *context;
    int64_t n_items, chunk;
    _Alignas(64) _Atomic int64_t next;
    block *scratch; /* [count] */
    block shared;
    worker *workers;
    sgm_thread *handles;
};

/* >= 0 inside a loop's body: this thread's number. */
static _Thread_local int inside = -1;

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static void take_items(sgm_threads *pool, int thread)
{
    int64_t n = pool->n_items, chunk = pool->chunk;
    inside = thread;
    for (;;) {
        int64_t begin = atomic_fetch_add_explicit(&pool->next, chunk, memory_order_relaxed);
        if (begin >= n) break;
        pool->fn(pool->context, begin, begin + chunk < n ? begin + chunk : n, thread);
    }
    inside = -1;
}

/* Enters the open loop if it is newer than *seen. */
static bool try_enter(sgm_threads *pool, uint64_t *seen)
{
    uint64_t state = atomic_load_explicit(&pool->state, memory_order_acquire);
    while (GENERATION(state) != *seen && (state & OPEN)) {
        if (atomic_compare_exchange_weak_explicit(&pool->state, &state, state + 1,
                                                  memory_order_acq_rel, memory_order_acquire)) {
            *seen = GENERATION(state);
            return true;
        }
    }
    return false;
}

static bool is_wanted(const worker *self)
{
    return self->index < atomic_load_explicit(&self->pool->wanted, memory_order_acquire);
}

static bool nothing_to_do(const worker *self, uint64_t seen)
{
    uint64_t state = atomic_load(&self->pool->state);
    return is_wanted(self) && (GENERATION(state) == seen || !(state & OPEN));
}

static void sleep_until_called(const worker *self, uint64_t seen)
{
    sgm_threads *pool = self->pool;
    sgm_mutex_lock(&pool->sleep_mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    while (nothing_to_do(self, seen))
        sgm_condition_wait(&pool->wake, &pool->sleep_mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    sgm_mutex_unlock(&pool->sleep_mutex);
}

static void worker_main(void *argument)
{
    worker *self = argument;
    sgm_threads *pool = self->pool;
    uint64_t seen = 0;
    int spins = 0;
    while (is_wanted(self)) {
        if (try_enter(pool, &seen)) {
            take_items(pool, self->index);
            atomic_fetch_sub_explicit(&pool->state, 1, memory_order_release);
            spins = 0;
        } else if (++spins < SPIN_ROUNDS) {
            relax();
        } else {
            sleep_until_called(self, seen);
            spins = 0;
        }
    }
}

/* A forked child has a copy of the pool without its workers: nobody to wake or to wait for, and a
 * lock that one of them may have held. Its caller does all items itself. */
static bool is_elsewhere(const sgm_threads *pool)
{
    return pool->process != sgm_process_id();
}

static void wake_sleepers(sgm_threads *pool)
{
    if (atomic_load(&pool->sleepers) == 0 || is_elsewhere(pool)) return;
    sgm_mutex_lock(&pool->sleep_mutex);
    sgm_condition_wake_all(&pool->wake);
    sgm_mutex_unlock(&pool->sleep_mutex);
}

static void wait_for_workers(sgm_threads *pool)
{
    int spins = 0;
    while (atomic_load_explicit(&pool->state, memory_order_acquire) & ACTIVE_MASK) {
        if (++spins < SPIN_ROUNDS)
            relax();
        else
            sgm_thread_yield();
    }
}

void sgm_parallel_for(sgm_threads *pool, int64_t n_items, int64_t chunk, sgm_parallel_fn fn,
                      void *context)
{
    if (n_items <= 0) return;
    if (inside >= 0) {
        fn(context, 0, n_items, inside);
        return;
    }
    if (chunk <= 0) chunk = n_items / (8 * (int64_t)pool->count);
    if (chunk <= 0) chunk = 1;
    sgm_mutex_lock(&pool->owner);
    pool->fn = fn;
    pool->context = context;
    pool->n_items = n_items;
    pool->chunk = chunk;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    bool share = pool->started > 0 && n_items > chunk;
    if (share) {
        uint64_t generation = GENERATION(atomic_load(&pool->state)) + 1;
        atomic_store(&pool->state, generation << 17 | OPEN);
        wake_sleepers(pool);
    }
    take_items(pool, 0);
    if (share) {
        atomic_fetch_and(&pool->state, ~OPEN);
        wait_for_workers(pool);
    }
    sgm_mutex_unlock(&pool->owner);
}

void sgm_threads_lock(sgm_threads *pool)
{
    if (inside < 0) sgm_mutex_lock(&pool->owner);
}

void sgm_threads_unlock(sgm_threads *pool)
{
    if (inside < 0) sgm_mutex_unlock(&pool->owner);
}

static sgm_status grow(block *b, size_t bytes)
{
    if (bytes <= b->size) return SGM_OK;
    size_t size = (bytes + 4095) & ~(size_t)4095;
    void *memory = size >= bytes ? sgm_aligned_alloc(4096, size) : NULL;
    if (!memory)
        return sgm_fail(SGM_OUT_OF_MEMORY, "working memory: no %zu bytes for a kernel", bytes);
    sgm_aligned_free(b->memory);
    b->memory = memory;
    b->size = size;
    return SGM_OK;
}

sgm_status sgm_threads_reserve(sgm_threads *pool, size_t bytes_per_thread, size_t bytes_shared)
{
    for (int i = 0; i < pool->count; i++)
        SGM_TRY(grow(&pool->scratch[i], bytes_per_thread));
    return grow(&pool->shared, bytes_shared);
}

void *sgm_threads_scratch(sgm_threads *pool, int thread)
{
    return pool->scratch[thread].memory;
}

void *sgm_threads_shared(sgm_threads *pool)
{
    return pool->shared.memory;
}

int sgm_threads_count(const sgm_threads *pool)
{
    return pool->count;
}

/* Ends the workers of number `count` and above, and waits for them. */
static void keep_workers(sgm_threads *pool, int count)
{
    sgm_mutex_lock(&pool->sleep_mutex);
    atomic_store(&pool->wanted, count);
    sgm_condition_wake_all(&pool->wake);
    sgm_mutex_unlock(&pool->sleep_mutex);
    int keep = count > 0 ? count - 1 : 0;
    for (; pool->started > keep; pool->started--)
        sgm_thread_join(&pool->handles[pool->started]);
}

/* Where the system gives fewer than `exact` wants, that is an error; else they are taken, but not
 * to the last: what comes after needs threads, and room for their stacks, too. */
static sgm_status start_workers(sgm_threads *pool, bool exact)
{
    for (int i = 1; i < pool->count; i++) {
        pool->workers[i] = (worker){pool, i};
        if (sgm_thread_start(&pool->handles[i], worker_main, &pool->workers[i])) {
            pool->started++;
            continue;
        }
        if (exact)
            return sgm_fail(SGM_OUT_OF_MEMORY, "threads: wanted %d, the system gave %d",
                            pool->count, i);
        pool->count = (i + 1) / 2;
        keep_workers(pool, pool->count);
    }
    return SGM_OK;
}

static sgm_threads *new_pool(int n)
{
    sgm_threads *pool = sgm_aligned_alloc(64, (sizeof *pool + 63) & ~(size_t)63);
    if (!pool) return NULL;
    *pool = (sgm_threads){.count = n, .process = sgm_process_id(), .wanted = n};
    pool->scratch = calloc((size_t)n, sizeof *pool->scratch);
    pool->workers = calloc((size_t)n, sizeof *pool->workers);
    pool->handles = calloc((size_t)n, sizeof *pool->handles);
    sgm_mutex_create(&pool->owner);
    sgm_mutex_create(&pool->sleep_mutex);
    sgm_condition_create(&pool->wake);
    return pool;
}

sgm_status sgm_threads_create(int n, sgm_threads **out)
{
    *out = NULL;
    bool exact = n > 0;
    if (n <= 0) n = sgm_available_cores();
    if (n > MAX_THREADS) n = MAX_THREADS;
    sgm_threads *pool = new_pool(n);
    if (!pool || !pool->scratch || !pool->workers || !pool->handles) {
        sgm_threads_destroy(pool);
        return sgm_fail(SGM_OUT_OF_MEMORY, "threads: no memory for a pool of %d", n);
    }
    sgm_status status = start_workers(pool, exact);
    if (status != SGM_OK) {
        sgm_threads_destroy(pool);
        return status;
    }
    *out = pool;
    return SGM_OK;
}

void sgm_threads_destroy(sgm_threads *pool)
{
    if (!pool) return;
    bool elsewhere = is_elsewhere(pool);
    if (!elsewhere) keep_workers(pool, 0);
    for (int i = 0; pool->scratch && i < pool->count; i++)
        sgm_aligned_free(pool->scratch[i].memory);
    sgm_aligned_free(pool->shared.memory);
    if (!elsewhere) { /* destroying waits for who waits: there they do so for ever */
        sgm_condition_destroy(&pool->wake);
        sgm_mutex_destroy(&pool->sleep_mutex);
        sgm_mutex_destroy(&pool->owner);
    }
    free(pool->scratch);
    free(pool->workers);
    free(pool->handles);
    sgm_aligned_free(pool);
}
