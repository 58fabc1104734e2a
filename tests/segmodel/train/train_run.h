/* Small whole training runs for tests: a network that learns in seconds, images to learn from, a
 * run that stops where it is told to, and the comparison of what two runs have saved. Everything
 * lies in the current folder. */
#ifndef SEGMODEL_TESTS_TRAIN_RUN_H
#define SEGMODEL_TESTS_TRAIN_RUN_H

#include "../check.h"
#include "../portable.h"
#include "checkpoint/checkpoint.h"
#include "core/status.h"
#include "segmodel/train.h"
#include "train/pack.h"
#include "train/synth.h"

/* The first lines of the settings. */
#define NETWORK                                                                                    \
    "architecture = tiny_vit protocol=sam norm=layer image=32 decoder_dim=32 decoder_heads=4 "     \
    "decoder_depth=2 decoder_mlp=64 mask_tokens=4 stem_kernel=3 stem_strides=2,1 "                 \
    "dims=16,24,32,32 "                                                                            \
    "depths=1,1,1,1 heads=1,1,1,1 windows=8,8,8,8 merge_strides=2,1,1 expand=2 mlp_ratio=2\n"

/* The same with a third layer in the decoder. */
#define DEEPER_NETWORK                                                                             \
    "architecture = tiny_vit protocol=sam norm=layer image=32 decoder_dim=32 decoder_heads=4 "     \
    "decoder_depth=3 decoder_mlp=64 mask_tokens=4 stem_kernel=3 stem_strides=2,1 "                 \
    "dims=16,24,32,32 "                                                                            \
    "depths=1,1,1,1 heads=1,1,1,1 windows=8,8,8,8 merge_strides=2,1,1 expand=2 mlp_ratio=2\n"

/* The same with two blocks more in the encoder. */
#define DEEPER_ENCODER                                                                             \
    "architecture = tiny_vit protocol=sam norm=layer image=32 decoder_dim=32 decoder_heads=4 "     \
    "decoder_depth=2 decoder_mlp=64 mask_tokens=4 stem_kernel=3 stem_strides=2,1 "                 \
    "dims=16,24,32,32 "                                                                            \
    "depths=1,1,2,2 heads=1,1,1,1 windows=8,8,8,8 merge_strides=2,1,1 expand=2 mlp_ratio=2\n"

enum { RUN_LOSSES = 10, SIDE = 64, PIXELS = SIDE * SIDE };

typedef struct run {
    sgm_device device;
    const char *config, *pack, *out;
    int resume;
    int64_t stop_at; /* the cancel callback says stop after this step; 0: never */
    int64_t step;
    int asked;               /* how often the cancel callback was */
    bool stopped;            /* it said stop */
    bool saved_when_stopped; /* the state lay in `out` when it first said stop */
    double loss[RUN_LOSSES]; /* as reported */
    int losses;
    double first_left, first_spent; /* seconds, of the first report */
    double last_left;               /* of the last one */
    char first_event[640];
    char start[1024];      /* the events before the first step, a line each */
    char later_event[640]; /* the first one after it */
    sgm_train_result result;
} run;

static inline int run_stops(void *user)
{
    run *r = user;
    char state[512];
    bool stops = r->stop_at && r->step >= r->stop_at;
    snprintf(state, sizeof state, "%s/state.safetensors", r->out);
    if (stops && !r->stopped) r->saved_when_stopped = access(state, F_OK) == 0;
    r->asked++;
    r->stopped |= stops;
    return stops;
}

static inline void run_note(void *user, const sgm_train_report *report)
{
    run *r = user;
    r->step = report->step;
    if (report->event && !r->first_event[0])
        snprintf(r->first_event, sizeof r->first_event, "%s", report->event);
    if (report->event && !report->step)
        snprintf(r->start + strlen(r->start), sizeof r->start - strlen(r->start), "%s\n",
                 report->event);
    if (report->event && report->step && !r->later_event[0])
        snprintf(r->later_event, sizeof r->later_event, "%s", report->event);
    if (!report->event && !r->losses) r->first_left = report->seconds_left;
    if (!report->event && !r->losses) r->first_spent = report->seconds;
    if (!report->event) r->last_left = report->seconds_left;
    if (!report->event && r->losses < RUN_LOSSES) r->loss[r->losses++] = report->loss;
}

static inline sgm_status train(run *r)
{
    sgm_context *context;
    sgm_context_options how = {.device = r->device,
                               .precision = SGM_PRECISION_FP32,
                               .threads = 2,
                               .cancel = run_stops,
                               .cancel_user = r};
    SGM_TRY(sgm_context_create(&how, &context));
    sgm_train_options options = {r->config, r->pack, r->out, r->resume, run_note, r};
    sgm_status status = sgm_train(context, &options, &r->result);
    sgm_context_destroy(context);
    return status;
}

static inline void write_config(const char *path, const char *text)
{
    FILE *stream = fopen(path, "w");
    CHECK(stream && fputs(text, stream) >= 0 && fclose(stream) == 0);
}

/* A pack of `images` synthetic images to train on and as many to validate on: others, or, where
 * what is learnt by heart is to be asked back, the same ones. */
static inline void make_pack(const char *path, int images, bool others)
{
    static float image[3 * PIXELS], scratch[SGM_SYNTH_SCRATCH(SIDE)];
    static uint8_t pixels[3 * PIXELS], mask[PIXELS];
    sgm_pack_writer *writer;
    sgm_pack_set set = {"synthetic", "none", "", false, false, false};
    int index;
    CHECK_OK(sgm_pack_writer_open(path, 0, &writer));
    CHECK_OK(sgm_pack_writer_set(writer, &set, &index));
    for (int k = 0; k < 2 * images; k++) {
        sgm_synth(11, (uint64_t)(others ? k : k % images), SIDE, false, image, mask, scratch);
        for (int i = 0; i < 3 * PIXELS; i++)
            pixels[i] = (uint8_t)image[i];
        char id[16];
        snprintf(id, sizeof id, "item%d", k);
        sgm_pack_item item = {id,   0,      k < images ? SGM_SPLIT_TRAIN : SGM_SPLIT_VALIDATION,
                              SIDE, SIDE,   3,
                              1,    pixels, mask};
        CHECK_OK(sgm_pack_writer_item(writer, &item));
    }
    CHECK_OK(sgm_pack_writer_finish(writer));
}

/* File `name` of a run's folder; NULL, and a failed check, when it cannot be read. */
static inline sgm_checkpoint *open_saved(const run *r, const char *name)
{
    char path[512];
    sgm_checkpoint *file;
    snprintf(path, sizeof path, "%s/%s", r->out, name);
    return CHECK_OK(sgm_checkpoint_open(path, &file)) ? file : NULL;
}

/* All tensors of file `name` are the same bits in both runs. */
static inline void check_same_file(const run *x, const run *y, const char *name)
{
    sgm_checkpoint *a = open_saved(x, name), *b = open_saved(y, name);
    if (a && b)
        CHECK(sgm_checkpoint_count(a) == sgm_checkpoint_count(b) && sgm_checkpoint_count(a) > 50);
    for (size_t i = 0; a && b && i < sgm_checkpoint_count(a); i++) {
        const sgm_stored_tensor *t = sgm_checkpoint_tensor(a, i);
        const sgm_stored_tensor *u = sgm_checkpoint_find(b, t->name);
        if (CHECK(u && t->byte_size == u->byte_size) &&
            !CHECK(!memcmp(t->data, u->data, t->byte_size)))
            fprintf(stderr, "    %s %s\n", name, t->name);
    }
    sgm_checkpoint_close(a);
    sgm_checkpoint_close(b);
}

/* The same fields, but for field `skipped`. */
static inline bool are_same_fields(const char *a, const char *b, char separator, int skipped)
{
    const char end[2] = {separator, 0};
    for (int field = 0; *a && *b; field++) {
        size_t n = strcspn(a, end), m = strcspn(b, end);
        if (field != skipped && (n != m || memcmp(a, b, n) != 0)) return false;
        a += n + (a[n] != 0);
        b += m + (b[m] != 0);
    }
    return !*a && !*b;
}

/* Equal, but for the seconds that a run took. */
static inline bool is_same_value(const char *key, const char *a, const char *b)
{
    if (!strcmp(key, "training_progress")) return are_same_fields(a, b, ' ', 1);
    if (!strcmp(key, "training")) return are_same_fields(a, b, ',', 2);
    return !strcmp(a, b);
}

/* All metadata of file `name` are the same in both runs, but for their seconds. */
static inline void check_same_metadata(const run *x, const run *y, const char *name)
{
    sgm_checkpoint *a = open_saved(x, name), *b = open_saved(y, name);
    size_t count = a && b ? sgm_checkpoint_metadata_count(a) : 0;
    if (a && b) CHECK(count > 0 && count == sgm_checkpoint_metadata_count(b));
    for (size_t i = 0; i < count; i++) {
        sgm_metadata_entry entry = sgm_checkpoint_metadata_at(a, i);
        const char *value = sgm_checkpoint_metadata(b, entry.key);
        if (!CHECK(value && is_same_value(entry.key, entry.value, value)))
            fprintf(stderr, "    %s %s: %s, %s\n", name, entry.key, entry.value,
                    value ? value : "none");
    }
    sgm_checkpoint_close(a);
    sgm_checkpoint_close(b);
}

#endif
