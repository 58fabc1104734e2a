#include "core/sync.h"

#include <process.h>
#include <stdlib.h>
#include <windows.h>

_Static_assert(sizeof(CRITICAL_SECTION) <= sizeof(sgm_mutex), "mutex");
_Static_assert(sizeof(CONDITION_VARIABLE) <= sizeof(sgm_condition), "condition");
_Static_assert(sizeof(INIT_ONCE) <= sizeof(sgm_once), "once");

static CRITICAL_SECTION *of_mutex(sgm_mutex *mutex)
{
    return (CRITICAL_SECTION *)(void *)mutex->system;
}

static CONDITION_VARIABLE *of_condition(sgm_condition *condition)
{
    return (CONDITION_VARIABLE *)(void *)condition->system;
}

void sgm_mutex_create(sgm_mutex *mutex)
{
    InitializeCriticalSection(of_mutex(mutex));
}

void sgm_mutex_destroy(sgm_mutex *mutex)
{
    DeleteCriticalSection(of_mutex(mutex));
}

void sgm_mutex_lock(sgm_mutex *mutex)
{
    EnterCriticalSection(of_mutex(mutex));
}

void sgm_mutex_unlock(sgm_mutex *mutex)
{
    LeaveCriticalSection(of_mutex(mutex));
}

void sgm_condition_create(sgm_condition *condition)
{
    InitializeConditionVariable(of_condition(condition));
}

void sgm_condition_destroy(sgm_condition *condition)
{
    (void)condition; /* nothing is held */
}

void sgm_condition_wait(sgm_condition *condition, sgm_mutex *mutex)
{
    SleepConditionVariableCS(of_condition(condition), of_mutex(mutex), INFINITE);
}

void sgm_condition_wake_all(sgm_condition *condition)
{
    WakeAllConditionVariable(of_condition(condition));
}

typedef struct start {
    HANDLE thread;
    void (*run)(void *);
    void *argument;
} start;

static unsigned __stdcall run_thread(void *argument)
{
    start *s = argument;
    s->run(s->argument);
    return 0;
}

bool sgm_thread_start(sgm_thread *thread, void (*run)(void *), void *argument)
{
    start *s = malloc(sizeof *s);
    thread->handle = s;
    if (!s) return false;
    *s = (start){.run = run, .argument = argument};
    /* As much stack as a thread has on Linux. */
    s->thread = (HANDLE)_beginthreadex(NULL, 8 << 20, run_thread, s,
                                       STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (s->thread) return true;
    free(s);
    thread->handle = NULL;
    return false;
}

void sgm_thread_join(sgm_thread *thread)
{
    start *s = thread->handle;
    WaitForSingleObject(s->thread, INFINITE);
    CloseHandle(s->thread);
    free(s);
    thread->handle = NULL;
}

void sgm_thread_yield(void)
{
    SwitchToThread();
}

static BOOL CALLBACK run_once(INIT_ONCE *once, void *make, void **context)
{
    (void)once;
    (void)context;
    (*(void (**)(void))make)();
    return TRUE;
}

void sgm_once_run(sgm_once *once, void (*make)(void))
{
    InitOnceExecuteOnce((INIT_ONCE *)(void *)once->system, run_once, &make, NULL);
}
