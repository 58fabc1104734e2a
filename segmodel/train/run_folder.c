#include "train/run_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/atomic_file.h"
#include "core/files.h"

static const char *const OUTPUTS[] = {SGM_RUN_STATE, SGM_RUN_BEST,   SGM_RUN_LAST,
                                      SGM_RUN_LOG,   SGM_RUN_CURVES, SGM_RUN_CLASSES};
enum { OUTPUT_COUNT = sizeof OUTPUTS / sizeof *OUTPUTS };

static bool is_there(const char *folder, const char *name)
{
    char path[4096];
    sgm_file_info info;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return sgm_path_info(path, &info);
}

/* The first output that is there; NULL: none. */
static const char *first_output(const char *folder)
{
    for (int i = 0; i < OUTPUT_COUNT; i++)
        if (is_there(folder, OUTPUTS[i])) return OUTPUTS[i];
    return NULL;
}

/* Where a file is or would be, without links; malloc'ed. NULL: its folder is not there. */
static char *place_of(const char *path)
{
    char *real = sgm_real_path(path);
    if (real) return real;
    char folder[4096];
    const char *name = sgm_file_name(path);
    snprintf(folder, sizeof folder, "%.*s.", (int)(name - path), path);
    char *parent = sgm_real_path(folder);
    size_t size = parent ? strlen(parent) + strlen(name) + 2 : 0;
    char *place = parent ? malloc(size) : NULL;
    if (place) snprintf(place, size, "%s/%s", parent, name);
    free(parent);
    return place;
}

/* The output that has this file's place; NULL: none. */
static const char *output_at(const char *folder, const char *path)
{
    char *place = place_of(path);
    const char *found = NULL;
    for (int i = 0; place && !found && i < OUTPUT_COUNT; i++) {
        char output[4096];
        snprintf(output, sizeof output, "%s/%s", folder, OUTPUTS[i]);
        char *other = place_of(output);
        if (other && !strcmp(place, other)) found = OUTPUTS[i];
        free(other);
    }
    free(place);
    return found;
}

/* What the run reads and would overwrite. */
static sgm_status spare_inputs(const sgm_train_options *o, const sgm_train_config *c)
{
    const struct {
        const char *path, *what;
    } inputs[] = {{c->init, "init"},
                  {c->base, "base"},
                  {c->given, "the file of given prompts"},
                  {c->features, "the file of features"},
                  {o->data, "the pack"},
                  {o->config, "the settings"}};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        const char *path = inputs[i].path;
        if (path && path[0] && output_at(o->out, path))
            return sgm_fail(SGM_INVALID_ARGUMENT,
                            "%s is %s of this run, which would overwrite it: choose another folder",
                            path, inputs[i].what);
    }
    return SGM_OK;
}

static sgm_status spare_outputs(const sgm_train_options *o, bool *resumes)
{
    const char *found = first_output(o->out);
    bool state = is_there(o->out, SGM_RUN_STATE);
    *resumes = state && o->resume;
    if (!found || *resumes) return SGM_OK;
    if (state)
        return sgm_fail(
            SGM_INVALID_ARGUMENT,
            "%s/" SGM_RUN_STATE " is already there: resume it, or choose another folder", o->out);
    if (o->resume)
        return sgm_fail(SGM_INVALID_ARGUMENT,
                        "%s has %s of an earlier run, but no " SGM_RUN_STATE
                        " to go on with: choose another folder, or remove that file",
                        o->out, found);
    return sgm_fail(SGM_INVALID_ARGUMENT,
                    "%s/%s is already there, of an earlier run: choose another folder, or remove "
                    "it",
                    o->out, found);
}

sgm_status sgm_run_folder_open(const sgm_train_options *options, const sgm_train_config *config,
                               bool *resumes)
{
    if (!sgm_make_folder(options->out, false))
        return sgm_fail(SGM_UNWRITABLE, "%s: %s", options->out, strerror(errno));
    sgm_atomic_file_sweep(options->out, OUTPUTS, OUTPUT_COUNT);
    SGM_TRY(spare_inputs(options, config));
    return spare_outputs(options, resumes);
}
