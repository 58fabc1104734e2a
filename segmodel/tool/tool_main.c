/* segmodel: the model library's own program. One file per verb. */
#include "tool.h"

#include "core/status.h"
#include "core/system.h"

#ifdef _WIN32
#include "core/wide.h"
#endif

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *help;
    int (*run)(int argc, char **argv);
} verbs[] = {
    {"info", "what a model file holds; without a file: the known networks", verb_info},
    {"convert", "a PyTorch checkpoint to .safetensors", verb_convert},
    {"predict", "a mask for one image from points, a box or a mask", verb_predict},
    {"train", "trains or fine-tunes a model on a pack of images", verb_train},
    {"quality", "how good a model is on images it was not trained on", verb_quality},
    {"points", "fits how a lone point chooses its scale", verb_points},
    {"study", "how a model's answers depend on the prompts, with intervals", verb_study},
    {"unpack", "what xz packed, such as a compact training pack", verb_unpack},
    {"bench", "how fast a model runs on this machine", verb_bench},
    {"devices", "what this build and machine compute on", verb_devices},
};

enum { VERB_COUNT = sizeof verbs / sizeof *verbs };

static void print_usage(FILE *to)
{
    fprintf(to, "usage: segmodel VERB ...   (segmodel VERB --help explains it)\n\n");
    for (int i = 0; i < VERB_COUNT; i++)
        fprintf(to, "  %-10s %s\n", verbs[i].name, verbs[i].help);
}

void tool_progress(void *user, int done, int all)
{
    (void)user;
    if (!sgm_stderr_is_terminal()) return;
    fprintf(stderr, "\r%6d/%d%s", done, all, done == all ? "\n" : "");
}

void tool_say_assumption(const sgm_model *model)
{
    sgm_model_info info;
    sgm_model_get_info(model, &info);
    if (info.assumption[0]) printf("%s\n", info.assumption);
}

sgm_status tool_with_model(const sgm_context_options *device, const tool_model *given,
                           sgm_status (*use)(const void *job, sgm_model *model), const void *job)
{
    sgm_context *context;
    sgm_model *model;
    SGM_TRY(sgm_context_create(device, &context));
    sgm_status status =
        sgm_model_load_on(context, given->base, given->path, given->variant, &model);
    if (status == SGM_OK) {
        tool_say_assumption(model);
        status = use(job, model);
        sgm_model_destroy(model);
    }
    sgm_context_destroy(context);
    return status;
}

int tool_exit(sgm_status status)
{
    static const int codes[] = {[SGM_OK] = EXIT_DONE,
                                [SGM_INVALID_ARGUMENT] = EXIT_USAGE,
                                [SGM_UNREADABLE] = EXIT_INPUT,
                                [SGM_BAD_PROMPT] = EXIT_PROMPT,
                                [SGM_BAD_MODEL] = EXIT_MODEL,
                                [SGM_OUT_OF_MEMORY] = EXIT_DEVICE,
                                [SGM_DEVICE] = EXIT_DEVICE,
                                [SGM_UNWRITABLE] = EXIT_OUTPUT,
                                [SGM_CANCELLED] = EXIT_CANCELLED,
                                [SGM_INTERNAL] = EXIT_DEVICE};
    if (status != SGM_OK) fprintf(stderr, "segmodel: %s\n", sgm_last_message());
    return codes[status];
}

static int run(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--version")) {
        printf("segmodel %s\n", sgm_version());
        return EXIT_DONE;
    }
    if (argc >= 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        print_usage(stdout);
        return EXIT_DONE;
    }
    for (int i = 0; argc >= 2 && i < VERB_COUNT; i++)
        if (!strcmp(argv[1], verbs[i].name)) return verbs[i].run(argc - 1, argv + 1);
    if (argc >= 2) fprintf(stderr, "segmodel: no verb '%s'\n", argv[1]);
    print_usage(stderr);
    return EXIT_USAGE;
}

/* Results that were printed and did not arrive (a full disk behind stdout) are an error, unless
 * nobody reads them any more. */
static int finish(int code)
{
    errno = 0;
    const int arrived = fflush(stdout) == 0 && !ferror(stdout);
    if (arrived || code != EXIT_DONE || errno == EPIPE) return code;
    fprintf(stderr, "segmodel: cannot write to standard output\n");
    return EXIT_OUTPUT;
}

#ifdef _WIN32

/* Arguments come in UTF-16; all of us speaks UTF-8. */
int wmain(int argc, wchar_t **wide)
{
    char **argv = sgm_utf8_arguments(argc, wide);
    return argv ? finish(run(argc, argv)) : EXIT_DEVICE;
}

#else

int main(int argc, char **argv)
{
#ifdef SIGXFSZ /* a limit of file size is an output that cannot be written, not the end */
    signal(SIGXFSZ, SIG_IGN);
#endif
    return finish(run(argc, argv));
}

#endif
