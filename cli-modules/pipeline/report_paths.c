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
    const size_t length = strlen(path);
    const int is_folder = length > 1 && path[length - 1] == '/';
    *known = (known_path){
        .path = path, .length = length - (size_t)is_folder, .is_folder = is_folder, .role = role};
    paths->count++;
    if (paths->how == REPORT_PATHS_NONE) return 0;
    known->shown = show(paths->how, report, path);
    return known->shown ? 0 : cli_fail(CLI_EXIT_MEMORY, "no memory for the report");
}

/* The folder of the file, unless that is the one we are in, or the root: their names are in every
 * sentence. */
static int add_folder(known_paths *paths, const char *report, const char *path, const char *role)
{
    const char *slash = strrchr(path, '/');
    if (paths->how == REPORT_PATHS_GIVEN || !slash || slash == path) return 0;
    char *folder = strndup(path, (size_t)(slash - path) + 1);
    if (!folder) return cli_fail(CLI_EXIT_MEMORY, "no memory for the report");
    const int failed = known_paths_add(paths, report, folder, role);
    paths->items[paths->count - 1].owned = folder;
    return failed;
}

/* What a run may read or write. */
typedef struct run_file {
    const char *path; /* NULL: it has none */
    const char *role, *beside;
} run_file;

enum { RUN_FILES = 9 };

static int add_all(known_paths *out, const char *report, const run_file *files, size_t count)
{
    int failed = 0;
    for (size_t i = 0; i < count && !failed; i++) {
        if (!files[i].path) continue;
        failed = known_paths_add(out, report, files[i].path, files[i].role);
        if (!failed) failed = add_folder(out, report, files[i].path, files[i].beside);
    }
    return failed;
}

int known_paths_make(const case_options *work, const result_options *options, const char *model,
                     known_paths *out)
{
    const run_file files[RUN_FILES] = {
        {work->input, "the input", "the input's folder"},
        {options->output, "the output", "the output folder"},
        {options->picture, "the picture", "the picture's folder"},
        {model, "the model", "the model's folder"},
        {work->boxes, "the boxes", "the folder of the boxes"},
        {work->initial, "the initial segmentation", "the initial segmentation's folder"},
        {work->labels, "the label map", "the label map's folder"},
        {work->mask_prompts, "the mask prompts", "the folder of the mask prompts"},
        {work->reference, "the reference", "the reference's folder"}};
    *out = (known_paths){.how = options->paths};
    out->items =
        calloc(2 * (work->prompts.count + RUN_FILES) + KNOWN_PATHS_MORE, sizeof *out->items);
    if (!out->items) return cli_fail(CLI_EXIT_MEMORY, "no memory for the report");
    int failed = add_all(out, options->report, files, RUN_FILES);
    for (size_t i = 0; i < work->prompts.count && !failed; i++) {
        const run_file prompts = {work->prompts.items[i], "the prompts",
                                  "the folder of the prompts"};
        failed = add_all(out, options->report, &prompts, 1);
    }
    return failed;
}

void known_paths_clear(known_paths *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        free(paths->items[i].shown);
        free(paths->items[i].owned);
    }
    free(paths->items);
    memset(paths, 0, sizeof *paths);
}

const char *known_paths_show(const known_paths *paths, const char *path)
{
    for (size_t i = 0; path && i < paths->count; i++)
        if (strcmp(paths->items[i].path, path) == 0) return paths->items[i].shown;
    return paths->how == REPORT_PATHS_GIVEN ? path : NULL;
}

static int is_of_name(char c)
{
    return c && !strchr("/ \t\n\"'():;,=<>[]{}|!?", c);
}

/* The name does not go on: "/data/p1" is no beginning of "/data/p10"; a sentence may end. */
static int ends_here(const char *text)
{
    return !is_of_name(*text) || (*text == '.' && !is_of_name(text[1]));
}

/* Folders begin where a path does ("./" is no end of "../"), and one word is a folder's name only
 * before a slash: "in" is in many sentences. */
static int is_here(const known_path *p, const char *sentence, size_t at)
{
    const char *text = sentence + at;
    if (!p->length || strncmp(text, p->path, p->length) != 0) return 0;
    if (!ends_here(text + p->length)) return 0;
    if (!p->is_folder) return 1;
    if (at > 0 && (is_of_name(text[-1]) || text[-1] == '/')) return 0;
    return text[p->length] == '/' || memchr(p->path, '/', p->length) != NULL;
}

/* The known path that is there, the longest one; NULL: none. */
static const known_path *known_at(const known_paths *paths, const char *sentence, size_t at)
{
    const known_path *best = NULL;
    for (size_t i = 0; i < paths->count; i++) {
        const known_path *p = &paths->items[i];
        if (is_here(p, sentence, at) && (!best || p->length > best->length)) best = p;
    }
    return best;
}

/* Where paths are left out, what follows a known folder ("/data/patient" + "/IM 1") goes too. */
static size_t rest_of_path(const known_paths *paths, const char *text)
{
    if (paths->how != REPORT_PATHS_NONE || *text != '/') return 0;
    const char *end = strstr(text, ": ");
    return end ? (size_t)(end - text) : strlen(text);
}

char *known_paths_replace(const known_paths *paths, const char *sentence)
{
    cli_buffer out = {0};
    if (paths->how == REPORT_PATHS_GIVEN) return strdup(sentence);
    cli_buffer_printf(&out, "%s", "");
    for (size_t at = 0; sentence[at];) {
        const known_path *p = known_at(paths, sentence, at);
        if (!p) {
            cli_buffer_printf(&out, "%c", sentence[at++]);
            continue;
        }
        at += p->length;
        at += rest_of_path(paths, sentence + at);
        cli_buffer_printf(&out, "%s", p->shown ? p->shown : p->role);
    }
    if (out.failed) cli_buffer_clear(&out);
    return out.text;
}
