/* A volume without prompts: every slice is asked for every class that is wanted, or, where the
 * network makes its own prompt, for what it finds. Two classes never share a voxel. */
#include "segmodel/classes.h"

#include "core/call.h"
#include "core/status.h"
#include "predict/session/model.h"
#include "predict/session/prompt_tokens.h"
#include "predict/volume/segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is asked of every slice. */
typedef struct class_run {
    sgm_run run;
    const int *classes; /* one per subject; 0 for a network that is asked nothing */
    uint16_t *winner;   /* of every pixel of the picture: its subject, from 1; 0: none */
    float *ratings;     /* of the subjects' masks on this slice */
} class_run;

/* A subject's mask into the picture: of two on one pixel the better rated stays. */
static void claim(class_run *c, size_t subject, const sgm_look *look)
{
    size_t pixels = (size_t)look->width * (size_t)look->height;
    c->ratings[subject] = look->raw.predicted_iou;
    for (size_t i = 0; i < pixels; i++) {
        size_t before = c->winner[i];
        if (look->mask[i] && (!before || c->ratings[subject] > c->ratings[before - 1]))
            c->winner[i] = (uint16_t)(subject + 1);
    }
}

static sgm_status ask(class_run *c, int64_t slice)
{
    sgm_desk *desk = c->run.desk;
    sgm_stack *stack = c->run.stack;
    size_t pixels = (size_t)stack->plane.width * (size_t)stack->plane.height;
    sgm_stack_show(stack, slice);
    memset(c->winner, 0, pixels * sizeof *c->winner);
    for (size_t i = 0; i < c->run.subject_count; i++) {
        sgm_look look;
        const sgm_question question = {.picture = sgm_stack_picture(stack, slice),
                                       .image = &stack->picture,
                                       .class_index = c->classes[i]};
        SGM_TRY(sgm_look_at(&desk->looker, &question, &look));
        claim(c, i, &look);
    }
    return SGM_OK;
}

static sgm_status take(class_run *c, size_t subject, int64_t slice)
{
    sgm_stack *stack = c->run.stack;
    sgm_answers *answers = &c->run.desk->answers;
    size_t pixels = (size_t)stack->plane.width * (size_t)stack->plane.height;
    sgm_answer answer = {.quality = c->ratings[subject],
                         .view = sgm_view_whole(stack->plane.width, stack->plane.height)};
    const sgm_volume_step step = {.kind = SGM_STEP_CLASS,
                                  .axis = stack->plane.axis,
                                  .slice = slice,
                                  .label = c->classes[subject]};
    const sgm_answer *kept;
    for (size_t i = 0; i < pixels; i++)
        stack->neighbour[i] = c->winner[i] == subject + 1;
    SGM_TRY(sgm_stack_pack(stack, stack->neighbour, &answer.mask));
    SGM_TRY(sgm_answers_add(answers, &step, &answer, &kept));
    return sgm_subject_take(&c->run, subject, slice, kept, 1);
}

/* Ascending, so that devices that encode in batches know what comes. */
static sgm_status ask_all(class_run *c)
{
    sgm_run *run = &c->run;
    sgm_run_encode_ahead(run);
    for (size_t n = 0; n < run->task_count; n++) {
        char message[64];
        int64_t slice = run->tasks[n].slice;
        run->at_task = &run->tasks[n];
        SGM_TRY(sgm_call_cancelled());
        SGM_TRY(ask(c, slice));
        for (size_t i = 0; i < run->subject_count; i++)
            SGM_TRY(take(c, i, slice));
        run->tasks[n].done = 1;
        snprintf(message, sizeof message, "slice %lld", (long long)slice);
        sgm_call_progress((double)(n + 1) / (double)run->task_count, message);
    }
    return SGM_OK;
}

static sgm_status prepare(class_run *c, size_t count)
{
    sgm_run *run = &c->run;
    const sgm_plane *plane = &run->stack->plane;
    size_t slices = (size_t)plane->slices, pixels = (size_t)plane->width * (size_t)plane->height;
    run->subjects = calloc(count, sizeof *run->subjects);
    run->tasks = calloc(slices, sizeof *run->tasks);
    c->ratings = calloc(count, sizeof *c->ratings);
    c->winner = malloc(pixels * sizeof *c->winner);
    if (!run->subjects || !run->tasks || !c->ratings || !c->winner)
        return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu classes", count);
    run->subject_count = count;
    run->task_count = slices;
    for (size_t i = 0; i < slices; i++)
        run->tasks[i] = (sgm_task){.slice = (int64_t)i, .up = -1, .down = -1};
    return SGM_OK;
}

static sgm_status segment(sgm_live_volume *live, const int *classes, size_t count,
                          sgm_volume_result *out)
{
    class_run c = {.run = {.desk = &live->desk}, .classes = classes};
    SGM_TRY(sgm_live_volume_stack(live, NULL, 0, &c.run.stack));
    sgm_live_volume_warn(live);
    sgm_status status = prepare(&c, count);
    if (status == SGM_OK) status = ask_all(&c);
    if (status == SGM_OK) status = sgm_volume_finish(live, &c.run, out);
    if (status != SGM_OK) sgm_volume_result_clear(out);
    live->desk.embedder.upcoming = (sgm_upcoming){0};
    sgm_run_clear(&c.run);
    free(c.ratings);
    free(c.winner);
    return status;
}

/* -------------------------------------------------------------------------------- what is wanted
 */

static sgm_status check_class(const sgm_model_config *config, const int *classes, size_t n)
{
    SGM_TRY(sgm_prompt_check_class(config, classes[n]));
    for (size_t i = 0; i < n; i++)
        if (classes[i] == classes[n])
            return sgm_fail(SGM_INVALID_ARGUMENT, "class %d is asked for twice", classes[n]);
    return SGM_OK;
}

/* The given classes, or all of them; malloc'ed. */
static sgm_status read_classes(const sgm_model_config *config, const int *given, size_t *count,
                               int **out)
{
    const size_t all = config->classes ? (size_t)config->classes : 1;
    *out = NULL;
    if (sgm_config_listens(config))
        return sgm_fail(SGM_BAD_PROMPT,
                        "%s is prompted by points and boxes; there is nothing to look for",
                        config->variant);
    if (!given) *count = all;
    if (!*count) return sgm_fail(SGM_BAD_PROMPT, "no class is asked for");
    int *classes = malloc(*count * sizeof *classes);
    if (!classes) return sgm_fail(SGM_OUT_OF_MEMORY, "no memory for %zu classes", *count);
    sgm_status status = SGM_OK;
    for (size_t i = 0; i < *count && status == SGM_OK; i++) {
        classes[i] = given ? given[i] : config->classes ? (int)i + 1 : 0;
        status = check_class(config, classes, i);
    }
    if (status == SGM_OK) *out = classes;
    if (status != SGM_OK) free(classes);
    return status;
}

static sgm_status open_volume(sgm_model *model, const sgm_volume *volume, int first_class,
                              const sgm_volume_options *given, sgm_live_volume **live)
{
    sgm_volume_options options;
    SGM_TRY(sgm_volume_options_read(given, &options));
    options.size = sizeof options;
    options.class_index = first_class; /* each question brings its own */
    return sgm_live_volume_create(model, volume, &options, live);
}

sgm_status sgm_volume_predict_classes(sgm_model *model, const sgm_volume *volume,
                                      const int *classes, size_t class_count,
                                      const sgm_volume_options *options, const sgm_call *call,
                                      sgm_volume_result *out)
{
    sgm_call_scope scope;
    sgm_live_volume *live = NULL;
    int *wanted;
    if (!out) return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_volume_predict_classes: out is NULL");
    *out = (sgm_volume_result){0};
    if (!model || !volume)
        return sgm_fail(SGM_INVALID_ARGUMENT, "sgm_volume_predict_classes: no model or volume");
    SGM_TRY(read_classes(sgm_model_get_config(model), classes, &class_count, &wanted));
    sgm_status status = open_volume(model, volume, wanted[0], options, &live);
    if (status == SGM_OK) status = sgm_call_enter(&scope, call);
    if (status == SGM_OK) {
        status = segment(live, wanted, class_count, out);
        sgm_call_leave(&scope);
    }
    sgm_live_volume_destroy(live);
    free(wanted);
    return status;
}
