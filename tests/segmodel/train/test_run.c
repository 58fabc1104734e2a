/* What a run refuses before it trains, and what it does with its folder. Runs in the current
 * folder. */
#include "train_run.h"

#include "checkpoint/checkpoint_write.h"

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

/* PACK again with one byte of every label, or of every picture, changed: the tables stay. */
static void change_pack(bool labels)
{
    static sgm_pack_item items[8];
    static uint8_t pixels[8][3 * PIXELS], masks[8][PIXELS];
    sgm_pack *pack;
    sgm_pack_writer *writer;
    int index;
    if (!CHECK_OK(sgm_pack_open(PACK, &pack)) ||
        !CHECK_OK(sgm_pack_writer_open("changed.pack", 0, &writer)))
        return;
    CHECK_OK(sgm_pack_writer_set(writer, sgm_pack_set_at(pack, 0), &index));
    for (int i = 0; i < sgm_pack_item_count(pack); i++) {
        items[i] = *sgm_pack_item_at(pack, i);
        memcpy(pixels[i], items[i].image, sizeof pixels[i]);
        memcpy(masks[i], items[i].label, sizeof masks[i]);
        items[i].image = pixels[i];
        items[i].label = masks[i];
        (labels ? masks[i] : pixels[i])[5] ^= 1;
        CHECK_OK(sgm_pack_writer_item(writer, &items[i]));
    }
    CHECK_OK(sgm_pack_writer_finish(writer));
    sgm_pack_close(pack);
}

/* The state as an earlier version wrote it. */
static void forget_settings(const char *path)
{
    static const char *const KEPT[] = {"training_run", "training_progress"};
    sgm_checkpoint *file;
    sgm_checkpoint_writer *writer;
    if (!CHECK_OK(sgm_checkpoint_open(path, &file))) return;
    CHECK_OK(sgm_checkpoint_writer_create(&writer));
    for (size_t i = 0; i < sgm_checkpoint_count(file); i++)
        CHECK_OK(sgm_checkpoint_writer_add(writer, sgm_checkpoint_tensor(file, i), SGM_STORED_F32));
    for (int i = 0; i < 2; i++)
        CHECK_OK(sgm_checkpoint_writer_metadata(writer, KEPT[i],
                                                sgm_checkpoint_metadata(file, KEPT[i])));
    CHECK(sgm_checkpoint_metadata(file, "training_settings") != NULL);
    CHECK_OK(sgm_checkpoint_writer_save(writer, "old_state.safetensors"));
    sgm_checkpoint_writer_destroy(writer);
    sgm_checkpoint_close(file);
    remove(path); /* rename replaces nothing on Windows */
    CHECK(rename("old_state.safetensors", path) == 0);
}

static void goes_on(const char *settings, const char *pack, const char *message)
{
    run r = run_of(settings, "run_resumed");
    r.resume = 1;
    r.pack = pack;
    if (message)
        CHECK_STATUS(train(&r), SGM_BAD_MODEL, message);
    else
        CHECK_OK(train(&r));
}

/* A run that would learn something else, or from something else, is another run. */
static void check_identity(void)
{
    static const char *const OTHERS[][2] = {
        {"loss = balanced\n", "wanted \"loss = balanced\", found \"loss = samus\""},
        {"loss = samus\nprompts = point\n", "wanted \"prompts = point\""},
        {"loss = samus\noptimizer = adam\n", "\"optimizer = adam\", found \"optimizer = adamw\""},
        {"loss = samus\nfreeze = image_encoder.neck.*\n", "found \"freeze = \""},
        {"loss = samus\nema = 0.5\n", "ema"},
        {"loss = samus\nlimit = 2\n", "limit = 2"}};
    char text[2048];
    run first = run_of(NETWORK ONE_STEP, "run_init");
    remove_folder(first.out);
    remove_folder("run_moved");
    if (!CHECK_OK(train(&first))) return;
    run r = run_of(ONE_STEP "loss = samus\ninit = run_init/last.safetensors\n", "run_resumed");
    remove_folder(r.out);
    if (!CHECK_OK(train(&r))) return;
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        snprintf(text, sizeof text, ONE_STEP "init = run_init/last.safetensors\n%s", OTHERS[i][0]);
        goes_on(text, PACK, OTHERS[i][1]);
    }
    goes_on(NETWORK ONE_STEP "loss = samus\n", PACK, "content of init = none");
    CHECK(rename("run_init", "run_moved") == 0); /* the same content */
    static const char same[] = ONE_STEP "loss = samus\ninit = run_moved/last.safetensors\n"
                                        "rate = 1e-5\nreport_every = 1\nclip = 2\n";
    for (int labels = 0; labels < 2; labels++) {
        change_pack(labels);
        goes_on(same, "changed.pack", labels ? "the pack's labels" : "the pack's pictures");
    }
    goes_on(same, PACK, NULL);
    forget_settings("run_resumed/state.safetensors"); /* what it says is still compared */
    goes_on(same, "changed.pack", NULL);
    snprintf(text, sizeof text, "%sseed = 2\n", same);
    goes_on(text, PACK, "another run");
    remove_folder("run_resumed");
    remove_folder("run_moved");
    unlink("changed.pack");
}

int main(void)
{
    make_pack(PACK, 4, true);
    check_weights();
    check_outputs_stay();
    check_inputs_stay();
    check_leftovers();
    check_identity();
    unlink(PACK);
    unlink(CONFIG);
    return check_report();
}
