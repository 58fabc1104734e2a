/* The clock of all programs. */
#ifndef PROMPTSEG_CLI_CLOCK_H
#define PROMPTSEG_CLI_CLOCK_H

#ifdef __cplusplus
extern "C" {
#endif

/* Seconds on a clock that nobody sets back; only differences mean something. */
double cli_clock(void);

#ifdef __cplusplus
}
#endif
#endif
