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

/* Every pattern has to be of some use, and how many tensors train is said. A mask prompt's layers
 * are the network's though a run that asks with points never reads them. */
static void check_patterns(void)
{
    static const char points[] = "window = whole\nobjects = class\ndraw = epochs\n"
                                 "augmentation = 0\nprompts = point\nloss = samus\n"
                                 "freeze = prompt_encoder.mask_downscaling.*\n";
    run r = run_of(NETWORK ONE_STEP "freeze = image_encodr.*\n", "run_patterns");
    CHECK_STATUS(train(&r), SGM_INVALID_ARGUMENT,
                 CONFIG ": freeze: no tensor of the network matches \"image_encodr.*\"");
    r = run_of(NETWORK ONE_STEP "freeze = image_encoder.*, , *.bais\n", "run_patterns");
    CHECK_STATUS(train(&r), SGM_INVALID_ARGUMENT, "\"*.bais\"");
    r = run_of(NETWORK ONE_STEP "train_only = *.bias, mask_decodr.*\n", "run_patterns");
    CHECK_STATUS(train(&r), SGM_INVALID_ARGUMENT, "train_only: no tensor");
    remove_folder(r.out);
    r = run_of(NETWORK ONE_STEP "train_only = mask_decoder.iou_token.weight\n", "run_patterns");
    CHECK_OK(train(&r));
    static const char said[] = "tensors that train: 1 (3.2e-05 million values); that stay: ";
    CHECK(!strncmp(r.first_event, said, sizeof said - 1));
    CHECK(atoi(r.first_event + sizeof said - 1) > 50);
    remove_folder(r.out);
    char text[2048];
    snprintf(text, sizeof text, NETWORK ONE_STEP "%s", points);
    r = run_of(text, "run_patterns");
    CHECK_OK(train(&r));
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
                     i ? NETWORK ONE_STEP "prompts = point\n" : ONE_STEP, KEYS[i], file);
            write_config(CONFIG, text);
            r.resume = resume;
            CHECK_STATUS(train(&r), SGM_INVALID_ARGUMENT, "which would overwrite it");
        }
    r = run_of(ONE_STEP "init = run_inputs/last.safetensors\n", "run_inputs2");
    CHECK_OK(train(&r));
    remove_folder(r.out);
    /* Not there from here, but from the settings: found, and an input all the same. */
    CHECK(mkdir("run_settings", 0777) == 0);
    write_config("run_settings/beside.cfg", ONE_STEP "init = ../run_inputs/last.safetensors\n");
    r.config = "run_settings/beside.cfg";
    CHECK_OK(train(&r));
    remove_folder(r.out);
    r.out = "run_inputs";
    r.resume = 1;
    CHECK_STATUS(train(&r), SGM_INVALID_ARGUMENT, "which would overwrite it");
    remove_folder("run_settings");
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

typedef enum change { NOTHING, PICTURES, LABELS } change;

/* A pack again, with names of its items, and one byte of every picture or label changed. */
static void copy_pack(const char *from, const char *to, change what)
{
    static uint8_t pixels[3 * PIXELS], mask[PIXELS];
    sgm_pack *pack;
    sgm_pack_writer *writer;
    int index;
    if (!CHECK_OK(sgm_pack_open(from, &pack)) || !CHECK_OK(sgm_pack_writer_open(to, 0, &writer)))
        return;
    CHECK_OK(sgm_pack_writer_set(writer, sgm_pack_set_at(pack, 0), &index));
    for (int i = 0; i < sgm_pack_item_count(pack); i++) {
        char id[16];
        sgm_pack_item item = *sgm_pack_item_at(pack, i);
        memcpy(pixels, item.image, sizeof pixels);
        memcpy(mask, item.label, sizeof mask);
        if (what == PICTURES) pixels[5] ^= 1;
        if (what == LABELS) mask[5] ^= 1;
        snprintf(id, sizeof id, "i%d", i);
        item.id = id;
        item.image = pixels;
        item.label = mask;
        CHECK_OK(sgm_pack_writer_item(writer, &item));
    }
    CHECK_OK(sgm_pack_writer_finish(writer));
    sgm_pack_close(pack);
}

#define FEATURES "run_features.safetensors"

/* `first`: the lines of the network. */
static sgm_status train_on_features(const char *first, const char *more, const char *pack)
{
    char text[2048];
    snprintf(text, sizeof text,
             "%s" ONE_STEP "window = whole\nobjects = class\ndraw = epochs\naugmentation = 0\n"
             "prompts = point\nfeatures = " FEATURES "\n%s",
             first, more);
    run r = run_of(text, "run_features");
    r.pack = pack;
    remove_folder(r.out);
    sgm_status status = train(&r);
    remove_folder(r.out);
    return status;
}

/* A file's tensors, with that one entry for metadata. */
static void copy_tensors(const sgm_checkpoint *file, const char *key, const char *value,
                         const char *to)
{
    sgm_checkpoint_writer *writer;
    CHECK_OK(sgm_checkpoint_writer_create(&writer));
    for (size_t i = 0; i < sgm_checkpoint_count(file); i++)
        CHECK_OK(sgm_checkpoint_writer_add(writer, sgm_checkpoint_tensor(file, i), SGM_STORED_F32));
    if (value) CHECK_OK(sgm_checkpoint_writer_metadata(writer, key, value));
    CHECK_OK(sgm_checkpoint_writer_save(writer, to));
    sgm_checkpoint_writer_destroy(writer);
}

/* FEATURES with other words about its origin; NULL: none. */
static void say_origin(const char *origin)
{
    sgm_checkpoint *file;
    if (!CHECK_OK(sgm_checkpoint_open(FEATURES, &file))) return;
    copy_tensors(file, "made_from", origin, "copy.safetensors");
    sgm_checkpoint_close(file);
    remove(FEATURES); /* rename replaces nothing on Windows */
    CHECK(rename("copy.safetensors", FEATURES) == 0);
}

/* Features are those of one encoder and of one pack's pictures, whatever their names and shapes. */
static void check_features(void)
{
    char shown[1024];
    static const char network[] = NETWORK;
    const char *at = strstr(network, "protocol=sam ");
    snprintf(shown, sizeof shown, "%.*sprotocol=medsam %s", (int)(at - network), network,
             at + strlen("protocol=sam "));
    unlink(FEATURES);
    CHECK_OK(train_on_features(NETWORK, "loss = samus\n", PACK)); /* made */
    CHECK_OK(train_on_features(NETWORK, "loss = msa\nrate = 1e-4\n", PACK));
    CHECK_STATUS(train_on_features(NETWORK, "loss = samus\nseed = 2\n", PACK), SGM_BAD_MODEL,
                 FEATURES " has features of another encoder");
    CHECK_STATUS(train_on_features(shown, "loss = samus\n", PACK), SGM_BAD_MODEL,
                 "another encoder");
    CHECK_OK(train_on_features(DEEPER_NETWORK, "loss = samus\n", PACK)); /* another decoder */
    copy_pack(PACK, "changed.pack", PICTURES);
    CHECK_STATUS(train_on_features(NETWORK, "loss = samus\n", "changed.pack"), SGM_BAD_MODEL,
                 "has features of other pictures");
    copy_pack(PACK, "changed.pack", LABELS);
    CHECK_OK(train_on_features(NETWORK, "loss = samus\n", "changed.pack"));
    say_origin(NULL);
    CHECK_STATUS(train_on_features(NETWORK, "loss = samus\n", PACK), SGM_BAD_MODEL,
                 FEATURES " does not say which encoder");
    say_origin("elsewhere");
    CHECK_OK(train_on_features(NETWORK, "loss = samus\nseed = 2\n", PACK));
    unlink(FEATURES);
    unlink("changed.pack");
}

/* A file that does not say what it is: what is taken for granted is said, and a word that is no
 * network's is refused; where the file says it, any word is a name. */
static void check_variant(void)
{
    static const char once[] = "steps = 1\nbatch = 1\nsynthetic = 1\nprior = 0\nwarmup = 0\n"
                               "interaction = 0\nvalidate_objects = 0\nfreeze = image_encoder.*\n"
                               "init = ";
    char text[1024];
    sgm_checkpoint *file;
    run r = run_of("architecture = tiny_vit_256\nsteps = 1\nbatch = 1\nsynthetic = 1\nprior = 0\n"
                   "interaction = 0\nvalidate_objects = 0\nfreeze = image_encoder.*\n",
                   "run_variant");
    remove_folder(r.out);
    if (!CHECK_OK(train(&r)) ||
        !CHECK_OK(sgm_checkpoint_open("run_variant/last.safetensors", &file)))
        return;
    copy_tensors(file, NULL, NULL, "nameless.safetensors");
    sgm_checkpoint_close(file);
    snprintf(text, sizeof text, "%snameless.safetensors\nvariant = tiny_vit256\n", once);
    r = run_of(text, "run_variant2");
    CHECK_STATUS(train(&r), SGM_BAD_MODEL, CONFIG ": no variant 'tiny_vit256'; there are: auto, ");
    CHECK_STATUS(train(&r), SGM_BAD_MODEL, ", tiny_vit_256");
    snprintf(text, sizeof text, "%snameless.safetensors\n", once);
    r = run_of(text, "run_variant2");
    remove_folder(r.out);
    CHECK_OK(train(&r));
    CHECK(strstr(r.first_event, "tiny_vit") && !strstr(r.first_event, "warm start"));
    r = run_of(NETWORK ONE_STEP, "run_variant");
    remove_folder(r.out);
    CHECK_OK(train(&r));
    snprintf(text, sizeof text, "%srun_variant/last.safetensors\nvariant = mine\n", once);
    r = run_of(text, "run_variant2");
    remove_folder(r.out);
    CHECK_OK(train(&r));
    CHECK(strstr(r.first_event, "warm start"));
    if (CHECK_OK(sgm_checkpoint_open("run_variant2/last.safetensors", &file))) {
        CHECK(!strcmp(sgm_checkpoint_metadata(file, "variant"), "mine"));
        sgm_checkpoint_close(file);
    }
    remove_folder("run_variant");
    remove_folder("run_variant2");
    unlink("nameless.safetensors");
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
    for (change what = PICTURES; what <= LABELS; what++) {
        copy_pack(PACK, "changed.pack", what);
        goes_on(same, "changed.pack", what == LABELS ? "the pack's labels" : "the pack's pictures");
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
    make_pack("unnamed.pack", 4, true);
    copy_pack("unnamed.pack", PACK, NOTHING);
    unlink("unnamed.pack");
    check_weights();
    check_patterns();
    check_outputs_stay();
    check_inputs_stay();
    check_leftovers();
    check_identity();
    check_features();
    check_variant();
    unlink(PACK);
    unlink(CONFIG);
    return check_report();
}
