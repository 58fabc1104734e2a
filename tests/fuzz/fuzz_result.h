/* A target says here whether its input was refused, so that the replay can hold "reject_*" samples,
 * and all others, to their names. Targets that do not say are replayed for crashes alone. */
#ifndef FUZZ_RESULT_H
#define FUZZ_RESULT_H

__attribute__((weak)) int fuzz_refused;

#endif
