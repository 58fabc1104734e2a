/* A system that gives few threads: a pool of "one per core" is smaller then, a pool of a number is
 * refused. Linked with --wrap for sgm_thread_start, and for the number of cores. */
#include "../check.h"

#include "core/sync.h"
#include "core/system.h"
#include "core/threads.h"

bool __real_sgm_thread_start(sgm_thread *thread, void (*run)(void *), void *argument);
bool __wrap_sgm_thread_start(sgm_thread *thread, void (*run)(void *), void *argument);
int __wrap_sgm_available_cores(void);

static int to_give; /* threads that still start */

bool __wrap_sgm_thread_start(sgm_thread *thread, void (*run)(void *), void *argument)
{
    return to_give-- > 0 && __real_sgm_thread_start(thread, run, argument);
}

int __wrap_sgm_available_cores(void)
{
    return 12;
}

static void count_items(void *seen, int64_t begin, int64_t end, int thread)
{
    for (int64_t i = begin; i < end; i++)
        ((int *)seen)[i] += thread < 12;
}

/* Of 12 cores `given` threads beside the caller: half of what there is stays. */
static void check_fewer(int given)
{
    enum { ITEMS = 500 };
    int seen[ITEMS] = {0}, wrong = 0;
    sgm_threads *pool;
    to_give = given;
    if (!CHECK_OK(sgm_threads_create(0, &pool))) return;
    CHECK(sgm_threads_count(pool) == (given >= 11 ? 12 : (given + 2) / 2));
    for (int round = 0; round < 20; round++)
        sgm_parallel_for(pool, ITEMS, 1, count_items, seen);
    for (int i = 0; i < ITEMS; i++)
        wrong += seen[i] != 20;
    CHECK(wrong == 0);
    sgm_threads_destroy(pool);
}

int main(void)
{
    sgm_threads *pool;
    for (int given = 0; given < 13; given++)
        check_fewer(given);
    to_give = 2;
    CHECK_STATUS(sgm_threads_create(5, &pool), SGM_OUT_OF_MEMORY, "wanted 5, the system gave 3");
    CHECK(pool == NULL);
    to_give = 0;
    sgm_context *context;
    sgm_context_options options = {.size = sizeof options, .device = SGM_DEVICE_CPU};
    if (CHECK_OK(sgm_context_create(&options, &context)))
        CHECK(!strncmp(sgm_context_device(context), "cpu, 1 thread,", 14));
    sgm_context_destroy(context);
    options.threads = 2;
    CHECK_STATUS(sgm_context_create(&options, &context), SGM_OUT_OF_MEMORY, "wanted 2");
    return check_report();
}
