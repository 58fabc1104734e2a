/* Runs a fuzz target on files and on the files of folders, so that every compiler and every test
 * run replays the corpus: replay CORPUS... Fails if there was nothing to run, or if a target that
 * says what it refuses does not refuse the samples named "reject_*", or refuses others. Other
 * inputs, such as mutated ones, are run with --any in front.
 *
 * replay --mutate N [--seed S] CORPUS...: then on N inputs made from those files by chance: bits
 * turned, bytes and numbers replaced, pieces cut, doubled or taken from another file. The same seed
 * makes the same inputs. An input that is never answered (20 s), or that a sanitizer stops at, is
 * kept as <program>.found. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Of the sanitizers' run-time, where there is one. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

/* Only targets that say whether an input was refused have it (fuzz_result.h). */
extern __attribute__((weak)) int fuzz_refused;

enum { MAX_FILES = 4096, MAX_SIZE = 1 << 20, PATIENCE_SECONDS = 20 };

typedef struct input {
    uint8_t *data;
    size_t size;
} input;

static input inputs[MAX_FILES];
static int files_run, files_failed, any_result;

/* The input that runs, for `keep`. */
static const uint8_t *running;
static size_t running_size;
static const char *program;

static void keep(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s.found", program);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (file < 0 || !running) return;
    if (write(file, running, running_size) == (ssize_t)running_size) {
        fputs("the input is kept as ", stderr);
        fputs(path, stderr);
        fputs("\n", stderr);
    }
    close(file);
}

static void out_of_patience(int signal_number)
{
    (void)signal_number;
    fputs("no answer within 20 s\n", stderr);
    keep();
    _exit(3);
}

static void run(const uint8_t *data, size_t size)
{
    running = data;
    running_size = size;
    LLVMFuzzerTestOneInput(data, size);
    running = NULL;
}

/* The input gets a heap block of exactly its size, so that a sanitizer sees every overread. */
static int run_stream(FILE *file, size_t size)
{
    uint8_t *data = malloc(size > 0 ? size : 1);
    int complete = data && fread(data, 1, size, file) == size;
    if (complete) run(data, size);
    if (complete && files_run < MAX_FILES && size <= MAX_SIZE)
        inputs[files_run] = (input){data, size};
    else
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

/* ------------------------------------------------------------------------------------ mutation */

static uint64_t state;

/* xorshift64*; below `limit`, which is not 0. */
static size_t chance(size_t limit)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (size_t)((state * 0x2545F4914F6CDD1DULL >> 16) % limit);
}

static void turn_bit(input *x)
{
    x->data[chance(x->size)] ^= (uint8_t)(1u << chance(8));
}

static void set_byte(input *x)
{
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff, '\n', ' ', '"', '-', '9'};
    x->data[chance(x->size)] = chance(2) ? edges[chance(sizeof edges)] : (uint8_t)chance(256);
}

/* Counts and sizes: 2, 4 or 8 bytes that are extreme as numbers. */
static void set_number(input *x)
{
    static const uint64_t extremes[] = {0,
                                        1,
                                        0x7fff,
                                        0xffff,
                                        0x7fffffff,
                                        0x80000000,
                                        0xffffffff,
                                        0x7fffffffffffffff,
                                        0x8000000000000000,
                                        ~0ULL,
                                        0x7f800000,
                                        0x7fc00000,
                                        0x7ff0000000000000};
    size_t width = (size_t)2 << chance(3);
    if (x->size < width) return;
    uint64_t value = extremes[chance(sizeof extremes / sizeof *extremes)];
    memcpy(x->data + chance(x->size - width + 1), &value, width);
}

/* A digit run of a text becomes another number. */
static void set_text_number(input *x)
{
    static const char *const numbers[] = {
        "-1",   "0",  "1e400", "nan", "99999999999999999999", "1e-9", ",", "-inf", "4294967296",
        "\"\"", "[]", "{}",    "null"};
    size_t at = chance(x->size), end;
    while (at < x->size && (x->data[at] < '0' || x->data[at] > '9'))
        at++;
    for (end = at; end < x->size && x->data[end] >= '0' && x->data[end] <= '9';)
        end++;
    const char *text = numbers[chance(sizeof numbers / sizeof *numbers)];
    size_t length = strlen(text);
    if (at == x->size || x->size - (end - at) + length > MAX_SIZE) return;
    memmove(x->data + at + length, x->data + end, x->size - end);
    memcpy(x->data + at, text, length);
    x->size = x->size - (end - at) + length;
}

static void cut(input *x)
{
    size_t at = chance(x->size), length = chance(x->size - at) + 1;
    if (chance(2)) length = x->size - at; /* the end */
    memmove(x->data + at, x->data + at + length, x->size - at - length);
    x->size -= length;
}

static void take_piece(input *x, const input *from)
{
    if (from->size == 0) return;
    size_t begin = chance(from->size), length = chance(from->size - begin) + 1;
    size_t at = chance(x->size + 1);
    if (x->size + length > MAX_SIZE) return;
    memmove(x->data + at + length, x->data + at, x->size - at);
    memcpy(x->data + at, from->data + begin, length);
    x->size += length;
}

static void mutate(input *x, const input *other)
{
    for (size_t times = 1 + chance(4); times > 0 && x->size > 0; times--) {
        switch (chance(8)) {
        case 0:
        case 1:
            turn_bit(x);
            break;
        case 2:
            set_byte(x);
            break;
        case 3:
            set_number(x);
            break;
        case 4:
        case 5:
            set_text_number(x);
            break;
        case 6:
            cut(x);
            break;
        default:
            take_piece(x, other);
            break;
        }
    }
}

static int mutate_all(long count, int known)
{
    static uint8_t work[MAX_SIZE];
    clock_t start = clock();
    for (long i = 0; i < count; i++) {
        const input *from = &inputs[chance((size_t)known)];
        input x = {work, from->size};
        memcpy(work, from->data, from->size);
        mutate(&x, &inputs[chance((size_t)known)]);
        uint8_t *data = malloc(x.size > 0 ? x.size : 1);
        if (!data) return 1;
        memcpy(data, work, x.size);
        alarm(PATIENCE_SECONDS);
        run(data, x.size);
        alarm(0);
        free(data);
    }
    printf("%ld mutated inputs, %.1f s\n", count, (double)(clock() - start) / CLOCKS_PER_SEC);
    return 0;
}

/* Inputs that were kept, without gaps. */
static int gather(void)
{
    int known = 0;
    for (int i = 0; i < files_run && i < MAX_FILES; i++)
        if (inputs[i].data) inputs[known++] = inputs[i];
    return known;
}

int main(int argc, char **argv)
{
    long count = 0;
    state = 1;
    program = argv[0];
    if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(keep);
    signal(SIGALRM, out_of_patience);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--any") == 0)
            any_result = 1;
        else if (strcmp(argv[i], "--mutate") == 0 && i + 1 < argc)
            count = atol(argv[++i]);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            state = strtoull(argv[++i], NULL, 10) * 0x9E3779B97F4A7C15ULL | 1;
        else
            run_path(argv[i], 0);
    }
    printf("%d inputs\n", files_run);
    int known = gather(), failed = files_failed > 0 || files_run == 0;
    if (count > 0) failed |= known == 0 || mutate_all(count, known);
    for (int i = 0; i < known; i++)
        free(inputs[i].data);
    return failed;
}
