#include "batch_line.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "batch_outputs.h"
#include "batch_text.h"

static json_t *segments(const batch_outcome *outcome)
{
    json_t *array = json_array();
    for (size_t i = 0; outcome->result && i < outcome->work->prompts.segment_count; i++) {
        const sgm_object_result *object = &outcome->result->found.objects[i];
        const int label = pipeline_result_label(outcome->result, outcome->work, i);
        const int64_t voxels = pipeline_result_voxels(outcome->result, outcome->work, i);
        json_t *segment = json_pack("{s:I,s:f,s:f,s:I}", "voxels", (json_int_t)voxels, "ml",
                                    pipeline_result_ml(outcome->result, outcome->work, i),
                                    "quality", pipeline_result_quality(outcome->result, i),
                                    "slices", (json_int_t)object->slice_count);
        if (label) json_object_set_new(segment, "label", json_integer(label));
        batch_text_put(segment, "name", outcome->work->prompts.segments[i].name);
        json_array_append_new(array, segment);
    }
    return array;
}

/* NULL when out of memory. */
static json_t *sentence(const batch_outcome *outcome, const char *text)
{
    char *shown = known_paths_replace(outcome->paths, text);
    json_t *string = shown ? batch_text_shown(shown) : NULL;
    free(shown);
    return string;
}

/* What is said of the model is said once, by the program. */
static json_t *warnings(const batch_outcome *outcome)
{
    json_t *array = json_array();
    const cli_warnings *w = outcome->warnings;
    for (size_t i = outcome->first_warning; w && i < w->count; i++)
        json_array_append_new(array, sentence(outcome, w->sentences[i]));
    return array;
}

/* Names of the row's files, "" for one that it has not. */
static int put_files(json_t *object, const batch_plan *plan, const batch_row *row)
{
    const char *const names[] = {"output", "report", "picture"};
    const char *const paths[] = {row->output, row->report, row->picture};
    int failed = 0;
    for (size_t i = 0; i < 3 && !failed; i++)
        failed = batch_text_put(object, names[i],
                                paths[i] ? batch_output_name(plan->folder, paths[i]) : "");
    return failed;
}

static int ml_is_guess(const batch_outcome *outcome)
{
    return outcome->result && outcome->work->volume.spacing_assumed;
}

/* Now, but after the lines before: clocks of machines differ, and a second may hold two lines. */
static int64_t finished(const batch_outcome *outcome)
{
    const int64_t now = time(NULL);
    return now > outcome->before || outcome->before == INT64_MAX ? now : outcome->before + 1;
}

int batch_line_paths(const batch_plan *plan, const batch_command *command, const char *model,
                     known_paths *out)
{
    char results[4096];
    result_options options = command->typed.result;
    if (!options.report) pipeline_read_paths(plan->options, &options);
    snprintf(results, sizeof results, "%sresults.csv", plan->outputs);
    options.report = results;
    int failed = known_paths_make(&command->typed.work, &options, model, out);
    if (!failed) failed = known_paths_add(out, results, plan->manifest, "the manifest");
    if (!failed) failed = known_paths_add(out, results, plan->inputs, "the manifest's folder");
    return failed ? failed : known_paths_add(out, results, plan->outputs, "the output folder");
}

char *batch_line_make(const batch_plan *plan, const batch_row *row, const batch_outcome *outcome)
{
    char key[32];
    snprintf(key, sizeof key, "%016llx", (unsigned long long)row->key);
    json_t *object = json_object();
    json_t *rest = json_pack("{s:s,s:s,s:i,s:f,s:I,s:o,s:b,s:o,s:o}", "key", key, "state",
                             outcome->code ? "failed" : "done", "exit_code", outcome->code,
                             "seconds", outcome->seconds, "finished", (json_int_t)finished(outcome),
                             "message", sentence(outcome, outcome->message ? outcome->message : ""),
                             "ml_is_guess", ml_is_guess(outcome), "segments", segments(outcome),
                             "warnings", warnings(outcome));
    const int failed = batch_text_put(object, "id", row->id) != 0 ||
                       put_files(object, plan, row) != 0 || json_object_update(object, rest) != 0;
    char *line = failed ? NULL : json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(rest);
    json_decref(object);
    return line;
}
