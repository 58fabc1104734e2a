#include "batch_line.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* JSON must be UTF-8, names and paths need not be: other bytes become '?'. */
static json_t *text(const char *value)
{
    json_t *string = json_string(value);
    char *copy = string ? NULL : strdup(value);
    for (char *c = copy; c && *c; c++)
        if ((unsigned char)*c >= 0x80) *c = '?';
    if (copy) string = json_string(copy);
    free(copy);
    return string;
}

static json_t *segments(const batch_outcome *outcome)
{
    json_t *array = json_array();
    for (size_t i = 0; outcome->result && i < outcome->work->prompts.segment_count; i++) {
        const sgm_object_result *object = &outcome->result->found.objects[i];
        json_array_append_new(array,
                              json_pack("{s:o,s:I,s:f,s:f,s:I}", "name",
                                        text(outcome->work->prompts.segments[i].name), "voxels",
                                        (json_int_t)object->voxels, "ml",
                                        pipeline_result_ml(outcome->result, outcome->work, i),
                                        "quality", pipeline_result_quality(outcome->result, i),
                                        "slices", (json_int_t)object->slice_count));
    }
    return array;
}

static int ml_is_guess(const batch_outcome *outcome)
{
    return outcome->result && outcome->work->volume.spacing_assumed;
}

char *batch_line_make(const batch_plan *plan, const batch_row *row, const batch_outcome *outcome)
{
    char key[32];
    snprintf(key, sizeof key, "%016llx", (unsigned long long)row->key);
    const char *output = row->output ? row->output + strlen(plan->folder) + 1 : "";
    json_t *object =
        json_pack("{s:o,s:s,s:s,s:i,s:o,s:f,s:I,s:o,s:b,s:o}", "id", text(row->id), "key", key,
                  "state", outcome->code ? "failed" : "done", "exit_code", outcome->code, "output",
                  text(output), "seconds", outcome->seconds, "finished", (json_int_t)time(NULL),
                  "message", text(outcome->message ? outcome->message : ""), "ml_is_guess",
                  ml_is_guess(outcome), "segments", segments(outcome));
    char *line = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(object);
    return line;
}
