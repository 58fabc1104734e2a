/* What the library asks of the system beside threads and files (system_posix.c, system_windows.c).
 */
#ifndef SEGMODEL_CORE_SYSTEM_H
#define SEGMODEL_CORE_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>

/* `alignment` is a power of two and a multiple of a pointer's size. NULL: no memory. What it gives
 * is given back to sgm_aligned_free, and to nothing else. */
void *sgm_aligned_alloc(size_t alignment, size_t size);
void sgm_aligned_free(void *memory);

/* Asks the C library to give the system what it holds of freed memory. It looks at the whole heap
 * of the process: for after much was freed that will not be wanted again, not for every day. */
void sgm_give_back_memory(void);

/* Processors that this process may use: those it may run on, or what a quota of its container comes
 * to (core/cgroup.h), rounded up, where that is less. */
int sgm_available_cores(void);

/* Bytes of the second-level cache of a processor; 0: unknown. */
long sgm_level2_cache(void);

/* Lets this process use AMX's tile registers; false: the system does not, or has none. */
bool sgm_allow_amx(void);

/* ARM64's BF16 products are there; false: they are not, or the system does not say. */
bool sgm_has_bfmmla(void);

/* strtod with a decimal point, whatever the locale. */
double sgm_plain_strtod(const char *text, char **end);

long sgm_process_id(void);
/* A process of this number is there, anybody's. */
bool sgm_process_exists(long id);

/* True: text on standard error is read by a person as it comes. */
bool sgm_stderr_is_terminal(void);

/* Bytes of memory that this process has had at most; 0: unknown. */
double sgm_peak_memory(void);

/* Seconds that processors have worked for this process, all threads together; 0: unknown. */
double sgm_processor_time(void);

/* ------------------------------------------------------------------------- modules, at run time */

/* NULL: *reason says why, the name of what is missing first. Valid until the next call. */
void *sgm_module_open(const char *path, const char **reason);
/* NULL: there is no such symbol. */
void *sgm_module_symbol(void *module, const char *name);
/* Folder of the program or library that holds `inside`, with its separator, whatever the current
 * folder is; "": unknown. */
void sgm_module_folder(const void *inside, char *folder, size_t size);

#endif
