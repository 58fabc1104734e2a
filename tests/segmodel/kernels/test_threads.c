/* The pool: every item once, nesting, sleeping workers, several callers, growing memory, and what
 * a forked child has of it. */
#include <pthread.h>
#include <unistd.h>

#ifndef _WIN32
#include <sys/wait.h>
#endif

#include "core/system.h"
#include "kernel_test.h"

typedef struct count_job {
    sgm_threads *pool;
    int *seen;
    int64_t *per_thread; /* [count] */
} count_job;

static void count_items(void *context, int64_t begin, int64_t end, int thread)
{
    count_job *j = context;
    for (int64_t i = begin; i < end; i++)
        j->seen[i]++; /* a race, and a report by TSan, if two threads get one item */
    j->per_thread[thread] += end - begin;
}

static void check_loop(sgm_threads *pool, int64_t n, int64_t chunk)
{
    int64_t per_thread[256] = {0}, total = 0, wrong = 0;
    count_job job = {pool, calloc((size_t)(n ? n : 1), sizeof(int)), per_thread};
    sgm_parallel_for(pool, n, chunk, count_items, &job);
    for (int64_t i = 0; i < n; i++)
        wrong += job.seen[i] != 1;
    for (int i = 0; i < sgm_threads_count(pool); i++)
        total += per_thread[i];
    CHECK(wrong == 0);
    CHECK(total == n);
    free(job.seen);
}

static void nested_items(void *context, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    for (int64_t i = begin; i < end; i++)
        check_loop(context, 50, 3);
}

static void *other_caller(void *pool)
{
    int64_t per_thread[256] = {0};
    int seen[100] = {0}, wrong = 0;
    for (int round = 0; round < 300; round++) {
        count_job job = {pool, seen, per_thread};
        sgm_parallel_for(pool, 100, 7, count_items, &job);
    }
    for (int i = 0; i < 100; i++)
        wrong += seen[i] != 300;
    return wrong ? pool : NULL;
}

static void check_pool(int n)
{
    sgm_threads *pool;
    CHECK_OK(sgm_threads_create(n, &pool));
    CHECK(sgm_threads_count(pool) == n);
    static const int64_t sizes[] = {0, 1, 2, 7, 1000, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int64_t chunk = 0; chunk < 12; chunk += 11)
            check_loop(pool, sizes[i], chunk);
    for (int i = 0; i < 2000; i++) {
        check_loop(pool, 16, 1);
        if (i % 500 == 0) usleep(20000); /* workers fall asleep */
    }
    sgm_parallel_for(pool, 1, 1, nested_items, pool);
    pthread_t thread;
    void *bad = pool, *bad_here;
    CHECK(pthread_create(&thread, NULL, other_caller, pool) == 0);
    bad_here = other_caller(pool);
    pthread_join(thread, &bad);
    CHECK(!bad && !bad_here);
    sgm_threads_lock(pool);
    for (size_t size = 100; size < 1000000; size *= 7) {
        CHECK_OK(sgm_threads_reserve(pool, size, 2 * size));
        memset(sgm_threads_scratch(pool, n - 1), 1, size);
        memset(sgm_threads_shared(pool), 1, 2 * size);
        CHECK((uintptr_t)sgm_threads_scratch(pool, 0) % 64 == 0);
    }
#if !defined(__SANITIZE_ADDRESS__) &&                                                              \
    !defined(__SANITIZE_THREAD__) /* they stop at such a request */
    CHECK_STATUS(sgm_threads_reserve(pool, SIZE_MAX / 2, 0), SGM_OUT_OF_MEMORY, "working memory");
#endif
    sgm_threads_unlock(pool);
    sgm_threads_destroy(pool);
}

#ifndef _WIN32
/* The child has no workers, and must not wait for them: neither in a loop nor to destroy. */
static void check_forked(bool asleep)
{
    sgm_threads *pool;
    if (!CHECK_OK(sgm_threads_create(4, &pool))) return;
    check_loop(pool, 100, 1);
    if (asleep) usleep(30000);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        check_loop(pool, 100, 1);
        sgm_threads_destroy(pool);
        _exit(check_failures > 0);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    check_loop(pool, 100, 1);
    sgm_threads_destroy(pool);
}
#endif

int main(void)
{
#ifndef _WIN32
    check_forked(true);
    check_forked(false);
#endif
    CHECK(sgm_available_cores() >= 1);
    check_pool(1);
    check_pool(2);
    check_pool(5);
    sgm_threads_destroy(NULL);
    return check_report();
}
