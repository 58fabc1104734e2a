#include "class_segments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"
#include "cli_exit.h"
#include "segmodel/classes.h"

static int is_all(const case_options *options)
{
    return options->class_name && !strcmp(options->class_name, "all");
}

/* --class all (or nothing) means every class, a number or a name one of them. */
static int choose(const pipeline_engine *engine, pipeline_case *work, size_t *count)
{
    const char *asked = work->options->class_name;
    const int classes = engine->info.classes, one = asked && !is_all(work->options);
    *count = classes && !one ? (size_t)classes : 1;
    free(work->objects);
    work->objects = calloc(*count, sizeof *work->objects);
    work->classes = calloc(*count, sizeof *work->classes);
    if (!work->classes || !work->objects)
        return cli_fail(CLI_EXIT_MEMORY, "no memory for %zu classes", *count);
    for (size_t i = 0; i < *count && classes; i++)
        work->classes[i] = (int)i + 1;
    return one ? bridge_from_model(sgm_model_class(engine->model, asked, work->classes)) : 0;
}

/* The user's name for a segment that is alone, else the model's for the class, else its number. */
static void name_class(const pipeline_engine *engine, const pipeline_case *work, size_t count,
                       int class_index, char *name, size_t room)
{
    const case_options *o = work->options;
    sgm_model_class_name(engine->model, class_index, name, room);
    if (count == 1 && (o->names_segment || !class_index))
        snprintf(name, room, "%s", o->segment_name);
    else if (!*name)
        snprintf(name, room, "class_%d", class_index);
}

static int add_segment(const pipeline_engine *engine, pipeline_case *work, size_t count, size_t i)
{
    char name[256];
    name_class(engine, work, count, work->classes[i], name, sizeof name);
    if (sgio_prompts_find(&work->prompts, name)) /* two classes of one name */
        snprintf(name, sizeof name, "class_%d", work->classes[i]);
    int failed = bridge_from_io(sgio_prompts_add_segment(&work->prompts, name));
    if (!failed && count == 1 && work->options->has_colour)
        sgio_prompts_set_colour(&work->prompts, name, work->options->colour);
    return failed;
}

int class_segments_make(const pipeline_engine *engine, pipeline_case *work)
{
    size_t count;
    const int places = sgm_model_wants_places(engine->model), all = is_all(work->options);
    if (all && places) {
        int unused;
        return bridge_from_model(sgm_model_class(engine->model, "all", &unused));
    }
    if (work->prompts.segment_count && all)
        return cli_fail(CLI_EXIT_PROMPT, "--class all looks everywhere: leave the points, boxes "
                                         "and prompt files out, or name one class");
    if (work->prompts.segment_count) return 0;
    if (places && !work->options->class_name) return pipeline_case_without_prompts();
    int failed = choose(engine, work, &count);
    for (size_t i = 0; i < count && !failed; i++)
        failed = add_segment(engine, work, count, i);
    return failed;
}
