/* Status and the message that goes with it (internal side of segmodel.h's error model).
 *
 * Whoever detects an error calls sgm_fail() with a message that names the file or tensor, what was
 * wanted and what was found; whoever merely forwards the status adds nothing. */
#ifndef SEGMODEL_CORE_STATUS_H
#define SEGMODEL_CORE_STATUS_H

#include "segmodel/segmodel.h"

/* Stores the message for the calling thread and returns `code`, so that `return sgm_fail(...)` is
 * one line. The message is cut at 1023 bytes. Never fails, never allocates. */
sgm_status sgm_fail(sgm_status code, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

/* Shows the compiler that the status is the code, so that it can tell that what a failing call did
 * not set is not used. */
#define sgm_fail(code, ...) ((void)sgm_fail((code), __VA_ARGS__), (code))

/* Puts "prefix: " before the calling thread's message: for the one place that knows the file when
 * the detecting place could not. Returns `code`. */
sgm_status sgm_fail_in(sgm_status code, const char *prefix);

/* Replaces the thread's message with another thread's: how workers hand their error over. */
void sgm_set_message(const char *message);

/* Forwards a failing status. */
#define SGM_TRY(call)                                                                              \
    do {                                                                                           \
        sgm_status sgm_try_status_ = (call);                                                       \
        if (sgm_try_status_ != SGM_OK) return sgm_try_status_;                                     \
    } while (0)

#endif
