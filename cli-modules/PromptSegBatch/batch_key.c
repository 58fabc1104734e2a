#define _XOPEN_SOURCE 700
#include "batch_key.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch_hash.h"
#include "batch_identity.h"
#include "bridge.h"
#include "cli_exit.h"
#include "cli_reads.h"

/* --------------------------------------------------------------------------------------- files */

/* A key on its way, and the folder that does not count. */
typedef struct key_maker {
    const char *outputs;
    uint64_t *key;
} key_maker;

static void mix_found(void *user, const char *path)
{
    const key_maker *maker = user;
    uint64_t found;
    if (batch_identity(path, maker->outputs, &found))
        batch_hash_mix(maker->key, &found, sizeof found);
}

/* With what is read beside it: data of a detached header, the folder of a DICOM file. */
static int mix_file(key_maker *maker, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0 && !strchr(path, '%'))
        return cli_fail(CLI_EXIT_INPUT, "%s: %s", path,
                        errno == ENOENT ? "no such file or folder" : strerror(errno));
    mix_found(maker, path);
    cli_reads_with(path, mix_found, maker);
    return 0;
}

static int mix_content(uint64_t *hash, const char *path)
{
    char bytes[65536];
    ssize_t n = 1;
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return cli_fail(CLI_EXIT_PROMPT, "%s: %s", path, strerror(errno));
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        batch_hash_mix(hash, bytes, (size_t)n);
    const int reason = errno;
    close(fd);
    return n == 0 ? 0 : cli_fail(CLI_EXIT_PROMPT, "%s: %s", path, strerror(reason));
}

/* Of a scene. It has been read: what cannot be opened now is as good as changed. */
static void mix_markup(void *hash, const char *path)
{
    batch_hash_mix_text(hash, path);
    mix_content(hash, path);
}

static int mix_prompts(uint64_t *hash, const case_options *work)
{
    const sgio_prompts_options how = {.unnamed = work->segment_name};
    int failed = 0;
    for (size_t i = 0; i < work->prompts.count && !failed; i++) {
        sgio_prompts read = {0};
        failed = bridge_from_io(sgio_prompts_read(work->prompts.items[i], &how, &read));
        sgio_prompts_clear(&read);
        if (!failed) failed = mix_content(hash, work->prompts.items[i]);
        if (!failed) cli_reads_with(work->prompts.items[i], mix_markup, hash);
    }
    return failed;
}

/* ------------------------------------------------------------------------------------- options */

/* Options that change no voxel. */
static int is_indifferent(const cli_parameter *p)
{
    static const char *const names[] = {
        "device",  "threads",     "cache",     "cacheLimit",  "model",      "base",
        "variant", "listSeries",  "precision", "input",       "initial",    "prompts",
        "boxes",   "reportPaths", "reference", "maskPrompts", "labelValues"};
    if (p->is_return || p->is_output) return 1;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(p->name, names[i]) == 0) return 1;
    return 0;
}

static void mix_options(uint64_t *hash, const cli_options *options)
{
    const cli_tool *tool = cli_options_tool(options);
    for (size_t i = 0; i < tool->parameter_count; i++) {
        const cli_parameter *p = &tool->parameters[i];
        const size_t given = cli_given(options, p->name);
        if (is_indifferent(p)) continue;
        batch_hash_mix_text(hash, p->name);
        if (p->kind == CLI_BOOLEAN) batch_hash_mix_text(hash, given ? "true" : "false");
        for (size_t k = 0; p->kind != CLI_BOOLEAN && k < (given ? given : 1); k++)
            batch_hash_mix_text(hash, cli_text_at(options, p->name, k));
    }
}

int batch_key_make(const batch_command *command, const pipeline_engine *engine, const char *version,
                   const char *outputs, uint64_t *key)
{
    const case_options *work = &command->typed.work;
    const int precision = engine->info.precision;
    key_maker maker = {outputs, key};
    *key = BATCH_HASH_START;
    batch_hash_mix_text(key, version);
    batch_hash_mix(key, &engine->info.hash, sizeof engine->info.hash);
    batch_hash_mix(key, &precision, sizeof precision);
    mix_options(key, command->parsed);
    int failed = mix_file(&maker, work->input);
    if (!failed && work->initial) failed = mix_file(&maker, work->initial);
    if (!failed && work->boxes) failed = mix_file(&maker, work->boxes);
    if (!failed && work->mask_prompts) failed = mix_file(&maker, work->mask_prompts);
    if (!failed && work->reference) failed = mix_file(&maker, work->reference);
    if (!failed) failed = mix_prompts(key, work);
    return failed;
}
