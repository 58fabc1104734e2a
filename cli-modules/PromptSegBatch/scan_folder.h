/* One folder as --makeManifest sees it: what each thing in it is, and which prompts belong to which
 * volume. */
#ifndef PROMPTSEG_BATCH_SCAN_FOLDER_H
#define PROMPTSEG_BATCH_SCAN_FOLDER_H

#include <stddef.h>

typedef enum scan_kind {
    SCAN_UNKNOWN, /* `why` says what it is or that nobody knows */
    SCAN_FOLDER,
    SCAN_VOLUME,
    SCAN_PROMPTS,
    SCAN_DICOM /* an image */
} scan_kind;

typedef struct scan_entry {
    char *name;
    scan_kind kind;
    size_t stem;     /* length of the name that prompts begin with; 0: none can belong to it */
    const char *why; /* it is left out; static */
} scan_entry;

typedef struct scan_folder {
    const char *path; /* borrowed */
    scan_entry *entries;
    size_t count, capacity;
    int holds_images; /* of DICOM */
} scan_folder;

/* What is not hidden, in alphabetical order. 0, CLI_EXIT_INPUT or CLI_EXIT_MEMORY with a message;
 * release with scan_folder_clear, also then. */
int scan_folder_read(const char *path, scan_folder *out);
void scan_folder_clear(scan_folder *folder);

/* Prompts can no longer belong to folders in it: their images are in the listing of a folder above.
 */
void scan_folder_forget_series(scan_folder *folder);

/* Length of the longest name of a volume or of a folder with DICOM images that the prompt file's
 * name begins with; it goes on with one of "-_. " or ends there. 0: there is none. */
size_t scan_folder_owner(const scan_folder *folder, const char *prompts);

/* 1 when a prompt file may belong to what is called `name`. */
int scan_is_named_like(const char *prompts, const char *name, size_t length);

#endif
