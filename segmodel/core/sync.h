/* Threads and locks, the same on POSIX and Windows (sync_posix.c, sync_windows.c). */
#ifndef SEGMODEL_CORE_SYNC_H
#define SEGMODEL_CORE_SYNC_H

#include <stdbool.h>
#include <stdint.h>

/* Room for the system's own objects; they must not be moved or copied. */
typedef struct sgm_mutex {
    _Alignas(16) unsigned char system[64];
} sgm_mutex;

typedef struct sgm_condition {
    _Alignas(16) unsigned char system[64];
} sgm_condition;

typedef struct sgm_thread {
    void *handle;
} sgm_thread;

typedef struct sgm_once {
    _Alignas(16) unsigned char system[16]; /* zero: not yet */
} sgm_once;

/* Every mutex is recursive: the thread that holds it may take it again. */
void sgm_mutex_create(sgm_mutex *mutex);
void sgm_mutex_destroy(sgm_mutex *mutex);
void sgm_mutex_lock(sgm_mutex *mutex);
void sgm_mutex_unlock(sgm_mutex *mutex);

/* Wait gives the mutex up, which must be held once, and holds it again when it returns; it may
 * return without having been woken. */
void sgm_condition_create(sgm_condition *condition);
void sgm_condition_destroy(sgm_condition *condition);
void sgm_condition_wait(sgm_condition *condition, sgm_mutex *mutex);
void sgm_condition_wake_all(sgm_condition *condition);

/* False: the system gives no more threads. Every thread that was started is joined once. */
bool sgm_thread_start(sgm_thread *thread, void (*run)(void *argument), void *argument);
void sgm_thread_join(sgm_thread *thread);
void sgm_thread_yield(void);

/* Runs `make` the first time; whoever comes meanwhile waits for it. */
void sgm_once_run(sgm_once *once, void (*make)(void));

#endif
