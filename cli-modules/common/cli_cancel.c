#include "cli_cancel.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "cli_exit.h"

/* Written by a signal, read by every thread: lock-free atomics serve both. */
static atomic_int came;

static const char *volatile at_once; /* the program's name while a signal ends it on the spot */

/* Async-signal-safe. */
static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0) return; /* nobody is left to be told */
}

static void leave(void)
{
    const char *program = at_once;
    if (program) {
        say(program);
        say(": cancelled\n");
    }
    _exit(CLI_EXIT_CANCELLED);
}

static void on_signal(int number)
{
    (void)number;
    if (came || at_once) leave();
    came = 1;
}

void cli_cancel_at_once(const char *program)
{
    at_once = program;
    if (program && came) leave();
}

static void catch_signal(int number)
{
    struct sigaction action, previous;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &previous) == 0 && previous.sa_handler == SIG_IGN) return;
    sigaction(number, &action, NULL);
}

void cli_cancel_install(void)
{
    catch_signal(SIGINT);
    catch_signal(SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

int cli_cancelled(void *unused)
{
    (void)unused;
    return came;
}
