/* Ctrl-C and SIGTERM: asked once, the program stops at the next opportunity, tidies up and returns
 * 130; asked twice, it is gone. Unfinished outputs have no name, or are removed by the next program
 * that writes there (sgio/outputs.h). */
#ifndef PROMPTSEG_CLI_CANCEL_H
#define PROMPTSEG_CLI_CANCEL_H

#ifdef __cplusplus
extern "C" {
#endif

/* Catches SIGINT and SIGTERM (unless ignored, as under nohup), and ignores SIGPIPE, so that a reader
 * that goes away does not stop a run, and SIGXFSZ, so that a limit of file size (ulimit -f, batch
 * systems) is an output that cannot be written, as a full disk is. */
void cli_cancel_install(void);

/* While on, a signal ends the program on the spot: unfinished files are removed, one line is said
 * on standard error, the exit code is 130. For stretches that nobody can interrupt and that leave
 * nothing to tidy up, such as reading. Switching it on after a signal has come ends the program
 * too. `program` names it in that line and stays valid; NULL switches off. Main thread only. */
void cli_cancel_at_once(const char *program);

/* Nonzero once a signal came; any thread. A callback with the usual shape: user data in, nonzero to
 * stop. */
int cli_cancelled(void *unused);

#ifdef __cplusplus
}
#endif
#endif
