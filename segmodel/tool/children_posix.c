#define _GNU_SOURCE
#include "children.h"

#include "tool.h"

#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int wait_for(pid_t child, double *peak)
{
    int code;
    struct rusage usage;
    if (wait4(child, &code, 0, &usage) != child) return EXIT_DEVICE;
    if (peak) *peak = 1024.0 * (double)usage.ru_maxrss;
    return WIFEXITED(code) ? WEXITSTATUS(code) : EXIT_DEVICE;
}

int child_copy(int (*work)(const void *), const void *argument, double *peak)
{
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) return EXIT_DEVICE;
    if (child == 0) _exit(work(argument));
    return wait_for(child, peak);
}

int child_anew(char *const arguments[])
{
    pid_t child;
    if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ) != 0) return -1;
    return wait_for(child, NULL);
}

void *child_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}
