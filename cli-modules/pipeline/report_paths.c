#include "report_paths.h"

#include <stdlib.h>
#include <string.h>

#include "cli_exit.h"
#include "cli_output.h"
#include "cli_path.h"

static char *show(report_paths how, const char *report, const char *path)
{
    if (how == REPORT_PATHS_GIVEN) return strdup(path);
    return cli_path_relative(report, path);
}

int known_paths_add(known_paths *paths, const char *report, const char *path, const char *role)
{
    known_path *known = &paths->items[paths->count];
    if (!path) return 0;
    *known = (known_path){.path = path, .role = role};
    paths->count++;
    if (paths->how == REPORT_PATHS_NONE) return 0;
    known->shown = show(paths->how, report, path);
    return known->shown ? 0 : cli_fail(CLI_EXIT_MEMORY, "no memory for the report");
}

int known_paths_make(const case_options *work, const result_options *options, const char *model,
                     known_paths *out)
{
    *out = (known_paths){.how = options->paths};
    out->items = calloc(work->prompts.count + 9 + KNOWN_PATHS_MORE, sizeof *out->items);
    if (!out->items) return cli_fail(CLI_EXIT_MEMORY, "no memory for the report");
    const char *report = options->report;
    int failed = known_paths_add(out, report, work->input, "the input");
    if (!failed) failed = known_paths_add(out, report, options->output, "the output");
    if (!failed) failed = known_paths_add(out, report, options->picture, "the picture");
    if (!failed) failed = known_paths_add(out, report, model, "the model");
    if (!failed) failed = known_paths_add(out, report, work->boxes, "the boxes");
    if (!failed) failed = known_paths_add(out, report, work->initial, "the initial segmentation");
    if (!failed) failed = known_paths_add(out, report, work->labels, "the label map");
    if (!failed) failed = known_paths_add(out, report, work->mask_prompts, "the mask prompts");
    if (!failed) failed = known_paths_add(out, report, work->reference, "the reference");
    for (size_t i = 0; i < work->prompts.count && !failed; i++)
        failed = known_paths_add(out, report, work->prompts.items[i], "the prompts");
    return failed;
}

void known_paths_clear(known_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        free(paths->items[i].shown);
    free(paths->items);
    memset(paths, 0, sizeof *paths);
}

const char *known_paths_show(const known_paths *paths, const char *path)
{
    for (size_t i = 0; path && i < paths->count; i++)
        if (strcmp(paths->items[i].path, path) == 0) return paths->items[i].shown;
    return paths->how == REPORT_PATHS_GIVEN ? path : NULL;
}

/* The known path that the text begins with, the longest one; NULL: none. */
static const known_path *known_at(const known_paths *paths, const char *text)
{
    const known_path *best = NULL;
    for (size_t i = 0; i < paths->count; i++) {
        const known_path *p = &paths->items[i];
        const size_t length = strlen(p->path);
        if (length && strncmp(text, p->path, length) == 0 && (!best || length > strlen(best->path)))
            best = p;
    }
    return best;
}

/* Where paths are left out, what follows a known folder ("/data/patient" + "/IM1") goes too. */
static size_t rest_of_path(const known_paths *paths, const known_path *p, const char *text)
{
    const int is_below = *text == '/' || p->path[strlen(p->path) - 1] == '/';
    return paths->how == REPORT_PATHS_NONE && is_below ? strcspn(text, " \t\"'") : 0;
}

char *known_paths_replace(const known_paths *paths, const char *sentence)
{
    cli_buffer out = {0};
    if (paths->how == REPORT_PATHS_GIVEN) return strdup(sentence);
    cli_buffer_printf(&out, "%s", "");
    while (*sentence) {
        const known_path *p = known_at(paths, sentence);
        if (!p) {
            cli_buffer_printf(&out, "%c", *sentence++);
            continue;
        }
        sentence += strlen(p->path);
        sentence += rest_of_path(paths, p, sentence);
        cli_buffer_printf(&out, "%s", p->shown ? p->shown : p->role);
    }
    if (out.failed) cli_buffer_clear(&out);
    return out.text;
}
