#define _GNU_SOURCE /* FTW_ACTIONRETVAL */
#include "batch_key.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge.h"
#include "cli_exit.h"
#include "cli_reads.h"

enum { OPEN_FOLDERS = 16 };

/* FNV-1a, 64 bits: names what has changed, withstands no attack. */
static void mix(uint64_t *hash, const void *bytes, size_t size)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < size; i++)
        *hash = (*hash ^ b[i]) * UINT64_C(0x100000001b3);
}

static const uint64_t START = UINT64_C(0xcbf29ce484222325);

static void mix_text(uint64_t *hash, const char *text)
{
    mix(hash, text, strlen(text) + 1);
}

uint64_t batch_hash_text(const char *text)
{
    uint64_t hash = START;
    mix_text(&hash, text);
    return hash;
}

/* --------------------------------------------------------------------------------------- files */

/* Not the whole path: a manifest may be called by another name, or from another machine. */
static uint64_t identity(const char *name, const struct stat *info)
{
    uint64_t hash = batch_hash_text(name);
    const int64_t numbers[3] = {info->st_size, info->st_mtim.tv_sec, info->st_mtim.tv_nsec};
    mix(&hash, numbers, sizeof numbers);
    return hash;
}

/* Sums of hashes do not depend on the order in which a folder lists its files. The last folder is
 * remembered: many series of one folder follow one another. Main thread only. */
static struct {
    char *path;
    uint64_t sum;
    struct stat outputs; /* the batch's own folder, which may lie inside */
} folder;

static int add_to_folder(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)where;
    if (kind == FTW_D && info->st_ino == folder.outputs.st_ino &&
        info->st_dev == folder.outputs.st_dev)
        return FTW_SKIP_SUBTREE;
    const char *name = path + strlen(folder.path);
    if (kind == FTW_F) folder.sum += identity(name + strspn(name, "/"), info);
    return FTW_CONTINUE;
}

static uint64_t folder_identity(const char *path)
{
    if (folder.path && strcmp(folder.path, path) == 0) return folder.sum;
    free(folder.path);
    folder.path = strdup(path);
    folder.sum = 0;
    if (folder.path) nftw(path, add_to_folder, OPEN_FOLDERS, FTW_PHYS | FTW_ACTIONRETVAL);
    return folder.sum;
}

static void mix_found(void *hash, const char *path)
{
    struct stat info;
    const char *slash = strrchr(path, '/');
    if (stat(path, &info) != 0) return;
    const uint64_t found =
        S_ISDIR(info.st_mode) ? folder_identity(path) : identity(slash ? slash + 1 : path, &info);
    mix(hash, &found, sizeof found);
}

/* With what is read beside it: data of a detached header, the folder of a DICOM file. */
static int mix_file(uint64_t *hash, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0 && !strchr(path, '%'))
        return cli_fail(CLI_EXIT_INPUT, "%s: %s", path,
                        errno == ENOENT ? "no such file or folder" : strerror(errno));
    mix_found(hash, path);
    cli_reads_with(path, mix_found, hash);
    return 0;
}

static int mix_content(uint64_t *hash, const char *path)
{
    char bytes[65536];
    ssize_t n = 1;
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return cli_fail(CLI_EXIT_PROMPT, "%s: %s", path, strerror(errno));
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        mix(hash, bytes, (size_t)n);
    const int reason = errno;
    close(fd);
    return n == 0 ? 0 : cli_fail(CLI_EXIT_PROMPT, "%s: %s", path, strerror(reason));
}

/* Of a scene. It has been read: what cannot be opened now is as good as changed. */
static void mix_markup(void *hash, const char *path)
{
    mix_text(hash, path);
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
    static const char *const names[] = {"device",    "threads",     "cache",     "cacheLimit",
                                        "model",     "base",        "variant",   "listSeries",
                                        "precision", "input",       "initial",   "prompts",
                                        "boxes",     "reportPaths", "reference", "maskPrompts"};
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
        mix_text(hash, p->name);
        if (p->kind == CLI_BOOLEAN) mix_text(hash, given ? "true" : "false");
        for (size_t k = 0; p->kind != CLI_BOOLEAN && k < (given ? given : 1); k++)
            mix_text(hash, cli_text_at(options, p->name, k));
    }
}

int batch_key_make(const batch_command *command, const pipeline_engine *engine, const char *version,
                   const char *outputs, uint64_t *key)
{
    const case_options *work = &command->typed.work;
    const int precision = engine->info.precision;
    *key = START;
    if (stat(outputs, &folder.outputs) != 0) memset(&folder.outputs, 0, sizeof folder.outputs);
    mix_text(key, version);
    mix(key, &engine->info.hash, sizeof engine->info.hash);
    mix(key, &precision, sizeof precision);
    mix_options(key, command->parsed);
    int failed = mix_file(key, work->input);
    if (!failed && work->initial) failed = mix_file(key, work->initial);
    if (!failed && work->boxes) failed = mix_file(key, work->boxes);
    if (!failed && work->mask_prompts) failed = mix_file(key, work->mask_prompts);
    if (!failed && work->reference) failed = mix_file(key, work->reference);
    if (!failed) failed = mix_prompts(key, work);
    return failed;
}
