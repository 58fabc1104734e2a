#define _GNU_SOURCE
#include "core/sync.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(sgm_mutex), "mutex");
_Static_assert(sizeof(pthread_cond_t) <= sizeof(sgm_condition), "condition");

static pthread_mutex_t *of_mutex(sgm_mutex *mutex)
{
    return (pthread_mutex_t *)(void *)mutex->system;
}

static pthread_cond_t *of_condition(sgm_condition *condition)
{
    return (pthread_cond_t *)(void *)condition->system;
}

void sgm_mutex_create(sgm_mutex *mutex)
{
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(of_mutex(mutex), &recursive);
    pthread_mutexattr_destroy(&recursive);
}

void sgm_mutex_destroy(sgm_mutex *mutex)
{
    pthread_mutex_destroy(of_mutex(mutex));
}

void sgm_mutex_lock(sgm_mutex *mutex)
{
    pthread_mutex_lock(of_mutex(mutex));
}

void sgm_mutex_unlock(sgm_mutex *mutex)
{
    pthread_mutex_unlock(of_mutex(mutex));
}

void sgm_condition_create(sgm_condition *condition)
{
    pthread_cond_init(of_condition(condition), NULL);
}

void sgm_condition_destroy(sgm_condition *condition)
{
    pthread_cond_destroy(of_condition(condition));
}

void sgm_condition_wait(sgm_condition *condition, sgm_mutex *mutex)
{
    pthread_cond_wait(of_condition(condition), of_mutex(mutex));
}

void sgm_condition_wake_all(sgm_condition *condition)
{
    pthread_cond_broadcast(of_condition(condition));
}

typedef struct start {
    pthread_t thread;
    void (*run)(void *);
    void *argument;
} start;

static void *run_thread(void *argument)
{
    start *s = argument;
    s->run(s->argument);
    return NULL;
}

bool sgm_thread_start(sgm_thread *thread, void (*run)(void *), void *argument)
{
    start *s = malloc(sizeof *s);
    thread->handle = s;
    if (!s) return false;
    *s = (start){.run = run, .argument = argument};
    if (pthread_create(&s->thread, NULL, run_thread, s) == 0) return true;
    free(s);
    thread->handle = NULL;
    return false;
}

void sgm_thread_join(sgm_thread *thread)
{
    start *s = thread->handle;
    pthread_join(s->thread, NULL);
    free(s);
    thread->handle = NULL;
}

void sgm_thread_yield(void)
{
    sched_yield();
}

/* PTHREAD_ONCE_INIT is not zero everywhere, so one lock serves them all: what is made once is made
 * quickly, and takes no other `once`. */
void sgm_once_run(sgm_once *once, void (*make)(void))
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    if (__atomic_load_n(&once->system[0], __ATOMIC_ACQUIRE)) return;
    pthread_mutex_lock(&lock);
    if (!once->system[0]) {
        make();
        __atomic_store_n(&once->system[0], 1, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&lock);
}
