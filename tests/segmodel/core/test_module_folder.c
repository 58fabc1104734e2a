/* The folder of a program or library, however it was started and wherever the process has gone
 * since. test_module_folder LIBRARY, and by itself: test_module_folder "" WANTED */
#define _POSIX_C_SOURCE 200809L
#include "core/system.h"

#include "check.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROOM = 4096 };

static void folder_of_code(void) {}

static void check_own_folder(const char *wanted)
{
    char folder[ROOM];
    sgm_module_folder((const void *)folder_of_code, folder, sizeof folder);
    if (!CHECK(strcmp(folder, wanted) == 0))
        fprintf(stderr, "    wanted %s, got %s\n", wanted, folder);
}

/* In "/": a relative name would lead to a folder of somebody else. */
static int in_child(const char *wanted)
{
    CHECK(chdir("/") == 0);
    check_own_folder(wanted);
    return check_report();
}

/* Splits a path at its last separator; returns what follows. */
static char *split(char *path)
{
    char *end = strrchr(path, '/');
    *end = 0;
    return end + 1;
}

static void check_started(const char *folder, const char *file, const char *argument0)
{
    char wanted[ROOM + 8];
    int code = -1;
    snprintf(wanted, sizeof wanted, "%s/", folder);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (chdir(folder) == 0) execl(file, argument0, "", wanted, (char *)NULL);
        _exit(9);
    }
    CHECK(child > 0 && waitpid(child, &code, 0) == child && code == 0);
}

/* Loaded by a relative name, as a relative LD_LIBRARY_PATH does. */
static void check_library(char *library)
{
    char folder[ROOM], wanted[ROOM + 8];
    const char *reason, *file = split(library);
    snprintf(wanted, sizeof wanted, "%s/", library);
    CHECK(chdir(library) == 0 && chdir("..") == 0);
    char name[2 * ROOM];
    snprintf(name, sizeof name, ".%s/%s", strrchr(library, '/'), file);
    void *module = sgm_module_open(name, &reason);
    CHECK(chdir("/") == 0);
    if (!CHECK(module != NULL)) {
        fprintf(stderr, "    %s\n", reason);
        return;
    }
    const void *inside = sgm_module_symbol(module, "sgm_version");
    sgm_module_folder(inside, folder, sizeof folder);
    if (!CHECK(inside && strcmp(folder, wanted) == 0))
        fprintf(stderr, "    wanted %s, got %s\n", wanted, folder);
}

static void what_does_not_fit_is_not_cut(void)
{
    char folder[4] = "abc";
    sgm_module_folder((const void *)folder_of_code, folder, sizeof folder);
    CHECK(!folder[0]);
}

int main(int count, char **arguments)
{
    char path[ROOM];
    if (count == 3) return in_child(arguments[2]);
    if (count != 2) return 2;
    char *library = realpath(arguments[1], NULL);
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (!library || length <= 0) return 2;
    path[length] = 0;
    const char *file = split(path);
    char name[ROOM];
    snprintf(name, sizeof name, "./%s", file);
    check_started(path, name, name);
    check_started(path, name, file); /* as found through PATH */
    what_does_not_fit_is_not_cut();
    check_library(library);
    free(library);
    return check_report();
}
