/* Options that need no file to be understood. */
#include <stdlib.h>
#include <string.h>

#include "segment_run.h"

static const char *const axes[] = {"auto", "axial", "coronal", "sagittal", "i", "j", "k"};
static const char *const windows[] = {"auto", "none",    "percentile", "brain",
                                      "lung", "abdomen", "bone",       "mediastinum"};

/* Index of a word in a list, -1 if it is not there. */
static int word_in(const char *word, const char *const list[], int count)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(word, list[i])) return i;
    return -1;
}

/* "low,high" with low < high. */
static int manual_window(const char *text, sgm_volume_options *options)
{
    char *end = NULL;
    options->window = SGM_WINDOW_MANUAL;
    options->window_low = strtod(text, &end);
    if (end != text && *end == ',') {
        const char *second = end + 1;
        options->window_high = strtod(second, &end);
        if (end != second && !*end && options->window_high - options->window_low > 0 &&
            options->window_high - options->window_low < 1e30)
            return 0;
    }
    return cli_fail(CLI_EXIT_USAGE,
                    "--window %s: wanted auto, none, percentile, brain, lung, abdomen, bone, "
                    "mediastinum, or two numbers low,high",
                    text);
}

static int check_colour(const cli_options *options)
{
    double colour[4];
    if (!cli_given(options, "segmentColor")) return 0;
    size_t count = cli_numbers_at(options, "segmentColor", 0, colour, 4);
    for (size_t i = 0; i < 3 && count == 3; i++)
        if (!(colour[i] >= 0 && colour[i] <= 1)) count = 0;
    return count == 3 ? 0
                      : cli_fail(CLI_EXIT_USAGE,
                                 "--segmentColor %s: wanted red,green,blue, each "
                                 "from 0 to 1",
                                 cli_text(options, "segmentColor"));
}

static void on_progress(void *user, double fraction, const char *message)
{
    segment_run *run = user;
    cli_progress_update(&run->progress, fraction, message);
}

int segment_read_options(segment_run *run)
{
    const cli_options *options = run->program->options;
    sgm_volume_options *o = &run->volume_options;
    const char *window = cli_text(options, "window");
    run->input = cli_text(options, "input");
    run->output = cli_text(options, "output");
    if (!sgio_segmentation_can_write(run->output))
        return cli_fail(CLI_EXIT_USAGE, "%s: the output's name must end in %s", run->output,
                        sgio_segmentation_endings());
    if (cli_integer(options, "classIndex") >= 0)
        return cli_fail(CLI_EXIT_USAGE, "--class: no model of this version is prompted by class");
    if (!*cli_text(options, "segmentName"))
        return cli_fail(CLI_EXIT_USAGE, "--segmentName is empty: every segment needs a name");
    o->axis = (sgm_axis)word_in(cli_text(options, "axis"), axes, 7);
    int known = word_in(window, windows, 8);
    o->window = (sgm_window)known;
    int failed = known < 0 ? manual_window(window, o) : 0;
    if (!failed) failed = check_colour(options);
    o->no_propagation = !strcmp(cli_text(options, "propagate"), "none");
    o->max_slices = (int)cli_integer(options, "maxSlices");
    o->keep_largest = cli_switch(options, "keepLargest");
    o->fill_holes = cli_switch(options, "fillHoles");
    o->progress = on_progress;
    o->progress_user = run;
    return failed;
}
