#include "cli_cancel.h"

#include <string.h>
#include <unistd.h>

#include "cli_exit.h"

enum { MAX_TEMPORARIES = 16, MAX_PATH = 4096 };

volatile sig_atomic_t cli_cancel_flag;

/* A path counts only while its flag is set, and the flag is set last, so that the handler never
 * sees half a path. */
static char paths[MAX_TEMPORARIES][MAX_PATH];
static volatile sig_atomic_t in_use[MAX_TEMPORARIES];

static void on_signal(int number)
{
    (void)number;
    if (cli_cancel_flag) {
        cli_temporary_remove_all();
        _exit(CLI_EXIT_CANCELLED);
    }
    cli_cancel_flag = 1;
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

int cli_temporary_add(const char *path)
{
    if (strlen(path) >= MAX_PATH) return -1;
    for (int i = 0; i < MAX_TEMPORARIES; i++) {
        if (in_use[i]) continue;
        strcpy(paths[i], path);
        in_use[i] = 1;
        return 0;
    }
    return -1;
}

void cli_temporary_forget(const char *path)
{
    for (int i = 0; i < MAX_TEMPORARIES; i++)
        if (in_use[i] && strcmp(paths[i], path) == 0) in_use[i] = 0;
}

void cli_temporary_remove_all(void)
{
    for (int i = 0; i < MAX_TEMPORARIES; i++) {
        if (!in_use[i]) continue;
        in_use[i] = 0;
        unlink(paths[i]);
    }
}
