/* Status of the io library: the value doubles as the programs' exit code (design: 2 input,
 * 3 prompt, 5 memory, 6 output, 130 cancelled). */
#ifndef SGIO_STATUS_H
#define SGIO_STATUS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum sgio_status {
    SGIO_OK = 0,
    SGIO_USAGE = 1,      /* the caller's mistake */
    SGIO_UNREADABLE = 2, /* an input that cannot be read or is not supported */
    SGIO_BAD_PROMPT = 3, /* a prompt file or prompt that makes no sense */
    SGIO_OUT_OF_MEMORY = 5,
    SGIO_UNWRITABLE = 6,
    SGIO_CANCELLED = 130 /* a progress function said so */
} sgio_status;

/* The calling thread's message of its last failing call: names the file, what was wanted and what
 * was found. Valid until the thread's next failing call. */
const char *sgio_last_message(void);

/* Called with a sentence a user should know although the call succeeds ("slices 4 and 5 ...").
 * Programs print it on stdout and keep it for the report; NULL drops warnings. */
typedef void (*sgio_warning_fn)(void *user, const char *sentence);

/* Called every few MiB (or slice, or file) of a long read or write, on the calling thread; `done`
 * goes from 0 to 1. A value other than 0 stops: the call leaves nothing behind and returns
 * SGIO_CANCELLED. NULL in an option means that nobody asks. */
typedef int (*sgio_progress_fn)(void *user, double done);

/* Called for each file of several; the path is valid during the call. */
typedef void (*sgio_path_fn)(void *user, const char *path);

#ifdef __cplusplus
}
#endif
#endif
