/* Ctrl-C and SIGTERM: asked once, the program stops at the next opportunity, tidies up and returns
 * 130; asked twice, it removes its temporary files and is gone. */
#ifndef PROMPTSEG_CLI_CANCEL_H
#define PROMPTSEG_CLI_CANCEL_H

#include <signal.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Nonzero once a signal came; safe to read from any thread. */
extern volatile sig_atomic_t cli_cancel_flag;

/* Catches SIGINT and SIGTERM (unless ignored, as under nohup), and ignores SIGPIPE so that a reader
 * that goes away does not leave temporary files behind. */
void cli_cancel_install(void);

/* A callback with the usual shape: user data in, nonzero to stop. */
int cli_cancelled(void *unused);

/* Remembers an unfinished output until it is renamed or removed. Main thread only; at most 16 at a
 * time, of at most 4095 characters; returns 0, or -1 when the list is full or the path too long. */
int cli_temporary_add(const char *path);
void cli_temporary_forget(const char *path);

/* Unlinks all that are remembered; async-signal-safe. */
void cli_temporary_remove_all(void);

#ifdef __cplusplus
}
#endif
#endif
