/* Runs a fuzz target on files and on the files of folders, so that every compiler and every test
 * run replays the corpus: replay CORPUS... Fails if there was nothing to run, or if a target that
 * says what it refuses does not refuse the samples named "reject_*", or refuses others. Other
 * inputs, such as mutated ones, are run with --any in front. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Only targets that say whether an input was refused have it (fuzz_result.h). */
extern __attribute__((weak)) int fuzz_refused;

static int files_run, files_failed, any_result;

/* The input gets a heap block of exactly its size, so that a sanitizer sees every overread. */
static int run_stream(FILE *file, size_t size)
{
    uint8_t *data = malloc(size > 0 ? size : 1);
    int complete = data && fread(data, 1, size, file) == size;
    if (complete) LLVMFuzzerTestOneInput(data, size);
    free(data);
    return complete;
}

/* "reject_..." is refused, any other sample is not. */
static void check_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    int rejects = strncmp(name, "reject_", 7) == 0;
    if (any_result || !&fuzz_refused || rejects == (fuzz_refused != 0)) return;
    fprintf(stderr, "%s: %s\n", path, rejects ? "was not refused" : "was refused");
    files_failed++;
}

static void run_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    int complete = file && run_stream(file, size);
    if (file) fclose(file);
    if (!complete) {
        fprintf(stderr, "%s: cannot be read\n", path);
        files_failed++;
    }
    files_run++;
    check_name(path);
}

static void run_path(const char *path, int depth);

static void run_folder(const char *path, int depth)
{
    DIR *folder = opendir(path);
    if (!folder) return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char inner[4096];
        if (entry->d_name[0] == '.') continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        run_path(inner, depth + 1);
    }
    closedir(folder);
}

static void run_path(const char *path, int depth)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        fprintf(stderr, "%s: not found\n", path);
        files_failed++;
    } else if (S_ISDIR(info.st_mode) && depth < 4) {
        run_folder(path, depth);
    } else if (S_ISREG(info.st_mode)) {
        run_file(path, (size_t)info.st_size);
    }
}

int main(int argc, char **argv)
{
    any_result = argc > 1 && strcmp(argv[1], "--any") == 0;
    for (int i = 1 + any_result; i < argc; i++)
        run_path(argv[i], 0);
    printf("%d inputs\n", files_run);
    return files_failed > 0 || files_run == 0;
}
