/* What a run refuses before it trains, and what it does with its folder. Runs in the current
 * folder. */
#include "train_run.h"

#include <stdlib.h>
#include <time.h>

#define PACK "test_run.pack"
#define CONFIG "run.cfg"

/* One update, nothing validated, everything saved at the end. */
#define ONE_STEP                                                                                   \
    "steps = 1\nbatch = 2\nwarmup = 0\nvalidate_every = 0\nsave_every = 0\nvalidate_objects = 0\n" \
    "interaction = 0\nsynthetic = 0\n"

/* A run with these settings into the folder as it is. */
static run run_of(const char *settings, const char *out)
{
    write_config(CONFIG, settings);
    return (run){.device = SGM_DEVICE_CPU, .config = CONFIG, .pack = PACK, .out = out};
}

/* Where every set that has objects weighs 0 there is nothing to draw. */
static void check_weights(void)
{
    run r = run_of(NETWORK ONE_STEP "weight.synthetic = 0\n", "run_weights");
    CHECK_STATUS(train(&r), SGM_INVALID_ARGUMENT, CONFIG ": every data set");
    r = run_of(NETWORK ONE_STEP "weight.synthetic = 0.5\n", "run_weights");
    CHECK_OK(train(&r));
    remove_folder(r.out);
    r = run_of(NETWORK "steps = 1\nbatch = 2\nvalidate_objects = 0\nsynthetic = 1\n"
                       "weight.synthetic = 0\n",
               "run_weights");
    CHECK_OK(train(&r)); /* the pack is not drawn from */
    remove_folder(r.out);
}

static void join(const char *folder, const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", folder, name);
}

static bool is_there(const char *folder, const char *name)
{
    char path[256];
    join(folder, name, path);
    return access(path, F_OK) == 0;
}

static void put(const char *folder, const char *name, const char *text, long long age)
{
    char path[256];
    join(folder, name, path);
    write_config(path, text);
    CHECK(set_file_time(path, (long long)time(NULL) - age) == 0);
}

/* Nothing of an earlier run is overwritten, whatever of it is left. */
static void check_outputs_stay(void)
{
    static const char *const OUTPUTS[] = {"best.safetensors", "last.safetensors", "log.csv",
                                          "curves.png", "classes.csv"};
    run r = run_of(NETWORK ONE_STEP, "run_outputs");
    char message[300];
    remove_folder(r.out);
    CHECK(mkdir(r.out, 0777) == 0);
    for (size_t i = 0; i < sizeof OUTPUTS / sizeof *OUTPUTS; i++) {
        put(r.out, OUTPUTS[i], "mine", 0);
        join(r.out, OUTPUTS[i], message);
        strcat(message, " is already there");
        r.resume = 0;
        CHECK_STATUS(train(&r), SGM_INVALID_ARGUMENT, message);
        r.resume = 1;
        CHECK_STATUS(train(&r), SGM_INVALID_ARGUMENT, "but no state.safetensors");
        char path[256], text[8] = "";
        join(r.out, OUTPUTS[i], path);
        FILE *stream = fopen(path, "r");
        CHECK(stream && fgets(text, sizeof text, stream) && !strcmp(text, "mine"));
        if (stream) fclose(stream);
        CHECK(!is_there(r.out, "state.safetensors"));
        unlink(path);
    }
    put(r.out, "notes.txt", "mine", 0); /* other files are none of a run's business */
    r.resume = 1;
    if (CHECK_OK(train(&r))) CHECK(strstr(r.first_event, "run_outputs has no state to resume"));
    r.resume = 0;
    CHECK_STATUS(train(&r), SGM_INVALID_ARGUMENT, "state.safetensors is already there: resume it");
    remove_folder(r.out);
}

/* A run does not take a file for input that it would write. */
static void check_inputs_stay(void)
{
    static const char *const KEYS[] = {"init", "features", "given"};
    run r = run_of(NETWORK ONE_STEP, "run_inputs");
    remove_folder(r.out);
    if (!CHECK_OK(train(&r))) return;
    for (int resume = 0; resume < 2; resume++)
        for (int i = 0; i < 3; i++) {
            char text[1024];
            const char *file = i ? "best" : "last"; /* the one is there, the other is not */
            snprintf(text, sizeof text, "%s%s = ./run_inputs/../run_inputs/%s.safetensors\n",
                     i ? NETWORK ONE_STEP : ONE_STEP, KEYS[i], file);
            write_config(CONFIG, text);
            r.resume = resume;
            CHECK_STATUS(train(&r), SGM_INVALID_ARGUMENT, "which would overwrite it");
        }
    r = run_of(ONE_STEP "init = run_inputs/last.safetensors\n", "run_inputs2");
    CHECK_OK(train(&r));
    remove_folder(r.out);
    remove_folder("run_inputs");
}

/* What a killed run was writing goes when the folder is opened again; what is being written, and
 * what has another name, stays. */
static void check_leftovers(void)
{
    run r = run_of(NETWORK ONE_STEP, "run_leftovers");
    char own[64];
    remove_folder(r.out);
    CHECK(mkdir(r.out, 0777) == 0);
    snprintf(own, sizeof own, "best.safetensors.%ld-3.tmp", (long)getpid());
    put(r.out, "state.safetensors.999999998-0.tmp", "half", 600);
    put(r.out, "curves.png.999999998-1.tmp", "half", 600);
    put(r.out, "log.csv.999999998-0.tmp", "half", 0);
    put(r.out, "notes.txt.999999998-0.tmp", "half", 600);
    put(r.out, own, "half", 600);
    CHECK_OK(train(&r));
    CHECK(!is_there(r.out, "state.safetensors.999999998-0.tmp"));
    CHECK(!is_there(r.out, "curves.png.999999998-1.tmp"));
    CHECK(
        is_there(r.out, "log.csv.999999998-0.tmp")); /* just changed: perhaps on another machine */
    CHECK(is_there(r.out, "notes.txt.999999998-0.tmp") && is_there(r.out, own));
    remove_folder(r.out);
}

int main(void)
{
    make_pack(PACK, 4, true);
    check_weights();
    check_outputs_stay();
    check_inputs_stay();
    check_leftovers();
    unlink(PACK);
    unlink(CONFIG);
    return check_report();
}
