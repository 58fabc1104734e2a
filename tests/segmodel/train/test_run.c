/* What a run refuses before it trains, and what it does with its folder. Runs in the current
 * folder. */
#include "train_run.h"

#include <stdlib.h>

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

int main(void)
{
    make_pack(PACK, 4, true);
    check_weights();
    unlink(PACK);
    unlink(CONFIG);
    return check_report();
}
