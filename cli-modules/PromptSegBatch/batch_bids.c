#include "batch_bids.h"

#include <string.h>

#include "cli_exit.h"

static int is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Length of "sub-01" at the beginning; 0: there is none. */
static size_t entity(const char *text, const char *key)
{
    size_t length = strlen(key);
    if (strncmp(text, key, length) != 0 || !is_alphanumeric(text[length])) return 0;
    while (is_alphanumeric(text[length]))
        length++;
    return text[length] == '_' || text[length] == '\0' ? length : 0;
}

/* What stands before the last part, the suffix: "sub-01_ses-1" of "sub-01_ses-1_T1w". */
static size_t without_suffix(const char *id)
{
    const char *last = strrchr(id, '_');
    return last && !strchr(last, '-') ? (size_t)(last - id) : strlen(id);
}

int batch_bids_output(const char *id, cli_buffer *path)
{
    const size_t subject = entity(id, "sub-");
    if (!subject)
        return cli_fail(CLI_EXIT_USAGE, "the id '%.100s' is none of BIDS: wanted sub-<label>_...",
                        id);
    const size_t session = id[subject] ? entity(id + subject + 1, "ses-") : 0;
    cli_buffer_printf(path, "%.*s/", (int)subject, id);
    if (session) cli_buffer_printf(path, "%.*s/", (int)session, id + subject + 1);
    cli_buffer_printf(path, "anat/%.*s_desc-promptseg_dseg.nii.gz", (int)without_suffix(id), id);
    return path->failed ? cli_fail(CLI_EXIT_MEMORY, "no memory for a file name") : 0;
}

int batch_bids_is_of(const char *id, const char *labels)
{
    const size_t subject = entity(id, "sub-");
    if (!subject) return 0;
    for (const char *label = labels; *label;) {
        const size_t length = strcspn(label, ",");
        const size_t skip = strncmp(label, "sub-", 4) == 0 ? 4 : 0;
        if (length - skip == subject - 4 && strncmp(label + skip, id + 4, length - skip) == 0)
            return 1;
        label += length + (label[length] == ',');
    }
    return 0;
}

int batch_bids_describe(const char *folder, const char *version)
{
    cli_buffer path = {0}, text = {0};
    cli_buffer_printf(&path, "%s/dataset_description.json", folder);
    cli_buffer_printf(&text,
                      "{\n  \"Name\": \"PromptSeg segmentations\",\n"
                      "  \"BIDSVersion\": \"1.8.0\",\n  \"DatasetType\": \"derivative\",\n"
                      "  \"GeneratedBy\": [{\"Name\": \"PromptSeg\", \"Version\": \"%s\"}]\n}\n",
                      version);
    const int failed = path.failed || text.failed
                           ? cli_fail(CLI_EXIT_MEMORY, "no memory for a file name")
                           : cli_write_file(NULL, path.text, text.text, text.size);
    cli_buffer_clear(&path);
    cli_buffer_clear(&text);
    return failed;
}
