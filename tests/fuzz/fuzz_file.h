/* The input as a file of every ending, for readers that go by names: written once, linked under
 * each name. */
#ifndef FUZZ_FILE_H
#define FUZZ_FILE_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char fuzz_folder[256];
static const char *const *fuzz_endings;

static const char *fuzz_path(const char *ending)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/f%s", fuzz_folder, ending);
    return path;
}

static void fuzz_remove_files(void)
{
    for (const char *const *e = fuzz_endings; *e; e++)
        unlink(fuzz_path(*e));
    rmdir(fuzz_folder);
}

/* Makes the folder and the names at the first call; -1 when that fails. `endings` ends in NULL. */
static int fuzz_write_file(const uint8_t *data, size_t size, const char *const *endings)
{
    int first = fuzz_folder[0] == '\0';
    if (first) {
        const char *base = getenv("TMPDIR");
        snprintf(fuzz_folder, sizeof fuzz_folder, "%s/fuzz_XXXXXX", base ? base : "/tmp");
        if (!mkdtemp(fuzz_folder)) return -1;
        fuzz_endings = endings;
        atexit(fuzz_remove_files);
    }
    int file = open(fuzz_path(endings[0]), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return -1;
    int failed = write(file, data, size) != (ssize_t)size;
    close(file);
    char target[300];
    snprintf(target, sizeof target, "%s", fuzz_path(endings[0]));
    for (const char *const *e = endings + 1; first && *e; e++)
        failed |= link(target, fuzz_path(*e)) != 0;
    return failed ? -1 : 0;
}

#endif
