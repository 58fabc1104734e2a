/* States of earlier versions and of other settings: gone on with as they were begun, or refused.
 * Runs in the current folder. */
#include "train_run.h"

#include "checkpoint/checkpoint_write.h"

#define PACK "test_resumed.pack"
#define CONFIG "resumed.cfg"
#define OUT "run_resumed"
#define STATE OUT "/state.safetensors"
#define ONE_STEP                                                                                   \
    "steps = 1\nbatch = 1\nwarmup = 0\nvalidate_objects = 0\nsave_every = 0\nclip = 0\n"
#define SYNTHETIC ONE_STEP "synthetic = 1\n"
#define WHOLE                                                                                      \
    ONE_STEP "synthetic = 0\nwindow = whole\nobjects = class\ndraw = epochs\naugmentation = 0\n"
#define VIT                                                                                        \
    " decoder_dim=64 decoder_heads=4 decoder_depth=2 decoder_mlp=64 embed=64 depth=2 heads=4 "     \
    "patch=8 window=4 pos_side=8 rel_window=7 rel_global=15 global=1\n"

/* Pictures with a bright square of class 1; of the last one the label has nothing. */
static void make_squares(int images, bool last_empty)
{
    static uint8_t pixels[PIXELS], labels[PIXELS];
    sgm_pack_writer *writer;
    sgm_pack_set set = {"squares", "none", "", false, false, false};
    int index = 0;
    CHECK_OK(sgm_pack_writer_open(PACK, 0, &writer));
    CHECK_OK(sgm_pack_writer_set(writer, &set, &index));
    for (int k = 0; k < images; k++) {
        char id[16];
        bool empty = last_empty && k + 1 == images;
        for (int i = 0; i < PIXELS; i++) {
            labels[i] = !empty && i % SIDE / 20 == 1 && i / SIDE / 20 == 1;
            pixels[i] = (uint8_t)(labels[i] ? 200 - k : 40 + i % 5);
        }
        snprintf(id, sizeof id, "i%d", k);
        sgm_pack_item item = {id, index, SGM_SPLIT_TRAIN, SIDE, SIDE, 1, 1, pixels, labels};
        CHECK_OK(sgm_pack_writer_item(writer, &item));
    }
    CHECK_OK(sgm_pack_writer_finish(writer));
}

/* A run with these settings into OUT; going on: into what is there. */
static sgm_status run_with(const char *settings, bool pack, bool goes_on)
{
    run r = {.device = SGM_DEVICE_CPU,
             .config = CONFIG,
             .pack = pack ? PACK : NULL,
             .out = OUT,
             .resume = goes_on};
    write_config(CONFIG, settings);
    if (!goes_on) remove_folder(OUT);
    return train(&r);
}

/* The text without the lines that begin with `key`, and with `line`, if there is one. */
static void change_lines(const char *text, const char *key, const char *line, char out[8192])
{
    size_t used = 0;
    out[0] = 0;
    for (; *text; text += strcspn(text, "\n") + (strchr(text, '\n') != NULL)) {
        int size = (int)strcspn(text, "\n");
        if (strncmp(text, key, strlen(key)) != 0)
            used += (size_t)snprintf(out + used, 8192 - used, "%.*s\n", size, text);
    }
    if (line) snprintf(out + used, 8192 - used, "%s\n", line);
}

/* The state as another version would have written it. Settings: without the lines that begin with
 * `key`, with `line`; key NULL: none at all. `network`: its words for the network, NULL: as they
 * are. */
static void change_state(const char *key, const char *line, const char *network)
{
    sgm_checkpoint *file;
    sgm_checkpoint_writer *writer;
    char settings[8192];
    if (!CHECK_OK(sgm_checkpoint_open(STATE, &file))) return;
    CHECK_OK(sgm_checkpoint_writer_create(&writer));
    for (size_t i = 0; i < sgm_checkpoint_count(file); i++)
        CHECK_OK(sgm_checkpoint_writer_add(writer, sgm_checkpoint_tensor(file, i), SGM_STORED_F32));
    for (size_t i = 0; i < sgm_checkpoint_metadata_count(file); i++) {
        sgm_metadata_entry e = sgm_checkpoint_metadata_at(file, i);
        bool of_settings = !strcmp(e.key, "training_settings");
        if (of_settings && !key) continue;
        if (of_settings) change_lines(e.value, key, line, settings);
        if (network && !strcmp(e.key, "training_run")) e.value = network;
        CHECK_OK(sgm_checkpoint_writer_metadata(writer, e.key, of_settings ? settings : e.value));
    }
    CHECK_OK(sgm_checkpoint_writer_save(writer, "changed.safetensors"));
    sgm_checkpoint_writer_destroy(writer);
    sgm_checkpoint_close(file);
    remove(STATE); /* rename replaces nothing on Windows */
    CHECK(rename("changed.safetensors", STATE) == 0);
}

/* What a state has learnt and this run does not train would be as it began. */
static void check_learnt(void)
{
#define MEDSAM "architecture = vit protocol=medsam image=64" VIT "loss = medsam\nprompts = box\n"
    if (!CHECK_OK(run_with(MEDSAM SYNTHETIC, false, false))) return;
    change_state(NULL, NULL, NULL);
    CHECK_STATUS(run_with(MEDSAM SYNTHETIC "train_only = family\n", false, true), SGM_BAD_MODEL,
                 STATE ": the state is of another run: it has learnt prompt_encoder.");
    CHECK_OK(run_with(MEDSAM SYNTHETIC, false, true));
}

/* What is made at random and never trained is made anew by each part of a run. */
static void check_made(void)
{
#define MSA                                                                                        \
    "architecture = msa protocol=msa image=64" VIT "loss = msa\nprompts = point\n" SYNTHETIC       \
    "freeze = image_encoder.*\n"
#define LATER "not trained, and made at random by a later rule"
#define CONTENT "content of what is not trained and made at the start"
    if (!CHECK_OK(run_with(MSA, false, false))) return;
    CHECK_OK(run_with(MSA, false, true));
    change_state(CONTENT, CONTENT " = 0123456789abcdef", NULL);
    CHECK_STATUS(run_with(MSA, false, true), SGM_BAD_MODEL,
                 "found \"" CONTENT " = 0123456789abcdef\"");
    change_state(CONTENT, NULL, NULL);
    CHECK_OK(run_with(MSA, false, true)); /* of a version that made it as this one */
    change_state(LATER, NULL, NULL);
    CHECK_STATUS(run_with(MSA, false, true), SGM_BAD_MODEL,
                 "wanted \"" LATER " = image_encoder.blocks.0.");
    change_state(NULL, NULL, NULL);
    CHECK_STATUS(run_with(MSA, false, true), SGM_BAD_MODEL, LATER);
    /* Loaded, or made by the rule that was always so. */
    CHECK(rename(OUT "/last.safetensors", "resumed.safetensors") == 0);
    static const char *const SAME[] = {MSA "init = resumed.safetensors\n",
                                       NETWORK SYNTHETIC "freeze = image_encoder.*\n"};
    for (int i = 0; i < 2; i++) {
        CHECK_OK(run_with(SAME[i], false, false));
        change_state(NULL, NULL, NULL);
        CHECK_OK(run_with(SAME[i], false, true));
    }
    unlink("resumed.safetensors");
}

/* Versions that drew no picture without an object had other epochs, if the pack has any. */
static void check_empty(void)
{
#define UNET                                                                                       \
    "architecture = unet protocol=unet image=64 mask_tokens=3 classes=2 width=4\nloss = samed\n"   \
    "prompts = none\n" WHOLE
    for (int empty = 0; empty < 2; empty++) {
        make_squares(3, empty);
        if (!CHECK_OK(run_with(UNET, true, false))) continue;
        CHECK_OK(run_with(UNET, true, true));
        change_state("pictures without an object", NULL, NULL);
        if (empty)
            CHECK_STATUS(run_with(UNET, true, true), SGM_BAD_MODEL,
                         "wanted \"pictures without an object = drawn\", found no such line");
        else
            CHECK_OK(run_with(UNET, true, true));
    }
    unlink(PACK);
}

/* Runs with clip_levels = 0 said the clipping form of their network once. */
static void check_unclipped(void)
{
#define SAMIHS                                                                                     \
    "architecture = samihs protocol=samihs image=64" VIT "loss = samihs\n"                         \
    "prompts = point\n" SYNTHETIC "clip_levels = 0\n"
    static const char form[] = "protocol=samihs_unclipped";
    char network[1024] = "";
    sgm_checkpoint *file;
    if (!CHECK_OK(run_with(SAMIHS, false, false)) || !CHECK_OK(sgm_checkpoint_open(STATE, &file)))
        return;
    const char *now = sgm_checkpoint_metadata(file, "training_run");
    const char *at = now ? strstr(now, form) : NULL;
    if (CHECK(at != NULL))
        snprintf(network, sizeof network, "%.*sprotocol=samihs%s", (int)(at - now), now,
                 at + strlen(form));
    sgm_checkpoint_close(file);
    change_state("clip_levels", "clip_levels = 1", network);
    CHECK_STATUS(run_with(SAMIHS, false, true), SGM_BAD_MODEL, "found \"clip_levels = 1\"");
    change_state("clip_levels", "clip_levels = 0", network);
    CHECK_OK(run_with(SAMIHS, false, true));
    CHECK_OK(run_with(SAMIHS, false, true)); /* which says it as it is */
}

int main(void)
{
    check_learnt();
    check_made();
    check_empty();
    check_unclipped();
    remove_folder(OUT);
    unlink(CONFIG);
    return check_report();
}
