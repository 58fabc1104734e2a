#include "prompts_parse.h"

#include "byte_source.h"
#include "foreign_content.h"
#include "io_status.h"
#include "scene.h"
#include "volume_formats.h"

#include <stdlib.h>
#include <string.h>

static sgio_status cannot_read(const char *path, const char *reason)
{
    return sgio_fail(SGIO_BAD_PROMPT, "cannot read prompts from %s: %s", path, reason);
}

/* The whole file, zero-terminated; the caller frees. */
static sgio_status slurp(const char *path, char **text, size_t *bytes)
{
    sgio_status status = sgio_read_prefix(path, SGIO_MAX_PROMPT_FILE + 1, text, bytes);
    if (status == SGIO_UNREADABLE) return SGIO_BAD_PROMPT;
    if (status != SGIO_OK) return status;
    const char *wrong =
        *bytes > SGIO_MAX_PROMPT_FILE ? "larger than 64 MiB" : sgio_foreign_content(*text, *bytes);
    if (!wrong) return SGIO_OK;
    free(*text);
    *text = NULL;
    return cannot_read(path, wrong);
}

/* File name without folder and markups extension; the caller frees. */
static char *base_name(const char *path)
{
    static const char *const suffixes[] = {".mrk.json", ".json", ".fcsv", ".csv"};
    const char *slash = strrchr(path, '/');
    char *name = strdup(slash ? slash + 1 : path);
    for (int i = 0; name && i < 4; i++) {
        if (sgio_has_suffix(name, suffixes[i]) && strlen(name) > strlen(suffixes[i])) {
            name[strlen(name) - strlen(suffixes[i])] = '\0';
            break;
        }
    }
    return name;
}

/* Slicer writes the digits 0 to 9 as A to J, so that no reader takes its files for a series. */
static size_t coded_digits(const char *text)
{
    return strspn(text, "ABCDEFGHIJ");
}

/* [A-J]+_vtkMRML...Node[A-J]+ before the extensions. */
int sgio_prompts_is_temporary(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t process = coded_digits(name), end = strcspn(name, ".");
    static const char class_prefix[] = "_vtkMRML", node[] = "Node";
    if (process == 0 || strncmp(name + process, class_prefix, sizeof class_prefix - 1) != 0)
        return 0;
    for (const char *at = name; (at = strstr(at, node)) && at < name + end; at++) {
        const char *number = at + sizeof node - 1;
        size_t digits = coded_digits(number);
        if (digits > 0 && number + digits == name + end) return 1;
    }
    return 0;
}

sgio_status sgio_prompts_parse_markups(const sgio_prompt_source *source, sgio_prompts *prompts)
{
    if (sgio_has_suffix(source->file, ".json")) return sgio_prompts_parse_json(source, prompts);
    if (sgio_has_suffix(source->file, ".fcsv")) return sgio_prompts_parse_fcsv(source, prompts);
    if (sgio_has_suffix(source->file, ".csv")) return sgio_prompts_parse_csv(source, prompts);
    return cannot_read(source->file, "prompt files are .mrk.json, .fcsv, .csv or .mrml");
}

sgio_status sgio_prompts_read(const char *path, const sgio_prompts_options *options,
                              sgio_prompts *prompts)
{
    char *text = NULL;
    size_t bytes = 0;
    sgio_status status = slurp(path, &text, &bytes);
    if (status != SGIO_OK) return status;
    if (sgio_has_suffix(path, ".mrml")) {
        status = sgio_scene_read_prompts(path, text, bytes, options, prompts);
        free(text);
        return status;
    }
    char *name = base_name(path);
    sgio_prompt_source source = {.file = path, .segment = name, .text = text, .bytes = bytes};
    if (options) {
        if (options->unnamed && sgio_prompts_is_temporary(path)) source.segment = options->unnamed;
        source.warn = options->warn;
        source.warn_user = options->warn_user;
    }
    status = name ? sgio_prompts_parse_markups(&source, prompts)
                  : sgio_fail_memory(strlen(path) + 1, "a file name");
    free(name);
    free(text);
    return status;
}
