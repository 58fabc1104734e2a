#include "cli_cancel.h"

#include <string.h>
#include <unistd.h>

#include "cli_exit.h"

volatile sig_atomic_t cli_cancel_flag;

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
    if (cli_cancel_flag || at_once) leave();
    cli_cancel_flag = 1;
}

void cli_cancel_at_once(const char *program)
{
    at_once = program;
    if (program && cli_cancel_flag) leave();
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
}

int cli_cancelled(void *unused)
{
    (void)unused;
    return cli_cancel_flag;
}
