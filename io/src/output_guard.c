#define _GNU_SOURCE /* O_CLOEXEC */

#include "output_guard.h"

#include "output_recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ATTEMPTS = 100 };

/* In the moment before the lock another program may take the file for left behind, and remove it:
 * then once more. */
static int open_locked(const char *path)
{
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (descriptor < 0 && errno != EEXIST) return -1;
        if (descriptor >= 0 && sgio_lock_output(descriptor) == 0) return descriptor;
        if (descriptor >= 0) close(descriptor);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    errno = EBUSY;
    return -1;
}

static char *name_after(const char *temporary)
{
    size_t stem = strlen(temporary) - strlen(SGIO_PARTIAL_SUFFIX);
    char *path = malloc(stem + sizeof SGIO_JOURNAL_SUFFIX);
    if (!path) return NULL;
    memcpy(path, temporary, stem);
    strcpy(path + stem, SGIO_JOURNAL_SUFFIX);
    return path;
}

/* Both in the current folder where neither names one. */
static int same_folder(const char *a, const char *b)
{
    const char *x = strrchr(a, '/'), *y = strrchr(b, '/');
    size_t n = x ? (size_t)(x - a) : 0;
    return !x == !y && n == (y ? (size_t)(y - b) : 0) && memcmp(a, b, n) == 0;
}

sgio_guard *sgio_guard_folder(sgio_guards *guards, const char *temporary)
{
    for (size_t i = 0; i < guards->count; i++)
        if (same_folder(guards->items[i].path, temporary)) return &guards->items[i];
    sgio_guard *more = realloc(guards->items, (guards->count + 1) * sizeof *more);
    if (!more) return NULL;
    guards->items = more;
    sgio_guard *guard = &more[guards->count];
    guard->path = name_after(temporary);
    guard->descriptor = guard->path ? open_locked(guard->path) : -1;
    if (guard->descriptor < 0) {
        free(guard->path);
        return NULL;
    }
    guards->count++;
    return guard;
}

void sgio_guards_remove(sgio_guards *guards)
{
    for (size_t i = 0; i < guards->count; i++) {
        unlink(guards->items[i].path);
        close(guards->items[i].descriptor);
        free(guards->items[i].path);
    }
    free(guards->items);
    memset(guards, 0, sizeof *guards);
}
