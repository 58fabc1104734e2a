/* foreign_process LIBRARY MODEL: loads the library as Python or Slicer would, predicts, and looks
 * at what became of the process: its locale, signals, standard streams and threads' signal masks.
 */
#define _GNU_SOURCE
#include "check.h"

#include "segmodel/segmodel.h"

#include <dlfcn.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIDE = 64, SIGNALS = 65 };

/* The checks' own use of the library: the message. */
static const char *(*last_message)(void);
const char *sgm_last_message(void)
{
    return last_message ? last_message() : "";
}
const char *sgm_status_name(sgm_status status)
{
    (void)status;
    return "";
}

static void *find(void *library, const char *name)
{
    void *symbol = dlsym(library, name);
    CHECK(symbol != NULL);
    return symbol;
}

#define FIND(name) __typeof__(name) *const do_##name = (__typeof__(name) *)find(library, #name)

static void predict(void *library, const char *path)
{
    static uint8_t pixels[SIDE * SIDE];
    FIND(sgm_context_create);
    FIND(sgm_model_load);
    FIND(sgm_session_create);
    FIND(sgm_session_set_image);
    FIND(sgm_session_predict);
    FIND(sgm_session_destroy);
    FIND(sgm_model_destroy);
    FIND(sgm_context_destroy);
    if (check_failures) return;
    for (int i = 0; i < SIDE * SIDE; i++)
        pixels[i] = i / SIDE > 16 && i % SIDE > 16 ? 200 : 40;
    sgm_image image = {.data = pixels, .width = SIDE, .height = SIDE, .channels = 1};
    sgm_point point = {32, 24, SGM_FOREGROUND};
    sgm_prompt prompt = {.points = &point, .point_count = 1};
    sgm_context *context = NULL;
    sgm_model *model = NULL;
    sgm_session *session = NULL;
    sgm_mask mask = {0};
    CHECK_OK(do_sgm_context_create(NULL, &context));
    CHECK(do_sgm_model_load(context, "/no/such/file", NULL, &model) != SGM_OK);
    CHECK_OK(do_sgm_model_load(context, path, "lite_medsam", &model));
    if (CHECK_OK(do_sgm_session_create(model, &session)) &&
        CHECK_OK(do_sgm_session_set_image(session, &image)))
        CHECK_OK(do_sgm_session_predict(session, &prompt, NULL, &mask));
    CHECK(mask.width == SIDE);
    do_sgm_session_destroy(session);
    do_sgm_model_destroy(model);
    do_sgm_context_destroy(context);
}

static void read_signals(struct sigaction actions[SIGNALS])
{
    memset(actions, 0, SIGNALS * sizeof *actions);
    for (int n = 1; n < SIGNALS; n++)
        sigaction(n, NULL, &actions[n]);
}

static int same_action(const struct sigaction *a, const struct sigaction *b)
{
    int same = a->sa_handler == b->sa_handler && a->sa_flags == b->sa_flags;
    for (int n = 1; n < SIGNALS; n++)
        same &= sigismember(&a->sa_mask, n) == sigismember(&b->sa_mask, n);
    return same;
}

static off_t size_of(int descriptor)
{
    struct stat info;
    return fstat(descriptor, &info) == 0 ? info.st_size : -1;
}

int main(int argc, char **argv)
{
    static struct sigaction before[SIGNALS], after[SIGNALS];
    char name[] = "foreign_process.XXXXXX";
    char *locale = NULL;
    sigset_t blocked, blocked_after;
    if (argc != 3) return 2;
    setlocale(LC_ALL, "C.UTF-8");
    locale = strdup(setlocale(LC_ALL, NULL));
    int out = mkstemp(name), kept[2] = {dup(1), dup(2)};
    CHECK(out >= 0);
    unlink(name);
    fflush(NULL);
    dup2(out, 1);
    dup2(out, 2);
    read_signals(before);
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library) {
        last_message = (const char *(*)(void))dlsym(library, "sgm_last_message");
        predict(library, argv[2]);
    }
    read_signals(after);
    pthread_sigmask(SIG_BLOCK, NULL, &blocked_after);
    fflush(NULL);
    off_t written = size_of(out);
    dup2(kept[0], 1);
    dup2(kept[1], 2);
    if (!CHECK(library != NULL)) fprintf(stderr, "%s\n", dlerror());
    CHECK(written == 0);
    for (int n = 1; n < SIGNALS; n++)
        CHECK(same_action(&before[n], &after[n]));
    for (int n = 1; n < SIGNALS; n++)
        CHECK(sigismember(&blocked, n) == sigismember(&blocked_after, n));
    CHECK(strcmp(locale, setlocale(LC_ALL, NULL)) == 0);
    free(locale);
    return check_report();
}
