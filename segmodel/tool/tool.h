/* Shared by the verbs of the `segmodel` program. */
#ifndef SEGMODEL_TOOL_TOOL_H
#define SEGMODEL_TOOL_TOOL_H

#include "segmodel/segmodel.h"

#include <stdbool.h>

/* Exit codes of all programs of this project. */
enum {
    EXIT_DONE = 0,
    EXIT_USAGE = 1,
    EXIT_INPUT = 2,
    EXIT_PROMPT = 3,
    EXIT_MODEL = 4,
    EXIT_DEVICE = 5, /* or out of memory */
    EXIT_OUTPUT = 6,
    EXIT_CANCELLED = 130
};

/* Prints the thread's message on stderr unless `status` is SGM_OK; the exit code for it. */
int tool_exit(sgm_status status);

/* "12/300" on stderr, where that is a terminal. */
void tool_progress(void *user, int done, int all);

/* What was taken for granted about the model, as a line on stdout. */
void tool_say_assumption(const sgm_model *model);

/* A model as the command line names it; NULL for what is not given. */
typedef struct tool_model {
    const char *path, *base, *variant;
} tool_model;

/* Loads a model, hands it to `use` with `job`, and gives everything back. */
sgm_status tool_with_model(const sgm_context_options *device, const tool_model *given,
                           sgm_status (*use)(const void *job, sgm_model *model), const void *job);

/* A verb gets its own name as argv[0]. */
int verb_info(int argc, char **argv);
int verb_convert(int argc, char **argv);
int verb_predict(int argc, char **argv);
int verb_train(int argc, char **argv);
int verb_quality(int argc, char **argv);
int verb_points(int argc, char **argv);
int verb_study(int argc, char **argv);
int verb_bench(int argc, char **argv);
int verb_devices(int argc, char **argv);
int verb_unpack(int argc, char **argv);
/* `bench volume` and `bench train`, dispatched by verb_bench. */
int bench_volume(int argc, char **argv);
int bench_train(int argc, char **argv);

#endif
