/* Training in a process whose locale writes a decimal comma, as Python or Slicer may have it: what
 * is saved is read by processes that do not, and the other way round. Runs in the current folder.
 */
#include "train_run.h"

#include "../comma_locale.h"

#define PACK "train_locale.pack"
#define CONFIG "train_locale.cfg"

#define SETTINGS                                                                                   \
    NETWORK "steps = 4\nbatch = 2\nreport_every = 1\nvalidate_every = 2\nsave_every = 1\n"         \
            "validate_objects = 2\nmask_threshold = -0.25\n"

static const char *const points = "C", *const commas = "comma";

/* Steps up to `stop_at` (0: all) in that locale. */
static void train_in(const char *locale, run *r, int64_t stop_at)
{
    CHECK(setlocale(LC_NUMERIC, locale) != NULL);
    r->stop_at = stop_at;
    sgm_status status = train(r);
    setlocale(LC_NUMERIC, points);
    CHECK(status == (stop_at ? SGM_CANCELLED : SGM_OK));
}

static run new_run(const char *out)
{
    remove_folder(out);
    return (run){.device = SGM_DEVICE_CPU, .config = CONFIG, .pack = PACK, .out = out};
}

/* Every row has as many columns as the first. */
static void check_table(const char *path)
{
    char line[512];
    int wanted = 0, rows = 0;
    FILE *stream = fopen(path, "r");
    while (stream && fgets(line, sizeof line, stream)) {
        int found = 0;
        for (const char *c = line; *c; c++)
            found += *c == ',';
        if (!rows++) wanted = found;
        if (!CHECK(found == wanted)) fprintf(stderr, "    %s: %s", path, line);
    }
    if (stream) fclose(stream);
    CHECK(rows > 4);
}

static void check_threshold(const run *r)
{
    sgm_checkpoint *file = open_saved(r, "last.safetensors");
    const char *text = file ? sgm_checkpoint_metadata(file, "mask_threshold") : NULL;
    if (!CHECK(text && !strcmp(text, "-0.25"))) fprintf(stderr, "    %s\n", text ? text : "none");
    sgm_checkpoint_close(file);
}

static void check_broken(const char *first, const char *then, const run *whole, const char *out)
{
    char log[64];
    run broken = new_run(out);
    train_in(first, &broken, 2);
    broken.resume = 1;
    train_in(then, &broken, 0);
    CHECK(broken.result.step == 4);
    check_same_file(whole, &broken, "state.safetensors");
    snprintf(log, sizeof log, "%s/log.csv", out);
    check_table(log);
    check_threshold(&broken);
    remove_folder(out);
}

int main(void)
{
    if (!use_comma_locale()) {
        printf("skipped: this C library takes no locale of a test\n");
        return 77;
    }
    setlocale(LC_NUMERIC, points);
    make_pack(PACK, 2, false);
    write_config(CONFIG, SETTINGS);
    run whole = new_run("locale_whole");
    train_in(points, &whole, 0);
    check_broken(commas, points, &whole, "locale_commas_first");
    check_broken(points, commas, &whole, "locale_points_first");
    remove_folder("locale_whole");
    unlink(PACK);
    unlink(CONFIG);
    return check_report();
}
