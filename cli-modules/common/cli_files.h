/* The files of a run, looked at before any of them is opened: an output must not destroy what is
 * read, nor another output, and must be possible at all. Files are compared, not names: through
 * links, relative names and folders. */
#ifndef PROMPTSEG_CLI_FILES_H
#define PROMPTSEG_CLI_FILES_H

#include "cli_options.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cli_file_use {
    CLI_FILE_READ,             /* a file, or a folder with all that is in it */
    CLI_FILE_READ_REPLACEABLE, /* as above; a CLI_FILE_REPLACES may have the same name */
    CLI_FILE_WRITTEN,
    CLI_FILE_REPLACES, /* written; may be the same file as a CLI_FILE_READ_REPLACEABLE */
    CLI_FOLDER_WRITTEN /* files of the program's own appear in it */
} cli_file_use;

typedef struct cli_file cli_file;

/* Start with {0}. */
typedef struct cli_files {
    cli_file *items;
    size_t count, capacity;
    int failed; /* out of memory: cli_files_check says so */
} cli_files;

/* Adds a file or folder. `role` is what messages call it ("--report", "the image of row 7"); both
 * texts are copied. Reading a detached header reads its data files too; reading a slice of a DICOM
 * series reads its folder, a DICOMDIR its tree. */
void cli_files_add(cli_files *files, const char *role, const char *path, cli_file_use use);

/* Adds every path that the command line gives, by the description's channels. `replaceable` names
 * the parameters, separated by blanks, that a positional output may replace ("initial"). */
void cli_files_add_options(cli_files *files, const cli_options *options, const char *replaceable);

/* 0 when no output is a file that is read or another output; else CLI_EXIT_USAGE with a message
 * that names both options, or CLI_EXIT_MEMORY. */
int cli_files_compare(const cli_files *files);

/* The same, and every output can be written: else CLI_EXIT_OUTPUT with the file and the reason. */
int cli_files_check(const cli_files *files);

void cli_files_clear(cli_files *files);

#ifdef __cplusplus
}
#endif
#endif
