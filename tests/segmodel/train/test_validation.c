/* What a run does where there is little or nothing to validate on, and where that cannot be used.
 * Runs in the current folder. */
#include "train_run.h"

#include "train/train_config.h"

#include <math.h>
#include <stdlib.h>

#define PACK "test_validation.pack"
#define OUT "run_validation"
#define SHORT                                                                                      \
    "steps = 1\nbatch = 1\nsynthetic = 0\nwarmup = 0\nvalidate_every = 1\nvalidate_objects = 2\n"  \
    "report_every = 1\nsave_every = 0\n"

/* Answers with a map of two classes. */
#define CLASS_MAP                                                                                  \
    "architecture = unet protocol=unet image=64 mask_tokens=3 classes=2 width=4\n"                 \
    "norms = batch\nloss = samed\nprompts = none\nobjects = class\ntarget = low\nwindow = whole\n" \
    "draw = epochs\naugmentation = 0\nclip = 0\n"

typedef struct kept {
    bool held_out;
    sgm_split split;
    uint8_t label; /* of its one object */
} kept;

static const kept TRAINED = {false, SGM_SPLIT_TRAIN, 1};

/* One picture to train on, and `count` more. */
static void make_small_pack(const kept *more, int count)
{
    static uint8_t pixels[PIXELS], labels[PIXELS];
    sgm_pack_writer *writer;
    CHECK_OK(sgm_pack_writer_open(PACK, 0, &writer));
    for (int k = 0; k <= count; k++) {
        const kept *one = k ? &more[k - 1] : &TRAINED;
        char id[16];
        int index;
        for (int i = 0; i < PIXELS; i++) {
            int inside = abs(i % SIDE - 30) < 14 && abs(i / SIDE - 30) < 14;
            labels[i] = inside ? one->label : 0;
            pixels[i] = (uint8_t)(inside ? 200 : 40 + i % 5);
        }
        snprintf(id, sizeof id, "i%d", k);
        sgm_pack_set set = {k ? "more" : "first", "none", "", false, one->held_out, false};
        CHECK_OK(sgm_pack_writer_set(writer, &set, &index));
        sgm_pack_item item = {id, index, one->split, SIDE, SIDE, 1, 1, pixels, labels};
        CHECK_OK(sgm_pack_writer_item(writer, &item));
    }
    CHECK_OK(sgm_pack_writer_finish(writer));
}

static sgm_status train_on(const char *settings, const kept *more, int count, run *r)
{
    remove_folder(OUT);
    write_config("validation.cfg", settings);
    make_small_pack(more, count);
    *r = (run){.device = SGM_DEVICE_CPU, .config = "validation.cfg", .pack = PACK, .out = OUT};
    return train(r);
}

static bool is_there(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file) fclose(file);
    return file != NULL;
}

/* No best model, no score, and a sentence before the first step. */
static void check_none(const char *settings, const kept *more, int count, const char *event)
{
    run r;
    if (!CHECK_OK(train_on(settings, more, count, &r))) return;
    CHECK(r.result.best_score == -1 && r.result.step == 1);
    CHECK(!is_there(OUT "/best.safetensors") && is_there(OUT "/last.safetensors"));
    if (!CHECK(strstr(r.start, event) != NULL)) printf("    %s\n", r.start);
}

/* An object of a class that the network does not have is an error, not nothing to validate on. */
static void check_unknown_class(bool held_out)
{
    const kept other = {held_out, SGM_SPLIT_VALIDATION, 3};
    run r;
    CHECK_STATUS(train_on(CLASS_MAP SHORT, &other, 1, &r), SGM_UNREADABLE,
                 "more/i1 has a pixel of class 3; the network has 2");
}

#define STOPPED                                                                                    \
    NETWORK "steps = 6\nbatch = 2\nsynthetic = 0\nwarmup = 0\nvalidate_every = 2\n"                \
            "validate_objects = 6\nreport_every = 1\nsave_every = 4\nrate = 1e-3\n"

/* The next line: its step and what was validated, without seconds, rate, loss and norm, which tell
 * of the updates that a run has made itself; false at the end. */
static bool next_row(FILE *file, char row[512])
{
    if (!file || !fgets(row, 512, file)) return false;
    char *after_step = strchr(row, ','), *at = after_step;
    for (int i = 0; i < 4 && at; i++)
        at = strchr(at + 1, ',');
    if (CHECK(at != NULL)) memmove(after_step, at, strlen(at) + 1);
    return true;
}

static void check_same_log(void)
{
    char a[512], b[512];
    FILE *whole = fopen(OUT "_whole/log.csv", "r"), *broken = fopen(OUT "/log.csv", "r");
    int rows = 0;
    CHECK(whole && broken);
    while (next_row(whole, a)) {
        rows++;
        if (!CHECK(next_row(broken, b) && !strcmp(a, b))) fprintf(stderr, "    %s    %s", a, b);
    }
    CHECK(rows > 6 && !next_row(broken, b));
    if (whole) fclose(whole);
    if (broken) fclose(broken);
}

/* A validation is heard out by nobody who wants to stop, what was learnt before it is on the disk,
 * and the run that goes on validates as if nothing had been. */
static void check_stop(int64_t step, bool due_to_save)
{
    run whole = {.device = SGM_DEVICE_CPU, .config = "stop.cfg", .pack = PACK, .out = OUT "_whole"};
    run broken = whole;
    broken.out = OUT;
    broken.stop_at = step;
    remove_folder(whole.out);
    remove_folder(broken.out);
    write_config("stop.cfg", STOPPED);
    make_pack(PACK, 3, true);
    CHECK_OK(train(&whole));
    CHECK_STATUS(train(&broken), SGM_CANCELLED, NULL);
    CHECK(broken.saved_when_stopped == due_to_save);
    CHECK(step > 2 || !broken.later_event[0]); /* no score of a validation that did not end */
    broken.stop_at = 0;
    broken.resume = 1;
    CHECK_OK(train(&broken));
    CHECK(broken.result.best_score == whole.result.best_score);
    CHECK(broken.result.best_step == whole.result.best_step);
    check_same_file(&whole, &broken, "state.safetensors");
    check_same_file(&whole, &broken, "best.safetensors");
    check_same_file(&whole, &broken, "last.safetensors");
    check_same_metadata(&whole, &broken, "state.safetensors");
    check_same_metadata(&whole, &broken, "best.safetensors");
    check_same_metadata(&whole, &broken, "last.safetensors");
    check_same_log();
    remove_folder(whole.out);
    unlink("stop.cfg");
}

/* Few objects are not asked about hundreds of times; each batch may be cancelled; and the time left
 * has the validations in it: here each is as long as several updates. */
static void check_length(void)
{
    run r = {.device = SGM_DEVICE_CPU, .config = "length.cfg", .pack = PACK, .out = OUT};
    remove_folder(r.out);
    write_config("length.cfg", NETWORK "steps = 2\nbatch = 1\nsynthetic = 0\nvalidate_every = 1\n"
                                       "validate_objects = 4000\nreport_every = 1\n");
    make_pack(PACK, 2, true);
    CHECK_OK(train(&r));
    CHECK(r.asked >= 2 + 2 * 16 && r.asked < 400);
    if (!CHECK(r.first_left > 5 * r.first_spent))
        printf("    %g s left after %g s\n", r.first_left, r.first_spent);
    CHECK(r.last_left > 0); /* the last validation is still to come */
    unlink("length.cfg");
}

/* Where there is nothing, whatever a network that is asked for nothing finds counts as Dice 0: here
 * what looks like the object without being one. */
static void check_empty(void)
{
    static const char SOME[] =
        CLASS_MAP "steps = 40\nbatch = 1\nsynthetic = 0\nwarmup = 0\nvalidate_every = 0\n"
                  "validate_objects = 2\nsave_every = 0\nschedule = constant\nrate = 1e-2\n";
    static const kept HELD[] = {{false, SGM_SPLIT_VALIDATION, 1}, {false, SGM_SPLIT_VALIDATION, 0}};
    double score[2];
    run r;
    for (int i = 0; i < 2; i++) {
        if (!CHECK_OK(train_on(SOME, HELD, 1 + i, &r))) return;
        score[i] = r.result.best_score;
    }
    printf("Dice %.4f, with an empty picture %.4f\n", score[0], score[1]);
    CHECK(score[0] > 0.3 && fabs(score[1] - score[0] / 2) < 1e-9);
}

/* A picture with nothing on it is trained on too, where that is wanted. */
static void check_empty_draws(void)
{
    static const kept EMPTY[] = {{false, SGM_SPLIT_TRAIN, 0}, {false, SGM_SPLIT_TRAIN, 2}};
    static sgm_train_config c;
    sgm_pack *pack;
    make_small_pack(EMPTY, 2);
    CHECK_OK(sgm_train_config_parse(CLASS_MAP SHORT, "test.cfg", &c));
    sgm_sampler_options o = c.sampler;
    o.size = o.target_side = 64;
    o.protocol = c.model.protocol;
    o.model = &c.model;
    o.grid = (sgm_target_grid){64, 64, false};
    o.class_map = true;
    if (!CHECK_OK(sgm_pack_open(PACK, &pack))) return;
    for (int empty = 0; empty < 2; empty++) {
        sgm_sampler *sampler;
        sgm_batch batch;
        sgm_sampler_scratch scratch;
        int seen[3] = {0};
        o.empty = empty;
        if (!CHECK_OK(sgm_sampler_create(pack, &o, &sampler))) continue;
        CHECK_OK(sgm_batch_create(&o, 1, &batch));
        CHECK_OK(sgm_sampler_scratch_create(&o, &scratch));
        for (uint64_t i = 0; i < 6; i++) {
            CHECK_OK(sgm_sampler_draw(sampler, i, 0, &scratch, &batch));
            int item = batch.item[0];
            float most = 0;
            for (int k = 0; k < 64 * 64; k++)
                most = batch.target[k] > most ? batch.target[k] : most;
            CHECK(most == (float)(item == 0   ? 1
                                  : item == 1 ? 0
                                              : 2) &&
                  batch.label[0] == (int)most);
            seen[item]++;
        }
        CHECK(seen[1] == 2 * empty && seen[0] == 3 - empty && seen[2] == 3 - empty);
        sgm_sampler_scratch_clear(&scratch);
        sgm_batch_clear(&batch);
        sgm_sampler_destroy(sampler);
    }
    sgm_pack_close(pack);
}

static int count_lines(const char *path)
{
    FILE *file = fopen(path, "r");
    int lines = 0, c;
    while (file && (c = fgetc(file)) != EOF)
        lines += c == '\n';
    if (file) fclose(file);
    return lines;
}

/* A validation that drew no class, as its one object is a pixel that the network's picture misses,
 * is one: a run that goes on does not repeat it. */
static void check_nothing_drawn(void)
{
    enum { WIDE = 4 * SIDE };
    static uint8_t pixels[WIDE * WIDE], labels[WIDE * WIDE];
    run r = {.device = SGM_DEVICE_CPU, .config = "validation.cfg", .pack = PACK, .out = OUT};
    sgm_pack_writer *writer;
    sgm_pack_set set = {"set", "none", "", false, false, false};
    int index;
    remove_folder(OUT);
    CHECK_OK(sgm_pack_writer_open(PACK, 0, &writer));
    CHECK_OK(sgm_pack_writer_set(writer, &set, &index));
    for (int k = 0; k < 2; k++) {
        memset(labels, 0, sizeof labels);
        for (int i = 0; i < WIDE * WIDE; i++)
            labels[i] = k ? i == 0 : i % WIDE < 99;
        sgm_pack_item item = {
            k ? "b" : "a", index, k ? SGM_SPLIT_VALIDATION : SGM_SPLIT_TRAIN, WIDE, WIDE, 1, 1,
            pixels,        labels};
        CHECK_OK(sgm_pack_writer_item(writer, &item));
    }
    CHECK_OK(sgm_pack_writer_finish(writer));
    write_config("validation.cfg", CLASS_MAP SHORT);
    CHECK_OK(train(&r));
    CHECK(r.result.best_score == -1 && strstr(r.later_event, "no image that was drawn"));
    int lines = count_lines(OUT "/log.csv");
    r.resume = 1;
    CHECK_OK(train(&r));
    CHECK(lines > 1 && count_lines(OUT "/log.csv") == lines);
}

int main(void)
{
    static const kept EMPTY = {false, SGM_SPLIT_VALIDATION, 0}, SEEN = {false, SGM_SPLIT_TRAIN, 1};
    static const kept VAL = {false, SGM_SPLIT_VALIDATION, 1};
    static const kept HELD_OUT = {true, SGM_SPLIT_VALIDATION, 2};
    const kept both[2] = {HELD_OUT, VAL};
    const char *nothing =
        "no validation (no image of the split val has an object): there will be no "
        "best.safetensors, the model is last.safetensors";
    run r;
    check_none(NETWORK SHORT, &SEEN, 1, nothing);
    check_none(NETWORK SHORT, &EMPTY, 1, nothing);
    check_none(NETWORK SHORT, &HELD_OUT, 1, "what is held out is reported and chooses nothing");
    check_none(CLASS_MAP SHORT, &HELD_OUT, 1, "what is held out is reported and chooses nothing");
    check_none(NETWORK SHORT "patience = 1\n", &SEEN, 1, "patience does not end the run");
    check_none(NETWORK "steps = 1\nbatch = 1\nsynthetic = 0\nvalidate_objects = 0\n", &VAL, 1,
               "no validation (validate_objects is 0)");
    check_unknown_class(false);
    check_unknown_class(true);
    if (CHECK_OK(train_on(CLASS_MAP SHORT, both, 2, &r))) {
        CHECK(r.result.best_score >= 0 && is_there(OUT "/best.safetensors"));
        CHECK(!strstr(r.start, "no validation"));
        CHECK(!strncmp(r.later_event, "validation: Dice ", 17));
    }
    check_stop(2, false);
    check_stop(4, true);
    check_stop(6, true); /* of step 4 */
    check_length();
    check_nothing_drawn();
    check_empty();
    check_empty_draws();
    remove_folder(OUT);
    unlink("validation.cfg");
    unlink(PACK);
    return check_report();
}
