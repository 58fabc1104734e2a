/* Settings files. argv[1]: resources/train, whose files must all be readable. */
#include <math.h>
#include <stdlib.h>

#include "../check.h"
#include "../portable.h"
#include "train/train_config.h"

#define NETWORK "architecture = lite_medsam\n"

static sgm_status parse(const char *text, sgm_train_config *config)
{
    return sgm_train_config_parse(text, "test.cfg", config);
}

static void check_values(void)
{
    static sgm_train_config c;
    CHECK_OK(parse(NETWORK
                   "  rate =  2.5e-3 # how fast\r\n\n# all\nbatch=3\noptimizer = adam\n"
                   "schedule = step\nprior = 0\nwalks = 1\nfreeze = image_encoder.*, *.bias\n"
                   "weight.dsb2018 = 0.5\nseed = 9007199254\n",
                   &c));
    CHECK(c.schedule.rate == 2.5e-3 && c.batch == 3 && c.optim.kind == SGM_OPTIMIZER_ADAM);
    CHECK(c.schedule.kind == SGM_SCHEDULE_STEP && !c.sampler.sim.prior && c.sampler.sim.walks &&
          c.seed == 9007199254);
    CHECK(c.weight_count == 1 && !strcmp(c.weights[0].set, "dsb2018"));
    CHECK(c.model.image_size == 256 && c.accumulate == 1);
}

static void check_refused(void)
{
    static sgm_train_config c;
    static const char *const CASES[][2] = {
        {NETWORK "learning_rate = 1\n", "test.cfg:2"},
        {NETWORK "batch = 2\n\nbatch = 3\n", "test.cfg:4"},
        {NETWORK "batch = 0\n", "from 1"},
        {NETWORK "batch = 2.5\n", "whole"},
        {NETWORK "batch = two\n", "two"},
        {NETWORK "rate = nan\n", "nan"},
        {NETWORK "rate = 1e-3 x\n", "1e-3 x"},
        {NETWORK "batch\n", "key = value"},
        {NETWORK "optimizer = lion\n", "adamw"},
        {NETWORK "weight. = 1\n", "weight"},
        {NETWORK "weight.x = -1\n", "weight"},
        {NETWORK "weight.x = 2\nweight.y = 1\nweight.x = 3\n",
         "test.cfg:4: weight.x is given twice"},
        {"batch = 2\n", "architecture"},
        {"architecture = resnet\n", "test.cfg"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        CHECK_STATUS(parse(CASES[i][0], &c), SGM_UNREADABLE, CASES[i][1]);
    char *longest = malloc(5000);
    memset(longest, 'x', 4999);
    longest[4999] = 0;
    CHECK_STATUS(parse(longest, &c), SGM_UNREADABLE, "too long");
    free(longest);
    CHECK_STATUS(sgm_train_config_read("no such file", &c), SGM_UNREADABLE, "no such file");
}

static void check_patterns(void)
{
    CHECK(sgm_name_matches("image_encoder.*", "image_encoder.neck.0.weight"));
    CHECK(!sgm_name_matches("image_encoder.*", "mask_decoder.image_encoder.x"));
    CHECK(sgm_name_matches("a, *.bias", "mask_decoder.x.bias"));
    CHECK(sgm_name_matches("*a*b*", "xxaxxbxx") && !sgm_name_matches("*a*b", "xxaxxbxx"));
    CHECK(!sgm_name_matches("", "x") && !sgm_name_matches(" , ", "x"));
    char stars[201]; /* found by fuzzing: this took for ever */
    memset(stars, '*', 199);
    memcpy(stars + 199, "b", 2);
    CHECK(!sgm_name_matches(stars, "image_encoder.layers.0.blocks.0.attn.qkv.weight"));
    CHECK(sgm_name_matches(stars, "image_encoder.layers.0.blocks.0.attn.qkv.b"));
}

static void check_shipped(const char *folder)
{
    static sgm_train_config c;
    int found = 0;
    DIR *list = opendir(folder);
    for (struct dirent *entry; list && (entry = readdir(list));) {
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || strcmp(dot, ".cfg") != 0) continue;
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        CHECK_OK(sgm_train_config_read(path, &c));
        found++;
    }
    if (list) closedir(list);
    CHECK(found > 0);
}

/* SAMed's rate runs down over five fourths of the run, however long that is made. */
static void check_samed(const char *folder)
{
    static sgm_train_config c;
    static const int64_t STEPS[] = {14880, 1000};
    char path[4096], text[8192] = "", other[8192];
    snprintf(path, sizeof path, "%s/presets/samed.cfg", folder);
    FILE *file = fopen(path, "r");
    if (!CHECK(file != NULL)) return;
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    char *at = strstr(text, "\nsteps = ");
    if (!CHECK(at != NULL)) return;
    for (size_t i = 0; i < 2; i++) {
        snprintf(other, sizeof other, "%.*s\nsteps = %d%s", (int)(at - text), text, (int)STEPS[i],
                 strchr(at + 1, '\n'));
        if (!CHECK_OK(parse(other, &c))) continue;
        double end = sgm_schedule_progress(&c.schedule, c.steps, c.steps);
        CHECK_NEAR(end, ((double)STEPS[i] - 251) / (1.25 * (double)STEPS[i]), 1e-12);
        CHECK(sgm_schedule_rate(&c.schedule, c.steps, end) > 0.2 * c.schedule.rate);
    }
    CHECK_OK(parse(text, &c));
    CHECK(c.steps == 160 * 93 && c.batch * c.accumulate == 24 && c.schedule.span == 200 * 93);
    CHECK_OK(parse(NETWORK "steps = 100\nschedule_times = 2\nschedule_steps = 70\n", &c));
    CHECK(c.schedule.span == 70);
}

int main(int argc, char **argv)
{
    check_values();
    check_refused();
    check_patterns();
    check_shipped(argc > 1 ? argv[1] : ".");
    check_samed(argc > 1 ? argv[1] : ".");
    return check_report();
}
