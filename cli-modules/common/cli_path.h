/* Names of files. */
#ifndef PROMPTSEG_CLI_PATH_H
#define PROMPTSEG_CLI_PATH_H

#ifdef __cplusplus
extern "C" {
#endif

/* The absolute path of a file that need not exist, links resolved as far as it does; malloc'ed,
 * NULL when out of memory. */
char *cli_path_absolute(const char *path);

/* `to` as seen from the folder that holds the file `from`; malloc'ed, NULL when out of memory.
 * Neither need exist. */
char *cli_path_relative(const char *from, const char *to);

#ifdef __cplusplus
}
#endif
#endif
