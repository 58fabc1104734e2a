#include "tool.h"
#include "tool_options.h"

#include "core/system.h"
#include "segmodel/train.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int signal_number)
{
    (void)signal_number;
    stop_asked = 1;
}

static int stopped(void *user)
{
    (void)user;
    return stop_asked;
}

static void print_span(double seconds)
{
    long s = (long)(seconds + 0.5);
    printf(" %ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

static void print_report(void *user, const sgm_train_report *r)
{
    (void)user;
    if (r->event) {
        printf("step %" PRId64 ": %s\n", r->step, r->event);
    } else {
        printf("step %" PRId64 ", loss %.4f, rate %.2g, %.1f images/s, spent", r->step, r->loss,
               r->rate, r->samples_per_second);
        print_span(r->seconds);
        printf(", left");
        print_span(r->seconds_left);
        printf("; processor %.1f s, memory %.1f GiB at most\n", sgm_processor_time(),
               sgm_peak_memory() / (1 << 30));
    }
    fflush(stdout);
}

static void print_result(const sgm_train_result *r)
{
    printf("%" PRId64 " steps; ", r->step);
    if (r->best_score < 0)
        printf("no validation, so there is no best.safetensors: the model is last.safetensors");
    else
        printf("best validation score %.4f at step %" PRId64, r->best_score, r->best_step);
    puts(r->stopped_early ? "; stopped early" : "");
}

static sgm_status run(const sgm_context_options *device, sgm_train_options *options)
{
    sgm_context *context;
    sgm_train_result result;
    sgm_status status = sgm_context_create(device, &context);
    if (status != SGM_OK) return status;
    printf("training on %s\n", sgm_context_device(context));
    options->report = print_report;
    status = sgm_train(context, options, &result);
    if (status == SGM_OK) print_result(&result);
    sgm_context_destroy(context);
    return status;
}

int verb_train(int argc, char **argv)
{
    sgm_train_options train = {0};
    sgm_context_options device = {.cancel = stopped};
    bool resume = false, helped;
    const char *config[1] = {NULL};
    const option options[] = {
        {"--data", OPTION_TEXT, &train.data, NULL, "PACK", "what PromptSegPack made"},
        {"--out", OPTION_TEXT, &train.out, NULL, "DIR", "folder for models, log and curves"},
        {"--resume", OPTION_FLAG, &resume, NULL, NULL, "go on with the state in DIR"},
        {"--device", OPTION_DEVICE, &device.device, NULL, "auto|cpu|cuda", "where to compute"},
        {"--threads", OPTION_INT, &device.threads, NULL, "N", "default: one per core"},
        {0}};
    command_line line = {.usage = "segmodel train CONFIG --data PACK --out DIR [--resume]",
                         .help =
                             "Trains or fine-tunes a model. Interrupt it as you like: the state "
                             "is saved, and\n--resume goes on.",
                         .options = options,
                         .positional = config,
                         .positional_wanted = 1,
                         .positional_room = 1};
    sgm_status status = parse_options(argc, argv, &line, &helped);
    if (status != SGM_OK || helped) return tool_exit(status);
    if (!train.out) {
        fprintf(stderr, "segmodel: train needs --out DIR\n");
        return EXIT_USAGE;
    }
    train.config = config[0];
    train.resume = resume;
    signal(SIGINT, ask_to_stop);
    signal(SIGTERM, ask_to_stop);
    return tool_exit(run(&device, &train));
}
