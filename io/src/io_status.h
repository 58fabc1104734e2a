/* The calling thread's message: who detects an error writes it, who forwards adds nothing. */
#ifndef SGIO_IO_STATUS_H
#define SGIO_IO_STATUS_H

#include "sgio/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Room of a message: enough for the listing of a few dozen series. Longer text is cut. */
enum { SGIO_MESSAGE_BYTES = 8192 };

/* Stores the formatted sentence as the thread's message and returns `status`, so that a detecting
 * function ends in `return sgio_fail(SGIO_UNREADABLE, "%s: ...", path)`. Control characters become
 * question marks, here and in sgio_warn. */
sgio_status sgio_fail(sgio_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* sgio_fail for a failed allocation of `bytes` needed for `what`. */
sgio_status sgio_fail_memory(size_t bytes, const char *what);

/* Tells the progress function, which may be NULL, that `done` of `all` is done. SGIO_CANCELLED,
 * with a message, when it wants an end. */
sgio_status sgio_tell(sgio_progress_fn progress, void *user, uint64_t done, uint64_t all);

/* Passes the formatted sentence to `warn`; does nothing when warn is NULL. */
void sgio_warn(sgio_warning_fn warn, void *user, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif
#endif
