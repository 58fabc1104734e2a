/* Training as the authors of families do: presets, whole pictures, given prompts, epochs, the image
 * bank, and small whole runs. argv[1]: the folder of presets. Runs in the current folder. */
#include "train_run.h"

#include "models/models.h"
#include "predict/picture/preprocess.h"
#include "train/asked_sample.h"
#include "train/bank.h"
#include "train/train_config.h"

#include <math.h>
#include <stdlib.h>

#define PACK "test_asked.pack"
enum { WIDE = 48, HIGH = 36, CLASSES = 3 };

/* Bright discs of three sizes, class 1 common and class 3 rare; items of both splits. */
static void make_classes(const char *path, int images)
{
    static uint8_t pixels[WIDE * HIGH], labels[WIDE * HIGH];
    sgm_pack_writer *writer;
    sgm_pack_set set = {"discs", "none", "", false, false, false};
    int index;
    CHECK_OK(sgm_pack_writer_open(path, 0, &writer));
    CHECK_OK(sgm_pack_writer_set(writer, &set, &index));
    for (int k = 0; k < 2 * images; k++) {
        char id[16];
        int kind = k % images == images - 1 ? 3 : k % 3 == 2 ? 2 : 1;
        int cx = 14 + k * 5 % 20, cy = 12 + k * 7 % 12, r = 4 + 2 * kind;
        for (int i = 0; i < WIDE * HIGH; i++) {
            int dx = i % WIDE - cx, dy = i / WIDE - cy;
            labels[i] = dx * dx + dy * dy < r * r ? (uint8_t)kind : 0;
            pixels[i] = (uint8_t)(labels[i] ? 120 + 40 * kind : 40 + (i * 7 + k) % 9);
        }
        snprintf(id, sizeof id, "i%d", k);
        sgm_pack_item item = {id,   0,      k < images ? SGM_SPLIT_TRAIN : SGM_SPLIT_VALIDATION,
                              WIDE, HIGH,   1,
                              1,    pixels, labels};
        CHECK_OK(sgm_pack_writer_item(writer, &item));
    }
    CHECK_OK(sgm_pack_writer_finish(writer));
}

static run new_run(const char *out, const char *settings)
{
    remove_folder(out);
    write_config("asked.cfg", settings);
    return (run){.device = SGM_DEVICE_CPU, .config = "asked.cfg", .pack = PACK, .out = out};
}

static void check_presets(const char *folder)
{
    DIR *list = opendir(folder);
    int count = 0;
    CHECK(list != NULL);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        char path[1024];
        sgm_train_config config;
        if (!strstr(entry->d_name, ".cfg")) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        CHECK_OK(sgm_train_config_read(path, &config));
        CHECK(config.model.family && config.sampler.window == SGM_VIEW_WHOLE && !config.clip);
        count++;
    }
    if (list) closedir(list);
    CHECK(count >= 9);
}

/* Every item once before any comes again, in another order each time. */
static void check_epochs(void)
{
    for (int64_t n = 1; n < 40; n++) {
        int seen[40] = {0}, moved = 0;
        for (int64_t i = 0; i < 2 * n; i++)
            seen[sgm_epoch_item(3, (uint64_t)(i / n), i % n, n)]++;
        for (int64_t i = 0; i < n; i++) {
            CHECK(seen[i] == 2);
            moved += sgm_epoch_item(3, 0, i, n) != sgm_epoch_item(3, 1, i, n);
        }
        CHECK(n < 8 || moved > 0);
    }
}

static void check_given(void)
{
    static const struct {
        const char *text, *message;
    } BAD[] = {{"i0,4\n", "three numbers"},        {"i0,4,5,2\n", "0 or 1"},
               {"nobody,4,5,1\n", "no such item"}, {"i0,4,x,1\n", "numbers between commas"},
               {"i0,9,9,3,3\n", "x0 < x1"},        {"i0,1,2,3,4,5\n", "at most four"},
               {"# nothing\n", "no prompt"},       {"i0\n", "must read"}};
    sgm_pack *pack;
    sgm_given_prompts *given;
    if (!CHECK_OK(sgm_pack_open(PACK, &pack))) return;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        write_config("given.csv", BAD[i].text);
        CHECK_STATUS(sgm_given_prompts_read("given.csv", pack, &given), SGM_UNREADABLE,
                     BAD[i].message);
    }
    write_config("given.csv", "i0,14,12,1 # a click\ndiscs/i0,1,1,0\n\ni1,3,4,20,30\n");
    if (CHECK_OK(sgm_given_prompts_read("given.csv", pack, &given))) {
        const sgm_given_prompt *g = sgm_given_prompt_of(given, 0);
        CHECK(g && g->point_count == 2 && g->points[1].label == SGM_BACKGROUND && !g->has_box);
        CHECK(sgm_given_tokens(given) == 3); /* two points and their padding */
        CHECK(!sgm_given_prompt_of(given, 2));
        sgm_given_prompts_destroy(given);
    }
    write_config("given.csv", "\xef\xbb\xbfi0,14,12,1 # an editor's mark\n\t# nothing\n");
    if (CHECK_OK(sgm_given_prompts_read("given.csv", pack, &given)))
        sgm_given_prompts_destroy(given);
    write_config("given.csv", "i#0,14,12,1\n"); /* a name, not a comment */
    CHECK_STATUS(sgm_given_prompts_read("given.csv", pack, &given), SGM_UNREADABLE, "\"i#0\"");
    unlink("given.csv");
    sgm_pack_close(pack);
}

/* An item's name alone will do only where no other data set has it. */
static void check_given_of_two_sets(void)
{
    static uint8_t pixels[WIDE * HIGH];
    static const char *const sets[2] = {"x", "y"};
    sgm_pack_writer *writer;
    sgm_given_prompts *given;
    sgm_pack *pack;
    CHECK_OK(sgm_pack_writer_open("twins.pack", 0, &writer));
    for (int i = 0; i < 2; i++) {
        int index;
        sgm_pack_set set = {sets[i], "", "", false, false, false};
        sgm_pack_item item = {"i", i, SGM_SPLIT_TRAIN, WIDE, HIGH, 1, 1, pixels, pixels};
        CHECK_OK(sgm_pack_writer_set(writer, &set, &index));
        CHECK_OK(sgm_pack_writer_item(writer, &item));
    }
    CHECK_OK(sgm_pack_writer_finish(writer));
    if (!CHECK_OK(sgm_pack_open("twins.pack", &pack))) return;
    CHECK_STATUS(sgm_given_prompts_parse("\ni,1,2,1\n", "p.csv", pack, &given), SGM_UNREADABLE,
                 "p.csv:2: the pack has several items of that name; write data set/item, found");
    if (CHECK_OK(sgm_given_prompts_parse("y/i,1,2,1\n", "p.csv", pack, &given))) {
        CHECK(!sgm_given_prompt_of(given, 0) && sgm_given_prompt_of(given, 1));
        sgm_given_prompts_destroy(given);
    }
    sgm_pack_close(pack);
    unlink("twins.pack");
}

enum { BOX_DRAWS = 6000, BOX_SIDE = 256 };

/* Mean, deviation and extremes of how far outwards a side of the box went. */
typedef struct side_numbers {
    double mean, deviation, least, most;
} side_numbers;

/* The four sides (left, top, right, bottom) of boxes that are drawn around a rectangle. */
static void draw_boxes(const sgm_sampler_options *o, int x0, int y0, int x1, int y1,
                       side_numbers sides[4])
{
    static uint8_t mask[BOX_SIDE * BOX_SIDE];
    static int32_t distance[BOX_SIDE * BOX_SIDE];
    const int tight[4] = {x0, y0, x1, y1};
    double sum[4] = {0}, squares[4] = {0};
    sgm_rng rng = sgm_rng_at(17, 1);
    memset(mask, 0, sizeof mask);
    for (int y = y0; y <= y1; y++)
        memset(mask + y * BOX_SIDE + x0, 1, (size_t)(x1 - x0 + 1));
    for (int s = 0; s < 4; s++)
        sides[s] = (side_numbers){0, 0, 1e9, -1e9};
    for (int n = 0; n < BOX_DRAWS; n++) {
        float coordinates[4];
        int32_t labels[2];
        sgm_asked_prompt(o, mask, &rng, distance, coordinates, labels);
        if (labels[0] != SGM_TOKEN_BOX_FIRST || labels[1] != SGM_TOKEN_BOX_SECOND) CHECK(false);
        for (int s = 0; s < 4; s++) {
            double at = (coordinates[s] + 1) / 2 * BOX_SIDE - 0.5; /* pixels */
            double out = (s < 2 ? -1 : 1) * (at - tight[s]);
            sum[s] += out;
            squares[s] += out * out;
            sides[s].least = fmin(sides[s].least, out);
            sides[s].most = fmax(sides[s].most, out);
        }
    }
    for (int s = 0; s < 4; s++) {
        sides[s].mean = sum[s] / BOX_DRAWS;
        sides[s].deviation = sqrt(squares[s] / BOX_DRAWS - sides[s].mean * sides[s].mean);
    }
}

/* SAM's boxes: a tenth of the side, at most 20 pixels, which makes 10.8 of 11.8 where the side has
 * 118 (the goldens' contract, 3.3); within the picture. MedSAM's: 0 to 20 whole pixels outwards. */
static void check_boxes(void)
{
    sgm_sampler_options o = {.size = BOX_SIDE,
                             .asked = SGM_ASKED_BOX,
                             .tokens = 2,
                             .sim = {.box_noise = 0.1},
                             .box_limit = 20};
    side_numbers s[4];
    draw_boxes(&o, 60, 80, 177, 139, s); /* 118 x 60 */
    for (int i = 0; i < 4; i++) {
        CHECK(fabs(s[i].mean) < 0.7); /* five errors of the mean */
        CHECK(fabs(s[i].deviation - (i % 2 ? 6.0 : 10.8)) < 0.5);
        CHECK(i % 2 || (fabs(s[i].least + 20) < 1e-3 && fabs(s[i].most - 20) < 1e-3));
    }
    draw_boxes(&o, 0, 80, 255, 139, s);
    CHECK(s[0].most < 1e-3 && s[2].most < 1e-3); /* no further than the picture */
    o.sim.box_noise = 0;
    o.box_limit = 0;
    o.box_shift = 20;
    draw_boxes(&o, 60, 80, 177, 139, s);
    for (int i = 0; i < 4; i++) {
        CHECK(fabs(s[i].mean - 10) < 0.4 && fabs(s[i].deviation - sqrt(440 / 12.0)) < 0.2);
        CHECK(fabs(s[i].least) < 1e-3 && fabs(s[i].most - 20) < 1e-3);
    }
}

/* A whole picture is what prediction shows; mask, target and point lie where it does. */
static void check_whole(void)
{
    sgm_model_config model;
    sgm_pack *pack;
    sgm_sampler *sampler;
    sgm_batch batch;
    sgm_sampler_scratch scratch;
    CHECK_OK(sgm_config_parse("tiny_vit protocol=sam norm=layer image=32 decoder_dim=32 "
                              "decoder_heads=4 decoder_depth=2 decoder_mlp=64 mask_tokens=4 "
                              "stem_kernel=3 stem_strides=2,1 dims=16,24,32,32 depths=1,1,1,1 "
                              "heads=1,1,1,1 windows=8,8,8,8 merge_strides=2,1,1 expand=2 "
                              "mlp_ratio=2",
                              &model));
    if (!CHECK_OK(sgm_pack_open(PACK, &pack))) return;
    for (int mirrored = 0; mirrored < 2; mirrored++) {
        sgm_sampler_options o = {.size = 32,
                                 .target_side = 32,
                                 .protocol = model.protocol,
                                 .model = &model,
                                 .augmentation = mirrored,
                                 .window = SGM_VIEW_WHOLE,
                                 .asked = SGM_ASKED_POINT,
                                 .kinds = SGM_OBJECTS_CLASS,
                                 .draws = SGM_DRAWS_EPOCHS,
                                 .grid = {32, 32, false},
                                 .tokens = 2};
        if (!CHECK_OK(sgm_sampler_create(pack, &o, &sampler))) continue;
        CHECK_OK(sgm_batch_create(&o, 1, &batch));
        CHECK_OK(sgm_sampler_scratch_create(&o, &scratch));
        for (uint64_t k = 0; k < 12; k++) {
            static float input[3 * 32 * 32];
            sgm_frame frame;
            CHECK_OK(sgm_sampler_draw(sampler, k, 0, &scratch, &batch));
            const sgm_pack_item *item = sgm_pack_item_at(pack, batch.item[0]);
            sgm_image image = {.data = item->image, .width = WIDE, .height = HIGH, .channels = 1};
            CHECK_OK(sgm_preprocess(&model, &image, input, &frame));
            if (!mirrored) CHECK(!memcmp(input, batch.image, sizeof input));
            int x = (int)((batch.coords[0][0] + 1) * 16), y = (int)((batch.coords[0][1] + 1) * 16);
            CHECK(batch.labels[0][0] == SGM_TOKEN_FOREGROUND &&
                  batch.labels[0][1] == SGM_TOKEN_PADDING);
            CHECK(batch.target[y * 32 + x] == 1);
            CHECK(batch.label[0] >= 1 && batch.label[0] <= CLASSES);
            for (int i = frame.resized.height * 32; i < 32 * 32; i++)
                CHECK(batch.target[i] == 0); /* beside the picture */
        }
        sgm_sampler_scratch_clear(&scratch);
        sgm_batch_clear(&batch);
        sgm_sampler_destroy(sampler);
    }
    sgm_pack_close(pack);
}

static uint64_t bank_key(const char *text)
{
    uint64_t key = 0xCBF29CE484222325u;
    for (; *text; text++)
        key = (key ^ (uint8_t)*text) * 0x100000001B3u;
    return key ^ 1;
}

/* A run of the contract (protocols.json, image_bank): classes are drawn as often as they are. */
typedef struct bank_run {
    const char *key;
    int batch, joining, steps, frequency[7];
    int from_batch[7], from_both[7]; /* the contract's counts */
} bank_run;

/* Class of the n-th picture: a draw among the frequencies. */
static int class_drawn(const bank_run *r, uint64_t n)
{
    uint64_t key = bank_key(r->key) ^ 0x5A5A, total = 0;
    for (int c = 0; c < 7; c++)
        total += (uint64_t)r->frequency[c];
    uint64_t at = sgm_rng_mix(key + (n + 1) * 0x9E3779B97F4A7C15u) % total;
    for (int c = 0;; c++) {
        if (at < (uint64_t)r->frequency[c]) return c + 1;
        at -= (uint64_t)r->frequency[c];
    }
}

/* The bank raises rare classes to the level of the others: how often each class comes is the
 * contract's to the last picture, and from the step on in which all are there, the bank gives each
 * the same share, whatever its share of the pictures. */
static void check_bank_raises(const bank_run *r)
{
    int seen[7] = {0}, both[7] = {0}, level[7] = {0}, total = 0, classes = 0, wanted = 0;
    sgm_bank bank;
    if (!CHECK_OK(sgm_bank_create(7, r->batch * r->steps, &bank))) return;
    for (int c = 0; c < 7; c++)
        wanted += r->from_batch[c] > 0;
    for (int step = 0; step < r->steps; step++) {
        for (int i = 0; i < r->batch; i++) {
            int item = step * r->batch + i, label = class_drawn(r, (uint64_t)item);
            sgm_bank_put(&bank, item, label);
            classes += !seen[label - 1]++;
            both[label - 1]++;
        }
        for (int i = 0; i < r->joining; i++) {
            int label = sgm_bank_pick(&bank, bank_key(r->key), (uint64_t)(step * 1024 + i));
            both[label - 1]++;
            level[label - 1] += classes == wanted;
            total += classes == wanted;
        }
    }
    for (int c = 0; c < 7; c++) {
        CHECK(seen[c] == r->from_batch[c] && both[c] == r->from_both[c]);
        double mean = (double)total / wanted; /* four deviations of a fair draw */
        if (seen[c]) CHECK(fabs(level[c] - mean) <= 4 * sqrt(mean));
    }
    sgm_bank_clear(&bank);
}

/* The contract's runs (protocols.json, image_bank a): what is appended in the first steps. */
static void check_bank(void)
{
    static const int BATCH[4][4][2] = {{{0, 1}, {1, 1}, {2, 1}, {3, 3}},
                                       {{4, 1}, {5, 1}, {6, 2}, {7, 1}},
                                       {{8, 1}, {9, 4}, {10, 1}, {11, 1}},
                                       {{12, 3}, {13, 1}, {14, 1}, {15, 3}}};
    static const int APPENDED[4][4] = {{2, 3, 3, 3}, {7, 6, 3, 6}, {3, 11, 9, 11}, {14, 6, 14, 9}};
    static const bank_run RUNS[] = {{"bank:a",
                                     4,
                                     4,
                                     200,
                                     {400, 200, 100, 50, 20, 8, 2},
                                     {402, 206, 96, 65, 23, 7, 1},
                                     {524, 329, 237, 200, 115, 134, 61}},
                                    {"bank:b",
                                     8,
                                     2,
                                     200,
                                     {1, 1, 1, 1, 1, 1, 1},
                                     {250, 242, 227, 234, 212, 227, 208},
                                     {316, 302, 277, 302, 264, 281, 258}},
                                    {"bank:c",
                                     2,
                                     4,
                                     50,
                                     {97, 0, 0, 0, 0, 0, 3},
                                     {96, 0, 0, 0, 0, 0, 4},
                                     {231, 0, 0, 0, 0, 0, 69}}};
    sgm_bank bank;
    uint64_t key = bank_key("bank:a");
    for (size_t i = 0; i < sizeof RUNS / sizeof *RUNS; i++)
        check_bank_raises(&RUNS[i]);
    if (!CHECK_OK(sgm_bank_create(7, 1000, &bank))) return;
    CHECK(sgm_bank_pick(&bank, key, 0) == 0);
    for (int step = 0; step < 4; step++) {
        for (int i = 0; i < 4; i++)
            sgm_bank_put(&bank, BATCH[step][i][0], BATCH[step][i][1]);
        for (int i = 0; i < 4; i++) {
            int label = sgm_bank_pick(&bank, key, (uint64_t)(step * 1024 + i));
            CHECK(label && bank.slots[label - 1].item == APPENDED[step][i]);
        }
    }
    char *text = sgm_bank_text(&bank);
    sgm_bank again;
    CHECK_OK(sgm_bank_create(7, 1000, &again));
    CHECK_OK(sgm_bank_read(&again, text));
    CHECK(!memcmp(again.slots, bank.slots, 7 * sizeof *bank.slots));
    CHECK_STATUS(sgm_bank_read(&again, "0 1"), SGM_BAD_MODEL, "damaged");
    sgm_bank_clear(&again);
    free(text);
    sgm_bank_clear(&bank);
}

#define ASKED                                                                                      \
    "window = whole\nobjects = class\ndraw = epochs\nsynthetic = 0\naugmentation = 0\n"            \
    "warmup = 2\nvalidate_every = 0\nclip = 0\n"

/* A run that goes on where it was broken off is the same to the bit: what batch norms have gathered
 * and the image bank included. Tensors that are not to be trained stay. */
static void check_resume(void)
{
    static const char settings[] =
        "architecture = tiny_vit protocol=sam norm=batch image=32 decoder_dim=32 decoder_heads=4 "
        "decoder_depth=2 decoder_mlp=64 mask_tokens=4 stem_kernel=3 stem_strides=2,1 "
        "dims=16,24,32,32 depths=1,1,1,1 heads=1,1,1,1 windows=8,8,8,8 merge_strides=2,1,1 "
        "expand=2 mlp_ratio=2\n" ASKED "prompts = point\nloss = samus\nnorms = batch\nsteps = 8\n"
        "batch = 2\nbank = 2\nsave_every = 0\nreport_every = 1\ntrain_only = image_encoder.*\n";
    run whole = new_run("asked_whole", settings), broken = new_run("asked_broken", settings);
    broken.stop_at = 4;
    CHECK_OK(train(&whole));
    CHECK_STATUS(train(&broken), SGM_CANCELLED, NULL);
    broken.stop_at = 0;
    broken.resume = 1;
    CHECK_OK(train(&broken));
    check_same_file(&whole, &broken, "last.safetensors");
    sgm_checkpoint *model = open_saved(&whole, "last.safetensors");
    const sgm_stored_tensor *gathered =
        model ? sgm_checkpoint_find(model, "image_encoder.patch_embed.seq.0.bn.running_var") : NULL;
    float values[64];
    if (CHECK(gathered && gathered->count <= 64)) {
        sgm_stored_tensor_read_f32(gathered, values);
        CHECK(values[0] != 1); /* as a fresh one has it */
    }
    sgm_checkpoint_close(model);
    FILE *table = fopen("asked_whole/classes.csv", "r");
    char line[128] = "";
    long drawn = 0, joined = 0, classes = 0;
    while (table && fgets(line, sizeof line, table)) {
        long a, b;
        if (sscanf(line, "%*d,,%ld,%ld", &a, &b) != 2) continue;
        drawn += a;
        joined += b;
        classes++;
    }
    if (table) fclose(table);
    CHECK(classes == CLASSES && drawn == 16 && joined == 16);
    remove_folder("asked_whole");
    remove_folder("asked_broken");
}

/* What was trained with points alone is a whole network: its layers for mask prompts are there. */
static void check_model(const run *r)
{
    sgm_context *context;
    sgm_model *model = NULL;
    char path[512];
    snprintf(path, sizeof path, "%s/best.safetensors", r->out);
    CHECK_OK(sgm_context_create(NULL, &context));
    CHECK_OK(sgm_model_load(context, path, NULL, &model));
    sgm_model_destroy(model);
    sgm_context_destroy(context);
}

/* Twice the same table, and better than at the start. */
static void check_learns(void)
{
    double score[2];
    for (int i = 0; i < 2; i++) {
        run r = new_run("asked_learns", NETWORK ASKED
                        "prompts = point\nloss = samus\ndeepest = 0\nsteps = 60\nbatch = 4\n"
                        "rate = 2e-3\nsave_every = 0\nvalidate_objects = 16\nreport_every = 6\n");
        if (!CHECK_OK(train(&r))) return;
        CHECK(r.loss[r.losses - 1] < 0.7 * r.loss[0]);
        score[i] = r.result.best_score;
        check_model(&r);
        remove_folder("asked_learns");
    }
    printf("one point, whole pictures: Dice %.4f\n", score[0]);
    CHECK(score[0] == score[1] && score[0] > 0.6);
}

static void refused(const char *settings, sgm_status status, const char *message)
{
    char text[4096];
    snprintf(text, sizeof text, "%s" ASKED "steps = 1\nbatch = 2\nsave_every = 0\n%s", NETWORK,
             settings);
    run r = new_run("asked_refused", text);
    CHECK_STATUS(train(&r), status, message);
    remove_folder("asked_refused");
}

static void check_refusals(void)
{
    refused("prompts = class\nloss = samus\n", SGM_INVALID_ARGUMENT, "not prompted by a class");
    refused("prompts = none\nloss = samus\n", SGM_INVALID_ARGUMENT, "wants prompts");
    refused("prompts = point\nloss = samed\n", SGM_INVALID_ARGUMENT, "a mask per class");
    refused("prompts = point\nloss = surgicalsam\n", SGM_INVALID_ARGUMENT, "features = FILE");
    refused("prompts = point\nloss = samus\nnorms = batch\n", SGM_INVALID_ARGUMENT,
            "no batch norm");
    refused("prompts = point\nloss = samus\nfreeze = *\n", SGM_INVALID_ARGUMENT,
            "leave nothing to train");
    refused("prompts = point\nloss = samus\ntrain_only = nothing.*\n", SGM_INVALID_ARGUMENT,
            "train_only: no tensor of the network matches \"nothing.*\"");
    refused("prompts = point\nloss = samus\ntrain_only = mask_decoder.*, image_encodr.*\n",
            SGM_INVALID_ARGUMENT, "\"image_encodr.*\"");
    refused("prompts = point\nloss = samus\ntarget = 7\n", SGM_UNREADABLE, "target must be");
    refused("loss = msa\n", SGM_INVALID_ARGUMENT, "one kind of prompt");
    refused("bank = 3\n", SGM_INVALID_ARGUMENT, "not for prompts = mixed");
    refused("prompts = point\nloss = samus\nbank = 9\n", SGM_INVALID_ARGUMENT,
            "the pack has 8 objects to draw");
}

int main(int argc, char **argv)
{
    make_classes(PACK, 8);
    check_presets(argc > 1 ? argv[1] : ".");
    check_epochs();
    check_given();
    check_given_of_two_sets();
    check_boxes();
    check_whole();
    check_bank();
    check_refusals();
    check_resume();
    check_learns();
    unlink(PACK);
    unlink("asked.cfg");
    return check_report();
}
